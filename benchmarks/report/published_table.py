"""Ours beside the published numbers, in the layout of the paper: each printed system, below it what was measured here.

Marks: `≠` beyond the interval, `◇` shown and not compared. What differs in the protocol, and why a number is not
compared, stands below the table as sentences. `csv_text` has a line a pair, with everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from codeczoo.benchmarks.published import ours as measured_here
from codeczoo.benchmarks.published.comparison import Pair, compare, label, tally
from codeczoo.benchmarks.published.ours import Measured, Operating, Ours
from codeczoo.benchmarks.published.papers import PaperTable
from codeczoo.benchmarks.published.quantities import Quantity, item, quantity
from codeczoo.benchmarks.published.rows import PublishedRow
from codeczoo.benchmarks.published.sets import CLIPS, of_name
from codeczoo.benchmarks.published.systems import REFERENCE, points

from .columns import kbps_text, rate_text
from .notes import listed
from .table import NOTHING, Section, Table, TextCell
from .tidy import as_csv, number

BEYOND = "≠"
SHOWN = "◇"
OURS = "(ours)"
UNLIMITED = "unlimited"

Cells = tuple[TextCell, ...]
Column = tuple[str, str, str]
"""(data set where these stand side by side, printed metric, part)."""
_DECIMALS_MORE = 1
"""Ours is printed with one digit more than the paper's at most."""


@dataclass(frozen=True)
class Beside:
    """A table with everything of ours beside it."""

    table: PaperTable
    ours: Ours
    pairs: tuple[Pair, ...]


def beside(table: PaperTable, ours: Ours, matches: Mapping[str, str]) -> Beside:
    """Compare; raises BenchmarkError for a match of nothing."""
    return Beside(table, ours, compare(table.rows, ours, matches))


def render(of: Beside) -> Table:
    """The table for any writer."""
    columns = _columns(of.table)
    head = ("System", "kbps", "Nq", "tokens/s", *(_head(of.table, column) for column in columns))
    head = (*head, "clips") if not of.table.wide else head
    sections = [_section(of, dataset, columns) for dataset in ([""] if of.table.wide else of.table.sets)]
    sections += [_own(of, corpus, found, columns) for corpus, found in measured_here.own_scores(of.ours.measured).items()]
    return Table(of.table.caption, head, 1, tuple(sections), tuple(_notes(of)))


def _columns(table: PaperTable) -> tuple[Column, ...]:
    return tuple(dict.fromkeys(_column(table, row) for row in table.rows))


def _column(table: PaperTable, row: PublishedRow) -> Column:
    part = item(row) if table.wide and quantity(row).kind == "tokens" else ""
    # The parts of a codebook are counted on one set each: the part is the column.
    return (row.dataset if table.wide and not part else "", row.metric, part)


def _rows_of(table: PaperTable, column: Column) -> list[PublishedRow]:
    return [row for row in table.rows if _column(table, row) == column]


def _head(table: PaperTable, column: Column) -> str:
    dataset, _, part = column
    first = _rows_of(table, column)[0]
    found = quantity(first)
    named = found.label if found.kind != "probe" else ""
    named = " ".join(text for text in (named, part.capitalize()) if text)
    if dataset:
        named = f"{named} {of_name(dataset).title}".strip()
    named += " (%)" if first.unit == "percent" else " (dB)" if first.unit == "dB" else ""
    arrow = {True: " ↑", False: " ↓", None: ""}[found.higher_is_better]
    return named + arrow


def _key(table: PaperTable, row: PublishedRow) -> tuple[object, ...]:
    """What is one line of the paper's table."""
    variant = row.variant.partition("; ")[0] if item(row) and table.wide else row.variant
    return (row.system, variant, row.kbps, row.codebooks, row.tokens_per_second)


def _section(of: Beside, dataset: str, columns: Sequence[Column]) -> Section:
    table = of.table
    pairs = [pair for pair in of.pairs if table.wide or pair.row.dataset == dataset]
    lines: dict[tuple[object, ...], list[Pair]] = {}
    for pair in pairs:
        lines.setdefault(_key(table, pair.row), []).append(pair)
    rows: list[Cells] = []
    for members in lines.values():
        rows.append(_printed(table, members, columns))
        for codec in dict.fromkeys(pair.codec for pair in members if pair.measured is not None):
            rows.append(_measured(of, codec, [pair for pair in members if pair.codec == codec], columns))
    placed = {pair.codec for pair in pairs}
    for codec in of.ours.codecs:
        alone = _alone(of, codec, dataset, columns) if codec not in placed else None
        if alone is not None:
            rows.append(alone)
    return Section("all" if table.wide else of_name(dataset).title, tuple(rows), tuple(_set_notes(of, dataset)))


def _printed(table: PaperTable, members: Sequence[Pair], columns: Sequence[Column]) -> Cells:
    first = members[0].row
    name = label(first).partition("; ")[0] if table.wide and item(first) else label(first)
    values = {_column(table, pair.row): pair.row for pair in members}
    cells = [TextCell(name), *_facts(Operating(first.kbps, first.codebooks, first.tokens_per_second))]
    cells += [_printed_cell(values.get(column)) for column in columns]
    return tuple(cells) if table.wide else (*cells, TextCell(NOTHING))


def _printed_cell(row: PublishedRow | None) -> TextCell:
    if row is None:
        return TextCell(NOTHING)
    if row.value is None:
        return TextCell("?")
    text = UNLIMITED if math.isinf(row.value) else row.printed
    if row.note.startswith("~"):
        text = f"≈{text}"
    if row.plus_minus is not None:
        text += f" ± {row.plus_minus / row.factor:g}"
    return TextCell(text)


def _facts(of: Operating) -> Cells:
    return (
        TextCell(NOTHING if of.kbps is None else kbps_text(of.kbps)),
        TextCell(NOTHING if of.codebooks is None else str(of.codebooks)),
        TextCell(NOTHING if of.tokens_per_second is None else rate_text(of.tokens_per_second)),
    )


def _measured(of: Beside, codec: str, members: Sequence[Pair], columns: Sequence[Column]) -> Cells:
    """A line of ours below the printed one."""
    values = {_column(of.table, pair.row): pair for pair in members}
    cells = [_name(codec), *_facts(of.ours.codecs.get(codec, Operating()))]
    for column in columns:
        pair = values.get(column)
        if pair is None or pair.measured is None:
            cells.append(TextCell(NOTHING))
            continue
        mark = {"beyond": BEYOND, "shown": SHOWN}.get(pair.verdict, "")
        cells.append(TextCell(_text(pair.measured, pair.row), mark=mark))
    clips = [pair.measured.n for pair in members if pair.measured is not None and pair.measured.n]
    return tuple(cells) if of.table.wide else (*cells, TextCell(_clips(clips)))


def _name(codec: str) -> TextCell:
    """How a line of ours begins; a reader of LaTeX, where names are not set apart, sees whose it is as well."""
    return TextCell(codec, mark=OURS, is_name=codec != REFERENCE)


def _clips(counts: Sequence[int]) -> str:
    if not counts:
        return NOTHING
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _text(one: Measured, row: PublishedRow) -> str:
    if math.isinf(one.value):
        return UNLIMITED
    decimals = min(row.decimals + (_DECIMALS_MORE if row.decimals < 3 else 0), 5)
    text = f"{one.value / row.factor:.{decimals}f}"
    if one.interval is not None:
        text += f" ± {(one.interval[1] - one.interval[0]) / 2 / row.factor:.{decimals}f}"
    return text


def _alone(of: Beside, codec: str, dataset: str, columns: Sequence[Column]) -> Cells | None:
    """A codec of ours that the paper does not print, on the same clips; None where it was not measured on them."""
    found = [one for one in of.ours.measured if one.codec == codec and (of.table.wide or one.dataset in (dataset, ""))]
    return _line(of, codec, found, columns, bare=False)


def _own(of: Beside, corpus: str, found: Sequence[Measured], columns: Sequence[Column]) -> Section:
    rows = []
    for codec in dict.fromkeys(one.codec for one in found):
        line = _line(of, codec, [one for one in found if one.codec == codec], columns, bare=True)
        if line is not None:
            rows.append(line)
    note = (
        f"These clips (the corpus {corpus or 'without a name'}, {of.ours.own.get(corpus, 0)} clips) are of none of the "
        "table's data sets: nothing here is compared with it."
    )
    return Section(f"ours, on other clips: {corpus or 'no name'}", tuple(rows), (note,))


def _line(of: Beside, codec: str, found: Sequence[Measured], columns: Sequence[Column], bare: bool) -> Cells | None:
    cells: list[TextCell] = []
    clips: list[int] = []
    for column in columns:
        row = _rows_of(of.table, column)[0]
        where = quantity(row)
        one = _best(found, where, "" if bare else column[0], item(row))
        if one is None:
            cells.append(TextCell(NOTHING))
            continue
        other = not where.same or one.quantity != where.ours[0]
        cells.append(TextCell(_text(one, row), mark=SHOWN if other else ""))
        clips.append(one.n)
    if all(cell.text == NOTHING for cell in cells):
        return None
    start = (_name(codec), *_facts(of.ours.codecs.get(codec, Operating())))
    return (*start, *cells) if of.table.wide else (*start, *cells, TextCell(_clips([n for n in clips if n])))


def _best(found: Sequence[Measured], where: Quantity, dataset: str, part: str) -> Measured | None:
    for name in where.ours:
        for one in found:
            if one.quantity == name and one.item == part and (not dataset or one.dataset == dataset):
                return one
    return None


def _set_notes(of: Beside, dataset: str) -> list[str]:
    """What differs in the clips."""
    notes: list[str] = []
    for name in of.table.sets if of.table.wide else (dataset,):
        found = of_name(name)
        if found.left_open:
            notes.append(found.left_open)
        ours = {one.n + one.lost for one in of.ours.measured if one.dataset == name and one.n}
        printed = CLIPS.get((of.table.paper, name))
        if ours and "score" in of.table.kinds | {"tokens"}:
            had = _clips(sorted(ours))
            stated = "how many the paper measured is not said" if printed is None else f"the paper measured {printed}"
            notes.append(f"Clips of {found.title}: ours {had}, {stated}.")
    return notes


def _notes(of: Beside) -> list[str]:
    counts = tally(of.pairs)
    notes = [_verdict_note(of, counts)]
    if any(of.ours.measured):
        notes.append(
            f"{BEYOND} the printed number, as far as it is rounded, lies outside our 95 % interval (± is half of it, by "
            "bootstrap over speakers or clips; where there are no clips behind a number: ours does not round to it). "
            f"{SHOWN} shown, not compared: the reason is below. Over the paper's very clips even a difference within the "
            "interval has a cause in the protocol."
        )
    notes += _protocol(of)
    notes += _grouped(of, "shown", lambda codecs, metrics, reason: f"{SHOWN} {listed(codecs)}, {metrics}: {reason}.")
    notes += _other_definitions(of)
    notes += _missing(of)
    notes += of.ours.notes
    said: dict[str, dict[str, None]] = {}
    for one in of.ours.measured:
        if one.note:
            said.setdefault(one.note, {})[one.codec] = None
    notes += [f"{listed(codecs)}: {note}." for note, codecs in said.items()]
    misprints = {f"{label(row)}: {row.note}" for row in of.table.rows if row.note and "=" not in row.note}
    if misprints:
        notes.append(f"Of the print: {'; '.join(sorted(misprints))}.")
    return notes


def _verdict_note(of: Beside, counts: Mapping[str, int]) -> str:
    compared = counts["beyond"] + counts["within"]
    if not of.ours.measured:
        return "Published numbers alone: no run was named, or it holds nothing that this table prints."
    if not compared:
        return "No number of ours can be compared with a printed one; the reasons are below."
    text = f"Of {compared} numbers that can be compared {counts['beyond']} lie beyond the interval"
    far = [pair for pair in of.pairs if pair.verdict == "beyond"][:8]
    named = [
        f"{label(pair.row)} {quantity(pair.row).label} {pair.row.printed}, ours {_short(pair)}" for pair in far
    ]
    more = ", ..." if counts["beyond"] > len(far) else ""
    return f"{text}: {'; '.join(named)}{more}." if named else f"{text}."


def _short(pair: Pair) -> str:
    assert pair.measured is not None
    return _text(pair.measured, pair.row).partition(" ±")[0]


def _protocol(of: Beside) -> list[str]:
    """What each column leaves open, where ours has numbers by the same definition; and the identities of ours."""
    there = {one.quantity for one in of.ours.measured}
    columns = [found for found in dict.fromkeys(map(quantity, of.table.rows)) if there.intersection(found.ours)]
    notes = [found.left_open for found in columns if found.same and found.left_open and found.ours[0] in there]
    used = {
        text
        for one in of.ours.measured
        for named in one.identities
        if (text := of.ours.identities.get(named))
    }
    return notes + [f"Ours: `{text}`." for text in sorted(used)]


def _grouped(of: Beside, verdict: str, sentence: Callable[[list[str], str, str], str]) -> list[str]:
    """Pairs of one verdict by reason, codecs and metrics named once."""
    by_reason: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for pair in of.pairs:
        if pair.verdict == verdict:
            codecs, metrics = by_reason.setdefault(pair.reason, ({}, {}))
            codecs[pair.codec] = None
            metrics[quantity(pair.row).label] = None
    return [sentence(list(codecs), ", ".join(metrics), reason) for reason, (codecs, metrics) in by_reason.items()]


def _other_definitions(of: Beside) -> list[str]:
    """Of lines of ours that stand below no printed one: which of their columns are of another definition."""
    said = {pair.measured.quantity for pair in of.pairs if pair.measured is not None}
    notes: dict[str, None] = {}
    for found in dict.fromkeys(map(quantity, of.table.rows)):
        if found.kind != "score":
            continue
        first = found.ours[0] if found.same else ""
        there = {one.quantity for one in of.ours.measured if one.quantity in found.ours}
        shown = next((name for name in found.ours if name in there), "")
        if shown and shown != first and shown not in said:
            why = found.why or f"the printed number is by the definition of {first}"
            notes[f"{SHOWN} {found.label} of ours is {shown}: {why}."] = None
    return list(notes)


def _missing(of: Beside) -> list[str]:
    """Systems without anything of ours, by reason; what was merely not measured is one sentence."""
    by_reason: dict[str, dict[str, None]] = {}
    not_measured: dict[str, None] = {}
    for pair in of.pairs:
        if pair.verdict == "absent" and not pair.codec:
            patterns = points(pair.row).patterns if quantity(pair.row).kind != "none" else ()
            if patterns:
                not_measured |= dict.fromkeys(pattern for pattern in patterns if pattern != REFERENCE)
            else:
                by_reason.setdefault(pair.reason, {})[label(pair.row)] = None
    notes = [f"{', '.join(systems)}: {reason}." for reason, systems in by_reason.items()]
    if not_measured and of.ours.measured:
        notes.append(f"In the table, and not measured on its clips: {listed(not_measured)}.")
    return notes


_CSV_HEAD = (
    "table", "dataset", "system", "variant", "kbps", "codebooks", "tokens_per_second", "metric", "printed", "unit",
    "published", "codec", "our_metric", "mean", "ci_low", "ci_high", "clips", "difference", "verdict", "reason",
)  # fmt: skip


def csv_text(of: Beside) -> str:
    """A line a pair; values in our units (fractions, seconds, bit/s, counts), `printed` as the paper has it."""
    lines: list[tuple[str, ...]] = [_CSV_HEAD]
    for pair in of.pairs:
        row, one = pair.row, pair.measured
        low, high = (one.interval if one is not None else None) or (None, None)
        lines.append(
            (
                *(row.suite, row.dataset, row.system, row.variant),
                *map(number, (row.kbps, row.codebooks, row.tokens_per_second)),
                *(row.metric, row.printed, row.unit, number(row.value), pair.codec),
                *("" if one is None else one.quantity, "" if one is None else number(one.value)),
                *map(number, (low, high, None if one is None else one.n or None, pair.difference)),
                *(pair.verdict, pair.reason),
            )
        )
    return as_csv(lines)
