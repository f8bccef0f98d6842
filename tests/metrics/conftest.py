"""Real speech for the metrics: one clip at the rates they demand, and noise to degrade it with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

Audio = NDArray[np.float32]


@pytest.fixture(scope="session")
def speech_16k(demo_audio: Path) -> Audio:
    """Three seconds of real speech at 16 kHz."""
    samples, rate = soundfile.read(demo_audio / "hi" / "pangrama.wav", dtype="float32")
    assert rate == 16_000
    return samples[8_000:56_000]


@pytest.fixture(scope="session")
def speech_24k(speech_16k: Audio) -> Audio:
    """The same at 24 kHz."""
    return soxr.resample(speech_16k, 16_000, 24_000, quality="VHQ")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


class SlicesOnly:
    """A signal that is not in memory: it has a length and gives slices, and remembers the longest one."""

    def __init__(self, samples: Audio) -> None:
        self._samples = samples
        self.longest = 0

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, key: slice) -> Audio:
        found = self._samples[key]
        self.longest = max(self.longest, len(found))
        return found.copy()


@pytest.fixture
def on_disk() -> type[SlicesOnly]:
    return SlicesOnly
