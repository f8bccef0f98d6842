"""Rotary positions (Su et al., 2021, arXiv 2104.09864): a query or key is turned by an angle that grows with its frame,
so that the product of two of them depends on how far apart they are, and not on where.

Channels are turned in pairs; pair i of `dims` channels turns by frame x base^(-2 i / dims). Which channels are a pair
differs between codebases, and checkpoints hang on it:

    interleaved    (0, 1), (2, 3), ...                       Mimi, UniCodec
    halves         (0, dims / 2), (1, dims / 2 + 1), ...     TAAE, LLaMA in transformers, what follows GPT-NeoX

Where fewer channels are turned than a head has, those behind them stay as they are (partial rotary positions). Angles
and the turning are float32 under every precision.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Pairs = Literal["interleaved", "halves"]

BASE = 10_000.0


def rotate(
    x: Tensor, rotary_dims: int | None = None, *, pairs: Pairs = "interleaved", base: float = BASE, first: int = 0
) -> Tensor:
    """Queries or keys `[..., N, head width]` of the frames `first`, `first + 1`, ..., turned; in their dtype."""
    dims = x.shape[-1] if rotary_dims is None else rotary_dims
    if not 0 < dims <= x.shape[-1] or dims % 2:
        raise ValueError(f"An even number of a head's {x.shape[-1]} channels can be turned; got {dims}.")
    with torch.autocast(x.device.type, enabled=False):
        rates = torch.exp(torch.arange(0, dims, 2, device=x.device, dtype=torch.float32) * (-math.log(base) / dims))
        angles = torch.arange(first, first + x.shape[-2], device=x.device, dtype=torch.float32)[:, None] * rates
        return _turned(x, angles.cos(), angles.sin(), pairs)


class RotaryHalves(nn.Module):
    """Turns the first `dims` channels of `[B, H, N, D]`, pairs in halves. Its frequencies are a buffer that published
    checkpoints hold."""

    inv_freq: Tensor

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.register_buffer("inv_freq", BASE ** -(torch.arange(0, dims, 2, dtype=torch.float32) / dims))

    def angles(self, frames: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine of every position from 0, float32 `[N, dims / 2]` each."""
        positions = torch.arange(frames, dtype=torch.float32, device=self.inv_freq.device)
        turned = positions[:, None] * self.inv_freq.float()
        return turned.cos(), turned.sin()

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
        """`[B, H, N, D]`, turned by the `angles` of its N positions; in its dtype."""
        return _turned(x, *angles, "halves")


def _turned(x: Tensor, cos: Tensor, sin: Tensor, pairs: Pairs) -> Tensor:
    """As many channels of `x` as `cos` and `sin` `[N, dims / 2]` have angles for, turned in float32."""
    dims = 2 * cos.shape[-1]
    turned = x[..., :dims].float()
    if pairs == "interleaved":
        a, b = turned.unflatten(-1, (dims // 2, 2)).unbind(-1)
        made = torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)
    else:
        a, b = turned.chunk(2, dim=-1)
        made = torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
    return torch.cat([made.to(x.dtype), x[..., dims:]], dim=-1) if dims < x.shape[-1] else made.to(x.dtype)
