"""How many clips a difference needs to be seen, and which difference these clips can show.

Of a paired comparison at level `alpha`, two-sided, with probability `power`, clusters being what is drawn: the smallest
number of clusters n for which Student's test of a mean `difference` with standard deviation `spread` (of the clusters'
means) has that power, by the non-central t distribution. Clips are clusters times the clips that a cluster has on
average. It is the size of a study to be planned, computed from the difference seen in this one: a difference that was
overestimated needs more.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from .bootstrap import cluster_sums, numbered

ALPHA = 0.05
POWER = 0.8
LEAST_CLUSTERS = 6
"""With fewer, the test by flipping signs cannot show any difference at 5 %: 2 / 2^5 is more."""
_MOST = 10_000_000
_SIZES = (1e3, 1e5)
"""Standard deviations within which `detectable` looks, one after the other."""


def power(n: int, effect: float, alpha: float = ALPHA) -> float:
    """Probability that n clusters show a mean of `effect` standard deviations."""
    from scipy import special, stats

    if n < 2:
        return 0.0
    reach = float(stats.t.ppf(1 - alpha / 2, n - 1))
    away = abs(effect) * math.sqrt(n)
    # The far tail, where a true difference is claimed with the wrong sign, is part of what a two-sided test rejects.
    upper = 1.0 - float(special.nctdtr(n - 1, away, reach))
    lower = float(special.nctdtr(n - 1, away, -reach))
    return upper + (lower if math.isfinite(lower) else 0.0)


def clusters_needed(effect: float, alpha: float = ALPHA, wanted: float = POWER) -> int | None:
    """The smallest number of clusters that shows a mean of `effect` standard deviations; None beyond ten million."""
    if effect == 0 or not math.isfinite(effect):
        return None if effect == 0 else 2
    low, high = 1, 2
    while power(high, effect, alpha) < wanted:
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, effect, alpha) >= wanted else (middle, high)
    return high


def spread(differences: ArrayLike, clusters: Sequence[Hashable]) -> float:
    """Standard deviation of one cluster's part in the mean: root n times the cluster-robust standard error of the
    mean (CR1, as of an intercept alone)."""
    given = np.asarray(differences, dtype=np.float64)
    member, n_clusters = numbered(clusters)
    if n_clusters < 2:
        return math.nan
    sums = cluster_sums((given - given.mean())[:, None], member, n_clusters)[:, 0]
    return float(np.sqrt(np.square(sums).sum() * n_clusters / (n_clusters - 1)) / len(given) * math.sqrt(n_clusters))


def clips_needed(differences: ArrayLike, clusters: Sequence[Hashable]) -> tuple[int, int] | None:
    """(clips, clusters) needed to see a difference of the size and spread of these; None where no number would do."""
    given = np.asarray(differences, dtype=np.float64)
    around = spread(given, clusters)
    mean = float(given.mean())
    if not math.isfinite(around) or mean == 0:
        return None
    needed = clusters_needed(math.inf if around <= 1e-12 * abs(mean) else mean / around)
    if needed is None:
        return None
    needed = max(needed, LEAST_CLUSTERS)
    return math.ceil(needed * len(given) / len(set(clusters))), needed


def detectable(
    differences: ArrayLike, clusters: Sequence[Hashable], alpha: float = ALPHA, wanted: float = POWER
) -> float:
    """The smallest mean difference that these clips would show with that power, in the metric's unit; infinite where
    none can be named."""
    from scipy import optimize

    n = len(set(clusters))
    around = spread(differences, clusters)
    if n < 2 or not math.isfinite(around):
        return math.inf
    # Two or three clusters under a strict level show only what is thousands of standard deviations.
    most = next((size for size in _SIZES if power(n, size, alpha) >= wanted), None)
    if most is None:
        return math.inf
    found = optimize.root_scalar(lambda size: power(n, size, alpha) - wanted, bracket=(0.0, most))
    # SciPy gives NaN for the non-central t distribution where two clusters need a quantile of ten thousand.
    return float(found.root) * around if abs(power(n, found.root, alpha) - wanted) < 1e-6 else math.inf
