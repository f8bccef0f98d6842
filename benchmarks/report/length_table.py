"""The length table: a row a codec and length, and one for the change with length; as text cells and as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codeczoo.metrics import Metric

from . import columns, harness, table
from .lengths import SPEED, Change, LengthGroup, Lengths, Line
from .notes import listed, section_notes
from .summary import Row
from .table import NOTHING, OTHER_CLIPS, Section, Table, TextCell
from .tidy import as_csv, number

_CHANGE = "change"
_CSV_HEAD = (
    "group_by",
    "group",
    "codec",
    "family",
    "value",
    "length_s",
    "from_length_s",
    "metric",
    "unit",
    "higher_is_better",
    "mean",
    "ci_low",
    "ci_high",
    "n",
    "undefined",
    "failed",
    "not_measured",
    "pieces",
    "passages",
    "kbps_measured",
    "kbps_kind",
)


def quality_by_length(found: Lengths, intervals: bool = False) -> Table:
    """The table; `intervals` prints half the width of the 95 % confidence interval after each mean."""
    shown = tuple(fact for fact in found.metrics if _measured(found, fact.name))
    speeds = tuple(f"{columns.label(fact.name)} ↓" for fact in SPEED)
    head = ("Model", "Length (s)", "Bandwidth (kbps) ↓", *map(columns.head, shown), *speeds, "n")
    sections = tuple(_section(group, shown, intervals) for group in found.groups)
    notes = [
        "Bandwidth is measured: bits of the tokens or bytes produced over seconds of audio. n counts pieces; a mean "
        "over fewer pieces than its row has is marked with its n, and is of other audio than those at other lengths.",
        "Change: mean at the longest length minus mean at the shortest, over passages scored in full at both (n counts "
        "them), with half its 95 % confidence interval. A metric may change with length by itself: compare codecs.",
        "RTF: seconds of computing a second of audio; below 1 is faster than real time. Every codec was warmed up on a "
        "piece of each length.",
    ]
    if intervals:
        notes.append("± is half the 95 % confidence interval (bootstrap over passages, or over speakers).")
    return Table("Quality and speed by length", head, 1, sections, tuple(notes))


def _measured(found: Lengths, name: str) -> bool:
    return any(name in row.cells for group in found.groups for line in group.lines for row in line.at.values())


def _section(group: LengthGroup, shown: Sequence[Metric], intervals: bool) -> Section:
    lines = (*((group.reference,) if group.reference else ()), *group.lines)
    rows = [row for line in lines for row in _rows(line, group, shown, intervals)]
    return Section(group.name, tuple(rows), tuple(_notes(group, shown)))


def _rows(line: Line, group: LengthGroup, shown: Sequence[Metric], intervals: bool) -> Iterator[tuple[TextCell, ...]]:
    is_codec = line is not group.reference
    for length, row in line.at.items():
        cells = (table.mean(row.cells.get(fact.name), fact, "", intervals) for fact in shown)
        other = OTHER_CLIPS if is_codec and row.clips != group.at[length].common_clips else ""
        yield (
            TextCell(line.codec, mark=other, is_name=is_codec),
            TextCell(f"{length:g}"),
            table.bandwidth(row),
            *cells,
            *(_speed(row, fact) for fact in SPEED),
            TextCell(str(len(row.clips))),
        )
    if line.changes:
        most = max(change.passages for change in line.changes.values())
        yield (
            TextCell(line.codec, is_name=is_codec),
            TextCell(_CHANGE),
            TextCell(NOTHING),
            *(_change(line.changes.get(fact.name), fact, most) for fact in shown),
            *(TextCell(NOTHING) for _ in SPEED),
            TextCell(str(most)),
        )


def _speed(row: Row, fact: Metric) -> TextCell:
    cell = row.cells.get(fact.name)
    return TextCell(harness.factor(None if cell is None else cell.mean))


def _change(change: Change | None, fact: Metric, passages: int) -> TextCell:
    if change is None:
        return TextCell(NOTHING)
    digits = columns.digits(fact)
    text = f"{change.mean:+.{digits}f}"
    if change.interval is not None:
        text += f" ± {(change.interval[1] - change.interval[0]) / 2:.{digits}f}"
    return TextCell(text, mark="" if change.passages == passages else f"(n={change.passages})")


def _notes(group: LengthGroup, shown: Sequence[Metric]) -> Iterator[str]:
    passages = frozenset[str]().union(*(heard for line in group.lines for heard in line.passages.values()))
    yield (
        f"The same audio at every length: {len(passages)} passages of {group.lengths_s[-1]:g} s, joined from "
        f"{group.clips} clips and cut into pieces end to end."
    )
    if uneven := [line.codec for line in group.lines if _is_uneven(line, group)]:
        yield (
            f"{listed(uneven)}: not every length was measured on the same passages in full, so that means at two "
            "lengths are not comparable; the same command completes the run."
        )
    yield from _by_length(group, shown)
    yield from group.timed


def _is_uneven(line: Line, group: LengthGroup) -> bool:
    heard = {(passages, round(length * len(line.at[length].clips), 6)) for length, passages in line.passages.items()}
    return len(heard) > 1 or len(line.at) < len(group.lengths_s)


def _by_length(group: LengthGroup, shown: Sequence[Metric]) -> Iterator[str]:
    """The notes of each length; those that are alike share a line."""
    lengths: dict[str, list[float]] = {}
    for length, rows in group.at.items():
        for note in section_notes(rows, shown):
            lengths.setdefault(note, []).append(length)
    for note, found in lengths.items():
        at = "" if len(found) == len(group.at) else f"{', '.join(f'{length:g}' for length in found)} s: "
        yield at + note


def csv_text(found: Lengths) -> str:
    """Tidy CSV: one line a (group, codec, length, metric), the real-time factors among the metrics, and one a change
    (`value` is `mean` or `change`, the latter from `from_length_s` to `length_s`)."""
    lines: list[tuple[str, ...]] = [_CSV_HEAD]
    for group in found.groups:
        for line in (*((group.reference,) if group.reference else ()), *group.lines):
            start = (found.group_by, group.name, line.codec, line.codec.rpartition("@")[0] or line.codec)
            lines += [(*start, *rest) for rest in (*_mean_lines(line, found), *_change_lines(line, found))]
    return as_csv(lines)


def _mean_lines(line: Line, found: Lengths) -> Iterator[tuple[str, ...]]:
    for length, row in line.at.items():
        for fact in (*found.metrics, *SPEED):
            cell = row.cells.get(fact.name)
            if cell is None:
                continue
            low, high = cell.interval or (None, None)
            yield (
                *("mean", number(length), "", fact.name, fact.unit, str(fact.higher_is_better).lower()),
                *map(number, (cell.mean, low, high, cell.n)),
                *map(number, (sum(cell.undefined.values()), sum(cell.failed.values()), cell.missing)),
                *map(number, (len(row.clips), len(line.passages[length]), row.bitrate.kbps)),
                row.bitrate.kind,
            )


def _change_lines(line: Line, found: Lengths) -> Iterator[tuple[str, ...]]:
    lengths = tuple(line.at)
    for fact in found.metrics:
        change = line.changes.get(fact.name)
        if change is None:
            continue
        low, high = change.interval or (None, None)
        yield (
            *("change", number(lengths[-1]), number(lengths[0])),
            *(fact.name, fact.unit, str(fact.higher_is_better).lower()),
            *map(number, (change.mean, low, high, change.passages)),
            *([""] * 7),
        )
