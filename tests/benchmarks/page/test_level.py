"""Level matching: equal loudness after it, no clipping, and a law of gains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks.page import level

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Bursts of noise with pauses: something that a gate has work with."""
    rng = np.random.default_rng(3)
    envelope = np.repeat([0.2, 0.0, 0.3, 0.1, 0.0, 0.25], RATE_HZ // 2)
    return (rng.standard_normal(len(envelope)) * 0.2 * envelope).astype(np.float32)


def sine(amplitude: float, frequency_hz: float = 1000.0, rate_hz: int = 48_000, seconds: float = 3.0) -> np.ndarray:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * frequency_hz * t)).astype(np.float32)


def test_a_full_scale_sine_has_the_loudness_of_the_standard() -> None:
    """ITU-R BS.1770-4, section 3: 0 dBFS at 997 Hz in one channel reads -3.01 LKFS."""
    assert level.loudness(sine(1.0, 997.0), 48_000) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize("gain_db", [-30.0, -6.0, 12.0, 30.0])
def test_a_gain_changes_loudness_by_itself_even_beyond_full_scale(speech: np.ndarray, gain_db: float) -> None:
    before = level.loudness(speech, RATE_HZ)
    after = level.loudness((speech * 10 ** (gain_db / 20)).astype(np.float32), RATE_HZ)
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(gain_db, abs=1e-4)


def test_versions_at_other_levels_come_out_alike(speech: np.ndarray) -> None:
    estimates = {"loud": speech * np.float32(3.0), "soft": speech * np.float32(0.25), "same": speech}
    levels = level.match(speech, estimates, RATE_HZ)
    made = [level.apply(speech, levels.reference)]
    made += [level.apply(audio, levels.estimates[name]) for name, audio in estimates.items()]
    for audio in made:
        assert level.loudness(audio, RATE_HZ) == pytest.approx(level.TARGET_LUFS - levels.lowered_db, abs=1e-3)
        np.testing.assert_allclose(audio, made[0], atol=1e-5)
    assert levels.estimates["loud"].gain_db - levels.reference.gain_db == pytest.approx(-9.542, abs=1e-3)
    assert not any(found.note for found in levels.estimates.values())


def test_where_one_would_clip_all_are_lowered_alike(speech: np.ndarray) -> None:
    click = speech.copy()
    click[1000] = 0.95
    levels = level.match(speech, {"click": click, "plain": speech}, RATE_HZ)
    assert levels.lowered_db > 0
    assert levels.estimates["plain"].gain_db == levels.reference.gain_db
    heard = level.apply(click, levels.estimates["click"])
    assert 20 * np.log10(level.true_peak(heard, RATE_HZ)) == pytest.approx(level.PEAK_DBTP, abs=1e-3)


def test_the_peak_between_samples_counts() -> None:
    """A sine at a quarter of the rate, sampled 45 degrees off its peaks, is 3 dB higher than its samples."""
    t = np.arange(4000)
    audio = np.sin(np.pi / 2 * t + np.pi / 4).astype(np.float32)
    assert np.abs(audio).max() == pytest.approx(0.7071, abs=1e-4)
    assert level.true_peak(audio, RATE_HZ) >= 0.99


def test_silence_and_what_is_nearly_silence_are_not_blown_up(speech: np.ndarray) -> None:
    faint = (speech * 10 ** (-45 / 20)).astype(np.float32)
    levels = level.match(speech, {"nothing": np.zeros_like(speech), "faint": faint}, RATE_HZ)
    assert levels.estimates["nothing"].gain_db == levels.reference.gain_db
    assert levels.estimates["nothing"].lufs is None
    assert "silent" in levels.estimates["nothing"].note
    assert levels.estimates["faint"].gain_db == levels.reference.gain_db
    assert levels.estimates["faint"].note.startswith("45 dB below the reference")


def test_a_silent_reference_leaves_its_level() -> None:
    silence = np.zeros(RATE_HZ, np.float32)
    levels = level.match(silence, {"also": silence}, RATE_HZ)
    assert levels.reference.gain_db == 0.0
    assert "silent" in levels.reference.note


def test_one_sample_has_a_level() -> None:
    levels = level.match(np.array([0.5], np.float32), {}, RATE_HZ)
    assert np.isfinite(levels.reference.gain_db)


def test_real_speech_agrees_with_torchaudio(demo_audio: Path) -> None:
    """An independent implementation of the same standard, on the clip scaled down far enough not to clip in it."""
    import torch
    import torchaudio

    path = next(iter(sorted(demo_audio.rglob("*.wav"))))
    audio, rate_hz = soundfile.read(path, dtype="float32")
    scaled = torch.from_numpy(audio * 0.5 / np.abs(audio).max())[None]
    expected = float(torchaudio.functional.loudness(scaled, rate_hz)) + 20 * np.log10(np.abs(audio).max() / 0.5)
    assert level.loudness(audio, rate_hz) == pytest.approx(expected, abs=0.05)
