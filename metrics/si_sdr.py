"""Scale-invariant signal-to-distortion ratio in dB, raw and delay-aligned.

Both signals are made zero-mean; the target is the projection of the estimate on the reference:

    a = <estimate, reference> / <reference, reference>
    SI-SDR = 10 log10(|a reference|^2 / |estimate - a reference|^2)

`si_sdr_aligned` first moves the estimate by the delay that `estimate_delay` finds (at most 0.2 s) and compares the
overlapping parts: a codec with a constant delay of some samples is not distorted, but its raw value says so. Of
inverted polarity the aligned value is below the raw one (see `delay`).

A mean over clips bears no infinities: where the estimate equals the reference up to a factor the value is undefined
(+inf), and where it has nothing of the reference too (-inf).

Source: J. Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019, equation 6; any rate, any length: sums over
blocks in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .base import Features, Measure, Metric, Signal, Undefined, Values, check_pair
from .delay import MAX_DELAY_S, STRETCH_S, estimate_delay
from .undefined import BLOCK, check_usable

Array = NDArray[np.float64]


def si_sdr(reference: Signal, estimate: Signal, delay_samples: int = 0) -> float:
    """SI-SDR in dB of the parts that overlap when the estimate is moved ahead by a delay. Raises Undefined where it is
    infinite."""
    first, second = max(0, -delay_samples), max(0, delay_samples)
    length = min(len(reference) - first, len(estimate) - second)

    def pairs() -> Iterator[tuple[Array, Array]]:
        for start in range(0, length, BLOCK):
            stop = min(length, start + BLOCK)
            yield (
                np.asarray(reference[first + start : first + stop], dtype=np.float64),
                np.asarray(estimate[second + start : second + stop], dtype=np.float64),
            )

    sums = np.sum([(np.sum(ref), np.sum(est)) for ref, est in pairs()], axis=0)
    mean_ref, mean_est = sums / length
    power = cross = 0.0
    for ref, est in pairs():
        power += float(np.dot(ref - mean_ref, ref - mean_ref))
        cross += float(np.dot(ref - mean_ref, est - mean_est))
    if power == 0:
        raise Undefined("the reference is silent")
    gain = cross / power
    # The distortion is summed from its samples: as a difference of the sums above it would drown in rounding at 100 dB.
    distortion = 0.0
    for ref, est in pairs():
        residual = (est - mean_est) - gain * (ref - mean_ref)
        distortion += float(np.dot(residual, residual))
    target = gain * gain * power
    if distortion == 0:
        raise Undefined("the estimate equals the reference up to a factor: SI-SDR is infinite")
    if target == 0:
        raise Undefined("the estimate has nothing of the reference: SI-SDR is minus infinity")
    return 10 * math.log10(target / distortion)


def _or_undefined(reference: Signal, estimate: Signal, delay_samples: int) -> float | Undefined:
    try:
        return si_sdr(reference, estimate, delay_samples)
    except Undefined as reason:
        return reason


def compare(reference: Signal, estimate: Signal, sample_rate: int, _: Features | None) -> Values:
    """Raw and aligned SI-SDR. Raises Undefined for silence."""
    check_pair(reference, estimate, sample_rate, ("si_sdr", "si_sdr_aligned"), None)
    check_usable(reference, estimate, sample_rate, least_samples=2)
    delay = estimate_delay(reference, estimate, sample_rate).samples
    raw = _or_undefined(reference, estimate, 0)
    aligned = raw if delay == 0 else _or_undefined(reference, estimate, delay)
    return {"si_sdr": raw, "si_sdr_aligned": aligned}


def _fact(name: str, parameters: str, description: str) -> Metric:
    return Metric(
        name=name,
        unit="dB",
        higher_is_better=True,
        sample_rate=None,
        inputs="pair",
        source="Le Roux et al., ICASSP 2019, equation 6; torchmetrics scale_invariant_signal_distortion_ratio",
        identity=f"{name}|zero_mean|{parameters}",
        description=description,
    )


SI_SDR = Measure(
    metrics=(
        _fact("si_sdr", "raw", "Waveform fidelity up to a gain, as TAAE prints it."),
        _fact(
            "si_sdr_aligned",
            f"delay:xcorr|max_delay_s:{MAX_DELAY_S:g}|stretch_s:{STRETCH_S}",
            "Waveform fidelity up to a gain and a constant delay.",
        ),
    ),
    compare=compare,
)
