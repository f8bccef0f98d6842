"""Confidence intervals of means over clips: expanded percentile bootstrap, clips of one speaker drawn together.

Clips of one speaker are alike, so that drawing them one by one would make the interval too narrow (cluster bootstrap,
Davison & Hinkley 1997, section 3.8). One resample draws as many clusters as there are, with replacement; its mean is
the sum of all values drawn over their count. Draws are seeded and depend only on the number of clusters: the same
records give the same interval, and two intervals over the same clips come from the same draws.

The plain percentile interval of a mean is too narrow where clusters are few: the spread of the resamples is that of n
values about their own mean, short by sqrt((n - 1) / n), and a normal quantile is not Student's. Expanded percentiles
(Hesterberg 2015, The American Statistician 69, section 5.3) take the quantiles at

    Phi(-+ sqrt(n / (n - 1)) t_{n-1, (1 + level) / 2})

of the resamples instead of (1 -+ level) / 2: on normal data Student's interval, as far as the resamples reach, and
with many clusters the plain percentile interval. The measured coverage of both, and of BCa, is in
results/statistics/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
LEVEL = 0.95
SEED = 20_250_101
_BLOCK = 250

Values = NDArray[np.float64]


def numbered(clusters: Sequence[Hashable]) -> tuple[NDArray[np.intp], int]:
    """Each clip's cluster as a number from 0, in order of first appearance, and how many clusters there are."""
    index = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    return np.fromiter((index[cluster] for cluster in clusters), dtype=np.intp, count=len(clusters)), len(index)


def cluster_sums(values: ArrayLike, member: NDArray[np.intp], n_clusters: int) -> Values:
    """Sums of the rows of `values` `[clips, M]` over each cluster, `[n_clusters, M]`."""
    sums = np.zeros((n_clusters, np.shape(values)[1]))
    np.add.at(sums, member, np.asarray(values, dtype=np.float64))
    return sums


@lru_cache(maxsize=4)
def _draws(n_clusters: int, resamples: int) -> NDArray[np.uint8]:
    """How often each resample draws each cluster, `[resamples, n_clusters]`; shared by all cells of a table."""
    rng = np.random.default_rng(SEED)
    counts = np.empty((resamples, n_clusters), dtype=np.uint8)
    for row in counts:
        drawn = np.bincount(rng.integers(n_clusters, size=n_clusters), minlength=n_clusters)
        row[:] = np.minimum(drawn, 255)  # 255 of one cluster in one resample does not happen; uint8 keeps it small
    return counts


def resampled_means(values: ArrayLike, clusters: Sequence[Hashable], resamples: int = RESAMPLES) -> Values:
    """Means of the columns of `values` `[clips, M]` over each resample, `[resamples, M]`."""
    given = np.asarray(values, dtype=np.float64)
    member, n_clusters = numbered(clusters)
    # Centred on the mean, so that equal values give an interval of exactly no width.
    centre = given.mean(axis=0)
    ones = np.ones((len(given), 1))
    sums = cluster_sums(np.hstack([given - centre, ones]), member, n_clusters)
    draws = _draws(n_clusters, resamples)
    blocks = [draws[start : start + _BLOCK].astype(np.float64) @ sums for start in range(0, resamples, _BLOCK)]
    totals = np.concatenate(blocks)
    return centre + totals[:, :-1] / totals[:, -1:]


def tails(n_clusters: int, level: float = LEVEL) -> tuple[float, float]:
    """Probabilities at which the resamples of `n_clusters` clusters are cut: the expanded percentiles."""
    # The functions behind scipy.stats' t.ppf and norm.cdf, whose import takes longer than all intervals of a report.
    from scipy.special import ndtr, stdtrit

    reach = math.sqrt(n_clusters / (n_clusters - 1)) * stdtrit(n_clusters - 1, (1 + level) / 2)
    low = float(ndtr(-reach))
    return low, 1.0 - low


def mean_intervals(
    values: ArrayLike, clusters: Sequence[Hashable], resamples: int = RESAMPLES, level: float = LEVEL
) -> list[tuple[float, float] | None]:
    """Interval of the mean of each column of `values` `[clips, M]`; `clusters` names what each clip was drawn with (its
    speaker or itself). None with fewer than two clusters: nothing is known of the spread then."""
    given = np.asarray(values, dtype=np.float64)
    n_clusters = len(set(clusters))
    if n_clusters < 2:
        return [None] * given.shape[1]
    low, high = np.quantile(resampled_means(given, clusters, resamples), tails(n_clusters, level), axis=0)
    return [(float(least), float(most)) for least, most in zip(low, high, strict=True)]


def mean_interval(
    values: Sequence[float], clusters: Sequence[Hashable], resamples: int = RESAMPLES, level: float = LEVEL
) -> tuple[float, float] | None:
    """Interval of the mean of one value a clip; see `mean_intervals`."""
    return mean_intervals(np.asarray(values, dtype=np.float64)[:, None], clusters, resamples, level)[0]
