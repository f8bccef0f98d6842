"""STOI and ESTOI: pystoi's numbers, twice as fast, and undefined where pystoi gives 1e-5."""

from __future__ import annotations

import numpy as np
import pystoi
import pytest

from codeczoo.metrics import Undefined, measure, score
from codeczoo.metrics.stoi import STOI


@pytest.fixture(params=[0.003, 0.03, 0.3])
def noisy(request, speech_16k, rng):
    return (speech_16k + request.param * rng.standard_normal(len(speech_16k))).astype(np.float32)


def test_both_are_the_package_numbers(speech_16k, noisy):
    values = STOI.compare(speech_16k, noisy, 16_000, None)
    assert values["stoi"] == pytest.approx(pystoi.stoi(speech_16k, noisy, 16_000), abs=1e-9)
    assert values["estoi"] == pytest.approx(pystoi.stoi(speech_16k, noisy, 16_000, extended=True), abs=1e-9)


@pytest.mark.parametrize("length", [8_000, 16_001, 20_479, 20_480, 20_481, 33_333])
def test_every_length_gives_the_package_number(speech_16k, rng, length):
    reference = speech_16k[-length:]
    estimate = reference + 0.05 * rng.standard_normal(length).astype(np.float32)
    assert score("stoi", reference, estimate, 16_000) == pytest.approx(
        pystoi.stoi(reference, estimate, 16_000), abs=1e-9
    )


def test_digital_silence_inside_gives_the_package_number(speech_16k, rng):
    reference = speech_16k.copy()
    reference[10_000:25_000] = 0
    estimate = (speech_16k * 0.5 + 0.01 * rng.standard_normal(len(speech_16k))).astype(np.float32)
    estimate[30_000:34_000] = 0
    values = STOI.compare(reference, estimate, 16_000, None)
    assert values["stoi"] == pytest.approx(pystoi.stoi(reference, estimate, 16_000), abs=1e-9)
    # Where a band is empty the package's value is noise: it varies from call to call by more than this.
    assert values["estoi"] == pytest.approx(pystoi.stoi(reference, estimate, 16_000, extended=True), abs=5e-3)
    assert STOI.compare(reference, estimate, 16_000, None) == values


def test_the_features_of_the_reference_change_nothing(speech_16k, noisy):
    assert STOI.analyse is not None
    features = STOI.analyse(speech_16k, 16_000)
    assert STOI.compare(speech_16k, noisy, 16_000, features) == STOI.compare(speech_16k, noisy, 16_000, None)


def test_equal_signals_score_one(speech_16k):
    values = STOI.compare(speech_16k, speech_16k, 16_000, None)
    assert values["stoi"] == pytest.approx(1, abs=1e-9)
    assert values["estoi"] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", ["stoi", "estoi"])
def test_more_noise_is_worse(speech_16k, rng, name):
    noise = rng.standard_normal(len(speech_16k)).astype(np.float32)
    values = [score(name, speech_16k, speech_16k + gain * noise, 16_000) for gain in (0.001, 0.01, 0.1, 1)]
    assert values == sorted(values, reverse=True)


def test_too_little_sound_is_undefined(speech_16k):
    with pytest.raises(Undefined, match="too little sound: 0 frames"):
        score("stoi", speech_16k[:300], speech_16k[:300], 16_000)
    burst = np.zeros(48_000, dtype=np.float32)
    burst[20_000:23_000] = speech_16k[20_000:23_000]
    with pytest.raises(Undefined, match="at least 30 are needed"):
        score("estoi", burst, burst, 16_000)


@pytest.mark.parametrize("length", [1, 2, 100, 48_000])
def test_silence_is_undefined(length):
    silence = np.zeros(length, dtype=np.float32)
    with pytest.raises(Undefined, match="the reference is silent"):
        score("stoi", silence, silence, 16_000)


def test_one_computation_gives_both():
    assert measure("stoi") is measure("estoi")


def test_blocks_do_not_change_the_value(speech_16k, noisy, monkeypatch):
    expected = STOI.compare(speech_16k, noisy, 16_000, None)
    monkeypatch.setattr("codeczoo.metrics.stoi.SEGMENTS_PER_BLOCK", 7)
    found = STOI.compare(speech_16k, noisy, 16_000, None)
    assert found == pytest.approx(expected, abs=1e-9)
