"""A clip's embeddings, one vector a frame, to one vector.

    mean        the mean over frames: what the codec papers' probes are taken to be of
    mean_std    beside it the standard deviation over frames (divided by their number, 0 for one frame)

Frames beyond a clip's own are masked: a batch may be padded with anything, and features do not change. Here no clip is
padded or cut to a length of the data set, as ARCH's own code does, where the silence of short clips enters the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

POOLINGS = ("mean", "mean_std")

Vectors = NDArray[np.float32]
"""One feature a row, `[clips, D]`."""


def pool(frames: NDArray[np.floating], lengths: Sequence[int], pooling: str = "mean") -> Vectors:
    """`[B, D, N]`, of which the first `lengths[b]` frames are clip b's, to `[B, D]` (`mean_std`: `[B, 2 D]`)."""
    if pooling not in POOLINGS:
        raise ValueError(f"There is no pooling {pooling!r}; there are {', '.join(POOLINGS)}.")
    if len(lengths) != len(frames) or any(not 1 <= length <= frames.shape[2] for length in lengths):
        raise ValueError(f"{len(frames)} clips of up to {frames.shape[2]} frames cannot have the lengths {lengths}.")
    pooled = []
    for clip, length in zip(frames, lengths, strict=True):
        own = clip[:, :length].astype(np.float64)
        parts = [own.mean(axis=1)] + ([own.std(axis=1)] if pooling == "mean_std" else [])
        pooled.append(np.concatenate(parts))
    return np.stack(pooled).astype(np.float32)
