"""Blocks that look at a whole clip: residual convolutions and attention, both behind group normalisation.

They come from the decoder of latent diffusion models (Rombach et al., 2022; Vocos calls the stack `pos_net`).
GroupNorm takes its statistics over all frames, and attention looks at all of them, so what a frame becomes depends on
the whole clip: a clip cut in two is not two clips decoded.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .short_convolution import ShortConv1d

GROUPS = 32
EPSILON = 1e-6


class GroupNorm(nn.GroupNorm):
    """GroupNorm over 32 groups of channels, statistics over all frames of `[B, D, N]`, N = 1 and D = 32 included."""

    def __init__(self, width: int) -> None:
        super().__init__(GROUPS, width, eps=EPSILON)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - its name in the base class
        # The module's own forward refuses one value a group, which a clip of one token may be.
        return torch.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class ResidualBlock(nn.Module):
    """`[B, D, N]` to `[B, D, N]`: twice norm, swish, convolution of 3 frames (zeros beyond the clip), with a skip."""

    def __init__(self, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.norm1 = GroupNorm(width)
        self.conv1 = ShortConv1d(width, width)
        self.norm2 = GroupNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = ShortConv1d(width, width)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(self.dropout(F.silu(self.norm2(hidden))))


class AttentionBlock(nn.Module):
    """`[B, D, N]` to `[B, D, N]`: one head as wide as the features, every frame attends to every frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = GroupNorm(width)
        self.q = nn.Conv1d(width, width, 1)
        self.k = nn.Conv1d(width, width, 1)
        self.v = nn.Conv1d(width, width, 1)
        self.proj_out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        # The head has an axis of its own: without it the fused attention is not used, but matrices of N x N are made.
        q, k, v = (project(normed).transpose(1, 2)[:, None] for project in (self.q, self.k, self.v))
        attended = F.scaled_dot_product_attention(q, k, v)[:, 0]
        return x + self.proj_out(attended.transpose(1, 2))
