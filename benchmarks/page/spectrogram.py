"""Small spectrograms as PNG: 96 mel bands from 0 Hz to half the rate, 80 dB, at most 480 columns.

Levels are in dB under the loudest point of the reference, for all versions of a clip, so that pictures of one clip can
be held against each other: colours of equal level are equal. The colours are matplotlib's magma, whose lightness rises
with the level: it reads without colour vision and in print.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from codeczoo.metrics.base import Audio
from codeczoo.metrics.mel import mel_bands
from codeczoo.metrics.spectra import Frames, magnitudes

BANDS = 96
COLUMNS = 480
RANGE_DB = 80.0

_COLOURS = 64
_FFT_S = 0.064
_LEAST_HOP_S = 0.008
_TICKS_HZ = (500, 1000, 2000, 4000, 8000, 16000)
_FLOOR = 1e-9

Levels = NDArray[np.float64]
"""dB, `[BANDS, columns]`, low frequencies first."""


@dataclass(frozen=True)
class Axis:
    """Where a frequency stands in a picture."""

    hz: int
    height: float
    """From 0 at the bottom to 1 at the top."""


def levels_db(audio: Audio, sample_rate_hz: int) -> Levels:
    """Mel levels of mono float32 `[T]`."""
    n_fft = _n_fft(sample_rate_hz)
    hop = max(round(_LEAST_HOP_S * sample_rate_hz), -(-len(audio) // (COLUMNS - 1)))
    frames = Frames(n_fft, hop)
    if len(audio) < frames.least_samples:
        audio = np.pad(audio, (0, frames.least_samples - len(audio)))
    power = np.concatenate([block**2 for block in magnitudes(audio, frames)])
    mel = power @ mel_bands(sample_rate_hz, n_fft, BANDS, "slaney")
    return 10 * np.log10(np.maximum(mel, _FLOOR**2)).T


def png(levels: Levels, loudest_db: float) -> bytes:
    """Levels as an indexed PNG; `loudest_db` is white, `RANGE_DB` below it and less is black."""
    shares = np.clip((levels - loudest_db) / RANGE_DB + 1.0, 0.0, 1.0)
    pixels = np.round(shares * (_COLOURS - 1)).astype(np.uint8)[::-1]
    height, width = pixels.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (("IHDR", header), ("PLTE", _palette()), ("IDAT", zlib.compress(lines, 9)), ("IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name.encode("ascii"), content) for name, content in parts)


def axis(sample_rate_hz: int) -> list[Axis]:
    """Where round frequencies stand."""
    bands = mel_bands(sample_rate_hz, _n_fft(sample_rate_hz), BANDS, "slaney")
    centres_hz = np.linspace(0.0, sample_rate_hz / 2, len(bands))[np.argmax(bands, axis=0)]
    heights = (np.arange(BANDS) + 0.5) / BANDS
    ticks = [hz for hz in _TICKS_HZ if hz < 0.95 * sample_rate_hz / 2]
    return [Axis(hz, float(np.interp(hz, centres_hz, heights))) for hz in ticks]


def _n_fft(sample_rate_hz: int) -> int:
    return 2 ** round(np.log2(_FFT_S * sample_rate_hz))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@cache
def _palette() -> bytes:
    from matplotlib import colormaps

    colours = colormaps["magma"](np.linspace(0.0, 1.0, _COLOURS))[:, :3]
    return np.round(255 * colours).astype(np.uint8).tobytes()
