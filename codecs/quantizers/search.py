"""The nearest entry of a codebook, in memory that does not grow with the number of rows times that of entries."""

from __future__ import annotations

import torch
from torch import Tensor

_CHUNK_SCORES = 1 << 20
"""Distances held at once, 4 MiB of float32: 256 rows against 4,096 entries. It is for memory alone: on a CPU, chunks
from 2^18 to 2^23 took the same time within the noise."""


def nearest(rows: Tensor, codebook: Tensor) -> tuple[Tensor, Tensor]:
    """For each of the float32 rows `[M, D]` the entry of `[entries, D]` at the least squared distance, the first of
    equals: its index int64 `[M]`, and that distance `[M]`.

    The distance is |x|^2 - 2 x e + |e|^2, summed in that order in float32, because published tokens were found so:
    where two entries are as near as rounding allows, the order of the sums decides. Autocast is off. The one thing that
    can still lower the precision is a global switch of the caller (`torch.set_float32_matmul_precision`).
    """
    codebook_squared = codebook.square().sum(dim=1)
    chunk = max(1, _CHUNK_SCORES // len(codebook))
    found, distances = [], []
    with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):
        for part in rows.split(chunk):
            # Doubling is exact, so this rounds as the three terms written out do.
            scores = torch.add(part.square().sum(dim=1, keepdim=True), part @ codebook.t(), alpha=-2)
            least, index = scores.add_(codebook_squared).min(dim=1)
            found.append(index)
            distances.append(least)
        return torch.cat(found), torch.cat(distances)
