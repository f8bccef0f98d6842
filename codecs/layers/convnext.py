"""ConvNeXt blocks (Liu et al., 2022) over frames, with a normalisation that is told the bandwidth, as in Vocos."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import convolve

EPSILON = 1e-6
PADDING = 3


class AdaptiveLayerNorm(nn.Module):
    """Layer normalisation of `[B, N, D]` over D, scaled and shifted by rows of two tables `[bandwidths, D]`."""

    def __init__(self, bandwidths: int, width: int) -> None:
        super().__init__()
        self.scale = nn.Embedding(bandwidths, width)
        self.shift = nn.Embedding(bandwidths, width)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, bandwidth_id: int) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.scale.weight[bandwidth_id], self.shift.weight[bandwidth_id], EPSILON)


class ConvNeXtBlock(nn.Module):
    """`[B, D, N]` to `[B, D, N]`: depthwise convolution of 7 frames, norm, two linear layers, with a scaled skip."""

    def __init__(self, width: int, intermediate: int, bandwidths: int, scale: float) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, 7, padding=PADDING, groups=width)
        self.norm = AdaptiveLayerNorm(bandwidths, width)
        self.pwconv1 = nn.Linear(width, intermediate)
        self.pwconv2 = nn.Linear(intermediate, width)
        self.gamma = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Tensor, bandwidth_id: int) -> Tensor:
        conv = self.dwconv
        hidden = convolve(x, conv.weight, conv.bias, padding=PADDING, groups=conv.groups)
        hidden = self.norm(hidden.transpose(1, 2), bandwidth_id)
        hidden = self.pwconv2(F.gelu(self.pwconv1(hidden)))
        return torch.addcmul(x.transpose(1, 2), self.gamma, hidden).transpose(1, 2)
