"""Records of pieces of passages to means by codec and length: does a codec do at 60 s what it does at 3 s?

Every length hears the same audio (codeczoo.benchmarks.passages), so that means at two lengths may be compared as means
of two codecs may: where they are over all of it. Beside the means stands the change, from the shortest to the longest
length: the difference of the two means of each passage, over passages that were scored in full at both. Passages are
drawn together in all intervals, and those of one speaker too: pieces of one are no independent observations.

A real-time factor is summarised as a metric is, its mean being over pieces of equal length: seconds of computing over
seconds of audio.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.records import Record
from codeczoo.benchmarks.statistics.bootstrap import RESAMPLES, mean_interval
from codeczoo.benchmarks.statistics.sample import clip_key, cluster
from codeczoo.metrics import Metric

from . import harness
from .columns import ordered
from .summary import (
    REFERENCE,
    Group,
    GroupBy,
    Row,
    default_grouping,
    group_name,
    known_facts,
    metric_names,
    summarise,
)

_TIMES = "seconds of computing a second of audio, as codeczoo.benchmarks.coding takes them"
SPEED = tuple(
    Metric(f"{step}_rtf", "1", False, None, "estimate", _TIMES, f"{step}_rtf", f"Real-time factor of the step {step}.")
    for step in ("encode", "decode")
)
"""The real-time factors, as metrics; not registered, since they are measured and not computed from audio."""


@dataclass(frozen=True)
class Change:
    """Of one metric, from the shortest to the longest length."""

    mean: float
    interval: tuple[float, float] | None
    passages: int
    """Scored in full at both lengths."""


@dataclass(frozen=True)
class Line:
    """One codec, or the reference itself, at every length."""

    codec: str
    at: Mapping[float, Row]
    """By length in seconds, rising."""
    passages: Mapping[float, frozenset[str]]
    """Those heard at each length."""
    changes: Mapping[str, Change]
    """By metric."""


@dataclass(frozen=True)
class LengthGroup:
    """One corpus, domain or data set; codecs by falling bitrate."""

    name: str
    lines: tuple[Line, ...]
    reference: Line | None
    at: Mapping[float, Group]
    """All rows of one length."""
    clips: int
    """Clips that the passages were joined from."""
    timed: tuple[str, ...]
    """Under which conditions the times were taken, as sentences."""

    @property
    def lengths_s(self) -> tuple[float, ...]:
        return tuple(self.at)


@dataclass(frozen=True)
class Lengths:
    """Everything that the length table and its figures show."""

    group_by: GroupBy
    groups: tuple[LengthGroup, ...]
    metrics: tuple[Metric, ...]


def is_piece(record: Record) -> bool:
    """Whether a record is of a piece of a passage."""
    return bool(record.get("piece"))


def length_of(record: Record) -> float:
    """Seconds of the pieces that this one is among."""
    return float(record["piece"]["length_s"])


def summarise_lengths(
    records: Sequence[Record],
    group_by: GroupBy | None = None,
    metrics: Sequence[str] | None = None,
    facts: Mapping[str, Metric] | None = None,
    resamples: int = RESAMPLES,
) -> Lengths:
    """Means, intervals and changes of the records of pieces, at least one. Raises InvalidRun, UnknownMetric,
    BenchmarkError."""
    grouping = group_by or default_grouping(records)
    asked = set().union(*map(metric_names, records))
    names = ordered(asked) if metrics is None else tuple(metrics)
    if absent := [name for name in names if name not in asked]:
        raise BenchmarkError(f"No record scores {', '.join(absent)}; the records score: {', '.join(ordered(asked))}.")
    known = known_facts(names, facts)
    everything = {**known, **{fact.name: fact for fact in SPEED}}
    by_length: dict[float, list[Record]] = {}
    for record in sorted(records, key=length_of):
        by_length.setdefault(length_of(record), []).append(_with_speed(record))
    groups: dict[str, dict[float, Group]] = {}
    for length, members in by_length.items():
        asked_here = set().union(*map(metric_names, members))
        here = [name for name in everything if name in asked_here]
        for group in summarise(members, grouping, here, everything, resamples).groups:
            groups.setdefault(group.name, {})[length] = group
    members_of: dict[str, list[Record]] = {}
    for record in records:
        members_of.setdefault(group_name(record, grouping), []).append(record)
    made = tuple(_group(name, groups[name], members_of[name], names, resamples) for name in sorted(groups))
    return Lengths(grouping, made, tuple(known[name] for name in names))


def _with_speed(record: Record) -> Record:
    timing = record.get("timing") or {}
    speed = {fact.name: timing[fact.name] for fact in SPEED if timing.get(fact.name) is not None}
    return {**record, "scores": {**record.get("scores", {}), **speed}}


def _group(
    name: str, at: Mapping[float, Group], records: Sequence[Record], names: Sequence[str], resamples: int
) -> LengthGroup:
    by_codec: dict[str, list[Record]] = {}
    for record in records:
        by_codec.setdefault(record["codec"], []).append(record)
    codecs = dict.fromkeys(row.codec for group in at.values() for row in group.rows)
    lines = tuple(
        _line(
            codec,
            {length: row for length, group in at.items() for row in group.rows if row.codec == codec},
            by_codec[codec],
            names,
            resamples,
        )
        for codec in codecs
    )
    reference = None
    if own := {length: group.reference for length, group in at.items() if group.reference is not None}:
        reference = _line(REFERENCE, own, _reference_records(records), names, resamples)
    clips = {(record.get("corpus", ""), part["clip"]) for record in records for part in record["piece"]["parts"]}
    conducts = [harness.conduct(by_codec[codec]) for codec in codecs]
    return LengthGroup(name, lines, reference, at, len(clips), harness.timing_notes(conducts))


def _reference_records(records: Iterable[Record]) -> list[Record]:
    """One record a piece, with the reference's own scores as its scores."""
    own: dict[object, Record] = {}
    for record in records:
        known = own.setdefault(clip_key(record), {**record, "scores": {}})
        known["scores"] = {**record.get("reference_scores", {}), **known["scores"]}
    return list(own.values())


def _line(codec: str, at: Mapping[float, Row], records: Sequence[Record], names: Sequence[str], resamples: int) -> Line:
    passages = {
        length: frozenset(record["piece"]["passage"] for record in records if length_of(record) == length)
        for length in at
    }
    changes = {name: change for name in names if (change := _change(name, records, resamples)) is not None}
    return Line(codec, at, passages, changes)


def _change(name: str, records: Sequence[Record], resamples: int) -> Change | None:
    """From the shortest to the longest length; None where no passage was scored in full at both."""
    shortest, longest = min(map(length_of, records)), max(map(length_of, records))
    if shortest == longest:
        return None
    before, after = _passage_means(name, records, shortest), _passage_means(name, records, longest)
    clusters = {_passage(record): cluster(record) for record in records}
    # A passage that a killed run has in parts is not the same audio at both lengths.
    both = [key for key in before if key in after and math.isclose(before[key][1], after[key][1])]
    if not both:
        return None
    differences = [after[key][0] - before[key][0] for key in both]
    interval = mean_interval(differences, [clusters[key] for key in both], resamples)
    return Change(math.fsum(differences) / len(both), interval, len(both))


def _passage(record: Record) -> tuple[str, str]:
    return record.get("corpus", ""), record["piece"]["passage"]


def _passage_means(name: str, records: Iterable[Record], length_s: float) -> dict[tuple[str, str], tuple[float, float]]:
    """Mean over pieces of one length, and the seconds of these, for passages all of whose pieces have a value."""
    values: dict[tuple[str, str], list[float | None]] = {}
    for record in records:
        if length_of(record) == length_s:
            value = record.get("scores", {}).get(name)
            finite = None if value is None or not math.isfinite(value) else float(value)
            values.setdefault(_passage(record), []).append(finite)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for key, members in values.items():
        scored = [value for value in members if value is not None]
        if len(scored) == len(members):
            found[key] = (math.fsum(scored) / len(scored), length_s * len(scored))
    return found
