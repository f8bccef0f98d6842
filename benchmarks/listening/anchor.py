"""Anchors of BS.1534-3, section 5.1, which wants both: the reference with everything above a frequency cut off.

It is cut off by the harness's one resampler.

A signal that goes to a lower rate and back loses what that rate cannot hold. soxr at its very high quality passes
91.3 % of the band unchanged and has nothing left above it; so a rate of 2.2 times the cut-off gives a filter that is
flat to the cut-off and 10 % above it is silent: within the mask given there (3.5 kHz: 0.1 dB of ripple, 25 dB down at
4 kHz, 50 dB at 4.5 kHz). Nothing is delayed.
"""

from __future__ import annotations

from codeczoo.benchmarks.errors import InvalidListeningTest
from codeczoo.codecs.resampling import Audio, resample

from .key import LOW_ANCHOR, MID_ANCHOR

_RATE_OVER_CUT_OFF = 2.2

CUT_OFF_HZ = {LOW_ANCHOR: 3500, MID_ANCHOR: 7000}
"""Of each anchor."""


def low_pass(audio: Audio, sample_rate_hz: int, cut_off_hz: int) -> Audio:
    """float32 `[T]` to float32 `[T]`, nothing above 1.1 times the cut-off left. Raises InvalidListeningTest where the
    signal holds nothing above that anyway: it would be a second hidden reference."""
    between_hz = round(_RATE_OVER_CUT_OFF * cut_off_hz)
    if between_hz >= sample_rate_hz:
        raise InvalidListeningTest(
            f"An anchor of {cut_off_hz / 1000:g} kHz needs a reference above {between_hz} Hz; this one has "
            f"{sample_rate_hz} Hz and would be its own anchor. Leave that anchor out (--no-mid-anchor; of 3.5 kHz "
            "--no-anchor), or use a corpus of a higher rate."
        )
    back = resample(resample(audio, sample_rate_hz, between_hz), between_hz, sample_rate_hz)
    return back[: len(audio)]
