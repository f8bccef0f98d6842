"""What must be said beside a published table: what was compared and what lies beyond the interval, what differs in the
protocol, why a number is shown and not compared, and what the paper prints wrongly. Every sentence stands once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from codeczoo.benchmarks.published.comparison import Beside, Pair, Verdict, label, tally
from codeczoo.benchmarks.published.ours import Measured, Ours
from codeczoo.benchmarks.published.papers import AUDIO, PaperTable
from codeczoo.benchmarks.published.quantities import quantity
from codeczoo.benchmarks.published.rows import PublishedRow
from codeczoo.benchmarks.published.sets import CLIPS, of_name
from codeczoo.benchmarks.published.systems import REFERENCE, points

from .notes import listed
from .table import NOTHING

BEYOND = "≠"
SHOWN = "◇"
UNLIMITED = "unlimited"


def clips_text(counts: Sequence[int]) -> str:
    """How many clips numbers are over."""
    if not counts:
        return NOTHING
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def value_text(one: Measured, row: PublishedRow) -> str:
    """Ours in the printed unit, with one digit more than the paper's where it has few."""
    if math.isinf(one.value):
        return UNLIMITED
    decimals = min(row.decimals + (1 if row.decimals < 3 else 0), 5)
    text = f"{one.value / row.factor:.{decimals}f}"
    if one.interval is not None:
        text += f" ± {(one.interval[1] - one.interval[0]) / 2 / row.factor:.{decimals}f}"
    return text


def set_notes(of: Beside, dataset: str) -> list[str]:
    """What differs in the clips."""
    notes: list[str] = []
    for name in of.table.sets if of.table.wide else (dataset,):
        found = of_name(name)
        if found.left_open:
            notes.append(found.left_open)
        ours = {one.n + one.lost for one in of.ours.measured if one.dataset == name and one.n}
        printed = CLIPS.get((of.table.paper, name))
        if ours and of.table.kinds & {"score", "tokens"}:
            had = clips_text(sorted(ours))
            stated = "how many the paper measured is not said" if printed is None else f"the paper measured {printed}"
            notes.append(f"Clips of {found.title}: ours {had}, {stated}.")
        notes += [
            f"{listed([one.codec])}, {one.quantity}: {one.lost} of {one.n + one.lost} clips of {found.title} have no "
            "value and are not in the mean."
            for one in of.ours.measured
            if one.dataset == name and one.lost
        ]
    return notes


def notes_of(of: Beside) -> list[str]:
    counts = tally(of.pairs)
    notes = [_verdict_note(of, counts)]
    if of.ours.measured:
        notes.append(_legend(of.ours))
    by_hand = {(pair.codec, label(pair.row)): None for pair in of.pairs if pair.by_hand}
    notes += [f"{listed([codec])} stands below {system} because --match says so." for codec, system in by_hand]
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
    return notes + _of_the_print(of.table)


def _of_the_print(table: PaperTable) -> list[str]:
    """Slips and gaps of the printed rows."""
    found: dict[str, dict[str, None]] = {}
    for row in table.rows:
        if row.note and "=" not in row.note:
            found.setdefault(row.note, {})[label(row)] = None
    texts = [f"{note} ({', '.join(systems)})" for note, systems in found.items()]
    return [f"Of the print: {'; '.join(texts)}."] if texts else []


def _legend(ours: Ours) -> str:
    text = f"{BEYOND} ours does not round to the printed number. "
    if any(one.interval is not None for one in ours.measured):
        text = (
            f"{BEYOND} the printed number, as far as it is rounded, lies outside our 95 % interval (± is half of it, "
            "by bootstrap over speakers or clips); over the paper's very clips a smaller difference has a cause too. "
        )
    return text + f"{SHOWN} shown and not compared: the reason is below."


def _verdict_note(of: Beside, counts: Mapping[Verdict, int]) -> str:
    compared = counts["beyond"] + counts["within"]
    if not of.ours.measured:
        return "Published numbers alone: no run was named, or it holds nothing that this table prints."
    if not compared:
        return "No number of ours can be compared with a printed one; the reasons are below."
    drawn = any(pair.measured is not None and pair.measured.interval for pair in of.pairs if pair.verdict != "shown")
    beyond = "lie beyond the interval (by chance one in twenty does)" if drawn else "do not round to the printed one"
    text = f"Of {compared} numbers that can be compared {counts['beyond']} {beyond}"
    far = [pair for pair in of.pairs if pair.verdict == "beyond"][:8]
    named = [f"{label(pair.row)} {quantity(pair.row).label} {pair.row.printed}, ours {_short(pair)}" for pair in far]
    more = ", ..." if counts["beyond"] > len(far) else ""
    return f"{text}: {'; '.join(named)}{more}." if named else f"{text}."


def _short(pair: Pair) -> str:
    assert pair.measured is not None
    return value_text(pair.measured, pair.row).partition(" ±")[0]


def _protocol(of: Beside) -> list[str]:
    """What each column leaves open, where ours has numbers by the same definition; and the identities of ours."""
    there = {one.quantity for one in of.ours.measured}
    columns = [found for found in dict.fromkeys(map(quantity, of.table.rows)) if there.intersection(found.ours)]
    notes = [found.left_open for found in columns if found.same and found.left_open and found.ours[0] in there]
    used = {text for one in of.ours.measured for named in one.identities if (text := of.ours.identities.get(named))}
    if used:
        notes.append(AUDIO[of.table.paper])
    return notes + [f"Ours: {text}." for text in sorted(used)]


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
    notes: dict[str, list[str]] = {}
    for found in dict.fromkeys(map(quantity, of.table.rows)):
        first = found.ours[0] if found.same else ""
        there = {one.quantity for one in of.ours.measured if one.quantity in found.ours}
        shown = next((name for name in found.ours if name in there), "")
        if shown and shown != first and shown not in said:
            why = found.why or f"the printed number is by the definition of {first}"
            notes.setdefault(f"of ours is {shown}: {why}", []).append(found.label)
    return [f"{SHOWN} {', '.join(labels)} {text}." for text, labels in notes.items()]


def _whose(pair: Pair) -> str:
    """What a reason is of: a column, a system, or one row of it."""
    found = quantity(pair.row)
    if found.kind == "none":
        return found.label
    return pair.row.system if "adapter" in pair.reason else label(pair.row)


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
                by_reason.setdefault(pair.reason, {})[_whose(pair)] = None
    notes = [f"{', '.join(systems)}: {reason}." for reason, systems in by_reason.items()]
    if not_measured and of.ours.measured:
        notes.append(f"In the table, and not measured on its clips: {listed(not_measured)}.")
    return notes
