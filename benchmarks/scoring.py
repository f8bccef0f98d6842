"""Scoring: what all metrics say of some estimates of one clip. Runs in a worker's process; knows no codec.

The reference is read, resampled and analysed once for all estimates of a job; a worker keeps the last few references,
since the jobs of one clip follow each other.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from codeczoo.metrics import Measure, Metric, Undefined, measures
from codeczoo.metrics.base import Features, Signal
from codeczoo.metrics.delay import estimate_delay

from . import protocol, reference_cache
from .clip import Clip
from .failures import describe

_REFERENCES_KEPT = 2


@dataclass(frozen=True)
class Estimate:
    """Decoded audio of one operating point: mono, at the rate that the codec gave it."""

    codec: str
    audio: Signal
    sample_rate: int
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class ScoringJob:
    """Estimates of one clip."""

    clip: Clip
    clip_sha256: str
    estimates: tuple[Estimate, ...]
    spool: Path
    """Folder for signals on disk."""

    def run(self, device: str) -> list[ScoringResult]:
        """One result an estimate; metrics compute on the processor."""
        del device
        return score_job(self)

    def parts(self) -> tuple[ScoringJob, ...]:
        """A job an estimate."""
        return tuple(replace(self, estimates=(estimate,)) for estimate in self.estimates)

    def given_up(self, reason: str) -> list[ScoringResult]:
        """Results without any score."""
        return [ScoringResult.all_failed(estimate, reason) for estimate in self.estimates]


@dataclass
class ScoringResult:
    """What a record says of one estimate; see codeczoo.benchmarks.records for the fields."""

    codec: str
    scores: dict[str, float] = field(default_factory=dict[str, float])
    undefined: dict[str, str] = field(default_factory=dict[str, str])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    identities: dict[str, str] = field(default_factory=dict[str, str])
    reference_scores: dict[str, float] = field(default_factory=dict[str, float])
    delay_ms: float | None = None
    delay_correlation: float | None = None
    length_difference: int = 0
    metric_s: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds of computing, by the first metric of each measure."""

    @classmethod
    def all_failed(cls, estimate: Estimate, reason: str) -> Self:
        """Every metric of an estimate failed for one reason."""
        result = cls(estimate.codec)
        result.failed = dict.fromkeys(estimate.metrics, reason)
        for measure in measures(estimate.metrics):
            for metric in measure.metrics:
                if metric.name in estimate.metrics:
                    result.identities[metric.name] = protocol.metric_identity_hash(metric)
        return result


class _Reference:
    """One clip's reference at the rates and with the analyses that were asked for."""

    def __init__(self, clip: Clip, sha256: str, spool: Path) -> None:
        self.sha256 = sha256
        self.spool = spool
        self.signal, self.sample_rate = protocol.read_reference(clip, spool, sha256)
        self._at_rate: dict[int, Signal] = {self.sample_rate: self.signal}
        self._features: dict[str, Features] = {}

    def at_rate(self, sample_rate: int) -> Signal:
        if sample_rate not in self._at_rate:
            self._at_rate[sample_rate] = protocol.at_rate(self.signal, self.sample_rate, sample_rate, self.spool)
        return self._at_rate[sample_rate]

    def features(self, measure: Measure, signal: Signal, sample_rate: int) -> Features | None:
        if measure.analyse is None:
            return None
        identities = tuple(protocol.metric_identity(metric) for metric in measure.metrics)
        key = reference_cache.key(self.sha256, sample_rate, len(signal), identities)
        if key not in self._features:
            analyse: Callable[[Signal, int], Features] = measure.analyse
            self._features[key] = reference_cache.get(key, lambda: analyse(signal, sample_rate))
        return self._features[key]

    def close(self) -> None:
        for signal in self._at_rate.values():
            protocol.release(signal)


_references: OrderedDict[tuple[str, str], _Reference] = OrderedDict()


def _reference(clip: Clip, sha256: str, spool: Path) -> _Reference:
    key = (str(clip.path), sha256)
    if key not in _references:
        _references[key] = _Reference(clip, sha256, spool)
    _references.move_to_end(key)
    while len(_references) > _REFERENCES_KEPT:
        _, oldest = _references.popitem(last=False)
        oldest.close()
    return _references[key]


def forget_references() -> None:
    """Free what is kept of references; their files may go after this."""
    while _references:
        _references.popitem()[1].close()


def score_job(job: ScoringJob) -> list[ScoringResult]:
    """Score every estimate of a job; what goes wrong is in the results, not raised. Estimates on disk stay there: a
    job whose process dies is done again."""
    from threadpoolctl import threadpool_limits

    # One thread: workers do not fight for cores, and sums come out the same to the last bit on any number of them.
    with threadpool_limits(1):
        return _score_all(job)


def _score_all(job: ScoringJob) -> list[ScoringResult]:
    results: list[ScoringResult] = []
    for estimate in job.estimates:
        try:
            results.append(_score(job, estimate))
        except Exception as error:  # noqa: BLE001 - whatever a file or a library does must cost one record, not the run
            results.append(ScoringResult.all_failed(estimate, describe(error)))
    return results


def _score(job: ScoringJob, estimate: Estimate) -> ScoringResult:
    result = ScoringResult(estimate.codec)
    reference = _reference(job.clip, job.clip_sha256, job.spool)
    with ExitStack() as stack:
        pairs = _Pairs(reference, estimate, stack)
        result.length_difference = pairs.length_difference
        _note_delay(pairs, result)
        for measure in measures(estimate.metrics):
            wanted = [metric for metric in measure.metrics if metric.name in estimate.metrics]
            result.identities.update((metric.name, protocol.metric_identity_hash(metric)) for metric in wanted)
            began = time.process_time()  # of this process: other programs do not make a metric look dear
            _apply(measure, wanted, job.clip, pairs, result)
            result.metric_s[measure.names[0]] = round(time.process_time() - began, 4)
    return result


class _Pairs:
    """Reference and estimate of equal length at the rates that measures demand."""

    def __init__(self, reference: _Reference, estimate: Estimate, stack: ExitStack) -> None:
        self.reference = reference
        self.native_rate = reference.sample_rate
        self._estimate = estimate
        self._stack = stack
        self._pairs: dict[int, tuple[Signal, Signal]] = {}
        self.length_difference = protocol.length_difference(
            len(estimate.audio), estimate.sample_rate, len(reference.signal), reference.sample_rate
        )

    def at(self, sample_rate: int) -> tuple[Signal, Signal]:
        if sample_rate not in self._pairs:
            made = protocol.at_rate(self._estimate.audio, self._estimate.sample_rate, sample_rate, self.reference.spool)
            if made is not self._estimate.audio:
                self._stack.callback(protocol.release, made)
            self._pairs[sample_rate] = protocol.equal_lengths(self.reference.at_rate(sample_rate), made)
        return self._pairs[sample_rate]


def _note_delay(pairs: _Pairs, result: ScoringResult) -> None:
    reference, estimate = pairs.at(pairs.native_rate)
    try:
        delay = estimate_delay(reference, estimate, pairs.native_rate)
    except Undefined:
        return
    result.delay_ms = 1000.0 * delay.samples / pairs.native_rate
    result.delay_correlation = delay.correlation


def _apply(measure: Measure, wanted: list[Metric], clip: Clip, pairs: _Pairs, result: ScoringResult) -> None:
    rate = measure.sample_rate or pairs.native_rate
    try:
        _refuse(measure, wanted[0], clip, pairs)
        reference, estimate = pairs.at(rate)
        features = pairs.reference.features(measure, reference, rate)
        values = measure.compare(reference, estimate, rate, features)
        if features is not None and measure.reference_scores is not None:
            known = measure.reference_scores(features)
            result.reference_scores.update((m.name, float(known[m.name])) for m in wanted if m.name in known)
    except Undefined as reason:
        result.undefined.update((metric.name, str(reason)) for metric in wanted)
        return
    except Exception as error:  # noqa: BLE001 - a metric that raises is recorded with its reason; the others go on
        result.failed.update((metric.name, describe(error)) for metric in wanted)
        return
    for metric, value in _wanted(values, wanted):
        low, high = metric.value_range
        if isinstance(value, Undefined):
            result.undefined[metric.name] = str(value)
        elif not math.isfinite(value) or not low <= value <= high:
            result.failed[metric.name] = f"gave {value}, which is outside of its range {low} to {high}"
        else:
            result.scores[metric.name] = float(value)


def _wanted(
    values: Mapping[str, float | Undefined], wanted: list[Metric]
) -> Iterator[tuple[Metric, float | Undefined]]:
    for metric in wanted:
        yield metric, values[metric.name]


def _refuse(measure: Measure, metric: Metric, clip: Clip, pairs: _Pairs) -> None:
    """Raise Undefined where the harness knows that a measure has nothing to say of a clip."""
    if metric.domains and clip.domain and clip.domain not in metric.domains:
        raise Undefined(f"is defined for {' and '.join(metric.domains)}; this clip is {clip.domain}")
    seconds = len(pairs.reference.signal) / pairs.native_rate
    if measure.max_seconds is not None and seconds > measure.max_seconds:
        limit = f"{measure.max_seconds:g} s"
        raise Undefined(f"takes clips of up to {limit}; this one has {seconds:.0f} s (cut it with --segment-s)")
