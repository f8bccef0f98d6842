"""Stretches of files whose decoders remember: what is before the stretch must not be missed. The rest of what opening
files must do is tested through the harness, in tests/benchmarks/test_audio.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.codecs.audio_files import open_audio
from codeczoo.codecs.errors import InvalidAudioFile

from .speech import speech


def test_stretches_of_mp3_are_those_of_the_whole(tmp_path: Path, demo_audio: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, speech(demo_audio, 16_000), 16_000)
    whole, _ = soundfile.read(path, dtype="float32")
    assert len(whole) > 45 * 16_000
    after_plain_seeks: list[float] = []
    for start in range(1_234, len(whole) - 8_000, 16_000 * 3):
        with open_audio(path) as file:
            read = file.read(start, start + 8_000)
        np.testing.assert_allclose(read, whole[start : start + 8_000], rtol=0, atol=1e-6)
        plain, _ = soundfile.read(path, start=start, frames=8_000, dtype="float32")
        after_plain_seeks.append(float(np.abs(plain - whole[start : start + 8_000]).max()))
    assert max(after_plain_seeks) > 1e-3  # else the care is no longer needed


def test_blocks_of_a_stretch_of_mp3_are_whole(tmp_path: Path, demo_audio: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, speech(demo_audio, 16_000, 3), 16_000)
    with open_audio(path) as file:
        assert [len(block) for block in file.blocks(5_000, 12_500, 3_000)] == [3_000, 3_000, 1_500]


def test_a_stretch_beyond_a_cut_mp3_says_so(tmp_path: Path, demo_audio: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, speech(demo_audio, 16_000, 6), 16_000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    with pytest.raises(InvalidAudioFile, match="truncated"), open_audio(path) as file:
        file.read(file.info.frames - 8_000, file.info.frames)
