"""Records to means: one row a (group, codec), one cell a metric, with everything a reader needs to judge the mean.

Groups are the values of one field of the records (`corpus`, `domain` or `dataset`). Every clip of a row is, for every
metric that was asked of the codec, scored, undefined, failed, or missing (not asked of this clip). A clip that could
not be read, encoded or decoded failed every metric, and so did all clips of a row that were measured under different
definitions of it: no mean is made of those. Two means may be compared only if they are over the same clips
under the same metric identity: `Group.comparable` says which codecs those are, and `Group.ties` which of these cannot
be told apart with these clips.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codeczoo.benchmarks.errors import BenchmarkError, InvalidRun
from codeczoo.benchmarks.records import CODING_STEPS, Record, key_of
from codeczoo.benchmarks.statistics.bootstrap import RESAMPLES, mean_intervals
from codeczoo.benchmarks.statistics.groups import Ties, ties
from codeczoo.benchmarks.statistics.sample import ClipKey, clip_key, clusters_of
from codeczoo.benchmarks.stretches import NO_OVERLAPS, Overlaps, overlapping
from codeczoo.metrics import Metric, UnknownMetric, metric

from . import bitrate
from .bitrate import Bitrate
from .columns import ordered

GroupBy = Literal["corpus", "domain", "dataset"]
GROUP_FIELDS: tuple[GroupBy, ...] = ("corpus", "domain", "dataset")
REFERENCE = "Reference"


@dataclass(frozen=True)
class Cell:
    """One metric of one row."""

    mean: float | None
    """None where no clip was scored."""
    interval: tuple[float, float] | None
    """95 % confidence interval of the mean; None with fewer than two speakers (clips or passages, where
    speakers are not known)."""
    scored: frozenset[ClipKey]
    identities: frozenset[str]
    undefined: Mapping[str, int]
    """Clips by reason."""
    failed: Mapping[str, int]
    """Clips by reason."""
    missing: int
    """Clips of the row that the metric was not asked of."""
    values: NDArray[np.float64] = field(compare=False, repr=False)
    """One a clip of `scored`, in the order of the clips."""
    clusters: tuple[Hashable, ...] = field(compare=False, repr=False)
    """What each of these clips was drawn with."""

    @property
    def n(self) -> int:
        return len(self.scored)

    @property
    def complete(self) -> bool:
        return not (self.undefined or self.failed or self.missing)


@dataclass(frozen=True)
class Row:
    """One codec, or the reference itself, in one group."""

    codec: str
    family: str
    """The name before `@`."""
    clips: frozenset[ClipKey]
    seconds: float
    bitrate: Bitrate
    tokens_per_second: float | None
    n_codebooks: int | None
    fingerprints: int
    """`versions` of the records: more than one means that they were mixed."""
    cells: Mapping[str, Cell]
    overlaps: Overlaps = NO_OVERLAPS


@dataclass(frozen=True)
class Group:
    """The rows of one corpus, domain or dataset, by falling bitrate."""

    name: str
    rows: tuple[Row, ...]
    reference: Row | None
    common_clips: frozenset[ClipKey]
    """The clip set of most rows; rows with another one are compared with nothing."""

    def comparable(self, metric_name: str) -> frozenset[str]:
        """Codecs whose means of a metric are over the same clips under the same metric identity: the largest such
        set, and of equally large ones that over the most clips."""
        classes: dict[tuple[frozenset[ClipKey], frozenset[str]], set[str]] = {}
        for row in self.rows:
            cell = row.cells.get(metric_name)
            if cell is not None and cell.n and row.clips == self.common_clips:
                classes.setdefault((cell.scored, cell.identities), set()).add(row.codec)
        if not classes:
            return frozenset()
        best = max(classes, key=lambda key: (len(classes[key]), len(key[0]), sorted(key[1])))
        return frozenset(classes[best])

    @cached_property
    def ties(self) -> Mapping[str, Ties]:
        """By metric, which of the codecs that may be compared cannot be told apart. Metrics under which fewer than two
        may be compared, or on fewer than two clips, are absent."""
        found: dict[str, Ties] = {}
        for name in dict.fromkeys(name for row in self.rows for name in row.cells):
            compared = self.comparable(name)
            cells = {row.codec: row.cells[name] for row in self.rows if row.codec in compared}
            if len(cells) > 1 and next(iter(cells.values())).n > 1:
                clusters = next(iter(cells.values())).clusters
                found[name] = ties(tuple(cells), np.stack([cell.values for cell in cells.values()], axis=1), clusters)
        return found


@dataclass(frozen=True)
class Summary:
    """Everything that tables and plots show of a list of records."""

    group_by: GroupBy
    groups: tuple[Group, ...]
    metrics: tuple[Metric, ...]
    """Facts of every metric that the records name, in the order of `columns.ORDER`."""


def default_grouping(records: Sequence[Record]) -> GroupBy:
    """By domain where there are several, else by corpus."""
    return "domain" if len({record.get("domain") for record in records}) > 1 else "corpus"


def group_name(record: Record, grouping: str) -> str:
    """The group that a record belongs to."""
    return str(record.get(grouping) or f"{grouping} unknown")


def metric_names(record: Record) -> set[str]:
    """Metrics that were asked of a clip."""
    return names_asked((record,))


def names_asked(records: Iterable[Record]) -> set[str]:
    """Metrics that were asked of any of the clips."""
    found: set[str] = set()
    for record in records:
        for field_ in ("scores", "undefined", "failed"):
            found.update(record.get(field_, ()))
    return found - set(CODING_STEPS)


def known_facts(names: Iterable[str], facts: Mapping[str, Metric] | None) -> dict[str, Metric]:
    """Facts of each metric, out of `facts` or the registry. Raises UnknownMetric."""
    if facts is None:
        return {name: metric(name) for name in names}
    unknown = [name for name in names if name not in facts]
    if unknown:
        raise UnknownMetric(
            f"The records score {', '.join(sorted(unknown))}, of which unit and direction are not known; "
            f"facts were given for: {', '.join(sorted(facts)) or 'none'}. Give them, or name the metrics to report."
        )
    return {name: facts[name] for name in names}


def summarise(
    records: Sequence[Record],
    group_by: GroupBy | None = None,
    metrics: Sequence[str] | None = None,
    facts: Mapping[str, Metric] | None = None,
    resamples: int = RESAMPLES,
) -> Summary:
    """Means of records as `codeczoo.benchmarks.records.load` returns them.

    `metrics` restricts and orders the columns; None: all that the records name. Raises InvalidRun, UnknownMetric.
    """
    if not records:
        raise InvalidRun("There are no records to report. `codeczoo bench` makes some.")
    if group_by is not None and group_by not in GROUP_FIELDS:
        raise BenchmarkError(f"Reports are grouped by {', '.join(GROUP_FIELDS)}; got {group_by!r}.")
    twice = [key for key, count in Counter(map(key_of, records)).items() if count > 1]
    if twice:
        codec, corpus, clip = twice[0]
        raise InvalidRun(f"{codec} was given twice for clip {clip} of corpus {corpus!r}; merge the runs first.")
    grouping = group_by or default_grouping(records)
    by_group: dict[str, dict[str, list[Record]]] = {}
    for record in sorted(records, key=key_of):
        by_group.setdefault(group_name(record, grouping), {}).setdefault(record["codec"], []).append(record)
    asked_of = {(group, codec): names_asked(own) for group, codecs in by_group.items() for codec, own in codecs.items()}
    asked = set[str]().union(*asked_of.values())
    names = ordered(asked) if metrics is None else tuple(metrics)
    if metrics is not None and (absent := [name for name in metrics if name not in asked]):
        raise BenchmarkError(f"No record scores {', '.join(absent)}; the records score: {', '.join(ordered(asked))}.")
    found = known_facts(names, facts)
    check_ranges(records, tuple(found[name] for name in names))
    groups = tuple(
        _group(name, codecs, {codec: asked_of[name, codec] for codec in codecs}, names, resamples)
        for name, codecs in sorted(by_group.items())
    )
    return Summary(grouping, groups, tuple(found[name] for name in names))


def check_ranges(records: Sequence[Record], facts: Sequence[Metric]) -> None:
    """Raise InvalidRun where a score is one that its metric cannot give: the records were edited or damaged."""
    for fact in facts:
        low, high = fact.value_range
        if low == -math.inf and high == math.inf:
            continue
        for record in records:
            value = record.get("scores", {}).get(fact.name)
            if value is not None and math.isfinite(value) and not low <= value <= high:
                raise InvalidRun(
                    f"The record of {record['codec']} and {record['clip']} says that {fact.name} is {value}, which "
                    f"lies outside of {low:g} to {high:g}: the records were edited or damaged. Measure the clip again."
                )


def _group(
    name: str,
    by_codec: Mapping[str, Sequence[Record]],
    asked: Mapping[str, set[str]],
    names: Sequence[str],
    resamples: int,
) -> Group:
    of_group = set[str]().union(*asked.values())
    known: dict[frozenset[ClipKey], frozenset[ClipKey]] = {}
    # A codec that failed on every clip was asked for what the others of its group were asked for.
    shown = {codec: [name for name in names if name in (own or of_group)] for codec, own in asked.items()}
    rows = [_row(codec, members, shown[codec], known) for codec, members in by_codec.items()]
    rows = with_intervals(rows, resamples)
    rows.sort(key=lambda row: (-(row.bitrate.kbps or 0.0), row.codec))
    sets = Counter(row.clips for row in rows)
    common = max(sets, key=lambda clips: (sets[clips], len(clips), sorted(clips)))
    return Group(name, tuple(rows), _reference(by_codec.values(), names, common, resamples), common)


def versions(records: Sequence[Record]) -> int:
    """Different codec fingerprints among the records of one codec, at least 1. Those of clips that were not coded say
    nothing: what could not be read or loaded has none, and of audio that another program decoded each file has its
    own."""
    coded = [record for record in records if {"packed", "payload"} & (record.get("bits") or {}).keys()]
    return max(1, len({record.get("codec_fingerprint") for record in coded}))


def with_intervals(rows: Sequence[Row], resamples: int) -> list[Row]:
    """The rows, with the intervals of all cells over the same clips out of one pass over the resamples."""
    together: dict[tuple[frozenset[ClipKey], tuple[Hashable, ...]], list[tuple[int, str]]] = {}
    for number, row in enumerate(rows):
        for name, cell in row.cells.items():
            if cell.n:
                together.setdefault((cell.scored, cell.clusters), []).append((number, name))
    cells = [dict(row.cells) for row in rows]
    for (_, clusters), places in together.items():
        values = np.stack([cells[number][name].values for number, name in places], axis=1)
        for (number, name), interval in zip(places, mean_intervals(values, clusters, resamples), strict=True):
            cells[number][name] = replace(cells[number][name], interval=interval)
    return [replace(row, cells=own) for row, own in zip(rows, cells, strict=True)]


def _row(
    codec: str,
    records: Sequence[Record],
    names: Sequence[str],
    known: dict[frozenset[ClipKey], frozenset[ClipKey]],
) -> Row:
    """A row without intervals. `known` holds sets of clips seen before, so that equal ones are one object."""
    facts = records[0].get("codec_facts") or {}
    keys = [clip_key(record) for record in records]
    clips = frozenset(keys)
    return Row(
        codec=codec,
        family=codec.rpartition("@")[0] or codec,
        clips=known.setdefault(clips, clips),
        seconds=sum(record["seconds"] for record in records if record.get("seconds")),
        bitrate=bitrate.measure(records),
        tokens_per_second=facts.get("tokens_per_second"),
        n_codebooks=facts.get("n_codebooks") or None,
        fingerprints=versions(records),
        cells=_cells(names, records, keys, known),
        overlaps=overlapping(records),
    )


def _cells(
    names: Sequence[str],
    records: Sequence[Record],
    keys: Sequence[ClipKey],
    known: dict[frozenset[ClipKey], frozenset[ClipKey]],
) -> dict[str, Cell]:
    """A cell a metric, without intervals; `keys` are those of the records. Scores are taken out of the records once: a
    run of a hundred thousand does not fit into the processor's cache, and a pass a metric takes several times as
    long."""
    rows = [list(map(record.get("scores", {}).get, names)) for record in records]
    scores = np.array(rows, dtype=np.float64).reshape(len(records), len(names))
    is_scored = np.isfinite(scores)
    # Records that were loaded together share equal identities: a few objects for thousands of records.
    identities = [record.get("identities", {}) for record in records]
    under = {id(each): each for each in identities}
    which = np.array([id(each) for each in identities], dtype=np.int64)
    clusters = clusters_of(records)
    every = frozenset(keys)
    every = known.setdefault(every, every)
    found: dict[str, Cell] = {}
    for column, name in enumerate(names):
        places = np.flatnonzero(is_scored[:, column]).tolist()
        values = scores[places, column]
        scored, own = every, clusters
        if len(places) < len(records):
            scored = frozenset(keys[place] for place in places)
            own = tuple(clusters[place] for place in places)
        losses = _losses(name, [records[place] for place in np.flatnonzero(~is_scored[:, column]).tolist()])
        definitions = frozenset(under[each].get(name, "") for each in set(which[places].tolist()))
        if len(definitions) > 1:
            # A mean over numbers of two definitions is of neither, and none is printed.
            losses.failed[_mixed(definitions)] += len(places)
            values, scored, own = values[:0], frozenset[ClipKey](), ()
        found[name] = Cell(
            mean=math.fsum(values.tolist()) / len(values) if len(values) else None,
            interval=None,
            scored=known.setdefault(scored, scored),
            identities=definitions,
            undefined=losses.undefined,
            failed=losses.failed,
            missing=losses.missing,
            values=values,
            clusters=own,
        )
    return found


def _mixed(definitions: Iterable[str]) -> str:
    named = " and ".join(sorted(each or "an unknown one" for each in definitions))
    return f"measured under different definitions ({named}); measure it again with one version"


@dataclass
class _Losses:
    """Clips without a value of a metric: by reason, and those it was not asked of."""

    undefined: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    missing: int = 0


def _losses(name: str, records: Iterable[Record]) -> _Losses:
    """Why records have no value of a metric."""
    found = _Losses()
    for record in records:
        failures = record.get("failed", {})
        step = next((step for step in CODING_STEPS if step in failures), None)
        value = record.get("scores", {}).get(name)
        if value is not None:
            found.failed[f"the record holds {value}, which is not a finite number"] += 1
        elif name in record.get("undefined", {}):
            found.undefined[record["undefined"][name]] += 1
        elif name in failures:
            found.failed[failures[name]] += 1
        elif step is not None:
            found.failed[f"{step}: {failures[step]}"] += 1
        else:
            found.missing += 1
    return found


def _reference(
    by_codec: Iterable[Sequence[Record]], names: Sequence[str], clips: frozenset[ClipKey], resamples: int
) -> Row | None:
    """The reference's own scores, one a clip of the common set: they do not depend on the codec beside them."""
    own: dict[ClipKey, Record] = {}
    for record in (record for records in by_codec for record in records):
        if not record.get("reference_scores"):
            continue
        key = clip_key(record)
        if key not in clips:
            continue
        known = own.get(key)
        if known is None:
            known = own[key] = {**record, "scores": {}, "undefined": {}, "failed": {}, "identities": {}}
        for name, value in record["reference_scores"].items():
            if name not in known["scores"]:
                known["scores"][name] = value
                known["identities"][name] = record.get("identities", {}).get(name, "")
    keys = sorted(own)
    members = [own[key] for key in keys]
    cells = {name: cell for name, cell in _cells(names, members, keys, {}).items() if cell.n}
    if not cells:
        return None
    seconds = sum(record["seconds"] for record in members)
    row = Row(REFERENCE, REFERENCE, frozenset(own), seconds, Bitrate(None, "", None), None, None, 1, cells)
    return with_intervals([row], resamples)[0]
