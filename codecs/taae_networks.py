"""TAAE's encoder and decoder: the two halves of figure 1, as mirror images.

    encoder   conv 7 -> blocks (strided convolution, then transformer layers) -> conv 3 to the latent channels
    decoder   conv 3 -> blocks (transformer layers, then transposed convolution) -> conv 7 to the patches

Features are `[B, D, N]` between parts; a block of stride 1 has no convolution. Zeros lie beyond the clip's ends.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .layers.gated_mlp import GatedMlp
from .layers.windowed_attention import WindowedAttention
from .layers.windowed_transformer import TransformerLayer
from .layers.zero_padded import ZeroPaddedConv1d, ZeroPaddedConvTranspose1d
from .taae_config import TAAEConfig

Lengths = Sequence[int] | None
"""Frames of each clip of a padded batch; None: all have as many as the batch."""


def _layers(config: TAAEConfig, width: int, depth: int) -> nn.ModuleList:
    return nn.ModuleList(
        TransformerLayer(
            WindowedAttention(width, config.dim_heads, config.rotary_dims, config.sliding_window, config.eps_qk),
            GatedMlp(width, config.ff_mult),
            width,
            config.eps_layernorm,
        )
        for _ in range(depth)
    )


def _through(layers: nn.ModuleList, x: Tensor, lengths: Lengths = None) -> Tensor:
    frames = x.transpose(1, 2)
    for layer in layers:
        frames = layer(frames, lengths)
    return frames.transpose(1, 2)


def _cleared(x: Tensor, lengths: Lengths) -> Tensor:
    """Zeros behind each clip's end, where a convolution takes them from."""
    if lengths is None:
        return x
    ends = torch.tensor(lengths, device=x.device)[:, None, None]
    return x.masked_fill(torch.arange(x.shape[-1], device=x.device) >= ends, 0)


class EncoderBlock(nn.Module):
    """`[B, D_in, m s]` to `[B, D, m]`."""

    def __init__(self, config: TAAEConfig, narrow: int, wide: int, stride: int, depth: int) -> None:
        super().__init__()
        self.resample = (
            ZeroPaddedConv1d(narrow, wide, 2 * stride, stride, causal=config.causal) if stride > 1 else nn.Identity()
        )
        self.transformers = _layers(config, wide, depth)
        self.stride = stride

    def forward(self, x: Tensor, lengths: Lengths = None) -> Tensor:
        """`lengths` in frames in; in frames out they are a stride's part of it."""
        if self.stride > 1:
            x = self.resample(_cleared(x, lengths))
        return _through(self.transformers, x, self.out_lengths(lengths))

    def out_lengths(self, lengths: Lengths) -> Lengths:
        return None if lengths is None else [length // self.stride for length in lengths]


class DecoderBlock(nn.Module):
    """`[B, D, m]` to `[B, D_out, m s]`."""

    def __init__(self, config: TAAEConfig, wide: int, narrow: int, stride: int, depth: int) -> None:
        super().__init__()
        self.transformers = _layers(config, wide, depth)
        self.resample = (
            ZeroPaddedConvTranspose1d(wide, narrow, stride, causal=config.causal) if stride > 1 else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.resample(_through(self.transformers, x))


class Encoder(nn.Module):
    """Patches `[B, patch, m ratio]` to latents `[B, D, m]`, not yet squashed."""

    def __init__(self, config: TAAEConfig) -> None:
        super().__init__()
        widths = (config.widths[0], *config.widths)
        self.conv_in = ZeroPaddedConv1d(config.patch, widths[0], 7, causal=config.causal)
        shape = zip(widths, widths[1:], config.strides, config.transformer_depths, strict=False)
        self.blocks = nn.ModuleList(EncoderBlock(config, *block) for block in shape)
        self.conv_out = ZeroPaddedConv1d(widths[-1], config.latent_dim, 3, causal=config.causal)

    def forward(self, patches: Tensor, lengths: Lengths = None) -> Tensor:
        """With `lengths`, patches of each clip in whole tokens, each clip becomes what it becomes alone; what lies
        behind its end is without meaning."""
        x = self.conv_in(_cleared(patches, lengths))
        for block in self.blocks:
            assert isinstance(block, EncoderBlock)
            x = block(x, lengths)
            lengths = block.out_lengths(lengths)
        return self.conv_out(_cleared(x, lengths))


class Decoder(nn.Module):
    """Latents `[B, D, m]` to patches `[B, patch, m ratio]`, a few less at odd strides (`layers.zero_padded`)."""

    def __init__(self, config: TAAEConfig) -> None:
        super().__init__()
        widths = (config.widths[0], *config.widths)
        self.conv_in = ZeroPaddedConv1d(config.latent_dim, widths[-1], 3, causal=config.causal)
        shape = [*zip(widths[1:], widths, config.strides, config.transformer_depths, strict=False)]
        self.blocks = nn.ModuleList(DecoderBlock(config, *block) for block in reversed(shape))
        self.conv_out = ZeroPaddedConv1d(widths[0], config.patch, 7, causal=config.causal, bias=False)

    def forward(self, latents: Tensor) -> Tensor:
        x = self.conv_in(latents)
        for block in self.blocks:
            x = block(x)
        return self.conv_out(x)
