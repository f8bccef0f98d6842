"""Mel distances: two definitions that papers print under one name.

`mel_distance`, at 24 kHz, in nats: mean |ln max(M(x), 1e-7) - ln max(M(y), 1e-7)| with M the magnitude spectrogram
(n_fft 1024, hop 256) under 100 triangular HTK mel bands from 0 to 12 kHz, not normalised. It is Vocos' mel loss without
its weight, and what UniCodec's evaluation computes (its paper speaks of linear magnitudes; its code does not use them).
The floor is so low that in a band without sound (digital silence, speech resampled up) torch's float32 FFT gives its
own rounding, not the signal: there the published code's value differs from this one, computed in float64, by some
hundredths of a nat.

`mel_distance_taae`, at 16 kHz: n_fft 2048, hop 256, 128 mel bands; |X - Y|_F / |X|_F + mean |ln X - ln Y|. The paper
(appendix D) cites auraloss, whose conventions fill what it leaves open: magnitudes not below 1e-4 before the mel bands,
Slaney mel bands of unit area, the natural logarithm.

Both are defined for silence; where the reference is, the estimate alone is measured against the floor.

Sources: H. Siuzdak, "Vocos", ICLR 2024; UniCodec, ACL 2025; J. Parker et al., "Scaling Transformers for Low-Bitrate
High-Quality Speech Coding" (TAAE), ICLR 2025; C. Steinmetz and J. Reiss, auraloss, DMRN+15, 2020.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .base import Features, Measure, Metric, Signal, Values, check_pair
from .spectra import Frames, SpectralDistance, magnitudes
from .undefined import check_usable

SAMPLE_RATE_HZ = 24_000
FRAMES = Frames(n_fft=1024, hop=256)
BANDS = 100
FLOOR = 1e-7

TAAE_SAMPLE_RATE_HZ = 16_000
TAAE_FRAMES = Frames(n_fft=2048, hop=256)
TAAE_BANDS = 128
TAAE_FLOOR = 1e-4

Array = NDArray[np.float64]
Scale = Literal["htk", "slaney"]


def _mel_of_hz(hz: Array, scale: Scale) -> Array:
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    # Slaney's Auditory Toolbox: linear to 1 kHz (15 mels), from there 27 mels for each factor of 6.4.
    return np.where(hz < 1000.0, hz * 0.015, 15.0 + np.log(np.maximum(hz, 1e-9) / 1000.0) * 27.0 / np.log(6.4))


def _hz_of_mel(mel: Array, scale: Scale) -> Array:
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < 15.0, mel / 0.015, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


@lru_cache(maxsize=8)
def mel_bands(sample_rate_hz: int, n_fft: int, bands: int, scale: Scale) -> Array:
    """Triangular bands `[1 + n_fft/2, bands]` of the bins of an even n_fft: see `bands_of_bins`."""
    return bands_of_bins(np.linspace(0.0, sample_rate_hz / 2, n_fft // 2 + 1), sample_rate_hz, bands, scale)


def bands_of_bins(bins_hz: Array, sample_rate_hz: int, bands: int, scale: Scale) -> Array:
    """Triangular bands `[bins, bands]` from 0 Hz to half the rate, equidistant on the mel scale. HTK's have height 1,
    Slaney's area 1."""
    ends = _mel_of_hz(np.array([0.0, sample_rate_hz / 2]), scale)
    edges_hz = _hz_of_mel(np.linspace(ends[0], ends[1], bands + 2), scale)
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    bins = bins_hz[:, None]
    triangles = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    return triangles * 2.0 / (high - low) if scale == "slaney" else triangles


def mel_distance(reference: Signal, estimate: Signal, sample_rate: int) -> float:
    """In nats, of 24 kHz audio. Raises Undefined where half a frame cannot be mirrored."""
    check_pair(reference, estimate, sample_rate, ("mel_distance",), SAMPLE_RATE_HZ)
    check_usable(reference, estimate, sample_rate, least_samples=FRAMES.least_samples, silence=False)
    bands = mel_bands(SAMPLE_RATE_HZ, FRAMES.n_fft, BANDS, "htk")
    total, values = 0.0, 0
    for pair in zip(magnitudes(reference, FRAMES), magnitudes(estimate, FRAMES), strict=True):
        first, second = (np.log(np.maximum(part @ bands, FLOOR)) for part in pair)
        total += float(np.sum(np.abs(first - second)))
        values += first.size
    return total / values


def mel_distance_taae(reference: Signal, estimate: Signal, sample_rate: int) -> float:
    """Of 16 kHz audio. Raises Undefined where half a frame cannot be mirrored."""
    check_pair(reference, estimate, sample_rate, ("mel_distance_taae",), TAAE_SAMPLE_RATE_HZ)
    check_usable(reference, estimate, sample_rate, least_samples=TAAE_FRAMES.least_samples, silence=False)
    bands = mel_bands(TAAE_SAMPLE_RATE_HZ, TAAE_FRAMES.n_fft, TAAE_BANDS, "slaney")
    distance = SpectralDistance()
    for pair in zip(magnitudes(reference, TAAE_FRAMES), magnitudes(estimate, TAAE_FRAMES), strict=True):
        first, second = (np.maximum(part, TAAE_FLOOR) @ bands for part in pair)
        distance.add(first, second)
    return distance.value


def _compare(reference: Signal, estimate: Signal, sample_rate: int, _: Features | None) -> Values:
    return {"mel_distance": mel_distance(reference, estimate, sample_rate)}


def _compare_taae(reference: Signal, estimate: Signal, sample_rate: int, _: Features | None) -> Values:
    return {"mel_distance_taae": mel_distance_taae(reference, estimate, sample_rate)}


MEL = Measure(
    metrics=(
        Metric(
            name="mel_distance",
            unit="nats",
            higher_is_better=False,
            sample_rate=SAMPLE_RATE_HZ,
            inputs="pair",
            source="Siuzdak, Vocos, ICLR 2024; torchaudio MelSpectrogram(24000, 1024, 256, n_mels=100, power=1)",
            identity=f"mel_distance|fs:24000|n_fft:1024|hop:256|mels:{BANDS}:htk|magnitude|ln|floor:{FLOOR:g}|l1",
            description="Distance of log-mel spectra, as UniCodec's code computes its Mel Dist.",
            value_range=(0.0, np.inf),
        ),
    ),
    compare=_compare,
)
MEL_TAAE = Measure(
    metrics=(
        Metric(
            name="mel_distance_taae",
            unit="1",
            higher_is_better=False,
            sample_rate=TAAE_SAMPLE_RATE_HZ,
            inputs="pair",
            source="Parker et al., TAAE, ICLR 2025, appendix D; conventions of auraloss 0.4 (MelSTFTLoss)",
            identity=(
                f"mel_distance_taae|fs:16000|n_fft:2048|hop:256|mels:{TAAE_BANDS}:slaney|floor:{TAAE_FLOOR:g}"
                "|convergence+ln_l1"
            ),
            description="Distance of mel spectra, log distance plus spectral convergence, as TAAE prints it.",
            value_range=(0.0, np.inf),
        ),
    ),
    compare=_compare_taae,
)
