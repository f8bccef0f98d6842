"""Spectrograms: a tone stands where its frequency is, at the level it has, in a PNG that decoders read."""

from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pytest

from codeczoo.benchmarks.page import spectrogram

RATE_HZ = 16_000


def tone(hz: float, amplitude: float = 0.5, seconds: float = 2.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("hz", [500, 1000, 2000])
def test_a_tone_stands_at_its_tick(hz: int, rate_hz: int) -> None:
    levels = spectrogram.levels_db(tone(hz, rate_hz=rate_hz), rate_hz)
    height = (np.argmax(levels.mean(axis=1)) + 0.5) / spectrogram.BANDS
    tick = next(tick for tick in spectrogram.axis(rate_hz) if tick.hz == hz)
    assert height == pytest.approx(tick.height, abs=1.5 / spectrogram.BANDS)


def test_ticks_lie_inside_and_rise() -> None:
    ticks = spectrogram.axis(RATE_HZ)
    assert [tick.hz for tick in ticks] == [500, 1000, 2000, 4000]
    assert np.all(np.diff([0.0, *(tick.height for tick in ticks), 1.0]) > 0)


def test_half_the_amplitude_is_6_db_less() -> None:
    loud, soft = (spectrogram.levels_db(tone(1000, amplitude), RATE_HZ).max() for amplitude in (0.5, 0.25))
    assert loud - soft == pytest.approx(6.0206, abs=1e-3)


def test_the_picture_is_a_png_whose_lightness_follows_the_level() -> None:
    levels = np.linspace(-90.0, 10.0, spectrogram.BANDS)[:, None].repeat(5, axis=1)
    picture = matplotlib.image.imread(io.BytesIO(spectrogram.png(levels, 0.0)), format="png")
    assert picture.shape[:2] == (spectrogram.BANDS, 5)
    lightness = picture[::-1, 0, :3] @ (0.2126, 0.7152, 0.0722)
    assert np.all(np.diff(lightness) >= -1e-6)
    assert lightness[0] == pytest.approx(0.0, abs=0.01)
    assert lightness[-1] > 0.9
    assert np.allclose(picture[::-1, 0, :3][levels[:, 0] <= -80], picture[-1, 0, :3])


@pytest.mark.parametrize("samples", [1, 100, 1000, RATE_HZ * 20])
def test_any_length_gives_a_picture_of_bounded_width(samples: int) -> None:
    levels = spectrogram.levels_db(np.zeros(samples, np.float32), RATE_HZ)
    assert levels.shape[0] == spectrogram.BANDS
    assert 1 <= levels.shape[1] <= spectrogram.COLUMNS + 1
    assert np.isfinite(levels).all()
