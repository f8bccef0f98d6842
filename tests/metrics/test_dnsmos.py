"""DNSMOS: the package's numbers; what it refuses is undefined."""

from __future__ import annotations

import numpy as np
import pytest

from codeczoo.metrics import MetricError, Undefined, score
from codeczoo.metrics.dnsmos import DNSMOS, NAMES


@pytest.mark.parametrize("seconds", [0.3, 2.71, 3, 6.0123, 10.5, 26.0])
def test_all_four_are_the_package_numbers(speech_16k, seconds):
    """Repeated in whole frames, in an odd number of them, in fractions; one window and several; windows left out."""
    import speechmos.dnsmos

    clip = np.resize(speech_16k, int(seconds * 16_000))
    package = speechmos.dnsmos.run(clip, 16_000)
    expected = {f"dnsmos_{name}": package[f"{name}_mos"] for name in ("ovrl", "sig", "bak", "p808")}
    assert DNSMOS.compare(clip, clip, 16_000, None) == pytest.approx(expected, abs=5e-6)


def test_the_estimate_is_rated_and_the_reference_apart(speech_16k, rng):
    noisy = (0.5 * speech_16k + 0.05 * rng.standard_normal(len(speech_16k))).astype(np.float32)
    assert DNSMOS.analyse is not None
    assert DNSMOS.reference_scores is not None
    own = DNSMOS.reference_scores(DNSMOS.analyse(speech_16k, 16_000))
    values = DNSMOS.compare(speech_16k, noisy, 16_000, None)
    assert set(own) == set(values) == set(NAMES)
    assert own == DNSMOS.compare(noisy, speech_16k, 16_000, None)
    assert values["dnsmos_bak"] < own["dnsmos_bak"] - 0.5
    assert values["dnsmos_ovrl"] < own["dnsmos_ovrl"]


def test_audio_above_full_scale_is_undefined(speech_16k):
    loud = (speech_16k / np.max(np.abs(speech_16k)) * 1.01).astype(np.float32)
    with pytest.raises(Undefined, match=r"exceeds full scale \(peak 1.010\)"):
        score("dnsmos_ovrl", speech_16k, loud, 16_000)


@pytest.mark.parametrize(("length", "reason"), [(1, "too short"), (1_599, "too short"), (16_000, "silent")])
def test_too_short_and_silent_are_undefined(length, reason):
    silence = np.zeros(length, dtype=np.float32)
    with pytest.raises(Undefined, match=reason):
        score("dnsmos_p808", silence, silence, 16_000)


def test_another_rate_is_refused(speech_16k):
    with pytest.raises(MetricError, match="at 16000 Hz; got 48000 Hz"):
        score("dnsmos_sig", speech_16k, speech_16k, 48_000)
