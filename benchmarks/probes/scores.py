"""What a probe's answers are worth.

    accuracy        share of clips whose label is told; `macro_f1` beside it, which counts every label alike
    map             mean over labels of the average precision, labels without a positive test clip left out and counted;
                    `map_weighted` weighs labels by their positives, as some papers seem to have done
    chance          the most frequent training label always, and a uniform draw; under `map`, the expected value of
                    scores that know nothing, which is the share of positives

Average precision is the area under precision against recall in steps, sum (R_n - R_n-1) P_n over distinct scores, as
scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 200
_SEED = 20_250_101


def macro_f1(truth: NDArray[np.intp], answers: NDArray[np.intp], classes: int) -> float:
    """Mean over the classes that occur in either of 2 TP / (2 TP + FP + FN)."""
    hits = np.bincount(truth[truth == answers], minlength=classes)
    sizes = np.bincount(truth, minlength=classes) + np.bincount(answers, minlength=classes)
    return float(np.mean(2 * hits[sizes > 0] / sizes[sizes > 0]))


def average_precision(positive: NDArray[np.bool_], scores: Floats, weights: Floats | None = None) -> float:
    """Of one label; clips may count several times. NaN where no clip is positive."""
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(weights[order] * positive[order])
    seen = np.cumsum(weights[order])
    if hits[-1] == 0:
        return float("nan")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found, counted = hits[last], np.maximum(seen[last], 1e-12)
    return float(np.sum(np.diff(found, prepend=0.0) * found / counted) / hits[-1])


def mean_average_precision(
    positives: NDArray[np.bool_], scores: Floats, weights: Floats | None = None
) -> tuple[float, float, int]:
    """Macro mAP, mAP weighted by positives, and labels that could be scored, of `[clips, labels]`."""
    found = np.array([average_precision(p, s, weights) for p, s in zip(positives.T, scores.T, strict=True)])
    counts = positives.sum(axis=0) if weights is None else weights @ positives
    scored = ~np.isnan(found)
    weighted = np.average(found[scored], weights=counts[scored]) if scored.any() else np.nan
    return float(np.nanmean(found)) if scored.any() else np.nan, float(weighted), int(scored.sum())


def map_interval(positives: NDArray[np.bool_], scores: Floats, groups: Sequence[str]) -> tuple[float, float] | None:
    """95 % percentile bootstrap of macro mAP, groups drawn together; None with fewer than two groups."""
    names, member = np.unique(np.array(groups), return_inverse=True)
    if len(names) < 2:
        return None
    rng = np.random.default_rng(_SEED)
    found = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        found.append(mean_average_precision(positives, scores, drawn[member].astype(np.float64))[0])
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)
