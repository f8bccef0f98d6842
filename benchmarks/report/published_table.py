"""Ours beside the published numbers, in the layout of the paper: each printed system, below it what was measured here.

Marks: `≠` beyond the interval, `◇` shown and not compared. What differs in the protocol, and why a number is not
compared, stands below the table as sentences. `csv_text` has everything, a line a number of ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from codeczoo.benchmarks.published import ours as measured_here
from codeczoo.benchmarks.published.comparison import Beside, Pair, label
from codeczoo.benchmarks.published.ours import Measured, Operating
from codeczoo.benchmarks.published.papers import PaperTable
from codeczoo.benchmarks.published.quantities import Quantity, item, quantity
from codeczoo.benchmarks.published.rows import PublishedRow
from codeczoo.benchmarks.published.sets import of_name
from codeczoo.benchmarks.published.systems import REFERENCE

from .columns import kbps_text, rate_text
from .published_notes import BEYOND, SHOWN, UNLIMITED, clips_text, notes_of, set_notes, value_text
from .table import NOTHING, Section, Table, TextCell
from .tidy import as_csv, number

OURS = "(ours)"

Cells = tuple[TextCell, ...]
Column = tuple[str, str, str]
"""(data set where these stand side by side, printed metric, part)."""


def render(of: Beside) -> Table:
    """The table for any writer."""
    columns = _columns(of.table)
    head = ("System", "kbps", "Nq", "tokens/s", *(_head(of.table, column) for column in columns))
    head = (*head, "clips") if not of.table.wide else head
    sections = [_section(of, dataset, columns) for dataset in ([""] if of.table.wide else of.table.sets)]
    sections += [
        _own(of, corpus, found, columns) for corpus, found in measured_here.own_scores(of.ours.measured).items()
    ]
    return Table(of.table.caption, head, 1, tuple(sections), tuple(notes_of(of)))


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
    named = dataset or "speed" in table.kinds
    return Section(
        of_name(dataset).title if named and not table.wide else "all", tuple(rows), tuple(set_notes(of, dataset))
    )


def _printed(table: PaperTable, members: Sequence[Pair], columns: Sequence[Column]) -> Cells:
    first = members[0].row
    name = label(first).partition("; ")[0] if table.wide and item(first) else label(first)
    values = {_column(table, pair.row): pair.row for pair in members}
    rate, books, tokens = (TextCell(NOTHING if value is None else f"{value:g}") for value in _facts_of(first))
    cells = [TextCell(name), rate, books, tokens]
    cells += [_printed_cell(values.get(column)) for column in columns]
    return tuple(cells) if table.wide else (*cells, TextCell(NOTHING))


def _facts_of(row: PublishedRow) -> tuple[float | None, int | None, float | None]:
    return row.kbps, row.codebooks, row.tokens_per_second


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
        cells.append(TextCell(value_text(pair.measured, pair.row), mark=mark))
    clips = [pair.measured.n for pair in members if pair.measured is not None and pair.measured.n]
    return tuple(cells) if of.table.wide else (*cells, TextCell(clips_text(clips)))


def _name(codec: str) -> TextCell:
    """How a line of ours begins; a reader of LaTeX, where names are not set apart, sees whose it is as well."""
    return TextCell(codec, mark=OURS, is_name=codec != REFERENCE)


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
        one = _best(found, where, row.dataset if of.table.wide and not bare else "", item(row))
        if one is None:
            cells.append(TextCell(NOTHING))
            continue
        other = not where.same or one.quantity != where.ours[0]
        cells.append(TextCell(value_text(one, row), mark=SHOWN if other else ""))
        clips.append(one.n)
    if all(cell.text == NOTHING for cell in cells):
        return None
    start = (_name(codec), *_facts(of.ours.codecs.get(codec, Operating())))
    return (*start, *cells) if of.table.wide else (*start, *cells, TextCell(clips_text([n for n in clips if n])))


def _best(found: Sequence[Measured], where: Quantity, dataset: str, part: str) -> Measured | None:
    for name in where.ours:
        for one in found:
            if one.quantity == name and one.item == part and (not dataset or one.dataset == dataset):
                return one
    return None


_CSV_HEAD = (
    "table", "dataset", "system", "variant", "kbps", "codebooks", "tokens_per_second", "metric", "printed", "unit",
    "published", "codec", "our_metric", "mean", "ci_low", "ci_high", "clips", "difference", "verdict", "reason",
)  # fmt: skip


def csv_text(of: Beside) -> str:
    """A line a pair, then a line for each of ours that stands beside nothing (without a system, verdict `alone`).
    Values are in our units (fractions, seconds, bit/s, counts), `printed` is as the paper has it."""
    lines: list[tuple[str, ...]] = [_CSV_HEAD]
    for pair in of.pairs:
        row, one = pair.row, pair.measured
        lines.append(
            (
                *(row.suite, row.dataset, row.system, row.variant),
                *map(number, (row.kbps, row.codebooks, row.tokens_per_second)),
                *(row.metric, row.printed, row.unit, number(row.value), pair.codec),
                *_of_ours(one),
                *(number(pair.difference), pair.verdict, pair.reason),
            )
        )
    placed = {id(pair.measured) for pair in of.pairs}
    for one in of.ours.measured:
        if id(one) not in placed:
            own = one.dataset.startswith(measured_here.OWN)
            clips = f"clips of {one.dataset.removeprefix(measured_here.OWN)}, which is none of the table's sets"
            facts = of.ours.codecs.get(one.codec, Operating())
            lines.append(
                (
                    *(of.table.name, "" if own else one.dataset, "", one.item),
                    *map(number, (facts.kbps, facts.codebooks, facts.tokens_per_second)),
                    *("", "", "", "", one.codec),
                    *_of_ours(one),
                    *("", "alone", clips if own else "the table prints no such system or column"),
                )
            )
    return as_csv(lines)


def _of_ours(one: Measured | None) -> tuple[str, ...]:
    if one is None:
        return ("",) * 5
    low, high = one.interval or (None, None)
    return (one.quantity, *map(number, (one.value, low, high, one.n or None)))
