"""Whether the decoder reads each codebook's codes by that codebook.

Tokens with two of their codebooks exchanged must decode to something worse. Where they decode to something better, the
encoder writes in one order and the decoder reads in another. Exchanged in both, nothing is worse: only golden tokens
tell. Tried are all pairs of the first four codebooks, and neighbours up to the eighth: what later ones of a residual
quantizer carry is too little to be told from chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from codeczoo.benchmarks import protocol
from codeczoo.codecs import Encoded
from codeczoo.codecs.resampling import resample
from codeczoo.metrics import score
from codeczoo.metrics.base import Audio

from .findings import Finding
from .patient import SHORT_S, Patient
from .voice import FIRST, sung

_RATE_HZ = 16_000
BETTER = 0.97
"""Distance with the codebooks exchanged, of that without, from which on it is no chance."""
_ALL_PAIRS, _NEIGHBOURS = 4, 8


def order(patient: Patient) -> Finding | None:
    """None where no two codebooks are of one size and rate."""
    spec = patient.spec
    pairs = list(_pairs(spec.codebook_sizes, spec.frame_rates))
    if not pairs:
        return None
    reference = sung(FIRST, _RATE_HZ, round(SHORT_S * _RATE_HZ))
    encoded = patient.encode(patient.say(FIRST, SHORT_S))
    straight = _distance(patient, reference, encoded)
    exchanged = {pair: _distance(patient, reference, _exchanged(encoded, *pair)) for pair in pairs}
    best = min(exchanged, key=exchanged.__getitem__)
    books = f"codebooks {best[0]} and {best[1]}"
    share = exchanged[best] / straight if straight > 0 else float("inf")
    said = f"mel distance {straight:.2f}, {exchanged[best]:.2f} with {books} exchanged"
    if share < BETTER:
        swapped = "the encoder and the decoder do not have them in the same order"
        return Finding("order", "fail", f"Better with two codebooks exchanged ({said}): {swapped}.", share, ">= 1")
    return Finding("order", "ok", f"No better with any two of the first codebooks exchanged ({said}).", share, ">= 1")


def _pairs(sizes: tuple[int, ...], rates: tuple[float, ...]) -> Iterator[tuple[int, int]]:
    """Of codebooks that can stand for each other."""
    for first in range(min(len(sizes), _NEIGHBOURS)):
        for second in range(first + 1, min(len(sizes), _NEIGHBOURS)):
            near = second < _ALL_PAIRS or second == first + 1
            if near and (sizes[first], rates[first]) == (sizes[second], rates[second]):
                yield first, second


def _exchanged(encoded: Encoded, first: int, second: int) -> Encoded:
    codes = list(encoded.codes)
    codes[first], codes[second] = codes[second], codes[first]
    return replace(encoded, codes=tuple(codes))


def _distance(patient: Patient, reference: Audio, encoded: Encoded) -> float:
    estimate = resample(patient.hear(encoded), patient.spec.decoded_sample_rate, _RATE_HZ)
    first, second = protocol.equal_lengths(reference, estimate)
    return score("mel_distance_taae", first[:], second[:], _RATE_HZ)
