"""Confidence interval of a mean over clips: percentile bootstrap, clips of one speaker drawn together.

Clips of one speaker are alike, so that drawing them one by one would make the interval too narrow (cluster bootstrap,
Davison & Hinkley 1997, section 3.8). One resample draws as many clusters as there are, with replacement; its mean is
the sum of all values drawn over their count. Draws are seeded and depend only on the number of clusters: the same
records give the same interval.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 20_250_101
_BLOCK = 250


@lru_cache(maxsize=8)
def _draws(n_clusters: int, resamples: int) -> NDArray[np.uint8]:
    """How often each resample draws each cluster, `[resamples, n_clusters]`; shared by all cells of a table."""
    rng = np.random.default_rng(SEED)
    counts = np.empty((resamples, n_clusters), dtype=np.uint8)
    for row in counts:
        drawn = np.bincount(rng.integers(n_clusters, size=n_clusters), minlength=n_clusters)
        row[:] = np.minimum(drawn, 255)  # 255 of one cluster in one resample does not happen; uint8 keeps it small
    return counts


def mean_interval(
    values: Sequence[float], clusters: Sequence[Hashable], resamples: int = RESAMPLES, level: float = 0.95
) -> tuple[float, float] | None:
    """Percentile interval of the mean of `values`; `clusters` names what each was drawn with (its speaker or itself).

    None with fewer than two clusters: nothing is known of the spread then.
    """
    index = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    if len(index) < 2:
        return None
    member = np.fromiter((index[cluster] for cluster in clusters), dtype=np.intp, count=len(values))
    # Centred on the mean, so that equal values give an interval of exactly no width.
    centre = float(np.mean(values))
    sums = np.bincount(member, weights=np.asarray(values, dtype=np.float64) - centre, minlength=len(index))
    sizes = np.bincount(member, minlength=len(index)).astype(np.float64)
    both = np.stack([sums, sizes], axis=1)
    draws = _draws(len(index), resamples)
    blocks = [draws[start : start + _BLOCK].astype(np.float64) @ both for start in range(0, resamples, _BLOCK)]
    totals = np.concatenate(blocks)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return centre + float(low), centre + float(high)
