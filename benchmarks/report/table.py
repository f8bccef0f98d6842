"""The quality table: a `Summary` as sections of rows of text cells, ready for any writer.

The columns are those of WavTokenizer's Table 1 (model, bandwidth, Nq, tokens/s, UTMOS, PESQ, STOI, V/UV F1), then
every other metric of the records. A number is emphasised only among means over the same clips under the same metric
identity; whatever else differs between rows is said under the section.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from codeczoo.metrics import Metric

from . import columns
from .notes import section_notes, too_few_clips
from .summary import Cell, Group, Row, Summary

NOTHING = "–"
STATED = "†"
OTHER_CLIPS = "‡"
TIED = "≈"
TIED_NOTE = (
    "≈ cannot be told apart from the best of its column with these clips (paired test over speakers, or over clips, at "
    "5 %, corrected for all pairs of codecs)."
)


@dataclass(frozen=True)
class TextCell:
    """One printed cell."""

    text: str
    emphasis: Literal["", "best", "second"] = ""
    mark: str = ""
    """What hangs on the text: `(n=38)`, †, ‡ or ≈."""
    is_name: bool = False
    """A codec's name, to be set as code where the format has that."""


@dataclass(frozen=True)
class Section:
    """The rows of one group, with what must be said about them."""

    title: str
    rows: tuple[tuple[TextCell, ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A head, sections below it, and notes on all of them."""

    caption: str
    head: tuple[str, ...]
    n_text_columns: int
    """Columns from the left that are flush left; the others are numbers."""
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()


_FACT_HEADS = ("Model", "Bandwidth (kbps) ↓", "Nq ↓", "tokens/s ↓")


def quality(summary: Summary, intervals: bool = False) -> Table:
    """The table of means; `intervals` prints half the width of the 95 % confidence interval after each."""
    shown = tuple(fact for fact in summary.metrics if _measured(summary, fact.name))
    head = (*_FACT_HEADS, *map(columns.head, shown), "n")
    sections = tuple(_section(group, shown, intervals) for group in summary.groups)
    notes = ["Bandwidth is measured: bits of the tokens or bytes produced over seconds of audio. n counts clips."]
    if shown:
        notes.append(
            "Bold is best and underlined second, ranked only among means over the very same clips; "
            "a mean over fewer clips than its row has is marked with its n."
        )
        notes.append(TIED_NOTE)
    if intervals:
        notes.append("± is half the 95 % confidence interval (bootstrap over speakers, or over clips).")
    return Table("Reconstruction quality", head, 1, sections, tuple(notes))


def _measured(summary: Summary, name: str) -> bool:
    return any(name in row.cells for group in summary.groups for row in group.rows)


def _section(group: Group, shown: tuple[Metric, ...], intervals: bool) -> Section:
    emphasis = {fact.name: ranks(group, fact) for fact in shown}
    tied = {fact.name: tied_with_best(group, fact) for fact in shown}
    rows = [] if group.reference is None else [_row(group.reference, group, shown, {}, {}, intervals)]
    rows += [_row(row, group, shown, emphasis, tied, intervals) for row in group.rows]
    return Section(group.name, tuple(rows), section_notes(group, shown))


def ranks(group: Group, fact: Metric) -> dict[str, Literal["best", "second"]]:
    """Which codecs to emphasise under a metric. Means that print alike share the place; one mean alone has none."""
    compared = group.comparable(fact.name)
    if len(compared) < 2:
        return {}
    sign = 1.0 if fact.higher_is_better else -1.0
    means = {row.codec: row.cells[fact.name].mean for row in group.rows if row.codec in compared}
    printed = {codec: sign * round(mean, columns.digits(fact)) for codec, mean in means.items() if mean is not None}
    places = sorted(set(printed.values()), reverse=True)
    if len(places) < 2:
        return {}
    found: dict[str, Literal["best", "second"]] = {}
    for codec, value in printed.items():
        if value == places[0]:
            found[codec] = "best"
        elif value == places[1]:
            found[codec] = "second"
    return found


def best(group: Group, fact: Metric) -> str | None:
    """The codec of the best mean among those that may be compared; None where these are fewer than two."""
    compared = group.comparable(fact.name)
    if len(compared) < 2:
        return None
    sign = 1.0 if fact.higher_is_better else -1.0
    means = {row.codec: sign * (row.cells[fact.name].mean or 0.0) for row in group.rows if row.codec in compared}
    return max(means, key=lambda codec: means[codec])


def tied_with_best(group: Group, fact: Metric) -> frozenset[str]:
    """Codecs that cannot be told apart from the best of a metric; without the best itself. Empty where the clips of
    the group are too few to tell any two apart, which a note says once."""
    first, ties = best(group, fact), group.ties.get(fact.name)
    if first is None or too_few_clips(group):
        return frozenset()
    if ties is None:
        return group.comparable(fact.name) - {first}
    return frozenset(codec for codec in ties.codecs if codec != first and ties.tied(codec, first))


def _row(
    row: Row,
    group: Group,
    shown: tuple[Metric, ...],
    emphasis: dict[str, dict[str, Literal["best", "second"]]],
    tied: dict[str, frozenset[str]],
    intervals: bool,
) -> tuple[TextCell, ...]:
    is_reference = row is group.reference
    other = OTHER_CLIPS if not is_reference and row.clips != group.common_clips else ""
    cells = [
        TextCell(row.codec, mark=other, is_name=not is_reference),
        bandwidth(row),
        TextCell(NOTHING if row.n_codebooks is None else str(row.n_codebooks)),
        TextCell(NOTHING if row.tokens_per_second is None else columns.rate_text(row.tokens_per_second)),
    ]
    cells += metric_cells(row, shown, emphasis, tied, intervals)
    return (*cells, TextCell(str(len(row.clips))))


def metric_cells(
    row: Row,
    shown: Sequence[Metric],
    emphasis: Mapping[str, Mapping[str, Literal["best", "second"]]],
    tied: Mapping[str, frozenset[str]],
    intervals: bool,
) -> list[TextCell]:
    """The means of a row under each metric."""
    cells = []
    for fact in shown:
        cell = row.cells.get(fact.name)
        mark = TIED if row.codec in tied.get(fact.name, frozenset()) else ""
        cells.append(mean(cell, fact, emphasis.get(fact.name, {}).get(row.codec, ""), intervals, mark))
    return cells


def bandwidth(row: Row) -> TextCell:
    """The measured bitrate of a row."""
    rate = row.bitrate
    if rate.kbps is None:
        return TextCell(NOTHING)
    text = columns.kbps_text(rate.kbps)
    if rate.nominal_differs and rate.nominal_kbps is not None:
        text += f" (nominal {columns.kbps_text(rate.nominal_kbps)})"
    return TextCell(text, mark=STATED if rate.kind == "stated" else "")


def mean(
    cell: Cell | None, fact: Metric, emphasis: Literal["", "best", "second"], intervals: bool, mark: str = ""
) -> TextCell:
    """The mean of a cell; where clips lack a value, marked with the number of those that have one."""
    if cell is None or cell.mean is None:
        return TextCell(NOTHING)
    text = f"{cell.mean:.{columns.digits(fact)}f}"
    if intervals and cell.interval is not None:
        text += f" ± {(cell.interval[1] - cell.interval[0]) / 2:.{columns.digits(fact)}f}"
    n = "" if cell.complete else f"(n={cell.n})"
    return TextCell(text, emphasis, " ".join(part for part in (mark, n) if part))
