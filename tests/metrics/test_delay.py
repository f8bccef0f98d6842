"""Delay: found exactly, signed, on the loudest stretch, undefined on silence."""

from __future__ import annotations

import numpy as np
import pytest

from codeczoo.metrics import Undefined
from codeczoo.metrics.delay import estimate_delay, loudest_stretch


@pytest.mark.parametrize("delay", [-3_199, -100, -1, 0, 1, 313, 3_200])
def test_a_shift_is_found_exactly(speech_16k, rng, delay):
    estimate = np.roll(speech_16k, delay) + 0.02 * rng.standard_normal(len(speech_16k)).astype(np.float32)
    found = estimate_delay(speech_16k, estimate, 16_000)
    assert found.samples == delay
    assert 0.5 < found.correlation <= 1


def test_exchanging_the_signals_changes_the_sign(speech_16k):
    moved = np.roll(speech_16k, 50)
    assert estimate_delay(moved, speech_16k, 16_000).samples == -50


def test_the_correlation_of_a_pure_shift_is_one(speech_16k):
    assert estimate_delay(speech_16k, 0.3 * np.roll(speech_16k, 50), 16_000).correlation == pytest.approx(1, abs=1e-3)


def test_a_delay_beyond_the_bound_is_not_reported(speech_16k):
    found = estimate_delay(speech_16k, np.roll(speech_16k, 1_000), 16_000, max_delay_s=0.05)
    assert abs(found.samples) <= 800


def test_only_the_loudest_stretch_is_read(rng, on_disk):
    rate = 1_000
    signal = 0.001 * rng.standard_normal(200 * rate).astype(np.float32)
    signal[120 * rate : 180 * rate] += 0.3 * rng.standard_normal(60 * rate).astype(np.float32)
    assert loudest_stretch(signal, rate) == (120 * rate, 180 * rate)
    pair = on_disk(signal), on_disk(np.roll(signal, 17))
    assert estimate_delay(*pair, rate).samples == 17
    assert pair[0].longest <= 60 * rate


@pytest.mark.parametrize("silent", ["reference", "estimate"])
def test_silence_is_undefined(speech_16k, silent):
    signals = {"reference": speech_16k, "estimate": speech_16k, silent: np.zeros_like(speech_16k)}
    with pytest.raises(Undefined, match=f"the {silent} is silent"):
        estimate_delay(**signals, sample_rate_hz=16_000)


def test_nan_is_undefined(speech_16k):
    broken = speech_16k.copy()
    broken[5] = np.inf
    with pytest.raises(Undefined, match="NaN or infinite"):
        estimate_delay(speech_16k, broken, 16_000)


def test_one_sample_is_undefined():
    one = np.ones(1, dtype=np.float32)
    with pytest.raises(Undefined, match="silent"):
        estimate_delay(one, one, 16_000)
