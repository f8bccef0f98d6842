"""The contract of a metric: (reference, estimate) -> number, or `Undefined` with a reason.

Conventions, for every metric of this package:

* reference first, estimate second; mono float32 arrays `[T]`, nominally in [-1, 1], of equal length, at one sample rate
* a metric never resamples, aligns or trims: it refuses (`MetricError`) audio at a rate that is not its own
* one value a clip; what cannot be computed is `Undefined` with a reason: never 0, never 1, never dropped

Several metrics that one computation gives (STOI and ESTOI, F0 error and V/UV F1) belong to one `Measure`, so that the
harness computes them once. What a measure knows of the reference alone (`analyse`) is computed once a clip and shared
by all codecs; `analyse` of the estimate and of the reference is the same function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
Features = Mapping[str, NDArray[np.generic]]
"""What `analyse` gives: small arrays by name, stored on disk between runs."""


class MetricError(Exception):
    """The metric was asked for something it does not do; the text is a sentence for the user."""


class UnknownMetric(MetricError):
    """No metric of this name; the nearest names are listed."""


class MetricWeightsMissing(MetricError):
    """The metric's model is not on this machine; how to get it is said."""


class Undefined(Exception):
    """This clip has no value under this metric, for the reason given as text."""


class Signal(Protocol):
    """Mono float32 samples, in memory (an array) or on disk: all that is asked of them is a length and slices."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: slice, /) -> Audio: ...


@dataclass(frozen=True)
class Metric:
    """One column of a table."""

    name: str
    unit: str
    """`MOS`, `dB`, `cents`, `1` for ratios and indices, `nats` for distances of logarithms."""
    higher_is_better: bool
    sample_rate: int | None
    """Hz it demands; None: any."""
    inputs: Literal["pair", "estimate"]
    """Whether the reference is looked at."""
    source: str
    """Paper and the reference implementation that a golden test reproduces."""
    identity: str
    """Everything that changes the number: parameters, packages, weights (`pesq_wb|fs:16000|pesq:0.0.4`)."""
    description: str
    domains: tuple[str, ...] = ()
    """Domains it is meant for (`speech`); empty: all."""
    value_range: tuple[float, float] = (-math.inf, math.inf)
    """Values it can take; the harness calls a value outside of it a failure."""


Values = Mapping[str, "float | Undefined"]


@dataclass(frozen=True)
class Measure:
    """One computation that gives one or more metrics."""

    metrics: tuple[Metric, ...]
    compare: Callable[[Signal, Signal, int, Features | None], Values]
    """(reference, estimate, sample rate in Hz, the reference's features or None to compute them) to a value a metric.
    May raise Undefined for all of them at once."""
    analyse: Callable[[Signal, int], Features] | None = None
    """(signal, sample rate in Hz) to what can be known of one signal alone; None where nothing is worth sharing."""
    reference_scores: Callable[[Features], Mapping[str, float]] | None = None
    """Metrics with inputs="estimate": the reference's own scores, out of its features."""
    max_seconds: float | None = None
    """Longest clip it takes; above it the value is undefined. None: any length, in memory that does not grow."""
    extras: tuple[str, ...] = field(default=())
    """Optional dependency groups of codeczoo that it needs."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(metric.name for metric in self.metrics)

    @property
    def sample_rate(self) -> int | None:
        return self.metrics[0].sample_rate


def check_pair(
    reference: Signal, estimate: Signal, sample_rate: int, names: Sequence[str], demanded: int | None
) -> None:
    """Raise MetricError unless the pair is of equal length and at the demanded rate."""
    if demanded is not None and sample_rate != demanded:
        raise MetricError(f"{names[0]} takes audio at {demanded} Hz; got {sample_rate} Hz. Resample first.")
    if len(reference) != len(estimate):
        lengths = f"{len(reference)} and {len(estimate)}"
        raise MetricError(f"{names[0]} takes signals of equal length; got {lengths} samples.")
