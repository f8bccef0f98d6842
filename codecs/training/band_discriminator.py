"""The band discriminator: complex spectra cut into bands, each with convolutions of its own ("DAC discriminator").

Audio `[B, 1, T]` loses its mean and is scaled to a peak of 0.8, so that what is judged does not depend on the level;
the gradient goes through both. Then two kinds of discriminators hear it:

    periods   `PlainPeriodDiscriminator`, as the multi-period discriminator has them already
    frames    complex STFT (rectangular window, hop n_fft / 4) as two channels `[B, 2, N, F]`, cut over frequency at
              0, .1, .25, .5, .75 and 1 times the bins; five convolutions a band, one over all bands together

The maps that are matched are those of all layers of all bands.

**In the published code this discriminator is never trained**: the loss holds one instance, the optimiser another, so
that it worked as a fixed random network in all released models (its loss stays at the eight of an undecided one). Here
it is a discriminator like the others; an experiment with the published behaviour gives its weights to no optimiser.

Silence. The scale is 0.8 / (peak + `peak_floor`). With the published floor of 1e-9 a silent estimate has a finite
gradient that is about 1e9 times that of an audible one: a training of one's own wants a floor that can be heard.

Sources: R. Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN" (DAC), NeurIPS 2023; S. Ji et al.,
"WavTokenizer", ICLR 2025, section 3.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from codeczoo.codecs.layers.weight_norm import WeightNormConv2d

from .discriminator_layers import Ensemble, activations, firsts, in_sequences, rectangular_spectrum
from .judgement import Judgement, Judgements, in_float32

EDGES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
PEAK = 0.8
PEAK_FLOOR = 1e-9
# Kernel and stride, over time and frequency.
_LAYERS = (((3, 9), (1, 1)), ((3, 9), (1, 2)), ((3, 9), (1, 2)), ((3, 9), (1, 2)), ((3, 3), (1, 1)))


def band_bins(n_fft: int, edges: Sequence[float]) -> list[tuple[int, int]]:
    """First bin and the one after the last of each band, of the 1 + n_fft / 2 of a spectrum."""
    bins = n_fft // 2 + 1
    return [(int(low * bins), int(high * bins)) for low, high in pairwise(edges)]


class SpectrumDiscriminator(nn.Module):
    """One size of frames."""

    def __init__(self, n_fft: int, channels: int = 32, edges: Sequence[float] = EDGES) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.bands = band_bins(n_fft, edges)
        self.band_convs = nn.ModuleList(
            in_sequences(
                WeightNormConv2d(channels if i else 2, channels, kernel, stride, (kernel[0] // 2, kernel[1] // 2))
                for i, (kernel, stride) in enumerate(_LAYERS)
            )
            for _ in self.bands
        )
        self.conv_post = WeightNormConv2d(channels, 1, (3, 3), padding=(1, 1))

    @property
    def least_samples(self) -> int:
        """Mirroring half a frame needs one sample more than half a frame."""
        return self.n_fft // 2 + 1

    def forward(self, *audios: Tensor, condition: Tensor | None = None) -> Judgements:
        """Audio `[B, 1, T]`, one judgement a signal, whatever the condition."""
        spectra = [torch.view_as_real(rectangular_spectrum(x, self.n_fft, self.n_fft // 4)) for x in audios]
        planes = [spectrum.permute(0, 3, 2, 1) for spectrum in spectra]
        layers: list[tuple[Tensor, ...]] = []
        ends: list[tuple[Tensor, ...]] = []
        for (low, high), stages in zip(self.bands, self.band_convs, strict=True):
            layers += activations(firsts(stages), tuple(plane[..., low:high] for plane in planes))
            ends.append(layers[-1])
        logits = self.conv_post(*(torch.cat(bands, dim=-1) for bands in zip(*ends, strict=True)))
        return tuple(Judgement(y.flatten(1), maps) for y, maps in zip(logits, zip(*layers, strict=True), strict=True))


class BandDiscriminator(Ensemble):
    """Discriminators of audio at one level: first those of periods, then those of spectra."""

    def __init__(self, discriminators: Iterable[nn.Module], peak_floor: float = PEAK_FLOOR) -> None:
        super().__init__(discriminators)
        self.peak_floor = peak_floor

    def levelled(self, audio: Tensor) -> Tensor:
        """Audio `[B, 1, T]` without its mean, at the peak that all audio is judged at."""
        centred = in_float32(audio)
        centred = centred - centred.mean(dim=-1, keepdim=True)
        return PEAK * centred / (centred.abs().amax(dim=-1, keepdim=True) + self.peak_floor)

    def forward(self, *audios: Tensor, condition: Tensor | None = None) -> tuple[Judgements, ...]:
        """Audio `[B, 1, T]`, the judgements of all discriminators a signal, whatever the condition."""
        return super().forward(*(self.levelled(audio) for audio in audios), condition=condition)
