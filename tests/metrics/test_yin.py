"""YIN: known pitches, librosa's tracks, a textbook difference function, and agreement with CREPE."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from codeczoo.metrics import MetricError, Undefined, score
from codeczoo.metrics import pitch as crepe
from codeczoo.metrics.voicing import frames
from codeczoo.metrics.yin import LONGEST_LAG, SUMMED, VOICED_FROM, YIN, normalised_difference, track


def tone(hz, seconds=1.0):
    """Harmonics up to 7 kHz: a few low ones alone are silence to the published rule, which averages decibels."""
    partials = int(7_000 / np.max(hz))
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hz, int(seconds * 16_000))) / 16_000
    return sum(0.3 / n * np.sin(n * phase) for n in range(1, partials + 1)).astype(np.float32)


@pytest.mark.parametrize("hz", [55.0, 97.3, 110.0, 220.5, 333.3, 480.0, 540.0])
def test_a_steady_tone_has_its_pitch(hz):
    found = track(tone(hz), 16_000)
    assert np.max(np.abs(1200 * np.log2(found.pitch_hz / hz))) < 5
    assert np.min(found.periodicity) > 0.97


def test_a_glide_is_followed():
    hz = np.linspace(100, 300, 32_000)
    found = track(tone(hz, 2.0), 16_000)
    middle = hz[(SUMMED + 80) // 2 :: 160][: len(found.pitch_hz)]
    assert np.max(np.abs(1200 * np.log2(found.pitch_hz / middle))) < 40


def test_noise_is_unvoiced_and_tones_between_silences_are_voiced(rng):
    noise = (0.1 * rng.standard_normal(16_000)).astype(np.float32)
    assert np.mean(track(noise, 16_000).periodicity >= VOICED_FROM) < 0.02
    silence = np.zeros(8_000, dtype=np.float32)
    found = track(np.concatenate([silence, tone(120.0, 0.5), silence]), 16_000).periodicity >= VOICED_FROM
    starts = 160 * np.arange(len(found))
    assert found[(starts >= 8_000) & (starts + 1024 <= 16_000)].all()
    assert not found[(starts + 1024 <= 8_000) | (starts >= 16_000)].any()


def test_the_difference_function_is_the_textbook_one(speech_16k):
    cut = frames(speech_16k)[50:53]
    found = normalised_difference(cut)
    for row, frame in zip(found, cut.astype(np.float64), strict=True):
        head = frame[:SUMMED]
        difference = np.array([np.sum((head - frame[lag : lag + SUMMED]) ** 2) for lag in range(LONGEST_LAG + 1)])
        sums = np.cumsum(difference)
        expected = difference[1:] * np.arange(1, LONGEST_LAG + 1) / sums[1:]
        np.testing.assert_allclose(row[1:], expected, atol=1e-9)


def test_pitch_is_librosas_where_both_are_sure(speech_16k):
    found = track(speech_16k, 16_000)
    expected = librosa.yin(
        speech_16k,
        fmin=50,
        fmax=550,
        sr=16_000,
        frame_length=1024,
        hop_length=160,
        trough_threshold=0.15,
        center=False,
    )
    assert len(expected) == len(found.pitch_hz)
    cents = np.abs(1200 * np.log2(found.pitch_hz / expected))[found.periodicity > 0.9]
    assert len(cents) > 50
    # librosa sums over the whole frame, which centres elsewhere: where the pitch moves the two differ.
    assert np.median(cents) < 15
    assert np.mean(cents < 60) > 0.95


def test_it_agrees_with_crepe_on_real_speech(speech_16k):
    clip = speech_16k[8_000:32_000]
    first, second = track(clip, 16_000), crepe.track(clip, 16_000)
    voiced = first.periodicity >= VOICED_FROM, second.periodicity >= crepe.VOICED_FROM
    assert np.mean(voiced[0] == voiced[1]) > 0.85
    cents = np.abs(1200 * np.log2(first.pitch_hz / second.pitch_hz))[voiced[0] & voiced[1]]
    assert np.median(cents) < 25
    assert np.mean(cents > 300) < 0.05


def test_equal_signals_are_perfect_and_noise_is_worse(speech_16k, rng):
    assert YIN.compare(speech_16k, speech_16k, 16_000, None) == {"vuv_f1_yin": 1.0, "f0_rmse_cents_yin": 0.0}
    noise = rng.standard_normal(len(speech_16k)).astype(np.float32)
    values = [score("vuv_f1_yin", speech_16k, speech_16k + gain * noise, 16_000) for gain in (0.001, 0.03, 0.3)]
    assert values == sorted(values, reverse=True)


def test_a_lost_pitch_is_counted_in_cents():
    assert score("f0_rmse_cents_yin", tone(100.0), tone(200.0), 16_000) == pytest.approx(1200, abs=3)


def test_pitch_errors_are_taken_where_both_are_sure(speech_16k, rng):
    noisy = speech_16k + 0.003 * rng.standard_normal(len(speech_16k)).astype(np.float32)
    assert score("f0_rmse_cents_yin", speech_16k, noisy, 16_000) < 60
    noise = rng.standard_normal(len(speech_16k)).astype(np.float32)
    with pytest.raises(Undefined, match="no frame is voiced in both signals"):
        score("f0_rmse_cents_yin", speech_16k, noise, 16_000)


def test_features_change_nothing(speech_16k, rng):
    noisy = speech_16k + 0.01 * rng.standard_normal(len(speech_16k)).astype(np.float32)
    assert YIN.analyse is not None
    features = YIN.analyse(speech_16k, 16_000)
    assert YIN.compare(speech_16k, noisy, 16_000, features) == YIN.compare(speech_16k, noisy, 16_000, None)


@pytest.mark.parametrize("kind", ["silence", "noise"])
def test_nothing_voiced_is_undefined(rng, kind):
    clip = np.zeros(4_000, dtype=np.float32)
    if kind == "noise":
        clip = (0.01 * rng.standard_normal(4_000)).astype(np.float32)
    with pytest.raises(Undefined, match="the reference has no voiced frame"):
        score("vuv_f1_yin", clip, tone(100.0, 0.25), 16_000)


def test_short_clips_are_undefined_and_other_rates_refused(speech_16k):
    with pytest.raises(Undefined, match="1 samples, at least 1024"):
        score("vuv_f1_yin", speech_16k[:1], speech_16k[:1], 16_000)
    with pytest.raises(MetricError, match="at 16000 Hz; got 8000 Hz"):
        score("vuv_f1_yin", speech_16k, speech_16k, 8_000)
