"""Files to tokens and back: the same audio as the codec gives, whole files only, and failures that cost one file."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo import codecs
from codeczoo.benchmarks import protocol
from codeczoo.benchmarks.audio import read_mono
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import InvalidCorpus
from codeczoo.benchmarks.files import DecodeJob, EncodeJob, Outcome, codecs_of, run_jobs, token_files
from codeczoo.codecs import resampling, tokens


def encoded(clips: list[Clip], codec: str, out: Path) -> list[Outcome]:
    return list(run_jobs((EncodeJob(clip, codec, out) for clip in clips), workers=1))


def decoded(found: list[Path], out: Path) -> list[Outcome]:
    return list(run_jobs((DecodeJob(path, out / name) for path, name in token_files(found)), workers=1))


@pytest.mark.parametrize("codec", ["opus@12kbps", "g722@64kbps", "amr-nb@12.2kbps", "mp3:44khz@64kbps", "pcm:16"])
def test_the_round_trip_through_files_is_that_of_the_codec(codec: str, demo_clips: list[Clip], tmp_path: Path) -> None:
    clip = demo_clips[0]
    assert encoded([clip], codec, tmp_path / "tokens") == [Outcome(clip.name)]
    (outcome,) = decoded([tmp_path / "tokens"], tmp_path / "wav")
    assert (outcome.known, outcome.failure) == (False, "")
    loaded = codecs.load(codec)
    mono, rate = read_mono(clip.path)
    audio = protocol.to_codec(resampling.resample(mono, rate, loaded.spec.sample_rate), loaded.spec)
    expected = loaded.decode(loaded.encode(audio))[0].numpy().T
    found, found_hz = soundfile.read(tmp_path / "wav" / clip.name, dtype="float32", always_2d=True)
    assert found_hz == loaded.spec.decoded_sample_rate
    assert len(found) == audio.shape[2]
    np.testing.assert_array_equal(found, expected)


def test_what_is_there_and_of_this_clip_is_passed_over(demo_clips: list[Clip], tmp_path: Path) -> None:
    out = tmp_path / "tokens"
    clip = replace(demo_clips[0], path=tmp_path / "a.wav", name="a.wav")
    clip.path.write_bytes(demo_clips[0].path.read_bytes())
    encoded([clip], "g722@64kbps", out)
    (path,) = out.iterdir()
    before = path.stat().st_mtime_ns
    assert encoded([clip], "g722@64kbps", out) == [Outcome("a.wav", known=True)]
    assert path.stat().st_mtime_ns == before
    clip.path.write_bytes(demo_clips[1].path.read_bytes())
    assert encoded([clip], "g722@64kbps", out) == [Outcome("a.wav")], "the clip has changed"
    assert encoded([clip], "pcm:16", out) == [Outcome("a.wav")], "another codec is asked for"
    path.write_bytes(path.read_bytes()[:100])
    assert encoded([clip], "pcm:16", out) == [Outcome("a.wav")], "a torn file is no token file"
    assert [Counter(o.known for o in decoded([out], tmp_path / "wav")) for _ in range(2)] == [{False: 1}, {True: 1}]
    wav = tmp_path / "wav" / "a.wav"
    os.utime(wav, ns=(0, 0))
    assert not decoded([out], tmp_path / "wav")[0].known, "the tokens are newer than the audio"


def test_a_failure_costs_one_file_and_leaves_nothing_half_done(demo_clips: list[Clip], tmp_path: Path) -> None:
    bad = Clip("bad.wav", tmp_path / "bad.wav")
    bad.path.write_bytes(b"no audio")
    out = tmp_path / "tokens"
    outcomes = {outcome.name: outcome for outcome in encoded([bad, demo_clips[0]], "opus@12kbps", out)}
    assert "cannot be read as audio" in outcomes["bad.wav"].failure
    assert outcomes[demo_clips[0].name].failure == ""
    (good,) = out.rglob("*.safetensors")
    (out / "torn.wav.safetensors").write_bytes(good.read_bytes()[:50])
    outcomes = {Path(outcome.name).name: outcome for outcome in decoded([out], tmp_path / "wav")}
    assert "is not a token file, or damaged" in outcomes["torn.wav.safetensors"].failure
    assert [path.suffix for path in tmp_path.joinpath("wav").rglob("*") if path.is_file()] == [".wav"]
    assert codecs_of(path for path, _ in token_files([out])) == ["opus@12kbps"]


def test_processes_give_the_same_files(demo_clips: list[Clip], tmp_path: Path) -> None:
    for workers in (1, 2):
        jobs = (EncodeJob(clip, "g722@64kbps", tmp_path / str(workers)) for clip in demo_clips)
        assert {outcome.name for outcome in run_jobs(jobs, workers)} == {clip.name for clip in demo_clips}
    for path, name in token_files([tmp_path / "1"]):
        other = tokens.read(tmp_path / "2" / f"{name}{tokens.SUFFIX}")
        assert other.encoded.payload == tokens.read(path).encoded.payload


JOBS = """\
import os, signal
from dataclasses import dataclass
from codeczoo.benchmarks.files import Outcome

@dataclass(frozen=True)
class Job:
    name: str

    def run(self, device):
        if self.name == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome(f"{self.name} in {os.getpid()} with {os.environ['OMP_NUM_THREADS']}")
"""


def test_a_process_that_dies_costs_its_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fragile_jobs.py").write_text(JOBS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fragile_jobs", raising=False)
    monkeypatch.setattr("codeczoo.benchmarks.files.cores", lambda: 6)
    import fragile_jobs  # pyright: ignore[reportMissingImports]

    names = [*"abc", "dies", *"def"]
    outcomes = list(run_jobs(map(fragile_jobs.Job, names), workers=2))
    (failed,) = (outcome for outcome in outcomes if outcome.failure)
    assert failed.name == "dies"
    assert failed.failure.startswith("the worker process died twice on this clip (SIGKILL")
    assert sorted(outcome.name.split()[0] for outcome in outcomes) == sorted(names)
    assert {outcome.name.split()[-1] for outcome in outcomes if not outcome.failure} == {"3"}


def test_long_clips_go_through_in_blocks_to_the_same_tokens(
    demo_clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = demo_clips[0]
    encoded([clip], "g722@64kbps", tmp_path / "whole")
    monkeypatch.setattr(protocol, "LONG_S", 0.1)
    monkeypatch.setattr(protocol, "BLOCK_S", 0.3)
    encoded([clip], "g722@64kbps", tmp_path / "blocks")
    whole, blocks = (tokens.read(next((tmp_path / name).rglob("*.safetensors"))) for name in ("whole", "blocks"))
    assert blocks.encoded.payload == whole.encoded.payload
    assert blocks.encoded.length == whole.encoded.length


def test_names_of_wav_files(tmp_path: Path) -> None:
    for name in ("a.flac", "b.wav", "b.flac", "sub/c.wav#0-1.5", "sub/c.wav#1.5-", "plain", "v1.2.ogg"):
        path = tmp_path / f"{name}{tokens.SUFFIX}"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    names = {
        str(path.relative_to(tmp_path)).removesuffix(tokens.SUFFIX): name for path, name in token_files([tmp_path])
    }
    assert names == {
        "a.flac": "a.wav",
        "b.wav": "b.wav.wav",
        "b.flac": "b.flac.wav",
        "sub/c.wav#0-1.5": "sub/c#0-1.5.wav",
        "sub/c.wav#1.5-": "sub/c#1.5-.wav",
        "plain": "plain.wav",
        "v1.2.ogg": "v1.2.wav",
    }
    other = tmp_path / "sub"
    (other / f"a.flac{tokens.SUFFIX}").touch()
    with pytest.raises(InvalidCorpus, match=r"Two token files of a\.flac would be decoded to one WAV"):
        token_files([tmp_path, other])
