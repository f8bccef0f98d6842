"""Paired tests by flipping signs: is a mean difference more than the chance of which codec was called A?

Where two codecs do equally well, a clip's difference is as likely to be -d as d. The test compares the sum of the
differences with what it is under random signs, one sign a cluster, so that clips of one speaker flip together
(Fisher's randomisation test; exact for symmetric differences, at any number of clips). With up to `EXACT` clusters all
patterns of signs are gone through; above, random ones are drawn, seeded, and p = (1 + as extreme) / (1 + drawn). With n
clusters no two-sided p is below 2 / 2^n: five speakers cannot show anything at 5 %.

`all_pairs` tests every pair of codecs with the same signs, and corrects for their number by the step-down maximum of
Westfall & Young (1993, section 2.8): the largest of the pairs is compared with the largest of all under chance, and so
on downwards. It holds the probability of one wrong claim among all pairs, uses that pairs share codecs, and does not
need p-values finer than the number of resamples, which Holm's correction of a thousand pairs would.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bootstrap import SEED, Values, cluster_sums, numbered

EXACT = 13
"""Clusters up to which all patterns of signs are gone through."""
RESAMPLES = 9999
PAIR_RESAMPLES = 1999
_BLOCK = 500
_TIE = 1e-9
"""Relative: sums that differ by rounding alone are ties."""

Alternative = Literal["two-sided", "greater"]


@lru_cache(maxsize=4)
def _signs(n_clusters: int, resamples: int) -> NDArray[np.int8]:
    """Patterns of signs, `[patterns, n_clusters]`: all of them where they are few, else `resamples` random ones."""
    if n_clusters <= EXACT:
        numbers = np.arange(2**n_clusters)[:, None] >> np.arange(n_clusters)
        return (1 - 2 * (numbers & 1)).astype(np.int8)
    rng = np.random.default_rng(SEED)
    return (2 * rng.integers(0, 2, size=(resamples, n_clusters), dtype=np.int8) - 1).astype(np.int8)


def _flipped(sums: Values, resamples: int) -> Iterator[Values]:
    """Totals of the columns of `sums` `[clusters, M]` under each pattern of signs, in blocks `[patterns, M]`."""
    signs = _signs(len(sums), resamples)
    for start in range(0, len(signs), _BLOCK):
        yield signs[start : start + _BLOCK].astype(np.float64) @ sums


def _share(extreme: NDArray[np.int64], n_clusters: int, resamples: int) -> Values:
    """Counts of patterns as extreme as the data to p-values. The data's own pattern is one of all, and joins drawn
    ones."""
    if n_clusters <= EXACT:
        return extreme / 2**n_clusters
    return (1 + extreme) / (1 + resamples)


def least_p(n_clusters: int, alternative: Alternative = "two-sided", resamples: int = RESAMPLES) -> float:
    """The smallest p-value that so many clusters can give, whatever the data."""
    extreme = 2 if alternative == "two-sided" else 1
    return min(1.0, extreme / 2**n_clusters) if n_clusters <= EXACT else 1 / (1 + resamples)


def sign_flip(
    differences: ArrayLike,
    clusters: Sequence[Hashable],
    alternative: Alternative = "two-sided",
    resamples: int = RESAMPLES,
) -> float:
    """p-value of the mean of `differences`, one a clip; `greater`: against the mean being zero or less."""
    given = np.asarray(differences, dtype=np.float64)
    member, n_clusters = numbered(clusters)
    sums = cluster_sums(given[:, None], member, n_clusters)
    observed = float(sums.sum())
    slack = _TIE * float(np.abs(sums).sum())
    if alternative == "two-sided":
        observed = abs(observed)
    extreme = 0
    for block in _flipped(sums, resamples):
        totals = np.abs(block[:, 0]) if alternative == "two-sided" else block[:, 0]
        extreme += int(np.count_nonzero(totals >= observed - slack))
    return float(_share(np.array(extreme), n_clusters, resamples))


def all_pairs(
    values: ArrayLike, clusters: Sequence[Hashable], resamples: int = PAIR_RESAMPLES
) -> dict[tuple[int, int], float]:
    """Corrected p-value of every pair of columns of `values` `[clips, codecs]`."""
    given = np.asarray(values, dtype=np.float64)
    pairs = list(combinations(range(given.shape[1]), 2))
    if not pairs:
        return {}
    member, n_clusters = numbered(clusters)
    sums = cluster_sums(given - given.mean(axis=1, keepdims=True), member, n_clusters)
    first, second = np.array(pairs).T
    apart = sums[:, first] - sums[:, second]
    # Flipping signs leaves the sum of squares alone: divided by its root, all pairs are on one scale.
    scale = np.sqrt(np.square(apart).sum(axis=0))
    # Codecs that give the very same numbers differ by rounding alone.
    same = scale <= 1e-12 * np.abs(given).max(initial=0.0) * len(given)
    scale[same] = np.inf
    observed = np.abs(apart.sum(axis=0)) / scale
    order = np.argsort(observed, kind="stable")
    first, second, rising, scale = first[order], second[order], observed[order] * (1 - _TIE), scale[order]
    extreme = np.zeros(len(pairs), dtype=np.int64)
    for block in _flipped(sums, resamples):
        chance = np.abs(block[:, first] - block[:, second]) / scale
        np.maximum.accumulate(chance, axis=1, out=chance)
        extreme[order] += np.count_nonzero(chance >= rising, axis=0)
    p = _share(extreme, n_clusters, resamples)
    p[same] = 1.0
    falling = order[::-1]
    p[falling] = np.maximum.accumulate(p[falling])
    return {pair: float(value) for pair, value in zip(pairs, p, strict=True)}
