"""Loudness of mono audio by ITU-R BS.1770-4, and the gain that a model with a loudness of its own asks for.

Blocks of 0.4 s, three quarters of each in the next, are K-weighted; the mean energy is taken of those above -70 LUFS
and above the mean of these less 10 LU. The two filters are those of `torchaudio.functional.loudness` (they stand for
the standard's at any sample rate), with its clipping to full scale after each, so that a level is that of published
models. A clip that is shorter than a block is one block: torchaudio fails on it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.floating]

BLOCK_S = 0.4
LEAST_MEAN_SQUARE = 1e-6
"""Quieter clips (-60 dB) are left as they are: they are silence or noise."""
PEAK = 0.95
"""What a clip is brought to, where the loudness would take it beyond full scale."""

_OFFSET_LUFS = -0.691
_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0


def loudness_lufs(audio: Audio, sample_rate_hz: int) -> float | None:
    """Integrated loudness of mono audio `[T]`; None where no block is above the gate."""
    weighted = _k_weighted(audio.astype(np.float64), sample_rate_hz)
    size = min(round(BLOCK_S * sample_rate_hz), len(weighted))
    step = max(1, round(size / 4))
    energies = np.lib.stride_tricks.sliding_window_view(weighted**2, size)[::step].mean(axis=1)
    kept = energies[energies > _energy(_GATE_LUFS)]
    if not len(kept):
        return None
    kept = kept[kept > kept.mean() * 10 ** (_RELATIVE_GATE_LU / 10)]
    return _OFFSET_LUFS + 10 * math.log10(kept.mean())


def gain_to(target_lufs: float, audio: Audio, sample_rate_hz: int) -> float:
    """The factor that brings mono audio `[T]` to a loudness: 1 for silence, less where the peak would be beyond 1."""
    if not len(audio) or np.mean(audio.astype(np.float64) ** 2) < LEAST_MEAN_SQUARE:
        return 1.0
    found = loudness_lufs(audio, sample_rate_hz)
    if found is None:
        return 1.0
    gain = 10 ** ((target_lufs - found) / 20)
    peak = float(np.abs(audio).max())
    return PEAK / peak if gain * peak > 1 else gain


def _energy(lufs: float) -> float:
    return 10 ** ((lufs - _OFFSET_LUFS) / 10)


def _k_weighted(audio: Audio, sample_rate_hz: int) -> Audio:
    from scipy.signal import lfilter

    for numerator, denominator in (_shelf(sample_rate_hz), _high_pass(sample_rate_hz)):
        audio = np.clip(lfilter(numerator, denominator, audio), -1.0, 1.0)
    return audio


def _shelf(sample_rate_hz: int, gain_db: float = 4.0, centre_hz: float = 1500.0, q: float = 0.5**0.5):
    """The head's treble, by the formulas of R. Bristow-Johnson's "Cookbook formulae for audio EQ biquad filters"."""
    w = 2 * math.pi * centre_hz / sample_rate_hz
    a = 10 ** (gain_db / 40)
    slope, cos = 2 * math.sqrt(a) * math.sin(w) / (2 * q), math.cos(w)
    plus, minus = a + 1, a - 1
    numerator = [a * (plus + minus * cos + slope), -2 * a * (minus + plus * cos), a * (plus + minus * cos - slope)]
    denominator = [plus - minus * cos + slope, 2 * (minus - plus * cos), plus - minus * cos - slope]
    return numerator, denominator


def _high_pass(sample_rate_hz: int, cut_hz: float = 38.0, q: float = 0.5):
    w = 2 * math.pi * cut_hz / sample_rate_hz
    alpha, cos = math.sin(w) / (2 * q), math.cos(w)
    return [(1 + cos) / 2, -1 - cos, (1 + cos) / 2], [1 + alpha, -2 * cos, 1 - alpha]
