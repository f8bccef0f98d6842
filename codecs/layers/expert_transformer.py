"""UniCodec's contextual encoder: a transformer whose feed-forward layers are mixtures of experts (sections 3.1, 3.3).

    x = x + layer_scale_1 * attention(norm1(x))        layer_scale_1 learnt, a channel each, from 0.01
    x = x + mixture(norm2(x))

As Mimi's transformer (Défossez et al., 2024), but every frame attends to every frame of the clip, in the code as in the
published configuration's effect: its `context` only counts where attention is causal. No norm behind the last layer.
Queries, keys and values are one matrix without bias, each split into heads; positions are rotary, in neighbouring
pairs.

The published code keeps Mimi's own feed-forward layer (`linear1`, `linear2`, `layer_scale_2`) beside the mixture and
never runs it: 16.8 million dead weights, which are not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .experts import MixtureOfExperts
from .rotary import rotate

EPSILON = 1e-5
FIRST_SCALE = 0.01


@dataclass(frozen=True)
class ExpertTransformerConfig:
    """Hyper-parameters; the defaults are the published ones. The width is that of the features."""

    layers: int = 8
    heads: int = 8
    expert_width: int = 2048
    """Inside an expert."""
    routed: int = 3
    """Experts that a frame may be sent to."""
    shared: int = 1
    """Experts that every frame goes through."""
    chosen: int = 1
    """Routed experts that a frame is sent to."""

    def __post_init__(self) -> None:
        if min(self.layers, self.heads, self.expert_width, self.routed, self.shared, self.chosen) < 1:
            raise ValueError(f"The numbers of a transformer of experts are 1 or more; got {self}.")
        if self.chosen > self.routed:
            raise ValueError(f"{self.chosen} experts cannot be chosen of {self.routed}.")


class SelfAttention(nn.Module):
    """`[B, N, D]` to `[B, N, D]`: every frame attends to every frame of its clip."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads or width // heads % 2:
            raise ValueError(f"Heads have an even width each; got {width} channels for {heads} heads.")
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        nn.init.xavier_uniform_(self.in_proj_weight)
        self.out_proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """`visible` bool `[B, 1, 1, N]`: the frames that are of the clip; None: all."""
        q, k, v = F.linear(x, self.in_proj_weight).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(rotate(q), rotate(k), v, attn_mask=visible)
        return self.out_proj(attended.transpose(1, 2).flatten(-2))


class LayerScale(nn.Module):
    """A factor a channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((width,), FIRST_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x


class ExpertLayer(nn.Module):
    """One layer: `[B, N, D]` to `[B, N, D]`."""

    def __init__(self, width: int, config: ExpertTransformerConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.self_attn = SelfAttention(width, config.heads)
        self.layer_scale_1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.mixture = MixtureOfExperts(
            width,
            config.expert_width,
            routed=config.routed,
            shared=config.shared,
            chosen=config.chosen,
            # So that the stream through all layers keeps its order of magnitude, as GPT-2 begins.
            scale=(2 * config.layers) ** -0.5,
        )

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        x = x + self.layer_scale_1(self.self_attn(self.norm1(x), visible))
        return x + self.mixture(self.norm2(x))


class ExpertTransformer(nn.Module):
    """Features `[B, D, N]` to `[B, D, N]`, each frame of the whole clip."""

    def __init__(self, width: int, config: ExpertTransformerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ExpertLayer(width, config) for _ in range(config.layers))

    def forward(self, features: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """With `lengths` (frames of each clip) no frame sees what lies behind its clip's end."""
        x = features.transpose(1, 2)
        visible = None
        if lengths is not None and min(lengths) < x.shape[1]:
            ends = torch.tensor(lengths, device=x.device)[:, None]
            visible = (torch.arange(x.shape[1], device=x.device) < ends)[:, None, None]
        for layer in self.layers:
            x = layer(x, visible)
        return x.transpose(1, 2)
