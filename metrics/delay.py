"""Delay of an estimate behind its reference, by cross-correlation.

Positive: the estimate comes later. Only the loudest stretch of at most 60 s is looked at, so that a long file costs no
more than a minute. The lag is the one of the largest positive correlation; the correlation given with it is the
coefficient of the two overlapping parts. Correlations of either sign would find the delay of inverted polarity, where
this finds one that is off by half a period (raw SI-SDR is then above the aligned one), but would take codecs that turn
phases for inverted ones: AMR-NB then comes 1.1 to 1.5 ms late on a third of 108 clips of speech, where it is in time.

Source: C. Knapp and G. Carter, IEEE TASSP 24(4), 1976 (the unweighted correlator), computed by FFT.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Signal, Undefined
from .undefined import is_silent

STRETCH_S = 60
MAX_DELAY_S = 0.2


@dataclass(frozen=True)
class Delay:
    """A delay and how sure it is."""

    samples: int
    """Of the estimate behind the reference."""
    correlation: float
    """Coefficient in [-1, 1] of the two signals at this delay."""


def loudest_stretch(signal: Signal, sample_rate_hz: int, longest_s: int = STRETCH_S) -> tuple[int, int]:
    """Start and stop of the stretch of most energy, at whole seconds; all of a shorter signal."""
    if len(signal) <= longest_s * sample_rate_hz:
        return 0, len(signal)
    energies = [
        float(np.sum(np.square(signal[start : start + sample_rate_hz], dtype=np.float64)))
        for start in range(0, len(signal), sample_rate_hz)
    ]
    sums = np.convolve(energies, np.ones(longest_s), mode="valid")
    start = int(np.argmax(sums)) * sample_rate_hz
    return start, min(len(signal), start + longest_s * sample_rate_hz)


def estimate_delay(reference: Signal, estimate: Signal, sample_rate_hz: int, max_delay_s: float = MAX_DELAY_S) -> Delay:
    """Lag in [-max_delay_s, max_delay_s], and at most half of the signal. Raises Undefined on silence and on NaN."""
    from scipy.fft import irfft, next_fast_len, rfft

    length = min(len(reference), len(estimate))
    start, stop = loudest_stretch(reference, sample_rate_hz)
    stop = min(stop, length)
    pair = []
    for role, signal in (("reference", reference), ("estimate", estimate)):
        part = np.asarray(signal[start:stop], dtype=np.float64)
        if not np.isfinite(part).all():
            raise Undefined(f"the {role} holds NaN or infinite samples")
        if is_silent(signal[start:stop]):
            raise Undefined(f"the {role} is silent")
        pair.append(part - part.mean())
    first, second = pair
    reach = min(int(max_delay_s * sample_rate_hz), len(first) // 2)
    size = next_fast_len(len(first) + reach, real=True)
    spectra = [np.asarray(rfft(part, size)) for part in pair]
    correlation = np.asarray(irfft(np.conj(spectra[0]) * spectra[1], size))
    lags = np.arange(-reach, reach + 1)
    lag = int(lags[np.argmax(correlation[lags])])
    ahead, behind = (first[: len(first) - lag], second[lag:]) if lag >= 0 else (first[-lag:], second[:lag])
    scale = float(np.sqrt(np.dot(ahead, ahead) * np.dot(behind, behind)))
    return Delay(lag, float(np.dot(ahead, behind)) / scale if scale > 0 else 0.0)
