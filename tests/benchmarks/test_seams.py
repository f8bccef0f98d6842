"""What is printed of seams is what an independent calculation gives; and where there is nothing to measure, why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from codeczoo.benchmarks import footprint, seams
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.listing import ListedCorpus
from codeczoo.codecs.layers.seanet import SeanetConfig
from codeczoo.codecs.layers.vocos import VocosConfig
from codeczoo.codecs.long_audio import Windows
from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig
from codeczoo.codecs.wavtokenizer_checkpoint import write

VOCOS = VocosConfig(dimension=8, width=32, intermediate=32, layers=1, bandwidths=1)


def model_of(decoder: VocosConfig | None) -> WavTokenizer:
    torch.manual_seed(0)
    seanet = SeanetConfig(width=2, dimension=8, lstm_layers=1)
    model = WavTokenizer(WavTokenizerConfig(sample_rate=16_000, encoder=seanet, decoder=decoder, entries=16))
    model.quantizer.embed.normal_()
    model.quantizer.inited.fill_(1)
    return model.for_inference()


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    write(model_of(VOCOS), tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


def test_differences_are_those_of_the_samples() -> None:
    """Two windows of 2 s that meet at 2 s: the difference, its levels and where it is near, worked out from there."""
    model = model_of(VOCOS)
    codes = torch.randint(16, (1, 1, 200), generator=torch.Generator().manual_seed(0))
    whole = model.decode(codes)[0, 0].numpy()
    halves = [model.decode(part)[0, 0].numpy() for part in codes.split(100, dim=2)]
    found = seams.measure(model, codes, whole, Windows(100, 0))
    difference = np.concatenate(halves) - whole
    rms = np.sqrt((whole**2).mean())
    near, away = difference[24_000:40_000], np.delete(difference, np.s_[24_000:40_000])
    assert found.count == 1
    assert found.rms_near_db == pytest.approx(20 * np.log10(np.sqrt((near**2).mean()) / rms), abs=1e-3)
    assert found.rms_away_db == pytest.approx(20 * np.log10(np.sqrt((away**2).mean()) / rms), abs=1e-3)
    assert found.worst_near_db == pytest.approx(20 * np.log10(abs(near).max() / abs(whole).max()), abs=1e-3)
    assert found.worst_away_db == pytest.approx(20 * np.log10(abs(away).max() / abs(whole).max()), abs=1e-3)


def test_pesq_around_seams_is_of_the_stretches_that_are_named(demo_audio: Path) -> None:
    """Speech against speech that was made noisy in one place: the stretch that holds it suffers, the other does not."""
    clip = sorted(demo_audio.rglob("*.wav"))[0]
    speech = seams.joined(ListedCorpus("one", lambda: iter([Clip("a", clip)]), 1), 16_000, 20.0)
    noisy = speech.copy()
    noisy[79_000:81_000] += 0.1 * np.random.default_rng(0).standard_normal(2_000).astype(np.float32)
    assert seams._heard(speech, noisy, 16_000, [240_000])[0] == pytest.approx(4.644, abs=0.001)
    assert seams._heard(speech, noisy, 16_000, [80_000])[0] < 4.0
    assert seams._heard(0 * speech, 0 * speech, 16_000, [80_000]) == ()


def test_clips_are_joined_again_and_again(demo_audio: Path) -> None:
    paths = sorted(demo_audio.rglob("*.wav"))[:2]
    clips = [Clip(path.name, path) for path in paths]
    audio = seams.joined(ListedCorpus("two", lambda: iter(clips), 2), 16_000, 60.0)
    assert len(audio) == 960_000
    once = sum(seams.read_mono(path)[0].shape[0] for path in paths)
    assert once < 480_000
    np.testing.assert_array_equal(audio[:once], audio[once : 2 * once])


@pytest.mark.skipif(not footprint._STATUS.exists(), reason="reads the peak of the memory from /proc")
def test_the_command(checkpoint: str, demo_audio: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = ["--corpus", "demo", "--limit", "3", "--seconds", "9"]
    assert seams.main(["--checkpoint", checkpoint, *corpus, "--windows-s", "4", "6", "--minutes", "0.1"]) == 0
    printed = capsys.readouterr().out
    assert "9 s of audio; 0 of 450 tokens differ when encoded in blocks." in printed
    assert "| 4.00 | 0.88 | 0.24 | 2 |" in printed
    assert "| 6.00 | 0.88 | 0.24 | 1 |" in printed
    row = printed.splitlines()[-1].strip("| ").split(" | ")
    assert row[0] == "0.1"
    assert 100 < float(row[1]) < 3_000


def test_what_cannot_be_measured_is_told(
    checkpoint: str, tmp_path: Path, demo_audio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = ["--corpus", "demo", "--limit", "1", "--seconds", "9", "--minutes", "0"]
    assert seams.main(["--checkpoint", checkpoint, *corpus]) == 1
    assert "9 s fit into one window of 3000 frames; give more seconds." in capsys.readouterr().err
    write(model_of(None), tmp_path / "mirrored.safetensors")
    assert seams.main(["--checkpoint", str(tmp_path / "mirrored.safetensors"), *corpus]) == 1
    assert "cut without seams: there is nothing to measure" in capsys.readouterr().err
    with pytest.raises(BenchmarkError, match="pcm:16 has no WavTokenizer as its `model`"):
        footprint.Source(codec="pcm:16").load()
