"""How decoded audio lies beside its reference: how late, how fast, by spectra instead of waveforms.

Codecs that rebuild a spectrum, not a waveform, have no waveform to correlate. Both estimates here look at levels of
bands over time, in dB above a floor, and take the place where the two pictures agree best:

    lag     moved in time, in steps of 1 ms
    speed   played faster: what was at time t and frequency f is at t / r and f r, as it is when audio of one sample
            rate is taken for another; in steps of 1 %
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from codeczoo.metrics.base import Audio
from codeczoo.metrics.mel import mel_bands
from codeczoo.metrics.spectra import Frames, magnitudes

Array = NDArray[np.float64]

SAMPLE_RATE_HZ = 16_000
"""Of the audio that both functions take."""
_LAG_FRAMES = Frames(n_fft=512, hop=SAMPLE_RATE_HZ // 1000)
_LAG_BANDS = 24
_SPEED_FRAMES = Frames(n_fft=1024, hop=160)
_FLOOR_DB = -50.0
"""Below the loudest value: what lies lower is silence, whatever it is."""
MAX_LAG_S = 0.2
_SPEEDS = 1.01 ** np.arange(-120, 121)
_SHORTEST_SHARE = 0.3


@dataclass(frozen=True)
class Place:
    """Where two pictures agree best, and how well: the correlation of their levels."""

    value: float
    correlation: float


def lag_s(reference: Audio, estimate: Audio) -> Place:
    """Seconds by which the estimate is behind, within `MAX_LAG_S`."""
    bands = mel_bands(SAMPLE_RATE_HZ, _LAG_FRAMES.n_fft, _LAG_BANDS, "htk")
    first, second = (_levels(signal, _LAG_FRAMES, bands) for signal in (reference, estimate))
    steps = round(MAX_LAG_S * 1000)
    found = [_correlation(*_overlap(first, second, lag)) for lag in range(-steps, steps + 1)]
    best = int(np.argmax(found))
    return Place((best - steps) / 1000, found[best])


def speed(reference: Audio, estimate: Audio) -> Place:
    """Times that the estimate is faster, and by as much higher, within 0.3 and 3.3."""
    first, second = (_levels(signal, _SPEED_FRAMES, _smoothing()) for signal in (reference, estimate))
    heights_hz = 150.0 * 2.0 ** (np.arange(0, 109) / 24)
    instants = np.arange(len(first), dtype=np.float64)
    wanted = _at(first, instants, heights_hz)
    found = []
    for factor in _SPEEDS:
        inside = instants / factor <= len(second) - 1
        if np.count_nonzero(inside) < _SHORTEST_SHARE * len(instants):
            found.append(-1.0)
            continue
        found.append(_correlation(wanted[inside], _at(second, instants[inside] / factor, heights_hz * factor)))
    best = int(np.argmax(found))
    return Place(float(_SPEEDS[best]), found[best])


def _levels(signal: Audio, frames: Frames, bands: Array) -> Array:
    """`[N, bands]` in dB above the floor."""
    power = np.concatenate([np.square(block) for block in magnitudes(signal, frames)]) @ bands
    loudest = max(float(power.max()), 1e-20)
    return np.maximum(10 * np.log10(np.maximum(power / loudest, 1e-20)), _FLOOR_DB) - _FLOOR_DB


@lru_cache(maxsize=1)
def _smoothing() -> Array:
    """`[513, 513]`: five bins about each, so that formants count and not single harmonics."""
    bins = _SPEED_FRAMES.n_fft // 2 + 1
    distance = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins)))
    return np.maximum(0.0, 1 - distance / 3)


def _overlap(first: Array, second: Array, lag: int) -> tuple[Array, Array]:
    length = min(len(first), len(second)) - abs(lag)
    return first[max(0, -lag) :][:length], second[max(0, lag) :][:length]


def _correlation(first: Array, second: Array) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt(np.sum(first * first) * np.sum(second * second)))
    return float(np.sum(first * second)) / scale if scale > 0 else 0.0


def _at(levels: Array, instants: Array, heights_hz: Array) -> Array:
    """Levels at the nearest frame and bin; 0, the floor, above half the sample rate."""
    rows = np.rint(instants).astype(np.int64)
    columns = np.rint(heights_hz * _SPEED_FRAMES.n_fft / SAMPLE_RATE_HZ).astype(np.int64)
    inside = columns < levels.shape[1]
    picked = levels[np.ix_(rows, np.minimum(columns, levels.shape[1] - 1))]
    return np.where(inside, picked, 0.0)
