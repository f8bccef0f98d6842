"""SI-SDR, raw and aligned: laws, known values, and the infinities that are undefined."""

from __future__ import annotations

import numpy as np
import pytest

from codeczoo.metrics import Undefined, measure, score
from codeczoo.metrics import undefined as undefined_module
from codeczoo.metrics.si_sdr import SI_SDR


def textbook(reference, estimate):
    reference, estimate = (part.astype(np.float64) - part.astype(np.float64).mean() for part in (reference, estimate))
    target = np.vdot(estimate, reference) / np.vdot(reference, reference) * reference
    return 10 * np.log10(np.sum(target**2) / np.sum((estimate - target) ** 2))


@pytest.mark.parametrize("gain", [1e-4, 1e-2, 1.0])
def test_it_is_the_textbook_value(speech_16k, rng, gain):
    estimate = (0.7 * speech_16k + gain * rng.standard_normal(len(speech_16k)) + 0.1).astype(np.float32)
    assert score("si_sdr", speech_16k, estimate, 16_000) == pytest.approx(textbook(speech_16k, estimate), abs=1e-9)


def test_it_is_the_value_of_torchmetrics_definition(speech_16k, rng):
    # 20 dB by construction: distortion orthogonal to the reference, a tenth of its norm.
    reference = speech_16k - speech_16k.mean()
    noise = rng.standard_normal(len(reference))
    noise -= noise.mean()
    noise -= np.dot(noise, reference) / np.dot(reference, reference) * reference
    noise *= 0.1 * np.linalg.norm(reference) / np.linalg.norm(noise)
    assert score("si_sdr", reference, (reference + noise).astype(np.float32), 16_000) == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize("gain", [0.1, 1.0, -3.0])
def test_gain_offset_and_polarity_do_not_matter(speech_16k, rng, gain):
    estimate = speech_16k + 0.01 * rng.standard_normal(len(speech_16k)).astype(np.float32)
    expected = score("si_sdr", speech_16k, estimate, 16_000)
    changed = (gain * estimate + 0.05).astype(np.float32)
    assert score("si_sdr", speech_16k, changed, 16_000) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("delay", [-40, -1, 0, 1, 37, 3_000])
def test_alignment_undoes_a_delay(speech_16k, rng, delay):
    noisy = speech_16k + 0.01 * rng.standard_normal(len(speech_16k)).astype(np.float32)
    moved = np.roll(noisy, delay)
    values = SI_SDR.compare(speech_16k, moved, 16_000, None)
    length = len(noisy) - abs(delay)
    first, second = max(0, -delay), max(0, delay)
    expected = textbook(speech_16k[first : first + length], moved[second : second + length])
    assert values["si_sdr_aligned"] == pytest.approx(expected, abs=1e-6)
    assert values["si_sdr_aligned"] >= values["si_sdr"]


def test_a_delay_alone_is_an_infinite_aligned_value(speech_16k):
    values = SI_SDR.compare(speech_16k, np.roll(speech_16k, 20), 16_000, None)
    assert values["si_sdr"] < 10
    assert isinstance(values["si_sdr_aligned"], Undefined)


def test_equal_signals_are_infinite_which_is_undefined(speech_16k):
    for name in ("si_sdr", "si_sdr_aligned"):
        with pytest.raises(Undefined, match="equals the reference up to a factor"):
            score(name, speech_16k, speech_16k, 16_000)
        with pytest.raises(Undefined, match="equals the reference up to a factor"):
            score(name, speech_16k, 0.5 * speech_16k, 16_000)


def test_nothing_of_the_reference_is_undefined():
    reference = np.tile(np.array([1, 1, -1, -1], dtype=np.float32), 100)
    estimate = np.tile(np.array([1, -1, -1, 1], dtype=np.float32), 100)
    with pytest.raises(Undefined, match="nothing of the reference"):
        score("si_sdr", reference, estimate, 16_000)


@pytest.mark.parametrize("length", [1, 2, 1000])
def test_silence_is_undefined(length):
    with pytest.raises(Undefined):
        score("si_sdr", np.zeros(length, dtype=np.float32), np.ones(length, dtype=np.float32), 16_000)


def test_blocks_do_not_change_the_value_and_bound_the_memory(speech_16k, rng, on_disk, monkeypatch):
    estimate = speech_16k + 0.01 * rng.standard_normal(len(speech_16k)).astype(np.float32)
    expected = SI_SDR.compare(speech_16k, estimate, 1_000, None)
    monkeypatch.setattr(undefined_module, "BLOCK", 1_000)
    monkeypatch.setattr("codeczoo.metrics.si_sdr.BLOCK", 1_000)
    pair = on_disk(speech_16k), on_disk(estimate)
    monkeypatch.setattr("codeczoo.metrics.delay.STRETCH_S", 10)
    assert SI_SDR.compare(*pair, 1_000, None) == pytest.approx(expected, abs=1e-9)


def test_any_rate_is_taken(speech_16k, rng):
    estimate = speech_16k + 0.01 * rng.standard_normal(len(speech_16k)).astype(np.float32)
    assert score("si_sdr", speech_16k, estimate, 48_000) == score("si_sdr", speech_16k, estimate, 8_000)
    assert measure("si_sdr").sample_rate is None
