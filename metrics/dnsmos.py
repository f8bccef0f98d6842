"""DNSMOS: overall, signal and background quality (P.835) and overall quality (P.808), predicted from one signal.

The numbers are those of `speechmos.dnsmos.run(audio, 16000)` within 1e-5: windows of 9.01 s every second, a shorter
clip repeated until it fills one, the mean over windows. The package runs its ONNX graphs for one window after the
other; here windows share what they have in common (see `dnsmos_windows`), in a third to a fifth of the time.

The package means to take every window, but computes the ends of some as one sample short and leaves these out (of a
clip of 30 s it takes the first seven). So does this: the published number is meant, not a better one.

Audio outside [-1, 1] is undefined, not clipped and not scaled: the package refuses it, and either would rate another
signal than the codec gave. So is silence, which the networks would rate as some speech.

Sources: C. Reddy et al., "DNSMOS P.835", ICASSP 2022; "DNSMOS", ICASSP 2021 (P.808); package speechmos.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import Polynomial

from .base import Audio, Features, Measure, Metric, MetricError, Signal, Undefined, Values, check_pair
from .dnsmos_windows import p808, p835
from .undefined import check_usable, in_memory
from .versions import tagged

SAMPLE_RATE_HZ = 16_000
FRAMES_PER_S = 100
WINDOW_S = 9.01
WINDOW_SAMPLES = 144_160
LONGEST_S = 600.0
SHORTEST_S = 0.1
NAMES = ("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "dnsmos_p808")

_SCALES = {
    "dnsmos_ovrl": (2, Polynomial([0.04602535, 1.11546468, -0.06766283])),
    "dnsmos_sig": (0, Polynomial([0.0052439, 1.22083953, -0.08397278])),
    "dnsmos_bak": (1, Polynomial([-0.39604546, 1.60915514, -0.13166888])),
}
"""Column of the P.835 network's output, and what makes a MOS of it."""


def _windows(samples: Audio) -> tuple[Audio, list[int]]:
    """The signal, repeated until it fills a window, and the frames at which windows start: every second, while a whole
    second more than a window is left (the package's count, which leaves out what is left at the end)."""
    while len(samples) < WINDOW_SAMPLES:
        samples = np.concatenate((samples, samples))
    count = len(samples) // SAMPLE_RATE_HZ - math.ceil(WINDOW_S) + 1
    # The package skips a window whose end it computes one sample short.
    ends = (int((number + WINDOW_S) * SAMPLE_RATE_HZ) for number in range(max(1, count)))
    kept = [number for number, end in enumerate(ends) if end - number * SAMPLE_RATE_HZ >= WINDOW_SAMPLES]
    return samples, [number * FRAMES_PER_S for number in kept]


def dnsmos(signal: Signal, sample_rate: int) -> dict[str, float]:
    """The four scores of one signal at 16 kHz, by metric. Raises Undefined for silence and for audio above full
    scale."""
    if sample_rate != SAMPLE_RATE_HZ:
        raise MetricError(f"dnsmos_ovrl takes audio at {SAMPLE_RATE_HZ} Hz; got {sample_rate} Hz. Resample first.")
    check_usable(None, signal, sample_rate, least_samples=int(SHORTEST_S * sample_rate), longest_s=LONGEST_S)
    samples = in_memory(signal)
    peak = float(np.max(np.abs(samples)))
    if peak > 1:
        raise Undefined(f"the signal exceeds full scale (peak {peak:.3f}); DNSMOS takes audio in [-1, 1]")
    repeated, starts = _windows(samples)
    period = len(samples) if len(repeated) > len(samples) else None
    raw = p835(repeated, starts, period).astype(np.float64)
    scores = {name: float(np.mean(polynomial(raw[:, column]))) for name, (column, polynomial) in _SCALES.items()}
    return {**scores, "dnsmos_p808": float(np.mean(p808(repeated, starts)))}


def analyse(signal: Signal, sample_rate: int) -> Features:
    """The scores of one signal."""
    return {name: np.array(score) for name, score in dnsmos(signal, sample_rate).items()}


def compare(reference: Signal, estimate: Signal, sample_rate: int, _: Features | None) -> Values:
    """The scores of the estimate."""
    check_pair(reference, estimate, sample_rate, NAMES, SAMPLE_RATE_HZ)
    return dnsmos(estimate, sample_rate)


def reference_scores(features: Features) -> dict[str, float]:
    """The reference's own scores."""
    return {name: float(features[name]) for name in NAMES}


def _fact(name: str, paper: str, description: str) -> Metric:
    return Metric(
        name=name,
        unit="MOS",
        higher_is_better=True,
        sample_rate=SAMPLE_RATE_HZ,
        inputs="estimate",
        source=f"{paper}; speechmos.dnsmos.run(audio, 16000)",
        identity=f"{name}|fs:{SAMPLE_RATE_HZ}|longest_s:{LONGEST_S:g}|{tagged('speechmos')}",
        description=description,
        domains=("speech",),
        value_range=(0.0, 5.5),
    )


_P835 = "Reddy et al., DNSMOS P.835, ICASSP 2022"
DNSMOS = Measure(
    metrics=(
        _fact("dnsmos_ovrl", _P835, "Predicted overall quality (P.835), as codec comparisons such as DASB print it."),
        _fact("dnsmos_sig", _P835, "Predicted quality of the speech itself (P.835)."),
        _fact("dnsmos_bak", _P835, "Predicted absence of background noise (P.835)."),
        _fact("dnsmos_p808", "Reddy et al., DNSMOS, ICASSP 2021", "Predicted overall quality (P.808)."),
    ),
    compare=compare,
    analyse=analyse,
    reference_scores=reference_scores,
    max_seconds=LONGEST_S,
)
