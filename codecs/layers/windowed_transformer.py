"""The transformer layer of TAAE (Parker et al., 2024, section 3.1 and appendix B.1).

    x = x + scale_1 * attention(norm_1(x))
    x = x + scale_2 * mlp(norm_2(x))

Norms stand before their branches, with an epsilon of 1e-2: they raise what is quiet by 40 dB at most, so that noise of
silence does not become features of full scale. LayerScale (Touvron et al., 2021, arXiv 2103.17239) begins at 1e-2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .gated_mlp import GatedMlp
from .windowed_attention import WindowedAttention

SCALE_AT_FIRST = 1e-2


class GainNorm(nn.Module):
    """Layer normalisation with a gain alone; `beta`, an offset, is a buffer of zeros that checkpoints hold."""

    beta: Tensor

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.ones(width))
        self.register_buffer("beta", torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.gamma, self.beta, self.eps)


class LayerScale(nn.Module):
    """A learnt factor for each channel of a branch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((width,), SCALE_AT_FIRST))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class TransformerLayer(nn.Module):
    """`[B, N, D]` to `[B, N, D]`."""

    def __init__(self, attention: WindowedAttention, mlp: GatedMlp, width: int, eps: float) -> None:
        super().__init__()
        self.attention_norm = GainNorm(width, eps)
        self.attention = attention
        self.attention_scale = LayerScale(width)
        self.mlp_norm = GainNorm(width, eps)
        self.mlp = mlp
        self.mlp_scale = LayerScale(width)

    def forward(self, x: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """`lengths`: the frames of each clip, where they are fewer than N."""
        x = x + self.attention_scale(self.attention(self.attention_norm(x), lengths))
        return x + self.mlp_scale(self.mlp(self.mlp_norm(x)))
