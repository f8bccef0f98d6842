"""p-values corrected for how many there are.

Holm (1979) holds the probability of one wrong claim among all; Benjamini & Hochberg (1995) the expected share of wrong
claims among those made, for independent or positively dependent tests. Both return adjusted p-values, to be compared
with the level itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

Correction = Literal["holm", "bh"]


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    left = np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * left), 1.0)
    return adjusted.tolist()


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given.

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    [0.03, 0.04, 0.04]
    """
    given = np.asarray(p, dtype=np.float64)
    falling = np.argsort(given, kind="stable")[::-1]
    rank = np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[falling] = np.minimum(np.minimum.accumulate(given[falling] * (len(given) / rank)), 1.0)
    return adjusted.tolist()


BY_NAME: dict[Correction, Callable[[Sequence[float]], list[float]]] = {"holm": holm, "bh": benjamini_hochberg}
