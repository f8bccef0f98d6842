"""SEANet, the convolutional encoder and decoder of EnCodec (Défossez et al., 2022, section 3.2), non-causal.

Encoder: a convolution, then stages of residual units and a strided convolution that doubles the width, an LSTM, a
convolution. Decoder: its mirror image, by transposed convolutions. Layers keep the numbers of the published
implementation (encodec/modules/seanet.py), activations counted, so that checkpoints load by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .convolution import Conv1d, ConvTranspose1d, Lstm, Residual
from .tiles import Tiles


@dataclass(frozen=True)
class SeanetConfig:
    """Hyper-parameters of one encoder or decoder."""

    strides: tuple[int, ...] = (2, 4, 5, 8)
    """Of the encoder's stages in order; a decoder goes through them backwards."""
    width: int = 32
    """Channels after the first convolution; doubled by every stage."""
    dimension: int = 512
    """Channels of the features, D."""
    residual_layers: int = 1
    """Residual units a stage, dilated by 1, 2, 4, ..."""
    lstm_layers: int = 2
    kernel: int = 7
    last_kernel: int = 7
    residual_kernel: int = 3
    compress: int = 2
    """Residual units are narrower inside by this factor."""

    def __post_init__(self) -> None:
        counts = (self.width, self.dimension, self.residual_layers, self.kernel, self.last_kernel)
        if not self.strides or min(*self.strides, *counts, self.residual_kernel, self.compress) < 1:
            raise ValueError(f"SEANet's numbers are 1 or more, and there is a stride; got {self}.")
        if self.lstm_layers < 0 or self.width < self.compress:
            raise ValueError(
                "SEANet has no or more LSTM layers, and residual units of at least one channel; got "
                f"{self.lstm_layers} layers, and {self.width} channels narrowed by {self.compress}."
            )

    @property
    def hop(self) -> int:
        """Samples a frame."""
        hop = 1
        for stride in self.strides:
            hop *= stride
        return hop

    @property
    def widest(self) -> int:
        return self.width * 2 ** len(self.strides)


def _residuals(config: SeanetConfig, width: int) -> Iterator[nn.Module]:
    for index in range(config.residual_layers):
        yield Residual(width, config.residual_kernel, 2**index, config.compress)


TILE = 16_384
"""Samples that the encoder's first stages see at a time: their activations (2 MiB the widest) stay in a CPU's cache."""

STAGE_TILE = 6_000
"""Steps that the last stage sees at a time, to save memory: its kernels alone fill a cache."""


class SeanetEncoder(nn.Module):
    """Audio `[B, 1, T]` to features `[B, D, ceil(T / hop)]`."""

    def __init__(self, config: SeanetConfig) -> None:
        super().__init__()
        self.hop = config.hop
        self.model = nn.ModuleList(self._layers(config))
        self.stage = len(self.model) - 2 - (config.lstm_layers > 0)
        """Layers up to the end of the last stage; the LSTM, if there is one, an activation and a convolution follow."""
        self.front = self.stage - (config.residual_layers + 2)
        """Layers that work at a high rate: all but the last stage and what follows it."""
        self.stage_tiles = Tiles.of(self.model[self.front : self.stage], STAGE_TILE)
        self.tiles = Tiles.of(self.model[: self.front], TILE)

    @staticmethod
    def _layers(config: SeanetConfig) -> Iterator[nn.Module]:
        width = config.width
        yield Conv1d(1, width, config.kernel)
        for stride in config.strides:
            yield from _residuals(config, width)
            yield nn.ELU()
            yield Conv1d(width, 2 * width, 2 * stride, stride)
            width *= 2
        if config.lstm_layers:
            yield Lstm(width, config.lstm_layers)
        yield nn.ELU()
        yield Conv1d(width, config.dimension, config.last_kernel)

    def forward(self, audio: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """With `lengths` (samples of each clip) every clip of the batch gets the features that it gets alone."""
        x = self.stages(audio, lengths)
        if self.lstm is not None:
            x = self.lstm(x)
        return self.projected(x, lengths)

    @property
    def lstm(self) -> Lstm | None:
        """The only part that remembers; what lies before and behind it sees a few frames around each."""
        layer = self.model[self.stage]
        return layer if isinstance(layer, Lstm) else None

    def stages(self, audio: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """The layers before the LSTM: `[B, 1, T]` to `[B, widest, ceil(T / hop)]`."""
        if audio.device.type != "cpu" or torch.is_grad_enabled() or self.training:
            known = None if lengths is None else tuple(lengths)
            x = _through(self.model[: self.front], audio, known)
            if known is not None:
                known = tuple(-(-length // self.tiles.hop) for length in known)
            return _through(self.model[self.front : self.stage], self._exact(x), known)
        x, steps = audio, tuple(lengths or (audio.shape[-1],) * len(audio))
        for begin, end, tiles in ((0, self.front, self.tiles), (self.front, self.stage, self.stage_tiles)):
            x = tiles.through(self.model[begin:end], self._exact(x) if end > self.front else x, steps)
            steps = tuple(-(-length // tiles.hop) for length in steps)
        return x

    def compute_deep_layers_exactly(self) -> None:
        """Hold the last stage and what follows it in float64; features come in it. For models whose tokens hang on
        differences that are small beside what they are the difference of: these layers have the sums of most terms and
        the last word, and little of the work, and rounding in the layers before counts for little."""
        self.model[self.front :].double()

    def _exact(self, x: Tensor) -> Tensor:
        """What the deep layers are given."""
        return x.double() if next(self.model[self.front :].parameters()).dtype == torch.float64 else x

    def projected(self, x: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """The layers behind the LSTM: `[B, widest, N]` to `[B, D, N]`; `lengths` are samples here too."""
        frames = None if lengths is None else tuple(-(-length // self.hop) for length in lengths)
        return _through(self.model[self.stage + (self.lstm is not None) :], x, frames)


def _through(layers: Iterable[nn.Module], x: Tensor, steps: tuple[int, ...] | None) -> Tensor:
    for layer in layers:
        if isinstance(layer, Conv1d):
            x = layer(x, steps)
            steps = layer.out_lengths(steps)
        elif isinstance(layer, Residual):
            x = layer(x, steps)
        else:
            x = layer(x)
    return x


class SeanetDecoder(nn.Module):
    """Features `[B, D, N]` to audio `[B, 1, N hop]`."""

    def __init__(self, config: SeanetConfig) -> None:
        super().__init__()
        self.model = nn.Sequential(*self._layers(config))

    @staticmethod
    def _layers(config: SeanetConfig) -> Iterator[nn.Module]:
        width = config.widest
        yield Conv1d(config.dimension, width, config.kernel)
        if config.lstm_layers:
            yield Lstm(width, config.lstm_layers)
        for stride in reversed(config.strides):
            yield nn.ELU()
            yield ConvTranspose1d(width, width // 2, 2 * stride, stride)
            width //= 2
            yield from _residuals(config, width)
        yield nn.ELU()
        yield Conv1d(width, 1, config.last_kernel)

    def forward(self, features: Tensor) -> Tensor:
        return self.model(features)
