"""What the harness itself measured, beside any metric: delay, clipping, length and speed of each codec.

Delay is the median over clips and the range; clipped samples are totals over all clips; length difference is samples
of the estimate minus samples of the reference before trimming. A real-time factor is seconds of computing over
seconds of audio, of all clips together: below 1 is faster than real time. It means nothing without the threads, the
device, the warm-up and what else ran, so these are stated under the table.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codeczoo.benchmarks.records import Record

from . import bitrate
from .notes import listed
from .summary import group_name
from .table import NOTHING, Section, Table, TextCell
from .tidy import as_csv, number

_HEAD = (
    "Model",
    "Delay (ms)",
    "Clipped in",
    "Clipped out",
    "Length difference",
    "Encode RTF ↓",
    "Decode RTF ↓",
    "n",
)
_CSV_HEAD = (
    "group_by",
    "group",
    "codec",
    "clips",
    "seconds",
    "delay_ms_median",
    "delay_ms_min",
    "delay_ms_max",
    "clipped_input_samples",
    "clipped_output_samples",
    "length_difference_min",
    "length_difference_max",
    "encode_rtf",
    "decode_rtf",
    "timing",
)


@dataclass(frozen=True)
class Conduct:
    """How one codec behaved in one group. None where no record says."""

    codec: str
    clips: int
    seconds: float
    delay_ms: tuple[float, float, float] | None
    """Median, least, greatest."""
    clipped_input: int | None
    clipped_output: int | None
    length_difference: tuple[int, int] | None
    """Least, greatest, in samples."""
    encode_rtf: float | None
    decode_rtf: float | None
    conditions: tuple[str, ...]
    """Under which the times were taken: one sentence part each."""


def conduct(records: Sequence[Record]) -> Conduct:
    """Of the records of one codec."""
    delays = [record["delay_ms"] for record in records if record.get("delay_ms") is not None]
    lengths = [record["length_difference"] for record in records if record.get("length_difference") is not None]
    timed = [record for record in records if _timed(record)]
    return Conduct(
        codec=records[0]["codec"],
        clips=len(records),
        seconds=sum(record.get("seconds") or 0.0 for record in records),
        delay_ms=(statistics.median(delays), min(delays), max(delays)) if delays else None,
        clipped_input=_clipped(records, "input"),
        clipped_output=_clipped(records, "output"),
        length_difference=(min(lengths), max(lengths)) if lengths else None,
        encode_rtf=_rtf(records, "encode_s"),
        decode_rtf=_rtf(records, "decode_s"),
        conditions=tuple(sorted(_condition(*each) for each in {_timed_under(record) for record in timed})),
    )


def _clipped(records: Sequence[Record], side: str) -> int | None:
    counts = [(record.get("clipped") or {}).get(side) for record in records]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _timed(record: Record) -> bool:
    timing = record.get("timing") or {}
    return timing.get("encode_s") is not None or timing.get("decode_s") is not None


def _rtf(records: Sequence[Record], key: str) -> float | None:
    timed = [record for record in records if (record.get("timing") or {}).get(key) is not None]
    seconds = sum(record["seconds"] for record in timed)
    return sum(record["timing"][key] for record in timed) / seconds if seconds else None


def _timed_under(record: Record) -> tuple[str | None, int | None, bool | None, int | None]:
    """Device, threads, whether after a warm-up, workers busy beside."""
    timing = record["timing"]
    return timing.get("device"), timing.get("threads"), timing.get("warm_up"), timing.get("busy_workers")


def _condition(device: str | None, threads: int | None, warmed: bool | None, busy: int | None) -> str:
    counted = "threads not stated" if threads is None else f"{threads} thread{'' if threads == 1 else 's'}"
    warm = "warm-up not stated" if warmed is None else "after a warm-up" if warmed else "without a warm-up"
    beside = "other load not stated" if busy is None else f"{busy} metric worker{'' if busy == 1 else 's'} busy beside"
    return f"{device or 'device not stated'}, {counted}, {warm}, {beside}"


def by_group(records: Sequence[Record], grouping: str) -> dict[str, list[Conduct]]:
    """Groups as `summarise` makes them, codecs by falling bitrate as in the quality table."""
    members: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        members.setdefault(group_name(record, grouping), {}).setdefault(record["codec"], []).append(record)
    found = {}
    for group, codecs in sorted(members.items()):
        kbps = {codec: bitrate.measure(own).kbps or 0.0 for codec, own in codecs.items()}
        found[group] = [conduct(codecs[codec]) for codec in sorted(codecs, key=lambda codec: (-kbps[codec], codec))]
    return found


def table(groups: Mapping[str, Sequence[Conduct]]) -> Table:
    """The second table of a report, of what `by_group` gives."""
    sections = tuple(Section(group, tuple(map(_row, found)), timing_notes(found)) for group, found in groups.items())
    notes = (
        "Delay of the decoded audio behind the reference: median over clips, with the range where clips differ.",
        "Clipped: samples outside [-1, 1], all clips together. Length difference: samples before trimming.",
        "RTF: seconds of computing a second of audio; below 1 is faster than real time.",
    )
    return Table("What the harness itself measured", _HEAD, 1, sections, notes)


def _row(found: Conduct) -> tuple[TextCell, ...]:
    return (
        TextCell(found.codec, is_name=True),
        TextCell(_delay(found.delay_ms)),
        TextCell(_count(found.clipped_input)),
        TextCell(_count(found.clipped_output)),
        TextCell(_lengths(found.length_difference)),
        TextCell(factor(found.encode_rtf)),
        TextCell(factor(found.decode_rtf)),
        TextCell(str(found.clips)),
    )


def _delay(delay_ms: tuple[float, float, float] | None) -> str:
    if delay_ms is None:
        return NOTHING
    median, low, high = (f"{value:.1f}" for value in delay_ms)
    return median if low == high else f"{median} ({low} to {high})"


def _count(count: int | None) -> str:
    return NOTHING if count is None else str(count)


def _lengths(lengths: tuple[int, int] | None) -> str:
    if lengths is None:
        return NOTHING
    return str(lengths[0]) if lengths[0] == lengths[1] else f"{lengths[0]} to {lengths[1]}"


def factor(rtf: float | None) -> str:
    """A real-time factor as it is printed: two significant digits."""
    return NOTHING if rtf is None else f"{rtf:#.2g}".rstrip(".") if rtf >= 0.001 else f"{rtf:.1e}"


def timing_notes(found: Sequence[Conduct]) -> tuple[str, ...]:
    """Under which conditions the times were taken, as sentences."""
    codecs: dict[tuple[str, ...], list[str]] = {}
    for each in found:
        if each.conditions:
            codecs.setdefault(each.conditions, []).append(each.codec)
    if len(codecs) <= 1:
        return tuple(f"Timed on: {' / '.join(conditions)}." for conditions in codecs)
    timed = [f"Timed on: {' / '.join(conditions)}: {listed(names)}." for conditions, names in codecs.items()]
    return (*timed, "Times taken under different conditions are not comparable.")


def csv_text(groups: Mapping[str, Sequence[Conduct]], grouping: str) -> str:
    """The same as CSV, one line a (group, codec)."""
    lines: list[tuple[str, ...]] = [_CSV_HEAD]
    for group, found in groups.items():
        for each in found:
            delay = each.delay_ms or (None, None, None)
            length = each.length_difference or (None, None)
            numbers = (each.clips, each.seconds, *delay, each.clipped_input, each.clipped_output, *length)
            speeds = (each.encode_rtf, each.decode_rtf)
            conditions = " / ".join(each.conditions)
            lines.append((grouping, group, each.codec, *map(number, (*numbers, *speeds)), conditions))
    return as_csv(lines)
