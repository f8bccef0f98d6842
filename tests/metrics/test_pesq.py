"""PESQ: the number is the package's; what it cannot rate is undefined."""

from __future__ import annotations

import numpy as np
import pesq as package
import pytest

from codeczoo.metrics import MetricError, Undefined, metric, score
from codeczoo.metrics.pesq import most_utterances


@pytest.mark.parametrize("mode", ["wb", "nb"])
def test_it_is_the_package_number(speech_16k, rng, mode):
    noisy = speech_16k + 0.01 * rng.standard_normal(len(speech_16k)).astype(np.float32)
    assert score(f"pesq_{mode}", speech_16k, noisy, 16_000) == package.pesq(16_000, speech_16k, noisy, mode)


@pytest.mark.parametrize(("name", "best"), [("pesq_wb", 4.6439), ("pesq_nb", 4.5486)])
def test_equal_signals_get_the_top_of_the_mapping(speech_16k, name, best):
    # The MOS-LQO of a raw score of 4.5 under P.862.2 and P.862.1.
    assert score(name, speech_16k, speech_16k, 16_000) == pytest.approx(best, abs=1e-3)
    assert metric(name).value_range[1] > best


@pytest.mark.parametrize("name", ["pesq_wb", "pesq_nb"])
def test_more_noise_is_worse(speech_16k, rng, name):
    noise = rng.standard_normal(len(speech_16k)).astype(np.float32)
    values = [score(name, speech_16k, speech_16k + gain * noise, 16_000) for gain in (0.001, 0.01, 0.1)]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[-1] > 1


@pytest.mark.parametrize(
    ("reference_gain", "estimate_gain", "length", "reason"),
    [
        (0, 1, 48_000, "reference is silent"),
        (1, 0, 48_000, "estimate is silent"),
        (0, 0, 48_000, "reference is silent"),
        (1, 1, 1, "too short"),
        (1, 1, 3_999, "too short"),
    ],
)
def test_undefined(speech_16k, reference_gain, estimate_gain, length, reason):
    clip = speech_16k[:length]
    with pytest.raises(Undefined, match=reason):
        score("pesq_wb", reference_gain * clip, estimate_gain * clip, 16_000)


def test_long_clips_are_undefined(speech_16k):
    long = np.tile(speech_16k, 21)
    with pytest.raises(Undefined, match="at most 60 s"):
        score("pesq_wb", long, long, 16_000)


def test_more_utterances_than_the_package_has_room_for_are_undefined(rng):
    # 66 bursts in 40 s: the package alone ends the process here.
    bursts = 0.1 * rng.standard_normal(640_000) * (np.arange(640_000) // 4_800 % 2 == 0)
    with pytest.raises(Undefined, match=r"may have 6[67] utterances: PESQ's code has room for 50"):
        score("pesq_wb", bursts.astype(np.float32), bursts.astype(np.float32), 16_000)


def test_long_natural_speech_is_rated(speech_16k):
    speech = np.tile(speech_16k, 13)
    assert score("pesq_wb", speech, speech, 16_000) == pytest.approx(4.6439, abs=1e-3)
    assert 0 < most_utterances(speech) <= 40


def test_nan_is_undefined(speech_16k):
    broken = speech_16k.copy()
    broken[100] = np.nan
    with pytest.raises(Undefined, match="the estimate holds NaN"):
        score("pesq_wb", speech_16k, broken, 16_000)


def test_wrong_rate_and_unequal_lengths_are_refused(speech_16k):
    with pytest.raises(MetricError, match="takes audio at 16000 Hz; got 8000 Hz"):
        score("pesq_nb", speech_16k, speech_16k, 8_000)
    with pytest.raises(MetricError, match="48000 and 47999"):
        score("pesq_wb", speech_16k, speech_16k[:-1], 16_000)
