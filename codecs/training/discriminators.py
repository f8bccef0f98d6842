"""All discriminators of WavTokenizer: multi-period, multi-resolution, and the band discriminator.

`Discriminators` holds them under the names of published checkpoints (`multiperioddisc.`, `multiresddisc.`, `dac.`), so
that those of their tensors with these prefixes load unchanged. A published checkpoint holds the band discriminator
twice: `dac.` went through no loss, `dacdiscriminator.discriminator.` through no optimiser.

`DiscriminatorConfig` says which there are and how wide they are. An empty tuple leaves a part out:

    without the complex STFT discriminators (the ablation of the paper's Table 7)    band_n_ffts=()
    without the second set of period discriminators                                 band_periods=()

One call judges all its signals with one set of normalised weights. Judging costs the same for real audio and estimate;
`codeczoo.codecs.training.losses` sees to it that no signal is judged twice by the same weights.

Source: S. Ji et al., "WavTokenizer", ICLR 2025, section 3.4, and its published code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from codeczoo.codecs.errors import InvalidAudio

from .band_discriminator import EDGES, PEAK_FLOOR, BandDiscriminator, SpectrumDiscriminator, band_bins
from .discriminator_layers import Ensemble
from .judgement import Judgements
from .period_discriminator import CHANNELS, PeriodDiscriminator, PlainPeriodDiscriminator
from .resolution_discriminator import ResolutionDiscriminator


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Which discriminators there are; the defaults are the published ones (84 million parameters)."""

    conditions: int = 4
    """Bandwidth ids; 0 where the model has none."""
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    period_channels: tuple[int, ...] = CHANNELS
    """One a layer; of the period discriminators of both kinds."""
    resolutions: tuple[tuple[int, int], ...] = ((1024, 256), (2048, 512), (512, 128))
    """n_fft and hop, in samples."""
    resolution_channels: int = 64
    band_periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    band_n_ffts: tuple[int, ...] = (2048, 1024, 512)
    """In samples; the hop is a quarter."""
    band_channels: int = 32
    band_edges: tuple[float, ...] = EDGES
    """Shares of half the sample rate, from 0 to 1."""
    peak_floor: float = PEAK_FLOOR
    """Full scale is 1: what is quieter is not raised to the level at which the band discriminator judges."""

    def __post_init__(self) -> None:
        if self.conditions < 0:
            raise ValueError(f"conditions is the number of bandwidth ids, 0 or more; got {self.conditions}.")
        if not (self.periods or self.resolutions or self.has_bands):
            raise ValueError("There is no discriminator left: give periods, resolutions, band_periods or band_n_ffts.")
        sizes = [*self.period_channels, self.resolution_channels, self.band_channels, *self.periods, *self.band_periods]
        if not self.period_channels or min(sizes) < 1:
            raise ValueError(f"Periods and channels are 1 or more, and there is a layer at least; got {self}.")
        frames = [*self.resolutions, *((n_fft, n_fft // 4) for n_fft in self.band_n_ffts)]
        for n_fft, hop in frames:
            if n_fft % 2 or not 1 <= hop <= n_fft:
                raise ValueError(f"A spectrum needs an even n_fft and a hop from 1 to n_fft; got {n_fft} and {hop}.")
        for n_fft in self.band_n_ffts:
            if any(low < 0 or low >= high or high > n_fft // 2 + 1 for low, high in band_bins(n_fft, self.band_edges)):
                raise ValueError(
                    f"band_edges rise from 0 to 1, with a bin of n_fft {n_fft} each; got {self.band_edges}."
                )
        if len(self.band_edges) < 2 or self.peak_floor <= 0:
            raise ValueError(f"There are two band_edges or more and peak_floor is positive; got {self}.")

    @property
    def has_bands(self) -> bool:
        """Whether there is a band discriminator."""
        return bool(self.band_periods or self.band_n_ffts)


@dataclass(frozen=True)
class Verdict:
    """Of one signal, by all discriminators; `()` where a kind is absent."""

    period: Judgements
    resolution: Judgements
    band: Judgements


class Discriminators(nn.Module):
    """All discriminators of one model."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        periods = [PeriodDiscriminator(p, config.period_channels, config.conditions) for p in config.periods]
        resolutions = [
            ResolutionDiscriminator(n_fft, hop, config.resolution_channels, config.conditions)
            for n_fft, hop in config.resolutions
        ]
        band_periods = [PlainPeriodDiscriminator(p, config.period_channels) for p in config.band_periods]
        spectra = [SpectrumDiscriminator(n, config.band_channels, config.band_edges) for n in config.band_n_ffts]
        self.multiperioddisc = Ensemble(periods)
        self.multiresddisc = Ensemble(resolutions)
        self.dac = BandDiscriminator([*band_periods, *spectra], config.peak_floor)
        self.least_samples = max(part.least_samples for part in (*periods, *resolutions, *band_periods, *spectra))
        """Of audio that all of them can judge: they mirror its ends."""

    def forward(self, *audios: Tensor, condition: Tensor | None = None) -> tuple[Verdict, ...]:
        """Audio `[B, 1, T]`, one verdict a signal; `condition` is the bandwidth id, int64 `[1]` or `[B]`.

        Raises InvalidAudio where a signal is too short to be judged or of another shape than the first.
        """
        self._check(audios, condition)
        period = self.multiperioddisc(*audios, condition=condition)
        resolution = self.multiresddisc(*audios, condition=condition)
        band = self.dac(*audios)
        return tuple(Verdict(*parts) for parts in zip(period, resolution, band, strict=True))

    def _check(self, audios: Sequence[Tensor], condition: Tensor | None) -> None:
        shape = tuple(audios[0].shape)
        if any(tuple(audio.shape) != shape for audio in audios) or len(shape) != 3 or shape[1] != 1 or not shape[0]:
            got = ", ".join(str(tuple(audio.shape)) for audio in audios)
            raise InvalidAudio(f"Discriminators take mono audio [B, 1, T], all signals of one shape; got {got}.")
        if shape[2] < self.least_samples:
            needed = f"{self.least_samples} samples at least, which the largest frames and periods need"
            raise InvalidAudio(f"Discriminators take {needed}; got {shape[2]}. Train on longer crops.")
        if (condition is None) != (self.config.conditions == 0):
            given = "none" if condition is None else "one"
            raise ValueError(f"These discriminators know {self.config.conditions} bandwidth ids; {given} was given.")
