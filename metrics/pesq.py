"""PESQ: perceptual evaluation of speech quality, ITU-T P.862 (narrow band) and P.862.2 (wide band).

Conventions: both at 16 kHz, MOS-LQO as the package `pesq` gives it: it divides both signals by the largest magnitude of
the two, so that their relative level is kept. `pesq_nb` is mode "nb" at 16 kHz (telephone-band filter, the P.862.1
mapping), not 8 kHz audio: it then hears the same samples as `pesq_wb` and differs by the mode alone.

PESQ is defined for clips of seconds (P.862.3 recommends 8 to 30 s); clips above 60 s are undefined here. The reference
code has room for 50 utterances of the reference and does not check it: with more it writes over its own delays, gives a
wrong number and, further on, kills the process. An utterance lasts 0.2 s and so does the gap that separates two, so a
clip below 19 s is safe; a longer one is undefined where the reference may have more than `MOST_UTTERANCES`.

Source: A. W. Rix et al., "Perceptual evaluation of speech quality (PESQ)", ICASSP 2001; package pesq (ludlows/PESQ).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from .base import Audio, Features, Measure, Metric, Signal, Undefined, Values, check_pair
from .undefined import check_usable, in_memory
from .versions import tagged

SAMPLE_RATE_HZ = 16_000
LONGEST_S = 60.0
SHORTEST_S = 0.25
"""The reference code's own bound."""
SAFE_S = 19.0
MOST_UTTERANCES = 45
"""Five below the room there is, for what the filters before PESQ's own detector change."""
_FRAME = 64
_GAP_FRAMES = 46
"""PESQ joins speech across gaps of 50 frames of 4 ms and then lengthens it by up to four."""


def most_utterances(reference: Audio) -> int:
    """The most utterances that a level detector can find in a signal, whatever its threshold: runs of frames above it,
    joined across gaps up to 0.2 s, that last 0.2 s."""
    frames = reference[: len(reference) // _FRAME * _FRAME].astype(np.float64).reshape(-1, _FRAME)
    level = np.mean(np.square(frames - np.mean(reference)), axis=1)
    most = 0
    for threshold in np.max(level, initial=0.0) * 10 ** (-np.arange(1, 41) / 10):
        loud = np.flatnonzero(level > threshold)
        parts = np.split(loud, np.flatnonzero(np.diff(loud) > _GAP_FRAMES) + 1)
        most = max(most, sum(1 for part in parts if len(part) > 0 and part[-1] - part[0] + 1 >= _GAP_FRAMES))
    return most


def pesq(reference: Signal, estimate: Signal, sample_rate: int, mode: Literal["wb", "nb"]) -> float:
    """MOS-LQO of 16 kHz audio. Raises Undefined for silence, clips out of bounds, or no utterance found."""
    check_pair(reference, estimate, sample_rate, (f"pesq_{mode}",), SAMPLE_RATE_HZ)
    shortest = int(SHORTEST_S * sample_rate)
    check_usable(reference, estimate, sample_rate, least_samples=shortest, longest_s=LONGEST_S)
    first, second = in_memory(reference), in_memory(estimate)
    if len(first) > SAFE_S * sample_rate and (found := most_utterances(first)) > MOST_UTTERANCES:
        raise Undefined(f"the reference may have {found} utterances: PESQ's code has room for 50 and does not check it")
    from pesq import BufferTooShortError, NoUtterancesError
    from pesq import pesq as package_pesq

    try:
        value = float(package_pesq(sample_rate, first, second, mode))
    except NoUtterancesError as error:
        raise Undefined("PESQ detects no utterance") from error
    except BufferTooShortError as error:
        raise Undefined("too short for PESQ: a quarter of a second is needed") from error
    if not np.isfinite(value):
        raise Undefined("PESQ gives no finite number")
    return value


def _measure(mode: Literal["wb", "nb"], standard: str, value_range: tuple[float, float], printed: str) -> Measure:
    name = f"pesq_{mode}"

    def compare(reference: Signal, estimate: Signal, sample_rate: int, _: Features | None) -> Values:
        return {name: pesq(reference, estimate, sample_rate, mode)}

    fact = Metric(
        name=name,
        unit="MOS",
        higher_is_better=True,
        sample_rate=SAMPLE_RATE_HZ,
        inputs="pair",
        source=f"ITU-T {standard}; Rix et al., ICASSP 2001; package pesq, mode {mode!r} at 16 kHz",
        identity=f"{name}|fs:{SAMPLE_RATE_HZ}|mode:{mode}|longest_s:{LONGEST_S:g}|utterances:{MOST_UTTERANCES}|{tagged('pesq')}",
        description=printed,
        domains=("speech",),
        value_range=value_range,
    )
    return Measure(metrics=(fact,), compare=compare, max_seconds=LONGEST_S)


WIDE_BAND = _measure(
    "wb",
    "P.862.2",
    (1.0, 4.65),
    "Perceived quality of speech against the reference, wide band, as WavTokenizer, UniCodec and TAAE print it.",
)
NARROW_BAND = _measure(
    "nb",
    "P.862 with the mapping of P.862.1",
    (1.0, 4.56),
    "Perceived quality of speech against the reference in the telephone band, as Codec-SUPERB and others print it.",
)
