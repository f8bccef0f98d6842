"""A small causal transformer over the delay pattern of one or more codebooks (`token_delay`).

Conventions. Grids of tokens are int64 `[B, S, K]`, where a codebook of `size` entries has the tokens 0 to size - 1, and
`size` where there is none. Step s is predicted from the steps before it, of which the network is given at most
`context`. Logits are `[B, S, sum of sizes]`, codebook after codebook.

What is given at a step is the sum of an embedding a codebook. Blocks are pre-norm, with rotary positions (Su et al.,
2021), so that what is learnt at one place of a clip holds at the others. The output layer begins as the shares of the
tokens (`begin_at`): before its first step the network is a 1-gram model, and training makes of it what it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_ROTARY_BASE = 10_000.0


@dataclass(frozen=True)
class TransformerSize:
    """What the network is built of."""

    width: int = 96
    layers: int = 2
    heads: int = 4
    context: int = 256
    """Steps it looks back at."""
    dropout: float = 0.1


class TokenNetwork(nn.Module):
    """Grids of tokens to logits."""

    none: Tensor
    begins: Tensor
    rotation: Tensor

    def __init__(self, sizes: Sequence[int], size: TransformerSize) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        with_none = torch.tensor([entries + 1 for entries in self.sizes])
        self.register_buffer("none", torch.tensor(self.sizes), persistent=False)
        self.register_buffer("begins", with_none.cumsum(0) - with_none, persistent=False)
        self.embedding = nn.Embedding(int(with_none.sum()), size.width)
        nn.init.normal_(self.embedding.weight, std=len(self.sizes) ** -0.5)
        self.blocks = nn.ModuleList(_Block(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.dropout = nn.Dropout(size.dropout)
        self.head = nn.Linear(size.width, sum(self.sizes))
        nn.init.zeros_(self.head.weight)
        self.register_buffer("rotation", _rotation(size.context, size.width // size.heads), persistent=False)

    @torch.no_grad()
    def begin_at(self, shares: Sequence[Tensor]) -> None:
        """Predict these shares, `[size]` a codebook, until something better is learnt."""
        self.head.bias.copy_(torch.cat([share.log() for share in shares]))

    def forward(self, before: Tensor) -> Tensor:
        """The steps before each step that is predicted, `[B, S, K]`, to logits `[B, S, sum of sizes]`."""
        x = self.dropout(self.embedding(before + self.begins).sum(2))
        rotation = self.rotation[: x.shape[1]]
        for block in self.blocks:
            x = block(x, rotation)
        return self.head(self.norm(x))

    def nats(self, grid: Tensor, first: Tensor) -> Tensor:
        """What each token costs, `[B, S, K]`, 0 where there is none. `first` `[B, K]`: the step before the grid."""
        before = torch.cat([first[:, None], grid[:, :-1]], dim=1)
        logits = self(before).split(self.sizes, dim=-1)
        costs = [
            F.cross_entropy(of.flatten(0, 1), grid[..., k].flatten(), ignore_index=self.sizes[k], reduction="none")
            for k, of in enumerate(logits)
        ]
        return torch.stack(costs, dim=-1).view(grid.shape)


class _Block(nn.Module):
    def __init__(self, size: TransformerSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.attention_norm = nn.LayerNorm(size.width)
        self.qkv = nn.Linear(size.width, 3 * size.width, bias=False)
        self.out = nn.Linear(size.width, size.width, bias=False)
        self.mlp = nn.Sequential(
            nn.LayerNorm(size.width),
            nn.Linear(size.width, 4 * size.width),
            nn.GELU(),
            nn.Linear(4 * size.width, size.width),
        )
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Tensor, rotation: Tensor) -> Tensor:
        heads = self.qkv(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = heads.unbind(0)
        attended = F.scaled_dot_product_attention(_rotated(q, rotation), _rotated(k, rotation), v, is_causal=True)
        x = x + self.dropout(self.out(attended.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.mlp(x))


def _rotation(steps: int, width: int) -> Tensor:
    """Cosines and sines of the angles, `[steps, 2, width / 2]`."""
    frequencies = _ROTARY_BASE ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(steps)[:, None] * frequencies
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def _rotated(x: Tensor, rotation: Tensor) -> Tensor:
    """`[B, heads, S, width]`, pairs of numbers turned by the angle of their step."""
    cos, sin = rotation.unbind(1)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
