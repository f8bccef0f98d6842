"""The resampler: exact lengths, no delay, no alias, one result in blocks or at once."""

from __future__ import annotations

import itertools
from fractions import Fraction
from importlib.metadata import version
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeczoo.codecs.resampling import identity, resample, resample_blocks, resampled_length

RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 192_000)
PAIRS = [(44_100, 16_000), (16_000, 44_100), (16_000, 24_000), (24_000, 16_000), (44_100, 24_000), (48_000, 8_000)]


def sine(frequency_hz: float, sample_rate: int, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(int(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * frequency_hz * t)).astype(np.float32)


def level_db(signal: np.ndarray, reference: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(signal, dtype=np.float64)) / np.mean(np.square(reference))))


def middle(signal: np.ndarray) -> np.ndarray:
    """Without the ends, where the signal meets the silence around it."""
    return signal[len(signal) // 10 : -len(signal) // 10]


@given(st.integers(0, 10**9), st.sampled_from(RATES), st.sampled_from(RATES))
def test_length_law(samples: int, from_hz: int, to_hz: int) -> None:
    assert resampled_length(samples, from_hz, to_hz) == ceil(Fraction(samples * to_hz, from_hz))


@pytest.mark.parametrize(("from_hz", "to_hz"), list(itertools.permutations(RATES, 2)))
def test_lengths_are_exact(from_hz: int, to_hz: int) -> None:
    for samples in (1, 2, 3, 17, 100, 441, 1000, 4409, 4411):
        assert len(resample(np.ones(samples, np.float32), from_hz, to_hz)) == resampled_length(samples, from_hz, to_hz)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_resampled_sine_is_the_sine_at_the_other_rate(from_hz: int, to_hz: int) -> None:
    expected = sine(1000, to_hz)
    got = resample(sine(1000, from_hz), from_hz, to_hz)
    assert level_db(middle(got - expected), expected) < -110


def test_round_trip_of_a_sine() -> None:
    original = sine(1000, 44_100)
    back = resample(resample(original, 44_100, 16_000), 16_000, 44_100)[: len(original)]
    assert level_db(middle(back - original), original) < -110


def test_aliases_are_rejected() -> None:
    # 9 kHz does not exist at 16 kHz: it would fold to 7 kHz.
    assert level_db(middle(resample(sine(9_000, 48_000), 48_000, 16_000)), sine(9_000, 48_000)) < -110


def test_constant_stays_constant() -> None:
    got = resample(np.full(44_100, 0.25, np.float32), 44_100, 16_000)
    np.testing.assert_allclose(middle(got), 0.25, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_delay_is_zero(from_hz: int, to_hz: int) -> None:
    def pulse(sample_rate: int) -> np.ndarray:
        t = np.arange(sample_rate) / sample_rate
        return np.exp(-(((t - 0.37) / 0.002) ** 2)).astype(np.float32)

    got, expected = resample(pulse(from_hz), from_hz, to_hz), pulse(to_hz)
    assert int(np.argmax(np.correlate(got, expected[1000:-1000], "valid"))) == 1000
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
@pytest.mark.parametrize("block", [1, 160, 4096, 50_000])
def test_blocks_give_what_the_whole_gives(from_hz: int, to_hz: int, block: int) -> None:
    signal = np.random.default_rng(0).standard_normal(3_000 if block == 1 else 100_001).astype(np.float32)
    whole = resample(signal, from_hz, to_hz)
    parts = list(resample_blocks((signal[at : at + block] for at in range(0, len(signal), block)), from_hz, to_hz))
    assert all(len(part) for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_blocks_are_given_as_they_come() -> None:
    taken = 0

    def blocks():
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield np.zeros(4_410, np.float32)

    resampled = resample_blocks(blocks(), 44_100, 16_000)
    next(resampled)
    assert taken < 10
    assert sum(map(len, resampled)) > 0
    assert taken == 100


def test_equal_rates_change_nothing() -> None:
    signal = np.array([0.1, 5.0], np.float32)
    assert resample(signal, 16_000, 16_000) is signal
    assert [block.tolist() for block in resample_blocks([signal, signal[:0]], 8_000, 8_000)] == [signal.tolist()]


def test_strided_audio_is_read_as_it_is_indexed() -> None:
    stereo = np.random.default_rng(0).standard_normal((5_000, 2)).astype(np.float32)
    np.testing.assert_array_equal(resample(stereo[:, 1], 44_100, 16_000), resample(stereo[:, 1].copy(), 44_100, 16_000))


def test_nothing_stays_nothing() -> None:
    assert len(resample(np.zeros(0, np.float32), 44_100, 16_000)) == 0
    assert list(resample_blocks((), 44_100, 16_000)) == []


@pytest.mark.parametrize("wrong", [np.zeros(4), np.zeros((1, 4), np.float32), np.zeros(4, np.int16)])
def test_other_arrays_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="float32"):
        resample(wrong, 16_000, 8_000)


@pytest.mark.parametrize("rates", [(0, 8_000), (8_000, -1)])
def test_rates_are_positive(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        resample(np.zeros(4, np.float32), *rates)


def test_identity_names_version_and_quality() -> None:
    assert identity() == f"resampler:soxr_vhq:{version('soxr')}"
