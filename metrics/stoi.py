"""STOI and ESTOI: short-time objective intelligibility, both from one analysis.

The number is that of `pystoi.stoi(reference, estimate, 16000)`: resampled to 10 kHz by pystoi's resampler, frames of
256 samples with half overlap, frames 40 dB below the loudest frame of the reference removed, 15 third-octave bands from
150 Hz, segments of 30 frames (384 ms). Papers call pystoi at the codec's native rate (WavTokenizer's script: 24 kHz);
since only 0 to 5 kHz enters, that changes the value by less than 1e-4.

What this does differently, without changing the value:

* the steps that STOI and ESTOI share are done once, and those of the reference once for all estimates (`analyse`)
* where fewer than 30 frames remain, pystoi returns 1e-5 with a warning; here the value is undefined
* ESTOI adds noise at the level of rounding; pystoi draws it from NumPy's global generator, here its seed is fixed, so
  that a clip has one value also where a band is digital silence

Sources: C. Taal et al., IEEE TASLP 19(7), 2011 (STOI); J. Jensen and C. Taal, IEEE/ACM TASLP 24(11), 2016 (ESTOI);
package pystoi.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Audio, Features, Measure, Metric, Signal, Undefined, Values, check_pair
from .undefined import check_usable, in_memory
from .versions import tagged

SAMPLE_RATE_HZ = 16_000
INTERNAL_RATE_HZ = 10_000
LONGEST_S = 600.0
FRAME = 256
HOP = 128
FFT = 512
SEGMENT_FRAMES = 30
BANDS = 15
LOWEST_BAND_HZ = 150
DYNAMIC_RANGE_DB = 40.0
CLIP_GAIN = 1 + 10 ** (15 / 20)
"""Upper bound of the estimate's normalised band over the reference's: a signal-to-distortion ratio of -15 dB."""
NOISE_SEED = 0
SEGMENTS_PER_BLOCK = 1024
"""Segments overlap by 29 of 30 frames: all at once, ten minutes would need a gigabyte."""
EPS = float(np.finfo(np.float64).eps)

Array = NDArray[np.float64]


def _resampled(samples: Audio) -> Array:
    from pystoi.utils import resample_oct

    return np.asarray(resample_oct(samples, INTERNAL_RATE_HZ, SAMPLE_RATE_HZ), dtype=np.float64)


def _windowed_frames(samples: Array) -> Array:
    """Frames `[N, 256]` under the window. Like pystoi (and its Matlab origin) a frame that ends exactly at the last
    sample is left out."""
    count = max(0, -((FRAME - len(samples)) // HOP))
    if count == 0:
        return np.empty((0, FRAME))
    window = np.hanning(FRAME + 2)[1:-1]
    return np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP][:count] * window


def _bands(frames: Array, kept: NDArray[np.bool_]) -> Array:
    """Third-octave magnitudes `[15, N]` of what remains of the kept frames, overlapped and added."""
    from pystoi.utils import thirdoct

    if not kept.any():
        return np.empty((BANDS, 0))
    halves = frames[kept].reshape(-1, 2, HOP)
    joined = np.zeros((len(halves) + 1, HOP))
    joined[:-1] += halves[:, 0]
    joined[1:] += halves[:, 1]
    spectrum = np.fft.rfft(_windowed_frames(joined.reshape(-1)), n=FFT)
    matrix, _ = thirdoct(INTERNAL_RATE_HZ, FFT, BANDS, LOWEST_BAND_HZ)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.sqrt(matrix @ power.T)


def analyse(signal: Signal, sample_rate: int) -> Features:
    """Of the reference: which frames are kept, and the bands of what is kept."""
    check_usable(None, signal, sample_rate, longest_s=LONGEST_S, silence=False)
    frames = _windowed_frames(_resampled(in_memory(signal)))
    energy_db = 20 * np.log10(np.linalg.norm(frames, axis=1) + EPS)
    kept = energy_db > np.max(energy_db, initial=-np.inf) - DYNAMIC_RANGE_DB
    return {"kept": kept, "bands": _bands(frames, kept)}


def _segments(bands: Array) -> Array:
    """`[segments, 15, 30]`, a view."""
    return np.lib.stride_tricks.sliding_window_view(bands, SEGMENT_FRAMES, axis=1).transpose(1, 0, 2)


def _correlations(reference: Array, estimate: Array) -> float:
    """STOI: sum over segments, mean over bands, of the correlation with the clipped, normalised estimate."""
    gain = np.linalg.norm(reference, axis=2, keepdims=True)
    gain = gain / (np.linalg.norm(estimate, axis=2, keepdims=True) + EPS)
    clipped = np.minimum(estimate * gain, reference * CLIP_GAIN)
    centred = [part - part.mean(axis=2, keepdims=True) for part in (reference, clipped)]
    first, second = (part / (np.linalg.norm(part, axis=2, keepdims=True) + EPS) for part in centred)
    return float(np.einsum("sbt,sbt->", first, second)) / BANDS


def _normalised(segments: Array, noise: np.random.Generator) -> Array:
    """ESTOI: rows, then columns, of zero mean and unit norm."""
    for axis in (2, 1):
        segments = segments + EPS * noise.standard_normal(segments.shape)
        segments -= segments.mean(axis=axis, keepdims=True)
        segments /= np.sqrt(np.square(segments).sum(axis=axis, keepdims=True))
    return segments


def _extended(reference: Array, estimate: Array, noise: np.random.Generator) -> float:
    """ESTOI: sum over segments of the mean correlation of spectra."""
    first, second = _normalised(reference, noise), _normalised(estimate, noise)
    return float(np.einsum("sbt,sbt->", first, second)) / SEGMENT_FRAMES


def compare(reference: Signal, estimate: Signal, sample_rate: int, features: Features | None) -> Values:
    """STOI and ESTOI of 16 kHz audio. Raises Undefined for silence and for too little sound in the reference."""
    check_pair(reference, estimate, sample_rate, ("stoi", "estoi"), SAMPLE_RATE_HZ)
    check_usable(reference, estimate, sample_rate, longest_s=LONGEST_S)
    known = analyse(reference, sample_rate) if features is None else features
    kept = np.asarray(known["kept"], dtype=bool)
    reference_bands = np.asarray(known["bands"], dtype=np.float64)
    if reference_bands.shape[1] < SEGMENT_FRAMES:
        raise Undefined(
            f"too little sound: {reference_bands.shape[1]} frames of 12.8 ms remain without the reference's silent "
            f"frames, at least {SEGMENT_FRAMES} are needed"
        )
    estimate_bands = _bands(_windowed_frames(_resampled(in_memory(estimate))), kept)
    first, second = _segments(reference_bands), _segments(estimate_bands)
    noise = np.random.default_rng(NOISE_SEED)
    stoi = estoi = 0.0
    for start in range(0, len(first), SEGMENTS_PER_BLOCK):
        part = slice(start, start + SEGMENTS_PER_BLOCK)
        stoi += _correlations(first[part], second[part])
        estoi += _extended(first[part], second[part], noise)
    return {"stoi": stoi / len(first), "estoi": estoi / len(first)}


def _fact(name: str, source: str, description: str, noise: str = "") -> Metric:
    identity = f"{name}|fs:{SAMPLE_RATE_HZ}|resampler:pystoi|longest_s:{LONGEST_S:g}{noise}|{tagged('pystoi')}"
    return Metric(
        name=name,
        unit="1",
        higher_is_better=True,
        sample_rate=SAMPLE_RATE_HZ,
        inputs="pair",
        source=f"{source}; pystoi.stoi(reference, estimate, 16000)",
        identity=identity,
        description=description,
        domains=("speech",),
        value_range=(-1.0, 1.0 + 1e-9),
    )


STOI = Measure(
    metrics=(
        _fact(
            "stoi",
            "Taal et al., IEEE TASLP 19(7), 2011",
            "Intelligibility of speech against the reference, as WavTokenizer, UniCodec and TAAE print it.",
        ),
        _fact(
            "estoi",
            "Jensen and Taal, IEEE/ACM TASLP 24(11), 2016",
            "Intelligibility of speech against the reference, extended to modulated maskers.",
            f"|noise_seed:{NOISE_SEED}",
        ),
    ),
    compare=compare,
    analyse=analyse,
    max_seconds=LONGEST_S,
)
