"""CREPE metrics: torchcrepe's own tracks and decisions, without its dither."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codeczoo.metrics import MetricError, Undefined, measure, score
from codeczoo.metrics.pitch import CREPE, VOICED_FROM, track
from codeczoo.metrics.voicing import silent_frames


@pytest.fixture(scope="module")
def clip(speech_16k):
    """Half a second with voiced and unvoiced frames."""
    return speech_16k[12_000:22_000]


@pytest.fixture(scope="module")
def clip_track(clip):
    return track(clip, 16_000)


def test_the_track_is_torchcrepes(clip, clip_track, monkeypatch):
    import torchcrepe

    monkeypatch.setattr(torchcrepe.convert, "dither", lambda cents: cents)
    pitch, periodicity = torchcrepe.predict(
        torch.from_numpy(clip)[None], 16_000, 160, 50, 550, "full", return_periodicity=True, pad=False
    )
    expected = np.where(silent_frames(clip), 0, periodicity[0].numpy())
    np.testing.assert_allclose(clip_track.periodicity, expected, atol=1e-4)
    np.testing.assert_allclose(clip_track.pitch_hz, pitch[0].numpy(), rtol=1e-5)
    voiced = clip_track.periodicity >= VOICED_FROM
    np.testing.assert_array_equal(voiced, expected >= VOICED_FROM)
    assert 0.2 < voiced.mean() < 1


def test_equal_signals_are_perfect(clip, clip_track):
    values = CREPE.compare(clip, clip, 16_000, clip_track.features())
    assert values == {"vuv_f1": 1.0, "f0_rmse_cents": 0.0, "periodicity_rmse": 0.0}


def test_noise_is_worse(clip, clip_track, rng):
    noise = rng.standard_normal(len(clip)).astype(np.float32)
    features = clip_track.features()
    found = [CREPE.compare(clip, clip + gain * noise, 16_000, features) for gain in (0.01, 0.3)]
    assert found[0]["vuv_f1"] > found[1]["vuv_f1"]
    assert found[0]["periodicity_rmse"] < found[1]["periodicity_rmse"]


@pytest.mark.parametrize("name", ["vuv_f1", "f0_rmse_cents"])
def test_silence_is_undefined(name):
    silence = np.zeros(2_000, dtype=np.float32)
    with pytest.raises(Undefined, match=r"no voiced frame|no frame is voiced in both"):
        score(name, silence, silence, 16_000)


def test_short_clips_are_undefined_and_other_rates_refused(clip):
    with pytest.raises(Undefined, match="1023 samples, at least 1024"):
        score("vuv_f1", clip[:1023], clip[:1023], 16_000)
    with pytest.raises(MetricError, match="at 16000 Hz; got 24000 Hz"):
        score("vuv_f1", clip, clip, 24_000)


def test_one_computation_gives_all_three():
    assert measure("vuv_f1") is measure("f0_rmse_cents") is measure("periodicity_rmse")
