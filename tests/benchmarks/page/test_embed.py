"""Audio as data URIs: what comes out is what went in."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks.page.embed import FORMATS, embed

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def tone() -> np.ndarray:
    return (0.5 * np.sin(np.arange(RATE_HZ) * 0.05)).astype(np.float32)


def decoded(uri: str) -> tuple[np.ndarray, int]:
    return soundfile.read(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])), dtype="float64")


def test_flac_is_exact_to_half_a_step_of_16_bits(tone: np.ndarray) -> None:
    found, rate_hz = decoded(embed(tone, RATE_HZ).uri)
    assert rate_hz == RATE_HZ
    assert len(found) == len(tone)
    assert np.abs(found - tone).max() <= 0.5 / 32768


def test_full_scale_does_not_wrap() -> None:
    found, _ = decoded(embed(np.array([1.0, -1.0, 0.0], np.float32), RATE_HZ).uri)
    np.testing.assert_allclose(found, [32767 / 32768, -1.0, 0.0], atol=1e-9)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100])
def test_opus_keeps_length_and_place(rate_hz: int) -> None:
    t = np.arange(rate_hz) / rate_hz
    tone = (0.5 * np.sin(2 * np.pi * 440 * t) * (t > 0.5)).astype(np.float32)
    embedded = embed(tone, rate_hz, "opus")
    found, found_hz = decoded(embedded.uri)
    assert found_hz == 48_000
    assert len(found) == 48_000
    assert np.abs(found[:23_000]).max() < 0.02
    assert np.sqrt(np.mean(found[25_000:47_000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_uri_needs_no_escaping(tone: np.ndarray, kind: str) -> None:
    assert re.fullmatch(r"data:audio/[a-z;=]+;base64,[A-Za-z0-9+/]+=*", embed(tone, RATE_HZ, kind).uri)


@pytest.mark.parametrize("audio", [np.array([1.1]), np.array([np.nan]), np.zeros(0), np.zeros((2, 4))])
def test_what_cannot_be_heard_right_is_refused(audio: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Audio to embed is"):
        embed(audio.astype(np.float32), RATE_HZ)
