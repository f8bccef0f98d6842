"""What a probe can tell without any codec: log-mel bands and MFCC, pooled as the codecs' embeddings are.

24 kHz mono; Hann frames of 1024 samples every 256, only whole ones (a clip shorter than one is padded to it); 80 HTK
mel bands of the magnitude from 0 to 12 kHz, their natural logarithm, not below 1e-5. MFCC are the first 20 coefficients
of the orthonormal DCT-II of those.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codeczoo.benchmarks import audio
from codeczoo.benchmarks.clip import Clip
from codeczoo.codecs import resampling
from codeczoo.metrics.mel import mel_bands

from .pooling import Vectors, pool

SAMPLE_RATE_HZ = 24_000
WINDOW, HOP, BANDS, COEFFICIENTS = 1024, 256, 80, 20
FLOOR = 1e-5
BASELINES = ("log-mel", "mfcc")
IDENTITY = f"fs:{SAMPLE_RATE_HZ}|window:{WINDOW}|hop:{HOP}|mels:{BANDS}:htk|ln|floor:{FLOOR:g}"


def identity(baseline: str) -> str:
    """Everything that decides a baseline's frames."""
    extra = f"|dct:{COEFFICIENTS}" if baseline == "mfcc" else ""
    return f"{baseline}|{IDENTITY}{extra}|{resampling.identity()}"


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """24 kHz `[T]` to `[bands, frames]`."""
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples)))).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    magnitudes = np.abs(np.fft.rfft(frames * window, axis=1))
    bands = magnitudes @ mel_bands(SAMPLE_RATE_HZ, WINDOW, BANDS, "htk")
    return np.log(np.maximum(bands, FLOOR)).T


def mfcc(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """24 kHz `[T]` to `[coefficients, frames]`."""
    from scipy.fft import dct

    return np.asarray(dct(log_mel(samples), type=2, norm="ortho", axis=0))[:COEFFICIENTS]


def feature(clip: Clip, baseline: str, pooling: str) -> Vectors:
    """A clip's baseline feature `[D]`. Raises InvalidClip."""
    mono, rate = audio.clip_samples(clip)
    samples = resampling.resample(mono, rate, SAMPLE_RATE_HZ)
    frames = log_mel(samples) if baseline == "log-mel" else mfcc(samples)
    return pool(frames[None], [frames.shape[1]], pooling)[0]
