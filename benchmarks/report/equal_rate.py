"""Tables at equal bitrate, or at equal tokens a second: each family interpolated to the same rates, never beyond its
points.

A section a (group, rate), a row a family that has a point at the rate or points on both sides of it, with the points
that its numbers come from. Scores at a rate are those of `codeczoo.benchmarks.statistics.curves`, one a clip, so that
intervals, emphasis and marks mean what they mean in the quality table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.statistics.curves import AT_POINT, AtRate, at_rate
from codeczoo.benchmarks.statistics.families import AXIS_NAMES, Axis, curve
from codeczoo.benchmarks.statistics.paired import Incomparable, Side
from codeczoo.metrics import Metric

from . import columns
from .bitrate import Bitrate
from .notes import code, few_clips, listed
from .summary import Cell, ClipKey, Group, Row, Summary, with_intervals
from .table import NOTHING, TIED_NOTE, Section, Table, TextCell, metric_cells, ranks, tied_with_best
from .tidy import as_csv, number

_CSV_HEAD = (
    "group_by", "group", "axis", "rate", "family", "from", "metric", "unit", "higher_is_better", "mean", "ci_low",
    "ci_high", "n", "tied_with_best",
)  # fmt: skip


@dataclass(frozen=True)
class AtOneRate:
    """The families of a group at one rate."""

    group: str
    axis: Axis
    rate: float
    found: Group
    """A row a family; named as the family."""
    between: dict[str, tuple[str, ...]]
    """The points of each family: one at the rate, or the two around it."""
    absent: tuple[str, ...]
    """Families whose points lie on both sides of the rate, and have no value there."""


def check_rates(rates: Sequence[float]) -> None:
    """Raise BenchmarkError unless rates are positive numbers, each once."""
    if not rates or any(not math.isfinite(rate) or rate <= 0 for rate in rates) or len(set(rates)) < len(rates):
        given = ", ".join(f"{rate:g}" for rate in rates) or "none"
        raise BenchmarkError(f"Rates to compare at are positive numbers, each once, as in --at 1.5 3 6; got {given}.")


def at_rates(summary: Summary, rates: Sequence[float], axis: Axis, resamples: int) -> list[AtOneRate]:
    """Every group at every rate."""
    check_rates(rates)
    return [_at(group, summary.metrics, rate, axis, resamples) for group in summary.groups for rate in rates]


def _rate(row: Row, axis: Axis) -> float | None:
    return row.bitrate.kbps if axis == "kbps" else row.tokens_per_second


def _at(group: Group, facts: Sequence[Metric], rate: float, axis: Axis, resamples: int) -> AtOneRate:
    families: dict[str, list[Row]] = {}
    for row in group.rows:
        families.setdefault(row.family, []).append(row)
    rows: list[Row] = []
    between: dict[str, tuple[str, ...]] = {}
    absent: list[str] = []
    for family, points in sorted(families.items()):
        known = [found for row in points if (found := _rate(row, axis))]
        if not known or not min(known) * (1 - AT_POINT) <= rate <= max(known) * (1 + AT_POINT):
            continue
        cells: dict[str, Cell] = {}
        for fact in facts:
            made = _cell(family, points, fact.name, rate, axis)
            if made is not None:
                cells[fact.name], between[family] = made[0], made[1].between
        if cells:
            rows.append(_family_row(family, points, between[family], cells))
        else:
            absent.append(family)
    rows = with_intervals(rows, resamples)
    # Rows over other clips than most are compared with nothing, as in the quality table.
    common = max((row.clips for row in rows), key=lambda clips: (sum(row.clips == clips for row in rows), len(clips)),
                 default=frozenset())  # fmt: skip
    return AtOneRate(group.name, axis, rate, Group(group.name, tuple(rows), None, common), between, tuple(absent))


def _family_row(family: str, points: Sequence[Row], between: Sequence[str], cells: dict[str, Cell]) -> Row:
    used = [row for row in points if row.codec in between]
    clips = frozenset.intersection(*(row.clips for row in used))
    return replace(used[0], codec=family, clips=clips, bitrate=Bitrate(None, "", None), cells=cells)


def _cell(family: str, points: Sequence[Row], metric: str, rate: float, axis: Axis) -> tuple[Cell, AtRate] | None:
    """The family's scores at the rate; None where no curve of this metric passes it."""
    rates = {row.codec: _rate(row, axis) for row in points}
    # A point at the rate needs no others, and so no clips that these lack.
    near = [row for row in points if (own := rates[row.codec]) and abs(own - rate) <= AT_POINT * rate]
    near = [row for row in near if metric in row.cells and row.cells[metric].n]
    used = sorted(near, key=lambda row: (abs((rates[row.codec] or 0.0) - rate), row.codec))[:1] or points
    sides = {row.codec: _side(row, row.cells[metric]) for row in used if metric in row.cells}
    try:
        joined = curve(family, sides, rates, metric)
    except Incomparable:
        return None
    found = at_rate(joined, rate)
    if found is None:
        return None
    clips = frozenset(joined.clips)
    missing = max(len(frozenset.intersection(*(sides[name].clips for name in found.between))) - len(clips), 0)
    mean = float(np.mean(found.values))
    return Cell(mean, None, clips, joined.identities, {}, {}, missing, found.values, joined.clusters), found


def _side(row: Row, cell: Cell) -> Side:
    clips: list[ClipKey] = sorted(cell.scored)
    values = dict(zip(clips, cell.values.tolist(), strict=True))
    return Side(row.codec, values, dict(zip(clips, cell.clusters, strict=True)), cell.identities, row.clips)


def table(summary: Summary, found: Sequence[AtOneRate], intervals: bool = False) -> Table:
    """The tables of all groups and rates."""
    axis = found[0].axis
    shown = tuple(
        fact for fact in summary.metrics if any(fact.name in row.cells for each in found for row in each.found.rows)
    )
    head = ("Family", f"Points ({AXIS_NAMES[axis]})", *map(columns.head, shown), "n")
    what = "bitrate" if axis == "kbps" else "tokens a second"
    notes = [
        "Between two points numbers are interpolated: PCHIP through the means against the logarithm of the rate. "
        f"A point within {100 * AT_POINT:.0f} % of the rate stands for it; nothing is extrapolated.",
        "Bold is best and underlined second, ranked only among means over the very same clips; a mean over fewer clips "
        "than its row has is marked with its n.",
        TIED_NOTE,
    ]
    if intervals:
        notes.append("± is half the 95 % confidence interval (bootstrap over speakers, or over clips).")
    rates = {row.codec: _rate(row, axis) for group in summary.groups for row in group.rows}
    notes += _ranges(summary, axis)
    sections = tuple(_section(each, shown, rates, intervals) for each in found)
    return Table(f"Reconstruction quality at equal {what}", head, 2, sections, tuple(notes))


def _ranges(summary: Summary, axis: Axis) -> list[str]:
    """Where the points of each family lie, so that a missing row explains itself."""
    notes = []
    for group in summary.groups:
        known: dict[str, list[float]] = {}
        without: list[str] = []
        for row in group.rows:
            rate = _rate(row, axis)
            if rate:
                known.setdefault(row.family, []).append(rate)
            elif row.family not in without:
                without.append(row.family)
        ranges = ", ".join(f"{code(family)} {_range(rates)}" for family, rates in sorted(known.items()))
        notes.append(f"Points of {group.name}, in {AXIS_NAMES[axis]}: {ranges or 'none'}.")
        if without:
            notes.append(f"Without {AXIS_NAMES[axis]}, of {group.name}: {listed(without)}.")
    return notes


def _range(rates: Sequence[float]) -> str:
    low, high = _text(min(rates)), _text(max(rates))
    return low if low == high else f"{low} to {high}"


def _section(each: AtOneRate, shown: Sequence[Metric], rates: dict[str, float | None], intervals: bool) -> Section:
    group = each.found
    emphasis = {fact.name: ranks(group, fact) for fact in shown}
    tied = {fact.name: tied_with_best(group, fact) for fact in shown}
    rows = []
    for row in group.rows:
        points = " and ".join(_text(rates[name] or 0.0) for name in each.between[row.family])
        cells = metric_cells(row, shown, emphasis, tied, intervals)
        other = "" if row.clips == group.common_clips else "‡"
        rows.append((TextCell(row.codec, mark=other, is_name=True), TextCell(points), *cells,
                     TextCell(str(len(row.clips)))))  # fmt: skip
    if not rows:
        nobody = f"no family has points on both sides of {each.rate:g} {AXIS_NAMES[each.axis]}"
        rows = [(TextCell(nobody), *(TextCell(NOTHING),) * (len(shown) + 2))]
    return Section(f"{each.group}, at {each.rate:g} {AXIS_NAMES[each.axis]}", tuple(rows), tuple(_notes(each)))


def _notes(each: AtOneRate) -> list[str]:
    notes = [
        f"‡ {code(row.codec)} was measured on {len(row.clips)} clips, others than the {len(each.found.common_clips)} "
        "of the other rows: its means are not ranked with theirs."
        for row in each.found.rows
        if row.clips != each.found.common_clips
    ]
    notes += few_clips(each.found)
    if each.absent:
        notes.append(f"{listed(each.absent)}: no value on clips that the points around the rate share.")
    return notes


def _text(rate: float) -> str:
    return columns.kbps_text(rate)


def csv_text(summary: Summary, found: Sequence[AtOneRate]) -> str:
    """The same as CSV, one line a (group, rate, family, metric)."""
    lines: list[tuple[str, ...]] = [_CSV_HEAD]
    for each in found:
        tied = {fact.name: tied_with_best(each.found, fact) for fact in summary.metrics}
        for row in each.found.rows:
            for fact in summary.metrics:
                cell = row.cells.get(fact.name)
                if cell is None:
                    continue
                low, high = cell.interval or (None, None)
                lines.append(
                    (
                        *(summary.group_by, each.group, each.axis, number(each.rate), row.family),
                        " ".join(each.between[row.family]),
                        *(fact.name, fact.unit, str(fact.higher_is_better).lower()),
                        *map(number, (cell.mean, low, high, cell.n)),
                        str(row.codec in tied[fact.name]).lower(),
                    )
                )
    return as_csv(lines)
