"""The multi-period discriminator (MPD): audio folded into rows of one period, seen by convolutions along the columns.

Audio `[B, 1, T]` is mirrored at its end up to a multiple of the period P and folded to `[B, 1, T / P, P]`; five
convolutions of kernel (5, 1) and strides 3, 3, 3, 3, 1, and one to a single channel, judge every column alone: patterns
that recur with the period. Periods are primes, so that the discriminators overlap as little as can be.

Two dialects of the same network are published inside WavTokenizer, and both are kept:

    `PeriodDiscriminator`        Vocos': conditioned by projection on the bandwidth id; the maps that are matched leave
                                 out the first layer and end with the (conditioned) logits
    `PlainPeriodDiscriminator`   DAC's: unconditioned; audio of whole periods is mirrored by one period more; the maps
                                 are those of all layers without the logits

Sources: J. Kong et al., "HiFi-GAN", NeurIPS 2020; H. Siuzdak, "Vocos", ICLR 2024; R. Kumar et al., DAC, NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from codeczoo.codecs.layers.weight_norm import WeightNormConv2d

from .discriminator_layers import activations, condition_table, firsts, in_sequences, projection
from .judgement import Judgement, Judgements

CHANNELS = (32, 128, 512, 1024, 1024)
_KERNEL = 5
_STRIDE = 3


def _fold(audio: Tensor, period: int, padding: int) -> Tensor:
    """Audio `[B, 1, T]`, mirrored at the end by `padding` samples, to `[B, 1, (T + padding) / period, period]`."""
    padded = F.pad(audio, (0, padding), mode="reflect") if padding else audio
    return padded.reshape(audio.shape[0], 1, -1, period)


def _convolutions(channels: Sequence[int]) -> list[WeightNormConv2d]:
    """All with a stride but the last."""
    widths = [1, *channels]
    last = len(channels) - 1
    return [
        WeightNormConv2d(widths[i], widths[i + 1], (_KERNEL, 1), (_STRIDE if i < last else 1, 1), (_KERNEL // 2, 0))
        for i in range(len(channels))
    ]


def _to_logits(channels: Sequence[int]) -> WeightNormConv2d:
    return WeightNormConv2d(channels[-1], 1, (3, 1), padding=(1, 0))


class PeriodDiscriminator(nn.Module):
    """One period, as in Vocos; `conditions` ids, 0 for none."""

    def __init__(self, period: int, channels: Sequence[int] = CHANNELS, conditions: int = 4) -> None:
        super().__init__()
        self.period = period
        self.convs = nn.ModuleList(_convolutions(channels))
        self.emb = condition_table(conditions, channels[-1])
        self.conv_post = _to_logits(channels)

    @property
    def least_samples(self) -> int:
        """A whole period: what is added is then always less than what there is to be mirrored."""
        return self.period

    def forward(self, *audios: Tensor, condition: Tensor | None = None) -> Judgements:
        """Audio `[B, 1, T]`, one judgement a signal."""
        folded = tuple(_fold(audio, self.period, -audio.shape[-1] % self.period) for audio in audios)
        layers = activations(self.convs, folded)
        last = layers[-1]
        logits = self.conv_post(*last)
        if self.emb is not None and condition is not None:
            logits = tuple(y + projection(self.emb, condition, x) for x, y in zip(last, logits, strict=True))
        maps = zip(*layers[1:], logits, strict=True)
        return tuple(Judgement(y.flatten(1), features) for y, features in zip(logits, maps, strict=True))


class PlainPeriodDiscriminator(nn.Module):
    """One period, as in DAC. Keys have a `0` more: each convolution is stored as the first of a sequence."""

    def __init__(self, period: int, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.period = period
        self.convs = in_sequences(_convolutions(channels))
        self.conv_post = _to_logits(channels)

    @property
    def least_samples(self) -> int:
        """Mirroring needs one sample more than are added, up to a whole period."""
        return self.period + 1

    def forward(self, *audios: Tensor, condition: Tensor | None = None) -> Judgements:
        """Audio `[B, 1, T]`, one judgement a signal, whatever the condition."""
        folded = tuple(_fold(x, self.period, self.period - x.shape[-1] % self.period) for x in audios)
        layers = activations(firsts(self.convs), folded)
        logits = self.conv_post(*layers[-1])
        return tuple(Judgement(y.flatten(1), maps) for y, maps in zip(logits, zip(*layers, strict=True), strict=True))
