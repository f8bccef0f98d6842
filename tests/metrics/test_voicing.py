"""Voicing, pitch errors and the rule of silence, against librosa and torchaudio."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
import torchaudio

from codeczoo.metrics import Undefined
from codeczoo.metrics.voicing import Track, f0_rmse_cents, frames, periodicity_rmse, silent_frames, voiced_f1


def test_silence_is_the_rule_of_the_published_script(speech_16k, rng):
    levels = np.repeat(10.0 ** -np.linspace(0, 4, 6), len(speech_16k) // 6)
    clip = (levels * speech_16k[: len(levels)] + 1e-7 * rng.standard_normal(len(levels))).astype(np.float32)
    spectrogram = torchaudio.transforms.Spectrogram(n_fft=1024, hop_length=160, center=False)(torch.from_numpy(clip))
    # A-weighting of 0 Hz is minus infinity before it is bounded.
    with np.errstate(divide="ignore"):
        weighted = librosa.perceptual_weighting(spectrogram.numpy(), librosa.fft_frequencies(sr=16_000, n_fft=1024))
    expected = (weighted - 20).mean(axis=0) < -60
    assert 0.05 < expected.mean() < 0.95
    np.testing.assert_array_equal(silent_frames(clip), expected)


def test_frames_are_not_padded():
    assert frames(np.zeros(1024, dtype=np.float32)).shape == (1, 1024)
    assert frames(np.zeros(1183, dtype=np.float32)).shape == (1, 1024)
    assert frames(np.zeros(1184, dtype=np.float32)).shape == (2, 1024)


def test_f1_by_hand():
    reference = np.array([1, 1, 1, 1, 0, 0], dtype=bool)
    estimate = np.array([1, 1, 0, 0, 1, 0], dtype=bool)
    precision, recall = 2 / 3, 2 / 4
    assert voiced_f1(reference, estimate) == pytest.approx(2 * precision * recall / (precision + recall))
    assert voiced_f1(reference, reference) == 1


def test_a_lost_voice_is_zero_and_no_voice_is_undefined():
    voiced, unvoiced = np.ones(5, dtype=bool), np.zeros(5, dtype=bool)
    assert voiced_f1(voiced, unvoiced) == 0
    for estimate in (voiced, unvoiced):
        value = voiced_f1(unvoiced, estimate)
        assert isinstance(value, Undefined)
        assert str(value) == "the reference has no voiced frame"


def test_pitch_and_periodicity_errors_by_hand():
    first = Track(np.array([100.0, 200.0, 300.0]), np.array([1.0, 0.5, 0.0]))
    second = Track(np.array([100.0, 400.0, 100.0]), np.array([1.0, 0.1, 0.3]))
    both = np.array([True, True, False])
    assert f0_rmse_cents(first, second, both, np.ones(3, dtype=bool)) == pytest.approx(1200 / np.sqrt(2))
    assert periodicity_rmse(first, second) == pytest.approx(np.sqrt((0.4**2 + 0.3**2) / 3))
    assert isinstance(f0_rmse_cents(first, second, both, ~both), Undefined)


def test_a_track_survives_its_features():
    track = Track(np.array([100.0, 200.0]), np.array([0.2, 0.9]))
    back = Track.of(track.features())
    np.testing.assert_array_equal(back.pitch_hz, track.pitch_hz)
    np.testing.assert_array_equal(back.periodicity, track.periodicity)
