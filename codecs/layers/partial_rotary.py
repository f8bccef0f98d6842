"""Rotary positions over the first part of a head (Su et al., 2024; RoFormer, arXiv 2104.09864).

The first `dims` of a head's channels are turned by angles that grow with the position, in pairs (i, i + dims / 2), by
position x 10000^(-2 i / dims). The other channels stay as they are. Positions count from the clip's start.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BASE = 10_000.0


class PartialRotary(nn.Module):
    """Turns `[B, H, N, D]`. Its frequencies are a buffer that published checkpoints hold."""

    inv_freq: Tensor

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.register_buffer("inv_freq", BASE ** -(torch.arange(0, dims, 2, dtype=torch.float32) / dims))

    def angles(self, frames: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine of every position, float32 `[N, dims / 2]` each."""
        positions = torch.arange(frames, dtype=torch.float32, device=self.inv_freq.device)
        turned = torch.outer(positions, self.inv_freq.float())
        return turned.cos(), turned.sin()

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
        """`[B, H, N, D]`, turned by the `angles` of its N positions; computed in float32."""
        cos, sin = angles
        half = cos.shape[-1]
        first, second = x[..., :half].float(), x[..., half : 2 * half].float()
        turned = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
        return torch.cat([turned.to(x.dtype), x[..., 2 * half :]], dim=-1)
