"""Quality at a given rate: a family's operating points joined by a curve, never continued beyond them.

The curve is PCHIP (Fritsch & Carlson 1980) through the means over clips, against the logarithm of the rate: it passes
through every point, is monotone where they are, and has no overshoot where a metric saturates. Rates are bits or tokens
a second over all clips, and taken as known.

`at_rate` gives one number a clip, so that intervals, tests and groups are those of any other metric: the curve's value
at the rate plus what the clip's own scores would move it by, to first order,

    v_i = f(means) + sum_p df/dy_p (y_ip - mean_p)

whose mean is the curve's value exactly, and whose spread is that of the curve's value (the infinitesimal jackknife).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .sample import ClipKey

Values = NDArray[np.float64]

AT_POINT = 0.02
"""A point within 2 % of the rate asked for is at that rate: nothing is interpolated."""
_STEP = 1e-6


@dataclass(frozen=True)
class Curve:
    """One family under one metric."""

    family: str
    codecs: tuple[str, ...]
    """Its points, by rising rate."""
    rates: Values
    """`[P]`, rising strictly: kbit/s, or tokens a second."""
    values: Values
    """`[clips, P]`."""
    clips: tuple[ClipKey, ...]
    clusters: tuple[Hashable, ...]
    identities: frozenset[str]

    @property
    def means(self) -> Values:
        return self.values.mean(axis=0)


@dataclass(frozen=True)
class AtRate:
    """A family's scores at a rate, one a clip, and the points they come from: one, or the two around the rate."""

    values: Values
    between: tuple[str, ...]


def interpolate(rates: Values, quality: Values, rate: float) -> Values:
    """PCHIP through `quality` `[P, ...]` at `rates` `[P]`, at a rate between the first and the last of them."""
    from scipy.interpolate import PchipInterpolator

    if not rates[0] <= rate <= rates[-1]:
        raise ValueError(f"{rate} is outside {rates[0]} to {rates[-1]}; nothing is extrapolated")
    return PchipInterpolator(np.log(rates), quality, axis=0)(np.log(rate))


def at_rate(curve: Curve, rate: float) -> AtRate | None:
    """The scores at a rate; None where the family has no points on both sides of it."""
    nearest = int(np.argmin(np.abs(np.log(curve.rates / rate))))
    if abs(curve.rates[nearest] - rate) <= AT_POINT * rate:
        return AtRate(curve.values[:, nearest], (curve.codecs[nearest],))
    if not curve.rates[0] < rate < curve.rates[-1]:
        return None
    means = curve.means
    step = _STEP * (float(np.ptp(means)) or 1.0)
    moved = means[:, None] + step * np.hstack([np.eye(len(means)), -np.eye(len(means))])
    up, down = np.split(interpolate(curve.rates, moved, rate), 2)
    value = float(interpolate(curve.rates, means, rate))
    above = int(np.searchsorted(curve.rates, rate))
    scores = value + (curve.values - means) @ ((up - down) / (2 * step))
    return AtRate(scores, (curve.codecs[above - 1], curve.codecs[above]))
