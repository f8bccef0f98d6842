"""The decoder's body in WavTokenizer: Vocos (Siuzdak, 2023) with attention in front (WavTokenizer, section 3.3).

    features -> convolution -> [residual x2, attention, residual x2, norm] -> norm -> ConvNeXt x L -> norm

The part in brackets, `pos_net`, sees the whole clip (see `codeczoo.codecs.layers.attention`). Parts have the names of
the published implementation, so that checkpoints load by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from .attention import GROUPS, AttentionBlock, GroupNorm, ResidualBlock
from .convnext import EPSILON, AdaptiveLayerNorm, ConvNeXtBlock

ATTENTION = 2
"""Place of the attention block in `pos_net`."""


@dataclass(frozen=True)
class VocosConfig:
    """Hyper-parameters of one backbone."""

    dimension: int = 512
    """Channels of the features taken, D."""
    width: int = 768
    intermediate: int = 2304
    """Width inside a ConvNeXt block."""
    layers: int = 12
    """ConvNeXt blocks."""
    bandwidths: int = 4
    """Rows of the tables of the adaptive normalisation; the published models were trained with all of them alike."""
    kernel: int = 7
    """Odd, so that there are as many frames behind the first convolution as in front of it."""
    attention: bool = True

    def __post_init__(self) -> None:
        if min(self.dimension, self.intermediate, self.layers, self.bandwidths) < 1 or self.kernel % 2 != 1:
            raise ValueError(f"Vocos' numbers are 1 or more, and its kernel is odd; got {self}.")
        if self.width < 1 or self.width % GROUPS:
            raise ValueError(f"Vocos normalises {GROUPS} groups of channels; got a width of {self.width}.")


class VocosBackbone(nn.Module):
    """Features `[B, D, N]` to hidden frames `[B, N, width]`."""

    def __init__(self, config: VocosConfig) -> None:
        super().__init__()
        width = config.width
        self.embed = nn.Conv1d(config.dimension, width, config.kernel, padding=config.kernel // 2)
        self.norm = AdaptiveLayerNorm(config.bandwidths, width)
        blocks = [
            ConvNeXtBlock(width, config.intermediate, config.bandwidths, 1 / config.layers)
            for _ in range(config.layers)
        ]
        self.convnext = nn.ModuleList(blocks)
        self.final_layer_norm = nn.LayerNorm(width, eps=EPSILON)
        # The published initialisation reaches what exists up to here; pos_net keeps PyTorch's own.
        self.apply(_initialise)
        self.pos_net = nn.Sequential(
            ResidualBlock(width),
            ResidualBlock(width),
            AttentionBlock(width) if config.attention else nn.Identity(),
            ResidualBlock(width),
            ResidualBlock(width),
            GroupNorm(width),
        )

    def forward(self, features: Tensor, bandwidth_id: int = 0) -> Tensor:
        x = self.pos_net(self.embed(features))
        x = self.norm(x.transpose(1, 2), bandwidth_id).transpose(1, 2)
        for block in self.convnext:
            x = block(x, bandwidth_id)
        return self.final_layer_norm(x.transpose(1, 2))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv1d, nn.Linear)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
