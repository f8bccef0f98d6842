"""STFT distances: two definitions that papers print under one name.

`stft_distance`, at 24 kHz: for windows of 2048 and of 512 samples with hops of a quarter,
mean |log10 max(|X|, 1e-5)^2 - log10 max(|Y|, 1e-5)^2| + mean ||X| - |Y||, summed over both windows. It is the
multi-scale STFT loss of audiotools and DAC with its defaults, which UniCodec's evaluation prints.

`stft_distance_taae`, at 16 kHz: n_fft 2048, hop 512; |X - Y|_F / |X|_F + mean |ln X - ln Y| with magnitudes not below
1e-4 (the conventions of auraloss, which the paper's appendix D cites).

Both are defined for silence; where the reference is, the estimate alone is measured against the floor.

Sources: R. Kumar et al., DAC, NeurIPS 2023; UniCodec, ACL 2025; J. Parker et al., TAAE, ICLR 2025; C. Steinmetz and
J. Reiss, auraloss, DMRN+15, 2020.
"""

from __future__ import annotations

import numpy as np

from .base import Features, Measure, Metric, Signal, Values, check_pair
from .spectra import Frames, SpectralDistance, magnitudes
from .undefined import check_usable

SAMPLE_RATE_HZ = 24_000
SCALES = (Frames(n_fft=2048, hop=512), Frames(n_fft=512, hop=128))
FLOOR = 1e-5

TAAE_SAMPLE_RATE_HZ = 16_000
TAAE_FRAMES = Frames(n_fft=2048, hop=512)
TAAE_FLOOR = 1e-4


def stft_distance(reference: Signal, estimate: Signal, sample_rate: int) -> float:
    """Of 24 kHz audio. Raises Undefined where half a frame cannot be mirrored."""
    check_pair(reference, estimate, sample_rate, ("stft_distance",), SAMPLE_RATE_HZ)
    least = max(frames.least_samples for frames in SCALES)
    check_usable(reference, estimate, sample_rate, least_samples=least, silence=False)
    distance = 0.0
    for frames in SCALES:
        total, values = 0.0, 0
        for first, second in zip(magnitudes(reference, frames), magnitudes(estimate, frames), strict=True):
            ratio = np.log10(np.maximum(first, FLOOR)) - np.log10(np.maximum(second, FLOOR))
            total += 2 * float(np.sum(np.abs(ratio))) + float(np.sum(np.abs(first - second)))
            values += first.size
        distance += total / values
    return distance


def stft_distance_taae(reference: Signal, estimate: Signal, sample_rate: int) -> float:
    """Of 16 kHz audio. Raises Undefined where half a frame cannot be mirrored."""
    check_pair(reference, estimate, sample_rate, ("stft_distance_taae",), TAAE_SAMPLE_RATE_HZ)
    check_usable(reference, estimate, sample_rate, least_samples=TAAE_FRAMES.least_samples, silence=False)
    distance = SpectralDistance()
    for pair in zip(magnitudes(reference, TAAE_FRAMES), magnitudes(estimate, TAAE_FRAMES), strict=True):
        first, second = (np.maximum(part, TAAE_FLOOR) for part in pair)
        distance.add(first, second)
    return distance.value


def _compare(reference: Signal, estimate: Signal, sample_rate: int, _: Features | None) -> Values:
    return {"stft_distance": stft_distance(reference, estimate, sample_rate)}


def _compare_taae(reference: Signal, estimate: Signal, sample_rate: int, _: Features | None) -> Values:
    return {"stft_distance_taae": stft_distance_taae(reference, estimate, sample_rate)}


STFT = Measure(
    metrics=(
        Metric(
            name="stft_distance",
            unit="1",
            higher_is_better=False,
            sample_rate=SAMPLE_RATE_HZ,
            inputs="pair",
            source="Kumar et al., DAC, NeurIPS 2023; MultiScaleSTFTLoss of descript-audio-codec 1.0 with its defaults",
            identity=f"stft_distance|fs:24000|windows:2048,512|hop:1/4|log10_square|floor:{FLOOR:g}|l1+magnitude_l1",
            description="Distance of spectra at two resolutions, as UniCodec prints its STFT Dist.",
            value_range=(0.0, np.inf),
        ),
    ),
    compare=_compare,
)
STFT_TAAE = Measure(
    metrics=(
        Metric(
            name="stft_distance_taae",
            unit="1",
            higher_is_better=False,
            sample_rate=TAAE_SAMPLE_RATE_HZ,
            inputs="pair",
            source="Parker et al., TAAE, ICLR 2025, appendix D; conventions of auraloss 0.4 (STFTLoss)",
            identity=f"stft_distance_taae|fs:16000|n_fft:2048|hop:512|floor:{TAAE_FLOOR:g}|convergence+ln_l1",
            description="Distance of spectra, log distance plus spectral convergence, as TAAE prints it.",
            value_range=(0.0, np.inf),
        ),
    ),
    compare=_compare_taae,
)
