"""The gated multilayer perceptron of transformers: one projection is the value, another one its gate (Shazeer, 2020,
arXiv 2002.05202), with SiLU as the gate's activation.

    value, gate = project_in(x)        y = project_out(value * silu(gate))
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHUNK_FRAMES = 4096
"""What inference takes at a time: the hidden layer is some times wider than all else, and frames know of no other."""


class GatedMlp(nn.Module):
    """`[B, N, D]` to `[B, N, D]` over a hidden layer of `factor` D."""

    def __init__(self, width: int, factor: int) -> None:
        super().__init__()
        self.project_in = nn.Linear(width, 2 * factor * width)
        self.project_out = nn.Linear(factor * width, width)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.shape[1] <= CHUNK_FRAMES:
            return self._through(x)
        return torch.cat([self._through(part) for part in x.split(CHUNK_FRAMES, dim=1)], dim=1)

    def _through(self, x: Tensor) -> Tensor:
        value, gate = self.project_in(x).chunk(2, dim=-1)
        return self.project_out(value * F.silu(gate))
