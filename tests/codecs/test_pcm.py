"""PCM: 6.02 dB a bit, 16-bit audio bit by bit, saturation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from codeczoo import codecs
from codeczoo.codecs import Encoded, InvalidTokens


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_full_scale_sine_has_6_db_a_bit(bits: int) -> None:
    time_s = np.arange(480_000) / 48_000
    sine = (1 - 2.0 ** (1 - bits)) * np.sin(2 * np.pi * 997 * time_s)
    codec = codecs.load(f"pcm:{bits}")
    decoded = codec.decode(codec.encode(torch.tensor(sine, dtype=torch.float32)[None, None]))[0, 0].double().numpy()
    snr_db = 10 * np.log10(np.mean(sine**2) / np.mean((decoded - sine) ** 2))
    assert snr_db == pytest.approx(6.02 * bits + 1.76, abs=0.1)


def test_16_bit_audio_comes_back_bit_by_bit(demo_audio: Path, tmp_path: Path) -> None:
    levels = torch.arange(-32_768, 32_768, dtype=torch.float32) / 32_768
    speech, _ = soundfile.read(demo_audio / "en" / "counting.wav", dtype="float32")
    soundfile.write(tmp_path / "a.wav", speech, 48_000, "PCM_16")
    stored, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    codec = codecs.load("pcm:16")
    for samples in (levels, torch.from_numpy(stored)):
        assert torch.equal(codec.decode(codec.encode(samples[None, None]))[0, 0], samples)


def test_silence_is_the_middle_code_and_outside_saturates() -> None:
    codec = codecs.load("pcm:8")
    encoded = codec.encode(torch.tensor([[[0.0, -1.0, 1.0, -7.0, 7.0, 0.003, 0.004]]]))
    assert encoded.codes[0].tolist() == [[128, 0, 255, 0, 255, 128, 129]]
    assert codec.decode(encoded)[0, 0, :5].tolist() == [0.0, -1.0, 127 / 128, -1.0, 127 / 128]


def test_nominal_rate_is_bits_times_48() -> None:
    assert [codecs.spec(f"pcm:{bits}").bitrate_kbps for bits in (8, 12, 16)] == [384, 576, 768]


def test_a_token_a_sample() -> None:
    with pytest.raises(InvalidTokens, match="got 4 for 5"):
        codecs.load("pcm:8").decode(Encoded((torch.zeros(1, 4, dtype=torch.int64),), 5))
