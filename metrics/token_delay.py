"""The delay pattern: tokens of several codebooks as one grid of steps, each codebook a step behind the one before it.

    step        0    1    2    3    4
    codebook 0  a0   a1   a2   .    .
    codebook 1  .    b0   b1   b2   .
    codebook 2  .    .    c0   c1   c2        (`.`: no token; in the grid the codebook's size)

A model that predicts a step from the steps before it then knows of a frame all coarser codebooks, and predicts the
tokens of one step as if they were independent: N frames of K codebooks take N + K - 1 steps instead of N K (Copet et
al., 2023, arXiv 2306.05284, section 2.2). Codebooks of several frame rates have no such grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .base import MetricError

Codes = NDArray[np.integer]
_Kind = TypeVar("_Kind", bound=np.generic)


def delayed(codes: Sequence[Codes], sizes: Sequence[int]) -> NDArray[np.int64]:
    """The tokens of K codebooks, `[N]` each, as a grid `[N + K - 1, K]`; `[0, K]` of no frames. Raises MetricError."""
    rows = [_checked(row, size) for row, size in zip(codes, sizes, strict=False)]
    lengths = [len(row) for row in codes]
    if not sizes or len(codes) != len(sizes) or len(set(lengths)) > 1:
        raise MetricError(
            f"The delay pattern is of codebooks of one frame rate; got {lengths} tokens for {len(sizes)}."
        )
    frames = lengths[0]
    grid = np.tile(np.asarray(sizes, np.int64), (frames + len(sizes) - 1 if frames else 0, 1))
    for delay, row in enumerate(rows):
        grid[delay : delay + frames, delay] = row
    return grid


def undelayed(grid: NDArray[_Kind]) -> list[NDArray[_Kind]]:
    """Of a grid `[N + K - 1, K]`, of tokens or of what they cost, `[N]` a codebook. Raises MetricError."""
    steps, codebooks = grid.shape
    frames = steps - codebooks + 1 if steps else 0
    if frames < 0 or (steps and not frames):
        raise MetricError(f"A grid of {codebooks} codebooks has {codebooks} steps or more; got {steps}.")
    return [grid[delay : delay + frames, delay] for delay in range(codebooks)]


def _checked(codes: Codes, size: int) -> NDArray[np.int64]:
    found = np.asarray(codes)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise MetricError(f"The tokens of a clip are integers [N]; got {found.dtype} {list(found.shape)}.")
    if found.size and (found.min() < 0 or found.max() >= size):
        raise MetricError(f"Tokens are 0 to {size - 1}; got {found.min()} to {found.max()}.")
    return found.astype(np.int64)
