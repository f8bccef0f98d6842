"""Real speech for the tests of codecs, and the lag of one signal behind another."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray


@cache
def speech(folder: Path, sample_rate: int, n_clips: int = 27) -> NDArray[np.float32]:
    """The first clips of the demo set, one after the other, at `sample_rate`."""
    clips = [soundfile.read(path, dtype="float32")[0] for path in sorted(folder.rglob("*.wav"))[:n_clips]]
    joined = np.concatenate(clips)
    return soxr.resample(joined, 16_000, sample_rate, "VHQ").astype(np.float32)


def batch(samples: NDArray[np.float32], channels: int = 1) -> torch.Tensor:
    """`[T]` to `[1, C, T]`."""
    return torch.from_numpy(samples.copy())[None, None].repeat(1, channels, 1)


def lag(reference: NDArray[np.floating], estimate: NDArray[np.floating]) -> float:
    """Samples by which the estimate is behind the reference: peak of the cross-correlation, parabola through it."""
    size = 2 * len(reference)
    spectrum = np.fft.rfft(estimate, size) * np.conj(np.fft.rfft(reference, size))
    correlation = np.fft.irfft(spectrum, size)
    peak = int(np.argmax(correlation))
    before, at, after = correlation[peak - 1], correlation[peak], correlation[(peak + 1) % size]
    offset = 0.5 * (before - after) / (before - 2 * at + after)
    return (peak - size if peak > size // 2 else peak) + float(offset)
