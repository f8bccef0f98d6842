"""Codecs of a run compared in sentences: two operating points, two families at equal bitrate, or many points at once.

Every comparison is of one metric in one group (corpus, domain or dataset), on the clips that both sides have. What
cannot be compared is a sentence too, beginning with the metric: nothing is left out. p-values are corrected for the
number of comparisons made in one call.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from codeczoo.metrics import Metric

from .errors import BenchmarkError, InvalidRun
from .records import Record
from .report import bitrate, columns
from .report.summary import (
    GroupBy,
    check_ranges,
    default_grouping,
    group_name,
    known_facts,
    metric_names,
)
from .statistics.bjontegaard import Bjontegaard, compare_curves
from .statistics.bootstrap import mean_interval
from .statistics.corrections import BY_NAME, Correction
from .statistics.families import AXIS_NAMES, Axis, curve, family_of
from .statistics.groups import Ties, ties
from .statistics.paired import Incomparable, Paired, Side, pair, side
from .statistics.permutation import sign_flip
from .statistics.sample import ClipKey, counted, drawn_as
from .statistics.sample_size import ALPHA, clips_needed


@dataclass(frozen=True)
class PointComparison:
    """Two operating points under one metric."""

    group: str
    metric: Metric
    first: str
    second: str
    reason: str = ""
    """Why they cannot be compared; empty where they were."""
    n_clips: int = 0
    n_clusters: int = 0
    left_out: int = 0
    """Clips of either side on which not both have a value."""
    mean_first: float = math.nan
    mean_second: float = math.nan
    difference: float = math.nan
    """First minus second."""
    interval: tuple[float, float] | None = None
    p: float = math.nan
    p_corrected: float = math.nan
    needed: tuple[int, int] | None = None
    """Clips and clusters that show a difference of this size with probability 0.8 at 5 %; None: no number does."""
    drawn_as: str = "speaker"
    """What the clusters are: `speaker`, `passage`, `file`."""

    @property
    def apart(self) -> bool:
        """Whether the two can be told apart."""
        return not self.reason and self.p_corrected <= ALPHA

    def sentence(self, corrected_for: int = 1) -> str:
        """The comparison in words."""
        label = columns.label(self.metric.name)
        if self.reason:
            return f"{label}: not compared. {self.reason}"
        digits = columns.digits(self.metric)
        unit = columns.unit(self.metric)
        sign = 1.0 if self.metric.higher_is_better else -1.0
        better, worse = (self.first, self.second) if sign * self.difference >= 0 else (self.second, self.first)
        by = _amount(abs(self.difference), digits, unit)
        turned = sign if better == self.first else -sign
        within = "no interval"
        if self.interval is not None:
            low, high = sorted(turned * bound for bound in self.interval)
            within = f"95 % interval {low:.{digits}f} to {high:.{digits}f}"
        means = f"{self.mean_first:.{digits}f} against {self.mean_second:.{digits}f}"
        on = f"on {_clips(self.n_clips, self.n_clusters, self.drawn_as)}{_without(self.left_out)}"
        p = _p(self.p_corrected) + (f" corrected for {corrected_for} comparisons" if corrected_for > 1 else "")
        if self.apart:
            said = f"{better} is better than {worse} by {by} ({within}; {means}; {p}) {on}"
            return f"{label}: {said}; {self._needed('would have been enough')}."
        if self.difference == 0 and self.p == 1:
            return f"{label}: {self.first} and {self.second} have the same mean {on} ({means})."
        said = f"{self.first} and {self.second} cannot be told apart {on}"
        return (
            f"{label}: {said} ({means}; {better} ahead by {by}, {within}; {p}); "
            f"{self._needed('would be needed to see a difference of this size')}."
        )

    def _needed(self, words: str) -> str:
        if self.needed is None:
            return "no number of clips up to ten million would show it"
        return f"{_clips(*self.needed, self.drawn_as)} {words}"


@dataclass(frozen=True)
class FamilyComparison:
    """Two families at equal rate under one metric."""

    group: str
    metric: Metric
    first: str
    second: str
    axis: Axis
    reason: str = ""
    found: Bjontegaard | None = None
    left_out: int = 0
    """Clips of any point on which not all points have a value."""
    drawn_as: str = "speaker"
    """What the clusters are: `speaker`, `passage`, `file`."""

    def sentence(self) -> str:
        """The comparison in words."""
        label = columns.label(self.metric.name)
        if self.found is None:
            return f"{label}: not compared. {self.reason}"
        digits, unit = columns.digits(self.metric), columns.unit(self.metric)
        what = "bitrate" if self.axis == "kbps" else "tokens a second"
        parts = []
        rate, quality = self.found.rate, self.found.quality
        if isinstance(rate, str):
            parts.append(f"BD-rate is not defined: {rate}")
        else:
            less = "less" if rate.value < 0 else "more"
            over = f"over {rate.over[0]:.{digits}f} to {rate.over[1]:.{digits}f}"
            within = "no interval"
            if rate.interval is not None:
                within = f"95 % interval {100 * rate.interval[0]:+.1f} to {100 * rate.interval[1]:+.1f} %"
            parts.append(
                f"for equal quality {self.second} takes {abs(100 * rate.value):.1f} % {less} {what} than {self.first} "
                f"(BD-rate {100 * rate.value:+.1f} %, {within}, {over})"
            )
        if isinstance(quality, str):
            parts.append(f"BD-quality is not defined: {quality}")
        else:
            better = "better" if quality.value > 0 else "worse"
            within = "no interval"
            if quality.interval is not None:
                within = f"95 % interval {quality.interval[0]:+.{digits}f} to {quality.interval[1]:+.{digits}f}"
            parts.append(
                f"at equal {what} it is {better} by {_amount(abs(quality.value), digits, unit)} ({within}, over "
                f"{quality.over[0]:.3g} to {quality.over[1]:.3g} {AXIS_NAMES[self.axis]})"
            )
        on = f"{_clips(self.found.n_clips, self.found.n_clusters, self.drawn_as)}{_without(self.left_out)}"
        return f"{label}: {'; '.join(parts)}; on {on}."


@dataclass(frozen=True)
class Ranking:
    """Many operating points under one metric."""

    group: str
    metric: Metric
    means: Mapping[str, float]
    """By codec, the best first; over the clips that all have."""
    ties: Ties
    n_clips: int
    n_clusters: int
    left_out: int = 0
    """Clips of any codec on which not all have a value."""
    drawn_as: str = "speaker"
    """What the clusters are: `speaker`, `passage`, `file`."""

    def sentence(self) -> str:
        """The ranking in words: groups that cannot be told apart, the best first."""
        digits = columns.digits(self.metric)
        letters = self.ties.letters()
        ranked = ", ".join(f"{codec} {mean:.{digits}f} ({letters[codec]})" for codec, mean in self.means.items())
        on = f"{_clips(self.n_clips, self.n_clusters, self.drawn_as)}{_without(self.left_out)}"
        return f"{columns.head(self.metric)} on {on}: {ranked}."


def _amount(value: float, digits: int, unit: str) -> str:
    return f"{value:.{digits}f}{' ' if unit else ''}{unit}"


def _clips(n_clips: int, n_clusters: int, word: str) -> str:
    return f"{n_clips} clips of {counted(n_clusters, word)}" if n_clusters < n_clips else f"{n_clips} clips"


def _without(left_out: int) -> str:
    """What is said of clips on which not all have a value: those that a codec fails on are seldom the easy ones."""
    return f", without {left_out} on which not all have a value" if left_out else ""


def _left_out(sides: Iterable[Side], compared: int) -> int:
    return len(frozenset[ClipKey]().union(*(each.clips for each in sides))) - compared


def _p(p: float) -> str:
    return f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"


def by_group(records: Sequence[Record], grouping: GroupBy | None) -> dict[str, dict[str, list[Record]]]:
    """Records by group and codec."""
    if not records:
        raise InvalidRun("There are no records to compare. `codeczoo bench` makes some.")
    field = grouping or default_grouping(records)
    found: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        found.setdefault(group_name(record, field), {}).setdefault(record["codec"], []).append(record)
    return dict(sorted(found.items()))


def facts_of(
    records: Sequence[Record], metrics: Sequence[str] | None, facts: Mapping[str, Metric] | None
) -> tuple[Metric, ...]:
    """Facts of the metrics that the records name, or of those asked for."""
    asked = set[str]().union(*map(metric_names, records))
    if metrics is not None and (absent := [name for name in metrics if name not in asked]):
        there = ", ".join(columns.ordered(asked)) or "nothing"
        raise BenchmarkError(f"No record of these codecs scores {', '.join(absent)}; the records score: {there}.")
    names = columns.ordered(asked) if metrics is None else tuple(metrics)
    if not names:
        raise InvalidRun("The records of these codecs hold no metric. `codeczoo bench --metrics` adds some.")
    found = known_facts(names, facts)
    shown = tuple(found[name] for name in names)
    check_ranges(records, shown)
    return shown


def compare_points(
    records: Sequence[Record],
    first: str,
    second: str,
    *,
    group_by: GroupBy | None = None,
    metrics: Sequence[str] | None = None,
    facts: Mapping[str, Metric] | None = None,
    correction: Correction = "holm",
) -> list[PointComparison]:
    """Two operating points, one comparison a (group, metric). Raises InvalidRun, BenchmarkError, UnknownMetric."""
    own = [record for record in records if record["codec"] in (first, second)]
    shown = facts_of(own, metrics, facts)
    found: list[PointComparison] = []
    for group, codecs in by_group(own, group_by).items():
        asked = set[str]().union(*(metric_names(record) for members in codecs.values() for record in members))
        for fact in shown:
            if fact.name not in asked and metrics is None:
                continue
            one, other = (side(name, codecs.get(name, []), fact.name) for name in (first, second))
            made = PointComparison(group, fact, first, second)
            try:
                both = pair(one, other, fact.name)
                found.append(replace(_compared(made, both), left_out=_left_out((one, other), len(both.clips))))
            except Incomparable as reason:
                found.append(replace(made, reason=str(reason)))
    tested = [number for number, each in enumerate(found) if not each.reason]
    corrected = BY_NAME[correction]([found[number].p for number in tested])
    for number, p in zip(tested, corrected, strict=True):
        found[number] = replace(found[number], p_corrected=p)
    return found


def _compared(made: PointComparison, both: Paired) -> PointComparison:
    differences = both.differences
    return replace(
        made,
        n_clips=len(both.clips),
        n_clusters=both.n_clusters,
        mean_first=float(both.first.mean()),
        mean_second=float(both.second.mean()),
        difference=float(differences.mean()),
        interval=mean_interval(differences.tolist(), both.clusters),
        p=sign_flip(differences, both.clusters),
        needed=clips_needed(differences, both.clusters),
        drawn_as=drawn_as(both.clusters),
    )


def compare_families(
    records: Sequence[Record],
    first: str,
    second: str,
    *,
    axis: Axis = "kbps",
    group_by: GroupBy | None = None,
    metrics: Sequence[str] | None = None,
    facts: Mapping[str, Metric] | None = None,
) -> list[FamilyComparison]:
    """Two families at equal rate, one comparison a (group, metric); the first is the anchor."""
    own = [record for record in records if family_of(record["codec"]) in (first, second)]
    shown = facts_of(own, metrics, facts)
    found: list[FamilyComparison] = []
    for group, codecs in by_group(own, group_by).items():
        rates = {codec: rate_of(members, axis) for codec, members in codecs.items()}
        for fact in shown:
            made = FamilyComparison(group, fact, first, second, axis)
            try:
                sides = {name: side(name, own, fact.name) for name, own in codecs.items()}
                one, other = (
                    curve(
                        family,
                        {name: each for name, each in sides.items() if family_of(name) == family},
                        rates,
                        fact.name,
                    )
                    for family in (first, second)
                )
                compared = compare_curves(one, other, fact.higher_is_better)
                points = (sides[name] for name in (*one.codecs, *other.codecs))
                left_out, word = _left_out(points, compared.n_clips), drawn_as(one.clusters)
                found.append(replace(made, found=compared, left_out=left_out, drawn_as=word))
            except Incomparable as reason:
                found.append(replace(made, reason=str(reason)))
    return found


def rate_of(records: Sequence[Record], axis: Axis) -> float | None:
    """The rate of the records of one codec: measured kbit/s, or tokens a second."""
    if axis == "kbps":
        return bitrate.measure(records).kbps
    return (records[0].get("codec_facts") or {}).get("tokens_per_second")


def rank(
    records: Sequence[Record],
    codecs: Sequence[str],
    *,
    group_by: GroupBy | None = None,
    metrics: Sequence[str] | None = None,
    facts: Mapping[str, Metric] | None = None,
) -> list[Ranking | str]:
    """Several operating points at once, on the clips that all of them have; a sentence where they cannot be ranked."""
    own = [record for record in records if record["codec"] in codecs]
    shown = facts_of(own, metrics, facts)
    found: list[Ranking | str] = []
    for group, members in by_group(own, group_by).items():
        for fact in shown:
            try:
                found.append(_ranked(group, fact, codecs, members))
            except Incomparable as reason:
                found.append(f"{columns.label(fact.name)}, {group}: not compared. {reason}")
    return found


def _ranked(group: str, fact: Metric, codecs: Sequence[str], members: Mapping[str, Sequence[Record]]) -> Ranking:
    sides = [side(name, members.get(name, ()), fact.name) for name in codecs]
    for other in sides[1:]:
        pair(sides[0], other, fact.name)
    clips = sorted(set.intersection(*(set(each.values) for each in sides)))
    if len(clips) < 2:
        raise Incomparable(f"{', '.join(codecs)} have {len(clips)} clips in common; at least two are needed.")
    means = {each.name: float(np.mean([each.values[clip] for clip in clips])) for each in sides}
    ranked = sorted(means, key=means.__getitem__, reverse=fact.higher_is_better)
    by_name = {each.name: each for each in sides}
    values = np.array([[by_name[name].values[clip] for name in ranked] for clip in clips])
    clusters = [sides[0].clusters[clip] for clip in clips]
    made = ties(ranked, values, clusters)
    left_out = _left_out(sides, len(clips))
    best_first = {name: means[name] for name in ranked}
    return Ranking(group, fact, best_first, made, len(clips), len(set(clusters)), left_out, drawn_as(clusters))
