"""Mean difference between two rate-quality curves (Bjontegaard 2001, VCEG-M33), with PCHIP in place of his cubic.

    BD-quality   mean over the common range of log rate of (quality of the second - quality of the first)
    BD-rate      exp(mean over the common range of quality of (ln rate of the second - ln rate of the first)) - 1

Curves are as in curves.py: through means over clips, here over the clips that both families have. BD-rate asks which
rate gives a quality, so it is defined only where quality gets better with every step of rate, all through the range
that both reach: elsewhere it is refused, not smoothed. Intervals are bootstrapped: clips are drawn by speaker, once for
both families, and the curves drawn anew through the means of each resample; resamples without a value (not monotone, no
common range) are left out, and where they are more than `MOST_LOST` of all there is no interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .bootstrap import LEVEL, Values, resampled_means, tails
from .curves import Curve
from .paired import Incomparable

RESAMPLES = 1000
"""Fewer than of means: each takes two curves."""
MOST_LOST = 0.05

Measure = Callable[[Values, Values, Values, Values], tuple[float, float, float]]
"""(rates, quality, rates, quality) to a difference and the range that it is over."""


@dataclass(frozen=True)
class Difference:
    """The second family against the first."""

    value: float
    """BD-rate: a ratio less one, -0.2 for 20 % less; BD-quality: in the metric's unit, turned so that more is
    better."""
    interval: tuple[float, float] | None
    over: tuple[float, float]
    """The common range: of quality for BD-rate, of rate for BD-quality."""


@dataclass(frozen=True)
class Bjontegaard:
    """Both differences, or why one is not defined."""

    rate: Difference | str
    quality: Difference | str
    n_clips: int
    n_clusters: int


def bd_quality(rates_1: Values, quality_1: Values, rates_2: Values, quality_2: Values) -> tuple[float, float, float]:
    """(difference, from rate, to rate). Raises Incomparable where the rates have no range in common."""
    low, high = max(rates_1[0], rates_2[0]), min(rates_1[-1], rates_2[-1])
    if not low < high:
        raise Incomparable(
            f"their rates do not overlap ({rates_1[0]:.3g} to {rates_1[-1]:.3g} and {rates_2[0]:.3g} to "
            f"{rates_2[-1]:.3g})"
        )
    areas = [_mean(np.log(rates), quality, np.log(low), np.log(high)) for rates, quality in
             ((rates_1, quality_1), (rates_2, quality_2))]  # fmt: skip
    return areas[1] - areas[0], float(low), float(high)


def bd_rate(rates_1: Values, quality_1: Values, rates_2: Values, quality_2: Values) -> tuple[float, float, float]:
    """(ratio less one, from quality, to quality); more quality is better. Raises Incomparable."""
    low, high = max(quality_1.min(), quality_2.min()), min(quality_1.max(), quality_2.max())
    if not low < high:
        raise Incomparable("they reach no quality in common")
    rates_1, quality_1 = _rising(rates_1, quality_1, low, high)
    rates_2, quality_2 = _rising(rates_2, quality_2, low, high)
    means = [_mean(quality, np.log(rates), low, high) for rates, quality in
             ((rates_1, quality_1), (rates_2, quality_2))]  # fmt: skip
    return float(np.expm1(means[1] - means[0])), float(low), float(high)


def _rising(rates: Values, quality: Values, low: float, high: float) -> tuple[Values, Values]:
    """The longest run of points with rising quality that passes through a range of quality, once. Raises
    Incomparable."""
    first, last = np.minimum(quality[:-1], quality[1:]), np.maximum(quality[:-1], quality[1:])
    crossing = np.flatnonzero((last > low) & (first < high))
    rises = np.diff(quality) > 0
    if not rises[crossing[0] : crossing[-1] + 1].all() or len(crossing) != crossing[-1] - crossing[0] + 1:
        raise Incomparable("quality does not get better with every step of rate, so no one rate belongs to a quality")
    start, stop = int(crossing[0]), int(crossing[-1]) + 1
    while start > 0 and rises[start - 1]:
        start -= 1
    while stop < len(rises) and rises[stop]:
        stop += 1
    return rates[start : stop + 1], quality[start : stop + 1]


def _mean(x: Values, y: Values, low: float, high: float) -> float:
    """Mean of PCHIP through the points over a range of x."""
    from scipy.interpolate import PchipInterpolator

    return float(PchipInterpolator(x, y).integrate(low, high)) / (high - low)


def compare_curves(
    first: Curve, second: Curve, higher_is_better: bool, resamples: int = RESAMPLES, level: float = LEVEL
) -> Bjontegaard:
    """The second family against the first, on the clips that both have. Raises Incomparable."""
    for curve in (first, second):
        if len(curve.rates) < 2:
            raise Incomparable(f"{curve.family} has one point, {curve.codecs[0]}: a curve takes at least two.")
    if len(first.identities | second.identities) > 1:
        raise Incomparable(
            f"{first.family} and {second.family} were measured under different definitions of the metric "
            f"({' and '.join(sorted(first.identities | second.identities))}). Measure both again with one version."
        )
    place_1, place_2 = ({clip: number for number, clip in enumerate(curve.clips)} for curve in (first, second))
    both = sorted(place_1.keys() & place_2.keys())
    if len(both) < 2:
        raise Incomparable(
            f"{first.family} and {second.family} have {len(both)} clips in common; at least two are needed."
        )
    sign = 1.0 if higher_is_better else -1.0
    values_1 = sign * first.values[[place_1[clip] for clip in both]]
    values_2 = sign * second.values[[place_2[clip] for clip in both]]
    clusters = [first.clusters[place_1[clip]] for clip in both]
    n_clusters = len(set(clusters))
    drawn = None
    if n_clusters > 1:
        means = resampled_means(np.hstack([values_1, values_2]), clusters, resamples)
        drawn = np.split(means, [len(first.rates)], axis=1)
    found: list[Difference | str] = []
    for measure, flips in ((bd_rate, True), (bd_quality, False)):
        try:
            value, low, high = measure(first.rates, values_1.mean(axis=0), second.rates, values_2.mean(axis=0))
        except Incomparable as reason:
            found.append(str(reason))
            continue
        over = tuple(sorted((sign * low, sign * high))) if flips else (low, high)
        interval = None
        if drawn is not None:
            resampled = _resampled(measure, first.rates, drawn[0], second.rates, drawn[1])
            if len(resampled) >= (1 - MOST_LOST) * resamples:
                least, most = np.quantile(resampled, tails(n_clusters, level))
                interval = (float(least), float(most))
        found.append(Difference(value, interval, (over[0], over[1])))
    return Bjontegaard(found[0], found[1], len(both), n_clusters)


def _resampled(measure: Measure, rates_1: Values, means_1: Values, rates_2: Values, means_2: Values) -> list[float]:
    found = []
    for one, other in zip(means_1, means_2, strict=True):
        try:
            found.append(measure(rates_1, one, rates_2, other)[0])
        except Incomparable:
            continue
    return found
