"""What the encoder costs in PyTorch beyond its arithmetic at the rate of a large matrix product.

Two parts of it cannot go at that rate, however the rest is written. The LSTM multiplies its recurrent matrix by one
vector after another, so the matrix is read anew for each. And ELUs, which the arithmetic leaves out, are as many
values as the signal has samples times channels. Both are timed by themselves, on what they are given in the model.

    floor = (arithmetic without the recurrent products) / rate + recurrent products as `torch.mv` + ELUs as `F.elu`

Everything else is taken to run at the matrix product's rate, the decoder's convolutions of three frames with half their
products (`codeczoo.codecs.layers.short_convolution`), and moving data to cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codeczoo.codecs.layers.seanet import SeanetConfig, SeanetEncoder
from codeczoo.codecs.wavtokenizer import WavTokenizerConfig

from .wavtokenizer_arithmetic import decode_flop, encode_flop, short_convolution_flop


def floor_flop(config: WavTokenizerConfig, samples: int) -> dict[str, int]:
    """Operations of `encode` and `decode` of a clip that a large matrix product's rate is right for."""
    frames = -(-samples // config.hop)
    return {
        "encode": encode_flop(config, samples) - recurrent_flop(config.encoder, samples),
        "decode": decode_flop(config, frames) - short_convolution_flop(config, frames) // 2,
    }


def recurrent_products(config: SeanetConfig, samples: int) -> int:
    """Products of a matrix `[4 width, width]` and a vector that the LSTM makes of a clip: steps times layers."""
    return -(-samples // config.hop) * config.lstm_layers


def recurrent_flop(config: SeanetConfig, samples: int) -> int:
    """Their operations."""
    return recurrent_products(config, samples) * 8 * config.widest**2


def products(config: SeanetConfig, samples: int, device: str = "cpu") -> Callable[[], None]:
    """All of them, one after another."""
    matrix = torch.randn(4 * config.widest, config.widest, device=device)
    state, gates = torch.randn(config.widest, device=device), torch.empty(4 * config.widest, device=device)

    def run() -> None:
        for _ in range(recurrent_products(config, samples)):
            torch.mv(matrix, state, out=gates)

    return run


@torch.no_grad()
def elus(encoder: SeanetEncoder, audio: Tensor) -> tuple[Callable[[], None], int]:
    """All ELUs over a clip `[1, 1, T]`, and how many values they have. Each is given what it sees of a tile, once for
    every tile: PyTorch computes no exponentials where all values beside each other are positive."""
    samples = min(encoder.tiles.samples, audio.shape[-1])
    seen: list[Tensor] = []
    hooks = [
        part.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
        for part in encoder.modules()
        if isinstance(part, nn.ELU)
    ]
    try:
        encoder(audio[..., :samples])
    finally:
        for hook in hooks:
            hook.remove()
    tiles = audio.shape[-1] // samples

    def run() -> None:
        for _ in range(tiles):
            for values in seen:
                F.elu(values)

    return run, tiles * sum(values.numel() for values in seen)
