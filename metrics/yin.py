"""V/UV F1 and pitch error by YIN: the twin of the CREPE metrics for machines without a GPU, some hundred times cheaper.

Same frames, range and rule of silence as CREPE's (see `voicing`); its numbers are close to those, and not those: they
have their own names. For each frame of 1024 samples, about its mean:

1. difference d(t) = sum over j < 704 of (x[j] - x[j + t])^2 for lags t up to 320 (50 Hz), by FFT
2. cumulative mean normalisation d'(t) = d(t) t / sum over 1 .. t of d
3. the smallest lag from 29 (550 Hz) on that is a local minimum below 0.15, else the lag of the smallest d'
4. parabolic interpolation of d' around it

The periodicity is 1 - d' at that lag; a frame is voiced from `VOICED_FROM` on. Pitch errors are taken where both are
sure of it (`SURE_FROM`): without CREPE's Viterbi a few octave errors in weakly voiced frames would be all of the RMS.

Source: A. de Cheveigne and H. Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 111, 2002.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .base import Audio, Features, Measure, Metric, MetricError, Signal, Values, check_pair
from .undefined import check_usable, in_memory
from .voicing import (
    HIGHEST_HZ,
    HOP,
    LOWEST_HZ,
    SAMPLE_RATE_HZ,
    SILENCE_DB,
    WINDOW,
    Array,
    Track,
    f0_rmse_cents,
    frames,
    silent_frames,
    voiced_f1,
)

SHORTEST_LAG = math.floor(SAMPLE_RATE_HZ / HIGHEST_HZ)
LONGEST_LAG = math.ceil(SAMPLE_RATE_HZ / LOWEST_HZ)
SUMMED = WINDOW - LONGEST_LAG
TROUGH_BELOW = 0.15
VOICED_FROM = 0.45
"""Where the decisions agree best with CREPE's on real speech: F1 between the two is 0.93."""
SURE_FROM = 0.9
"""Here real codecs rank by pitch error as they do by CREPE; from 0.45 on the errors are ten times as large."""
LONGEST_S = 600.0
BLOCK_FRAMES = 64
NAMES = ("vuv_f1_yin", "f0_rmse_cents_yin")


def normalised_difference(cut: Audio) -> Array:
    """d' at lags 0 to 320 for frames `[N, 1024]`; 1 where a frame does not vary."""
    centred = cut.astype(np.float64)
    centred -= centred.mean(axis=1, keepdims=True)
    # The head slides over the frame without leaving it, so that a circular product of the frame's size is exact.
    spectra = np.conj(np.fft.rfft(centred[:, :SUMMED], WINDOW)) * np.fft.rfft(centred, WINDOW)
    products = np.fft.irfft(spectra, WINDOW)[:, : LONGEST_LAG + 1]
    energy = np.cumsum(np.square(centred), axis=1)
    energy = np.concatenate([np.zeros((len(cut), 1)), energy], axis=1)
    shifted = energy[:, SUMMED : SUMMED + LONGEST_LAG + 1] - energy[:, : LONGEST_LAG + 1]
    difference = np.maximum(energy[:, SUMMED : SUMMED + 1] + shifted - 2 * products, 0.0)
    difference[:, 0] = 0.0
    sums = np.cumsum(difference, axis=1)
    lags = np.arange(LONGEST_LAG + 1)
    return np.where(sums > 0, difference * lags / np.where(sums > 0, sums, 1.0), 1.0)


def periods(normalised: Array) -> tuple[Array, Array]:
    """Period in samples and d' there, a value a frame."""
    searched = normalised[:, SHORTEST_LAG : LONGEST_LAG + 1]
    padded = np.pad(searched, ((0, 0), (1, 1)), constant_values=np.inf)
    trough = (searched < TROUGH_BELOW) & (searched <= padded[:, :-2]) & (searched < padded[:, 2:])
    lag = np.where(trough.any(axis=1), trough.argmax(axis=1), searched.argmin(axis=1)) + SHORTEST_LAG
    rows = np.arange(len(lag))
    inside = np.minimum(lag, LONGEST_LAG - 1)
    before, at, after = (normalised[rows, inside + step] for step in (-1, 0, 1))
    curvature = before - 2 * at + after
    shift = np.where(curvature > 0, 0.5 * (before - after) / np.where(curvature > 0, curvature, 1.0), 0.0)
    return np.where(lag == inside, inside + np.clip(shift, -1.0, 1.0), lag), normalised[rows, lag]


def track(signal: Signal, sample_rate: int) -> Track:
    """Pitch and periodicity of a signal at 16 kHz. Raises Undefined for clips out of bounds."""
    if sample_rate != SAMPLE_RATE_HZ:
        raise MetricError(f"vuv_f1_yin takes audio at {SAMPLE_RATE_HZ} Hz; got {sample_rate} Hz. Resample first.")
    check_usable(None, signal, sample_rate, least_samples=WINDOW, longest_s=LONGEST_S, silence=False)
    samples = in_memory(signal)
    cut: NDArray[np.float32] = frames(samples)
    parts = [
        periods(normalised_difference(cut[start : start + BLOCK_FRAMES])) for start in range(0, len(cut), BLOCK_FRAMES)
    ]
    period, depth = (np.concatenate(part) for part in zip(*parts, strict=True))
    periodicity = np.clip(1 - depth, 0.0, 1.0)
    periodicity[silent_frames(samples)] = 0
    return Track(pitch_hz=SAMPLE_RATE_HZ / period, periodicity=periodicity)


def analyse(signal: Signal, sample_rate: int) -> Features:
    """The track of one signal."""
    return track(signal, sample_rate).features()


def compare(reference: Signal, estimate: Signal, sample_rate: int, features: Features | None) -> Values:
    """Both values. Raises Undefined for clips out of bounds."""
    check_pair(reference, estimate, sample_rate, NAMES, SAMPLE_RATE_HZ)
    first = Track.of(features) if features is not None else track(reference, sample_rate)
    second = track(estimate, sample_rate)
    voiced = first.periodicity >= VOICED_FROM, second.periodicity >= VOICED_FROM
    sure = first.periodicity >= SURE_FROM, second.periodicity >= SURE_FROM
    return {
        "vuv_f1_yin": voiced_f1(*voiced),
        "f0_rmse_cents_yin": f0_rmse_cents(first, second, *sure),
    }


def _fact(name: str, unit: str, higher_is_better: bool, description: str, value_range: tuple[float, float]) -> Metric:
    identity = (
        f"{name}|fs:{SAMPLE_RATE_HZ}|window:{WINDOW}|hop:{HOP}|hz:{LOWEST_HZ:g}-{HIGHEST_HZ:g}|trough:{TROUGH_BELOW}"
        f"|voiced:{VOICED_FROM}|sure:{SURE_FROM}|silence_db:{SILENCE_DB:g}|longest_s:{LONGEST_S:g}"
    )
    return Metric(
        name=name,
        unit=unit,
        higher_is_better=higher_is_better,
        sample_rate=SAMPLE_RATE_HZ,
        inputs="pair",
        source="de Cheveigne and Kawahara, JASA 111, 2002; librosa.yin for the pitch",
        identity=identity,
        description=description,
        domains=("speech",),
        value_range=value_range,
    )


YIN = Measure(
    metrics=(
        _fact("vuv_f1_yin", "1", True, "F1 of voiced frames by YIN: cheap stand-in, no paper prints it.", (0.0, 1.0)),
        _fact(
            "f0_rmse_cents_yin",
            "cents",
            False,
            "Pitch error by YIN where both are surely voiced: cheap stand-in, no paper prints it.",
            (0.0, 4300.0),
        ),
    ),
    compare=compare,
    analyse=analyse,
    max_seconds=LONGEST_S,
)
