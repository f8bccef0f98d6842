"""A run against a baseline, clip by clip: one verdict a (corpus, codec, metric) of the baseline.

failed      the mean dropped by more than the tolerance, and the paired test, speakers kept together and corrected for
            all drops looked at (Holm), says that this is not chance; or clips that had a value have none now
unjudged    the run lacks the codec or some clips, the metric is defined otherwise now, or the clips are so few that no
            drop whatever could be shown
passed      all else: with the remark that a drop above the tolerance may be chance, where that is so

The test is one-sided: that quality rose fails nothing. It is exact where noise is symmetric; skewed noise gives up to
twice as many false alarms (results/statistics). Values are paired by corpus, clip and the clip's SHA-256; a clip that
the baseline has under another name or in a corpus of another name is known by its SHA-256 alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from codeczoo.benchmarks.errors import BenchmarkError, InvalidRun
from codeczoo.benchmarks.records import CODING_STEPS, Record
from codeczoo.benchmarks.report.columns import ordered
from codeczoo.benchmarks.report.summary import known_facts, metric_names
from codeczoo.benchmarks.statistics.corrections import holm
from codeczoo.benchmarks.statistics.paired import Incomparable, Paired, pair, side
from codeczoo.benchmarks.statistics.permutation import EXACT, RESAMPLES, least_p, sign_flip
from codeczoo.benchmarks.statistics.sample import clip_key, named_as
from codeczoo.benchmarks.statistics.sample_size import ALPHA, detectable
from codeczoo.metrics import Metric

from . import tolerance as tolerances

Status = Literal["passed", "failed", "unjudged"]
_MOST_RESAMPLES = 99_999


@dataclass(frozen=True)
class Verdict:
    """One metric of one codec."""

    corpus: str
    codec: str
    metric: Metric
    status: Status
    reason: str = ""
    """Which clips were lost, why it was not judged, or what is to be remarked; empty for a plain drop."""
    n_clips: int = 0
    n_clusters: int = 0
    baseline: float = math.nan
    """Mean over the clips that both have."""
    run: float = math.nan
    drop: float = math.nan
    """By how much the mean is worse now, in the metric's unit; below 0 where it is better."""
    tolerance: float = math.nan
    noise: float = 0.0
    """The noise floor of the repeats; 0 without any."""
    p: float = math.nan
    """Corrected; 1 where the drop is tolerated, and no test was made."""
    detectable: float = math.nan
    """The drop that these clips show with probability 0.8."""


@dataclass(frozen=True)
class Judgement:
    """All verdicts of a check."""

    verdicts: tuple[Verdict, ...]
    alpha: float

    @property
    def exit_status(self) -> int:
        """1 where something failed, else 2 where something was not judged, else 0."""
        counts = self.counts
        return 1 if counts["failed"] else 2 if counts["unjudged"] else 0

    @property
    def counts(self) -> Mapping[str, int]:
        return {"passed": 0, "failed": 0, "unjudged": 0} | Counter(each.status for each in self.verdicts)


@dataclass
class _Unit:
    """What is judged together, before and after the tests."""

    made: Verdict
    both: Paired | None = None
    missing: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    remarks: tuple[str, ...] = ()
    """On the repeats."""


def judge(
    run: Sequence[Record],
    baseline: Sequence[Record],
    *,
    repeats: Sequence[Sequence[Record]] = (),
    metrics: Sequence[str] | None = None,
    tolerance: Mapping[str, float] | None = None,
    facts: Mapping[str, Metric] | None = None,
    alpha: float = ALPHA,
    allow_missing: bool = False,
) -> Judgement:
    """Compare a run with its baseline. `allow_missing`: clips of the baseline that the run did not measure are no
    reason not to judge. Raises InvalidRun, BenchmarkError, UnknownMetric."""
    if not 0 < alpha < 1:
        raise BenchmarkError(f"alpha is between 0 and 1; got {alpha}.")
    for name, records in (("baseline", baseline), ("run", run)):
        if not records:
            raise InvalidRun(f"The {name} holds no records. `codeczoo bench` makes some.")
    asked = set[str]().union(*map(metric_names, baseline))
    if metrics is not None and (absent := [name for name in metrics if name not in asked]):
        there = ", ".join(ordered(asked))
        raise BenchmarkError(f"The baseline does not score {', '.join(absent)}; it scores: {there}.")
    shown = known_facts(ordered(asked) if metrics is None else metrics, facts)
    now, before = _by_codec(named_as(baseline, run)), _by_codec(baseline)
    again = [_by_codec(named_as(baseline, records)) for records in repeats]
    for number, each in enumerate(repeats, start=1):
        theirs = {(record["codec"], clip_key(record)) for record in named_as(baseline, each)}
        if not theirs & {(record["codec"], clip_key(record)) for record in baseline}:
            raise InvalidRun(
                f"Repeat {number} holds no clip and codec of the baseline, so it says nothing of the baseline's noise. "
                "A repeat is a run of the same codecs on the same clips."
            )
    units = [
        _unit(key, fact, now.get(key, []), members, [each.get(key, []) for each in again], tolerance or {})
        for key, members in before.items()
        for fact in shown.values()
        if any(fact.name in metric_names(record) for record in members)
    ]
    units = [unit for unit in units if unit is not None]
    if not units:
        raise InvalidRun("The baseline holds no score, so there is nothing to compare with.")
    return Judgement(tuple(_judged(units, alpha, allow_missing)), alpha)


def _by_codec(records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.get("corpus", ""), record["codec"]), []).append(record)
    return dict(sorted(found.items()))


def _unit(
    key: tuple[str, str],
    fact: Metric,
    run: Sequence[Record],
    baseline: Sequence[Record],
    repeats: Sequence[Sequence[Record]],
    given: Mapping[str, float],
) -> _Unit | None:
    """Everything about a (corpus, codec, metric) but the test; None where the baseline itself has no value."""
    corpus, codec = key
    made = Verdict(corpus, codec, fact, "passed")
    before = side("the baseline", baseline, fact.name)
    if not before.values:
        return None
    if not run:
        return _Unit(
            replace(
                made,
                status="unjudged",
                reason=f"the run has no record of {codec} on these clips; measure it",
            )
        )
    now = side("the run", run, fact.name)
    of_clip = {clip_key(record): record for record in run}
    unit = _Unit(made)
    for clip in before.values.keys() - now.values.keys():
        reason = _lost(of_clip.get(clip), fact.name)
        if reason is None:
            unit.missing += 1
        else:
            unit.lost[reason] += 1
    try:
        unit.both = pair(now, before, fact.name)
        again = [side("a repeat", records, fact.name) for records in repeats]
        noise = tolerances.noise_of(before, again, fact.name, len(unit.both.clips))
    except Incomparable as reason:
        unit.both = None
        unit.made = replace(made, status="unjudged", reason=str(reason).rstrip("."))
        return unit
    sign = 1.0 if fact.higher_is_better else -1.0
    unit.made = replace(
        made,
        n_clips=len(unit.both.clips),
        n_clusters=unit.both.n_clusters,
        run=float(unit.both.first.mean()),
        baseline=float(unit.both.second.mean()),
        drop=-sign * float(unit.both.differences.mean()),
        noise=noise.floor,
        tolerance=max(given.get(fact.name, tolerances.default(fact)), noise.floor),
    )
    unit.remarks = noise.remarks
    return unit


def _lost(record: Record | None, metric: str) -> str | None:
    """Why a clip that had a value has none now; None where nobody asked for one."""
    if record is None:
        return None
    if metric in record.get("undefined", {}):
        return f"undefined: {record['undefined'][metric]}"
    failed = record.get("failed", {})
    for name in (metric, *CODING_STEPS):
        if name in failed:
            return f"{name} failed: {failed[name]}"
    return "its value is not finite" if metric in record.get("scores", {}) else None


def _judged(units: Sequence[_Unit], alpha: float, allow_missing: bool) -> list[Verdict]:
    tested = [unit for unit in units if unit.both is not None]
    # Drops that are tolerated cannot fail: left out of the test at p = 1, they only make the correction stricter.
    resamples = min(_MOST_RESAMPLES, max(RESAMPLES, math.ceil(4 * len(tested) / alpha)))
    p = []
    for unit in tested:
        assert unit.both is not None
        sign = 1.0 if unit.made.metric.higher_is_better else -1.0
        worse = -sign * unit.both.differences
        above = unit.made.drop > unit.made.tolerance
        p.append(sign_flip(worse, unit.both.clusters, "greater", resamples) if above else 1.0)
        within = detectable(worse, unit.both.clusters, min(2 * alpha / len(tested), 0.5))
        unit.made = replace(unit.made, detectable=within)
    for unit, corrected in zip(tested, holm(p), strict=True):
        unit.made = _tested(replace(unit.made, p=corrected), alpha, len(tested), resamples)
    return [_remarked(_with_losses(unit, allow_missing), unit.remarks) for unit in units]


def _remarked(made: Verdict, remarks: Sequence[str]) -> Verdict:
    return replace(made, reason="; ".join(filter(None, [made.reason, *remarks])))


def _tested(made: Verdict, alpha: float, tests: int, resamples: int) -> Verdict:
    if made.drop <= made.tolerance:
        return made
    if made.p <= alpha:
        return replace(made, status="failed")
    if least_p(made.n_clusters, "greater", resamples) * tests > alpha:
        enough = next(n for n in range(1, EXACT + 50) if 2.0**-n * tests <= alpha)
        few = f"{made.n_clusters} independent clips or speakers cannot show it in {tests} tests"
        return replace(made, status="unjudged", reason=f"the drop is above the tolerance, and {few}; {enough} could")
    return replace(made, reason="above the tolerance, but not more than chance on these clips")


def _with_losses(unit: _Unit, allow_missing: bool) -> Verdict:
    made = unit.made
    if unit.lost:
        total = unit.lost.total()
        reason, count = max(unit.lost.items(), key=lambda item: (item[1], item[0]))
        clips = f"{total} clip{'' if total == 1 else 's'} that had a value {'has' if total == 1 else 'have'} none now"
        mostly = reason if count == total else f"mostly {reason}"
        return replace(made, status="failed", reason="; ".join(filter(None, [f"{clips} ({mostly})", made.reason])))
    if unit.missing and made.status == "passed" and not allow_missing:
        clips = f"the run lacks {unit.missing} clip{'' if unit.missing == 1 else 's'} of the baseline"
        return replace(made, status="unjudged", reason="; ".join(filter(None, [clips, made.reason])))
    return made
