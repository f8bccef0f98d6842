"""Magnitude spectrograms in blocks of frames, so that a file of any length costs the memory of one block.

Conventions: frames are centred (`torch.stft(center=True, pad_mode="reflect")`): frame n is samples
`[n hop - n_fft/2, n hop + n_fft/2)` of the signal mirrored at both ends without repeating the end sample, and there are
`1 + T // hop` frames. The window is the periodic Hann window of n_fft samples; spectra are not normalised. Computed in
float64: the log of a near-empty bin is then the signal's and not rounding's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .base import Signal

FRAMES_PER_BLOCK = 64

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Frames:
    """How a signal is cut."""

    n_fft: int
    hop: int

    @property
    def least_samples(self) -> int:
        """Mirroring half a frame needs one sample more than half a frame."""
        return self.n_fft // 2 + 1

    def count(self, samples: int) -> int:
        """Frames of a signal."""
        return 1 + samples // self.hop


def mirrored(signal: Signal, start: int, stop: int) -> Array:
    """Samples [start, stop) of a signal that is mirrored at both ends. Reads no more of it than needed."""
    length = len(signal)
    parts = [np.asarray(signal[max(0, start) : min(length, stop)], dtype=np.float64)]
    if start < 0:
        parts.insert(0, np.asarray(signal[max(1, 1 - stop) : 1 - start], dtype=np.float64)[::-1])
    if stop > length:
        last = 2 * (length - 1)
        parts.append(np.asarray(signal[last - stop + 1 : min(length - 1, last - start + 1)], dtype=np.float64)[::-1])
    return np.concatenate(parts)


@lru_cache(maxsize=8)
def hann(length: int) -> Array:
    """The periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def magnitudes(signal: Signal, frames: Frames, frames_per_block: int = FRAMES_PER_BLOCK) -> Iterator[Array]:
    """`[N, 1 + n_fft/2]` magnitudes, some frames at a time, together all frames of the signal."""
    count = frames.count(len(signal))
    for first in range(0, count, frames_per_block):
        last = min(count, first + frames_per_block)
        start = first * frames.hop - frames.n_fft // 2
        samples = mirrored(signal, start, (last - 1) * frames.hop + frames.n_fft - frames.n_fft // 2)
        cut = np.lib.stride_tricks.sliding_window_view(samples, frames.n_fft)[:: frames.hop]
        yield np.abs(np.fft.rfft(cut * hann(frames.n_fft)))


@dataclass
class SpectralDistance:
    """Convergence and log distance over all frames: |X - Y|_F / |X|_F + mean |ln X - ln Y|, X the reference."""

    difference: float = 0.0
    power: float = 0.0
    log_difference: float = 0.0
    values: int = 0

    def add(self, reference: Array, estimate: Array) -> None:
        """Positive magnitudes of some frames."""
        self.difference += float(np.sum(np.square(reference - estimate)))
        self.power += float(np.sum(np.square(reference)))
        self.log_difference += float(np.sum(np.abs(np.log(reference) - np.log(estimate))))
        self.values += reference.size

    @property
    def value(self) -> float:
        """Both terms, equally weighted."""
        return float(np.sqrt(self.difference / self.power)) + self.log_difference / self.values
