"""Whether more bits are better: the lowest, a middle and the highest operating point of a family on the same voice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from codeczoo.benchmarks import protocol
from codeczoo.codecs.bits import ledger
from codeczoo.codecs.resampling import resample
from codeczoo.metrics import Undefined, score

from .findings import Finding
from .patient import Patient

SLACK_PESQ = 0.2
"""How much worse a higher rate may be: encoders change their coding mode between rates."""
_RATE_HZ = 16_000
_RISES = 1.15
"""Declared bitrates further apart than this must differ as sent; closer ones may be filled to the same bytes."""


def chosen(rates_kbps: Sequence[float | None]) -> list[int]:
    """Which of a family's points to compare: indices of the lowest, the middle and the highest bitrate, all distinct.
    Fewer than two where there is nothing to compare."""
    known = {kbps: index for index, kbps in reversed(list(enumerate(rates_kbps))) if kbps is not None}
    rising = [known[kbps] for kbps in sorted(known)]
    return list(dict.fromkeys([rising[0], rising[len(rising) // 2], rising[-1]])) if rising else []


def rates(points: Sequence[Patient]) -> Finding:
    """Of two points or more, in rising order of bitrate."""
    names = [point.spec.name for point in points]
    sent = [_sent_kbps(point) for point in points]
    declared = [point.spec.bitrate_kbps or 0.0 for point in points]
    for index in range(1, len(points)):
        lower, higher = names[index - 1], names[index]
        if np.array_equal(points[index].heard.estimate, points[index - 1].heard.estimate):
            return Finding("rates", "fail", f"{lower} and {higher} decode to the very same audio: the rate is ignored.")
        if declared[index] > _RISES * declared[index - 1] and sent[index] <= sent[index - 1]:
            said = f"{higher} sends {sent[index]:.3g} kbps, {lower} {sent[index - 1]:.3g}: the rate is ignored."
            return Finding("rates", "fail", said, sent[index], f"> {sent[index - 1]:.3g} kbps")
    try:
        values = [_pesq(point) for point in points]
    except Undefined as reason:
        return Finding(
            "rates", "fail", f"What one of {', '.join(names)} decodes of a voice cannot be scored: {reason}."
        )
    said = ", ".join(f"{value:.2f} at {kbps:.3g} kbps" for value, kbps in zip(values, declared, strict=True))
    drop = max(before - after for before, after in pairwise(values))
    if drop > SLACK_PESQ or values[-1] <= values[0]:
        said = f"PESQ does not rise with the bitrate: {said} (a drop of {SLACK_PESQ} is let pass)."
        return Finding("rates", "fail", said, drop, f"a drop of at most {SLACK_PESQ}")
    return Finding("rates", "ok", f"PESQ rises with the bitrate: {said}.", drop, f"a drop of at most {SLACK_PESQ}")


def _sent_kbps(point: Patient) -> float:
    heard = point.heard
    seconds = len(heard.reference) / point.spec.sample_rate
    found = ledger(heard.encoded, point.spec, seconds)
    return found.get("payload", found.get("packed", 0.0)) / seconds / 1000


def _pesq(point: Patient) -> float:
    heard = point.heard
    first = resample(heard.reference, point.spec.sample_rate, _RATE_HZ)
    second = resample(heard.estimate, point.spec.decoded_sample_rate, _RATE_HZ)
    reference, estimate = protocol.equal_lengths(first, second)
    return score("pesq_wb", reference, estimate, _RATE_HZ)
