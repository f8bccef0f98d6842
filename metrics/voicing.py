"""Voicing and pitch errors between two tracks, and the rule of silence: shared by every pitch tracker.

Conventions: 16 kHz; frame n is samples [160 n, 160 n + 1024), no padding, so that there are `1 + (T - 1024) // 160`
frames. A track is a pitch in Hz and a periodicity in [0, 1] a frame.

* silence: the A-weighted power spectrum in dB (bins 80 dB below the clip's strongest are raised to there) less 20 dB,
  averaged over frequency, below -60 dB: the periodicity of the frame is 0
* `voiced_f1`: F1 of voiced frames, 2 TP / (2 TP + FP + FN). Undefined where the reference has no voiced frame. Where it
  has some and none is found in the estimate the value is 0: WavTokenizer's script gets NaN there and leaves the clip
  out of its mean, which rewards an estimate without any voice
* `f0_rmse_cents`: root mean square of the pitch ratio in cents over frames voiced in both; undefined without any
* `periodicity_rmse`: root mean square difference of periodicity over all frames

Sources: M. Morrison et al., "Chunked Autoregressive GAN" (CARGAN), ICLR 2022, whose evaluation Vocos and WavTokenizer
took over; IEC 61672-1 (A-weighting).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .base import Audio, Features, Undefined
from .spectra import hann

SAMPLE_RATE_HZ = 16_000
WINDOW = 1024
HOP = 160
LOWEST_HZ = 50.0
HIGHEST_HZ = 550.0
SILENCE_DB = -60.0
REFERENCE_DB = 20.0
TOP_DB = 80.0
LEAST_POWER = 1e-10
LEAST_WEIGHT_DB = -80.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """Pitch and periodicity of one signal, a value a frame."""

    pitch_hz: Array
    periodicity: Array

    def features(self) -> Features:
        """As stored between runs."""
        return {"pitch_hz": self.pitch_hz, "periodicity": self.periodicity}

    @staticmethod
    def of(features: Features) -> Track:
        """As read back."""
        pitch, periodicity = (np.asarray(features[name], dtype=np.float64) for name in ("pitch_hz", "periodicity"))
        return Track(pitch, periodicity)


def frames(samples: Audio) -> NDArray[np.float32]:
    """`[N, 1024]`, a view."""
    return np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]


@lru_cache(maxsize=1)
def _a_weights_db() -> Array:
    """A-weighting of the bins of a spectrum, 0 dB at 1 kHz."""
    squared = np.square(np.linspace(0, SAMPLE_RATE_HZ / 2, WINDOW // 2 + 1))
    poles = np.square([20.598997, 107.65265, 737.86223, 12194.217])
    response = squared**2 * poles[3] / ((squared + poles[0]) * (squared + poles[3]))
    response = response / np.sqrt((squared + poles[1]) * (squared + poles[2]))
    weights = np.full(len(squared), LEAST_WEIGHT_DB)
    weights[1:] = np.maximum(20 * np.log10(response[1:]) + 2.0, LEAST_WEIGHT_DB)
    return weights


def silent_frames(samples: Audio) -> NDArray[np.bool_]:
    """Which frames of a clip are silent."""
    cut = frames(samples)
    power_db = np.empty((len(cut), WINDOW // 2 + 1))
    for start in range(0, len(cut), 1024):
        spectrum = np.fft.rfft(cut[start : start + 1024] * hann(WINDOW))
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        power_db[start : start + 1024] = 10 * np.log10(np.maximum(power, LEAST_POWER))
    power_db = np.maximum(power_db, power_db.max(initial=-np.inf) - TOP_DB)
    return np.mean(power_db + _a_weights_db() - REFERENCE_DB, axis=1) < SILENCE_DB


def voiced_f1(reference: NDArray[np.bool_], estimate: NDArray[np.bool_]) -> float | Undefined:
    """F1 of voiced frames."""
    if not reference.any():
        return Undefined("the reference has no voiced frame")
    both = np.count_nonzero(reference & estimate)
    return float(2 * both / (np.count_nonzero(reference) + np.count_nonzero(estimate)))


def f0_rmse_cents(
    reference: Track, estimate: Track, reference_voiced: NDArray[np.bool_], estimate_voiced: NDArray[np.bool_]
) -> float | Undefined:
    """Pitch error where both are voiced."""
    both = reference_voiced & estimate_voiced
    if not both.any():
        return Undefined("no frame is voiced in both signals")
    cents = 1200 * np.log2(estimate.pitch_hz[both] / reference.pitch_hz[both])
    return float(np.sqrt(np.mean(np.square(cents))))


def periodicity_rmse(reference: Track, estimate: Track) -> float:
    """Difference of periodicity."""
    return float(np.sqrt(np.mean(np.square(reference.periodicity - estimate.periodicity))))
