"""What makes a value undefined on the side of the audio: decided here once, used by every measure.

* not finite: a NaN or an infinite sample anywhere. It says so; it is never replaced by zero.
* too short: fewer samples than one step of the measure's analysis, which each measure states.
* too long: more seconds than the measure takes (`Measure.max_seconds`).
* silent: no sample reaches `SILENCE_PEAK`, one step of 16-bit audio (-90 dB re full scale). An offset is not sound: the
  level is that of the signal about its mean.

Signals are read in blocks, so that the check of a long file costs no memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .base import Audio, Signal, Undefined

SILENCE_PEAK = 2.0**-15
BLOCK = 1 << 19
"""Samples read at once: some seconds, 2 MiB."""


def blocks(signal: Signal, size: int = BLOCK) -> Iterator[Audio]:
    """The samples of a signal, a slice at a time."""
    for start in range(0, len(signal), size):
        yield signal[start : start + size]


def is_silent(samples: Audio) -> bool:
    """Whether an array in memory holds no sound."""
    return samples.size == 0 or float(np.max(samples)) - float(np.min(samples)) < 2 * SILENCE_PEAK


def check_usable(
    reference: Signal | None,
    estimate: Signal,
    sample_rate: int,
    *,
    least_samples: int = 1,
    longest_s: float | None = None,
    silence: bool = True,
) -> None:
    """Raise Undefined where there is nothing to measure in both, or in the one signal where there is no reference.
    `silence=False` lets silent signals pass."""
    named = [("signal", estimate)] if reference is None else [("reference", reference), ("estimate", estimate)]
    for role, signal in named:
        if len(signal) < least_samples:
            raise Undefined(f"too short: {len(signal)} samples, at least {least_samples} are needed")
        if longest_s is not None and len(signal) > longest_s * sample_rate:
            raise Undefined(f"too long: {len(signal) / sample_rate:.1f} s, at most {longest_s:g} s are taken")
        low, high = np.inf, -np.inf
        for block in blocks(signal):
            smallest, largest = float(np.min(block)), float(np.max(block))
            if not (np.isfinite(smallest) and np.isfinite(largest)):
                raise Undefined(f"the {role} holds NaN or infinite samples")
            low, high = min(low, smallest), max(high, largest)
        if silence and high - low < 2 * SILENCE_PEAK:
            raise Undefined(f"the {role} is silent")


def in_memory(signal: Signal) -> Audio:
    """All samples as one contiguous float32 array."""
    return np.ascontiguousarray(signal[0 : len(signal)], dtype=np.float32)
