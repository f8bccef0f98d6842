"""TAAE's discriminator: eight complex spectra whose sizes grow by the golden ratio, their magnitudes by a power law.

    audio [B, 1, T] -> STFT (Hann, hop = half the frame, not centred, over the window's energy)
                    -> X |X|^alpha                  (equation 13, alpha = 1/2: quiet bins count less)
                    -> real and imaginary part [B, 2, frames, bins]
                    -> convolutions 3 x 9, three of 3 x 9 dilated over frames by 1, 2, 4, one of 3 x 3 -> logits

Frames of sizes that are powers of two share their edges and their bins, and gradients then favour these times and
frequencies; sizes of irrational ratios share few (appendix B.5). What is matched are the five rectified layers, not the
logits. Keys are those of the published training code (`convs.0.conv.weight_g`, `spec_transform.window`).

Source: Parker et al., 2024, section 3.3 and appendix B.5; stable-audio-tools at 50049e3, which walks every bin (stride
1; its release 0.0.17 every other). It stands on EnCodec's discriminator (Défossez et al., 2022).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codeczoo.codecs.errors import InvalidAudio
from codeczoo.codecs.layers.weight_norm import WeightNormConv2d

from .judgement import Judgement, Judgements, in_float32

SLOPE = 0.2
_LEAST_MAGNITUDE = 1e-6
_KERNEL = (3, 9)
_DILATIONS = (1, 2, 4)


@dataclass(frozen=True)
class GoldenConfig:
    """The defaults are the published ones (47 million parameters)."""

    frames: tuple[int, ...] = (78, 126, 206, 334, 542, 876, 1418, 2296)
    """Samples of each spectrum's frame."""
    channels: int = 256
    power: float = 0.5
    """alpha."""

    def __post_init__(self) -> None:
        if not self.frames or any(frame < 2 or frame % 2 for frame in self.frames) or self.channels < 1:
            raise ValueError(f"Frames are even numbers of samples, channels 1 or more; got {self}.")
        if not 0 <= self.power <= 4:
            raise ValueError(f"power is 0 to 4; got {self.power}.")


class _Named(nn.Module):
    """A layer under the name that published checkpoints put around it."""

    def __init__(self, conv: WeightNormConv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.conv(*inputs)


class _Window(nn.Module):
    """Holds the window, which published checkpoints have as a buffer."""

    window: Tensor

    def __init__(self, frame: int) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(frame))


def _conv(channels_in: int, channels_out: int, kernel: tuple[int, int], dilation: int = 1) -> _Named:
    padding = (kernel[0] // 2 * dilation, kernel[1] // 2)
    return _Named(WeightNormConv2d(channels_in, channels_out, kernel, padding=padding, dilation=(dilation, 1)))


class SpectrumDiscriminator(nn.Module):
    """One size of frames."""

    def __init__(self, frame: int, channels: int, power: float) -> None:
        super().__init__()
        self.frame = frame
        self.power = power
        self.spec_transform = _Window(frame)
        dilated = [_conv(channels, channels, _KERNEL, dilation) for dilation in _DILATIONS]
        self.convs = nn.ModuleList([_conv(2, channels, _KERNEL), *dilated, _conv(channels, channels, (3, 3))])
        self.conv_post = _conv(channels, 1, (3, 3))

    def spectrum(self, audio: Tensor) -> Tensor:
        """Audio `[B, 1, T]` to float `[B, 2, frames, bins]`."""
        with torch.autocast(audio.device.type, enabled=False):
            signal = in_float32(audio[:, 0])
            window = self.spec_transform.window.to(signal.dtype)
            spectrum = torch.stft(
                signal, self.frame, self.frame // 2, window=window, center=False, return_complex=True
            ) / torch.linalg.vector_norm(window)
            spectrum = spectrum * (spectrum.abs() + _LEAST_MAGNITUDE) ** self.power
            return torch.view_as_real(spectrum).permute(0, 3, 2, 1)

    def forward(self, *audios: Tensor) -> Judgements:
        """Audio `[B, 1, T]`, one judgement a signal."""
        inputs = tuple(self.spectrum(audio) for audio in audios)
        layers: list[tuple[Tensor, ...]] = []
        for conv in self.convs:
            inputs = tuple(F.leaky_relu(x, SLOPE) for x in conv(*inputs))
            layers.append(inputs)
        logits = self.conv_post(*inputs)
        maps = zip(*layers, strict=True)
        return tuple(Judgement(y.flatten(1), features) for y, features in zip(logits, maps, strict=True))


class _Scales(nn.Module):
    """The spectra's discriminators, under the published name."""

    def __init__(self, parts: Iterable[nn.Module]) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(parts)


class GoldenDiscriminator(nn.Module):
    """All sizes of frames."""

    def __init__(self, config: GoldenConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GoldenConfig()
        parts = [SpectrumDiscriminator(frame, config.channels, config.power) for frame in config.frames]
        self.discriminators = _Scales(parts)
        self.least_samples = max(config.frames)

    def forward(self, *audios: Tensor) -> tuple[Judgements, ...]:
        """Audio `[B, 1, T]`, all signals of one shape: the judgements of all sizes for each. Raises InvalidAudio."""
        shape = tuple(audios[0].shape)
        if any(tuple(audio.shape) != shape for audio in audios) or len(shape) != 3 or shape[1] != 1 or not shape[0]:
            got = ", ".join(str(tuple(audio.shape)) for audio in audios)
            raise InvalidAudio(f"Discriminators take mono audio [B, 1, T], all signals of one shape; got {got}.")
        if shape[2] < self.least_samples:
            raise InvalidAudio(
                f"The largest frame has {self.least_samples} samples; got {shape[2]}. Train on longer crops."
            )
        judged = [part(*audios) for part in self.discriminators.discriminators]
        return tuple(tuple(one[signal] for one in judged) for signal in range(len(audios)))
