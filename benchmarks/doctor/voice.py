"""The signals of the doctor: a synthetic voice, the same at every sample rate and on every machine.

A voice is a sum of sines: harmonics of a gliding pitch under the formants of a vowel, a new vowel every quarter of a
second, and before each a hiss of many sines between 2.5 and 7 kHz. It is defined for every instant, not for samples,
so nothing is resampled: partials above 0.45 of the sample rate are left out. Samples are rounded to 16 bits, so that
the last bit of a machine's sine decides nothing, and golden tokens belong to one signal everywhere.

It is speech enough for codecs of speech (pitch trackers, voicing decisions, noise substitution), no measure of their
quality: numbers of the doctor rank nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from codeczoo.metrics.base import Audio

Array = NDArray[np.float64]

SYLLABLE_S = 0.25
_HISS_S = 0.07
_PEAK = 0.5
_HIGHEST_HZ = 7_000.0
_STEPS = 2**15

_VOWELS: dict[str, tuple[float, float, float, float]] = {
    "a": (750.0, 1200.0, 2500.0, 3500.0),
    "e": (450.0, 1900.0, 2550.0, 3500.0),
    "i": (300.0, 2250.0, 3000.0, 3600.0),
    "o": (480.0, 850.0, 2450.0, 3400.0),
    "u": (320.0, 750.0, 2300.0, 3300.0),
}
"""Centres of the formants in Hz."""
_BANDWIDTHS_HZ = (80.0, 110.0, 160.0, 220.0)


@dataclass(frozen=True)
class Voice:
    """Who speaks, and what."""

    vowels: str
    pitch_hz: float
    """Of which the pitch swings by `swing`, up and down in 1.3 s."""
    swing: float = 0.15
    seed: int = 1

    @property
    def seconds(self) -> float:
        return SYLLABLE_S * len(self.vowels)


FIRST = Voice("aieouaie", 125.0)
SECOND = Voice("oiaueoai", 205.0, seed=2)
_SWING_HZ = 1 / 1.3


def sung(voice: Voice, sample_rate_hz: int, samples: int | None = None) -> Audio:
    """float32 `[T]`: the voice from its beginning, its seconds or that many samples."""
    whole = round(voice.seconds * sample_rate_hz)
    count = whole if samples is None else samples
    return _sung(voice, sample_rate_hz, max(count, whole))[:count].copy()


@lru_cache(maxsize=8)
def _sung(voice: Voice, sample_rate_hz: int, count: int) -> Audio:
    times = np.arange(count) / sample_rate_hz
    highest = min(_HIGHEST_HZ, 0.45 * sample_rate_hz)
    wave = _voiced(voice, times, highest) + 0.05 * _hiss(voice, times, highest)
    return (np.rint(_PEAK * wave * _STEPS) / _STEPS).astype(np.float32)


def _voiced(voice: Voice, times: Array, highest_hz: float) -> Array:
    turn = 2 * np.pi * _SWING_HZ
    pitch = voice.pitch_hz * (1 + voice.swing * np.sin(turn * times))
    phase = 2 * np.pi * voice.pitch_hz * (times + voice.swing / turn * (1 - np.cos(turn * times)))
    formants = _formants(voice, times)
    wave = np.zeros_like(times)
    for harmonic in range(1, int(highest_hz / (voice.pitch_hz * (1 - voice.swing))) + 1):
        frequency = harmonic * pitch
        strength = np.where(frequency < highest_hz, _strength(frequency, formants), 0.0)
        wave += strength * np.sin(harmonic * phase)
    return wave * _envelope(times, _HISS_S, SYLLABLE_S - 0.01)


def _strength(frequency_hz: Array, formants: Array) -> Array:
    """Amplitude of a harmonic: a voice falls by 6 dB an octave, under the sum of its formants."""
    widths = np.asarray(_BANDWIDTHS_HZ)[:, None] / 2
    resonances = 1 / (1 + np.square((frequency_hz - formants) / widths)) * np.array([1.0, 0.6, 0.3, 0.2])[:, None]
    return 0.6 * (resonances.sum(axis=0) + 0.02) / (1 + frequency_hz / 500)


def _formants(voice: Voice, times: Array) -> Array:
    """`[4, T]`: those of the syllable, reached from the one before in its first quarter."""
    targets = np.array([_VOWELS[vowel] for vowel in voice.vowels]).T
    last = targets.shape[1] - 1
    place = times / SYLLABLE_S
    syllable = np.minimum(place.astype(np.int64), last)
    share = np.clip((place - syllable) / 0.25, 0.0, 1.0)
    return targets[:, np.maximum(syllable - 1, 0)] * (1 - share) + targets[:, syllable] * share


def _hiss(voice: Voice, times: Array, highest_hz: float) -> Array:
    wave = np.zeros_like(times)
    state = voice.seed
    for _ in range(80):
        # A generator of our own: NumPy's streams may change between its versions.
        state = (1_103_515_245 * state + 12_345) % 2**31
        frequency = 2_500 + 4_500 * state / 2**31
        state = (1_103_515_245 * state + 12_345) % 2**31
        if frequency < highest_hz:
            wave += np.sin(2 * np.pi * (frequency * times + state / 2**31))
    return wave * _envelope(times, 0.0, _HISS_S) / 6


def _envelope(times: Array, start_s: float, stop_s: float) -> Array:
    """1 between the two instants of each syllable, with slopes of 10 ms inside of them."""
    inside = np.mod(times, SYLLABLE_S)
    slopes = np.minimum(inside - start_s, stop_s - inside) / 0.01
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(slopes, 0.0, 1.0))
