"""The runner: one record a pair, nothing twice, and nothing that goes wrong stops the rest."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo import codecs
from codeczoo.benchmarks import corpora, records, runner
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import BenchmarkError, InvalidRun
from codeczoo.benchmarks.records import Record
from codeczoo.benchmarks.request import Point, Request
from codeczoo.codecs import Codec, Encoded, Spec, tokens
from codeczoo.codecs.decoded import DecodedAudio

RequestOf = Callable[..., Request]


def lines(request: Request) -> list[Record]:
    text = (request.out / records.RECORDS_FILE).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def without_timing(found: list[Record]) -> dict[records.Key, Record]:
    """Records by key, less what no two runs share: the seconds things took."""
    return {
        records.key_of(one): {name: one[name] for name in one if name not in {"timing", "scoring_s"}} for one in found
    }


@dataclass(frozen=True)
class Wrapped:
    """A real codec that misbehaves on purpose."""

    inner: Codec
    on_encode: Callable[[], None] = lambda: None
    on_decode: Callable[[object], object] = lambda audio: audio
    fingerprint: str = "wrapped"

    @property
    def spec(self) -> Spec:
        return replace(self.inner.spec, name="wrapped@12kbps")

    def encode(self, audio: object) -> Encoded:
        self.on_encode()
        return self.inner.encode(audio)  # pyright: ignore[reportArgumentType]

    def decode(self, encoded: Encoded) -> object:
        return self.on_decode(self.inner.decode(encoded))


def wrapped(**how: object) -> Point:
    return Point("wrapped@12kbps", lambda: Wrapped(codecs.load("opus@12kbps"), **how))  # pyright: ignore


def test_one_record_a_pair_with_everything_in_it(request_of: RequestOf, demo_clips: list[Clip]) -> None:
    request = request_of(demo_clips)
    summary = runner.run(request)
    assert (summary.pairs, summary.measured, summary.known, summary.exit_status) == (8, 8, 0, 0)
    found = lines(request)
    assert len({records.key_of(one) for one in found}) == len(found) == 8
    for one in found:
        assert set(one["scores"]) == {"stoi", "si_sdr_aligned"}
        assert 0.8 < one["scores"]["stoi"] <= 1
        assert one["failed"] == one["undefined"] == {}
        assert one["seconds"] == soundfile.info(str(demo_clips[0].path.parents[1] / one["clip"])).duration
        kbps = one["bits"]["payload"] / one["seconds"] / 1000
        assert 0.7 < kbps / one["codec_facts"]["bitrate_kbps"] < 1.3
        assert one["timing"]["encode_rtf"] == pytest.approx(one["timing"]["encode_s"] / one["seconds"])
        assert (one["timing"]["warm_up"], one["timing"]["device"], one["timing"]["busy_workers"]) == (True, "cpu", 0)
    assert len(list((request.out / "tokens").rglob("*.safetensors"))) == 8


def test_the_same_command_again_measures_nothing(request_of: RequestOf, demo_clips: list[Clip]) -> None:
    request = request_of(demo_clips)
    runner.run(request)
    before = (request.out / records.RECORDS_FILE).read_bytes()
    summary = runner.run(request)
    assert (summary.measured, summary.known) == (0, 8)
    assert (request.out / records.RECORDS_FILE).read_bytes() == before


def test_worker_processes_give_the_same_numbers(request_of: RequestOf, demo_clips: list[Clip], tmp_path: Path) -> None:
    alone = request_of(demo_clips)
    together = replace(alone, out=tmp_path / "together", workers=2)
    runner.run(alone)
    runner.run(together)
    assert without_timing(lines(alone)) == without_timing(lines(together))


def test_a_new_metric_is_added_from_tokens_without_encoding(request_of: RequestOf, demo_clips: list[Clip]) -> None:
    encoded: list[int] = []
    point = wrapped(on_encode=lambda: encoded.append(1))
    runner.run(request_of(demo_clips, [point]))
    first = len(encoded)
    request = request_of(demo_clips, [point], ["stoi", "si_sdr_aligned", "mel_distance"])
    summary = runner.run(request)
    assert summary.measured == 4
    assert len(encoded) - first == 1, "only the warm-up"
    later = lines(request)[4:]
    assert [set(one["scores"]) for one in later] == [{"mel_distance"}] * 4
    for one in records.load(request.out):
        assert set(one["scores"]) == {"stoi", "si_sdr_aligned", "mel_distance"}
        assert one["timing"]["encode_s"] > 0


def test_a_changed_codec_clip_or_metric_is_measured_anew(
    request_of: RequestOf, demo_clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = [replace(clip, path=tmp_path / clip.path.name) for clip in demo_clips[:2]]
    for clip, copy in zip(demo_clips, copies, strict=False):
        copy.path.write_bytes(clip.path.read_bytes())
    runner.run(request_of(copies, [wrapped()]))
    assert runner.run(request_of(copies, [wrapped()])).measured == 0
    assert runner.run(request_of(copies, [wrapped(fingerprint="other weights")])).measured == 2
    audio, rate = soundfile.read(copies[0].path)
    soundfile.write(copies[0].path, 0.5 * audio, rate)
    request = request_of(copies, [wrapped(fingerprint="other weights")])
    assert runner.run(request).measured == 1
    monkeypatch.setattr("codeczoo.benchmarks.protocol.VERSION", 999)
    assert runner.run(request).measured == 2
    assert all(len(one["scores"]) == 2 for one in records.load(request.out))


def test_what_fails_is_recorded_counted_and_does_not_stop_the_run(
    request_of: RequestOf, demo_clips: list[Clip], tmp_path: Path
) -> None:
    broken = {"notes.wav": b"these are not samples", "empty.wav": b""}
    bad = [Clip(name, tmp_path / name) for name in broken]
    for clip in bad:
        clip.path.write_bytes(broken[clip.name])
    nan = Clip("nan.wav", tmp_path / "nan.wav")
    soundfile.write(nan.path, np.array([0.1, np.nan, 0.1] * 9000, np.float32), 16000, "FLOAT")
    gone = Clip("gone.wav", tmp_path / "gone.wav")

    def explode() -> None:
        raise RuntimeError(f"boom in {tmp_path}/weights.bin")

    request = request_of([*bad, demo_clips[0], nan, gone], ["opus@12kbps", wrapped(on_encode=explode)])
    summary = runner.run(request)
    assert summary.exit_status == 1
    assert summary.failed == {"read": 8, "encode": 1}
    found = {(one["codec"], one["clip"]): one for one in lines(request)}
    assert len(found) == 10
    assert len(found["opus@12kbps", demo_clips[0].name]["scores"]) == 2
    assert found["wrapped@12kbps", demo_clips[0].name]["failed"] == {"encode": "RuntimeError: boom in weights.bin"}
    for name, reason in (
        ("notes.wav", "cannot be read as audio"),
        ("empty.wav", "empty file"),
        ("nan.wav", "NaN or infinite samples"),
        ("gone.wav", "does not exist"),
    ):
        assert reason in found["opus@12kbps", name]["failed"]["read"]
        assert found["opus@12kbps", name]["scores"] == {}
    again = runner.run(request)
    assert (again.measured, again.known, again.exit_status) == (0, 10, 1)
    assert runner.run(replace(request, retry_failed=True)).measured == 9


@pytest.mark.parametrize(
    ("decode", "step", "reason"),
    [
        (lambda audio: audio * float("nan"), "decode", "NaN or infinite"),
        (lambda audio: audio[..., : audio.shape[-1] // 3], "stoi", "not the same clip"),
        (lambda audio: (_ for _ in ()).throw(ValueError("no")), "decode", "ValueError: no"),
    ],
)
def test_a_decoder_gone_wrong_gives_no_score(
    request_of: RequestOf, demo_clips: list[Clip], decode: Callable[[object], object], step: str, reason: str
) -> None:
    request = request_of(demo_clips[-1:], [wrapped(on_decode=decode)])
    assert runner.run(request).exit_status == 1
    (one,) = lines(request)
    assert reason in one["failed"][step]
    assert one["scores"] == {}


def test_what_is_undefined_is_not_a_number(request_of: RequestOf, tmp_path: Path) -> None:
    silence = Clip("silence.wav", tmp_path / "silence.wav")
    soundfile.write(silence.path, np.zeros(32000), 16000)
    one_sample = Clip("one.wav", tmp_path / "one.wav")
    soundfile.write(one_sample.path, np.array([0.5]), 16000)
    music = Clip("music.wav", tmp_path / "music.wav", domain="music")
    soundfile.write(music.path, np.sin(np.arange(32000) / 10), 16000)
    request = request_of([silence, one_sample, music], ["opus@12kbps"], ["pesq_wb", "stoi", "si_sdr_aligned"])
    summary = runner.run(request)
    assert summary.exit_status == 3
    assert summary.failed == {}
    found = {one["clip"]: one for one in lines(request)}
    assert set(found["silence.wav"]["undefined"]) == {"pesq_wb", "stoi", "si_sdr_aligned"}
    assert set(found["one.wav"]["undefined"]) == {"pesq_wb", "stoi", "si_sdr_aligned"}
    assert found["music.wav"]["undefined"]["pesq_wb"] == "is defined for speech; this clip is music"
    assert found["music.wav"]["scores"]["si_sdr_aligned"] > 10


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [(8000, 1, "PCM_16"), (22050, 1, "PCM_24"), (44100, 2, "FLOAT"), (48000, 8, "PCM_16"), (192000, 1, "DOUBLE")],
)
def test_rates_channels_and_sample_formats(
    request_of: RequestOf, tmp_path: Path, rate: int, channels: int, subtype: str
) -> None:
    rng = np.random.default_rng(rate)
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate) * (1 + rng.random(2 * rate))
    clip = Clip("a.wav", tmp_path / "a.wav")
    soundfile.write(clip.path, 0.4 * np.repeat(tone[:, None], channels, 1), rate, subtype)
    request = request_of([clip], ["pcm:16"], ["stft_distance", "mel_distance"])
    assert runner.run(request).exit_status == 0
    (one,) = lines(request)
    assert (one["sample_rate"], one["seconds"]) == (rate, 2.0)
    assert 0 <= one["scores"]["stft_distance"] < 3
    assert one["bits"]["packed"] == one["bits"]["nominal"] == 2 * 48000 * 16


def test_samples_beyond_full_scale_are_counted_not_clipped(request_of: RequestOf, tmp_path: Path) -> None:
    clip = Clip("loud.wav", tmp_path / "loud.wav")
    tone = 1.5 * np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000)
    soundfile.write(clip.path, tone, 48000, "FLOAT")
    request = request_of([clip], ["pcm:16"], ["si_sdr"])
    runner.run(request)
    (one,) = lines(request)
    assert one["clipped"] == {"input": int(np.sum(np.abs(tone.astype(np.float32)) > 1)), "output": 0}
    assert one["scores"]["si_sdr"] < 30, "the 16-bit codec saturates, and the score says so"


def test_a_name_that_is_not_utf_8_costs_no_run(request_of: RequestOf, tmp_path: Path) -> None:
    path = tmp_path / "clips" / os.fsdecode(b"lat\xe9in.wav")
    path.parent.mkdir()
    tone = (0.3 * np.sin(np.arange(8_000))).astype(np.float32)
    try:
        with path.open("wb") as file:
            soundfile.write(file, tone, 8_000, format="WAV")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    request = request_of(list(corpora.folder(path.parent)), ["opus@12kbps"], ["si_sdr_aligned"])
    assert runner.run(request).exit_status == 0
    (found,) = records.load(request.out)
    assert found["clip"] == r"lat\xe9in.wav"
    assert runner.run(request).known == 1


def test_a_decoded_file_is_never_of_two_clips(request_of: RequestOf, demo_clips: list[Clip], tmp_path: Path) -> None:
    """Two clips of one bare name were both scored against the one file that has it."""
    (tmp_path / "out").mkdir()
    shutil.copy(demo_clips[0].path, tmp_path / "out" / "twin.wav")
    shutil.copy(demo_clips[0].path, tmp_path / "out" / "alone.wav")
    clips = [replace(demo_clips[0], name=name) for name in ("p/twin.wav", "x/alone.wav")]
    twin = replace(demo_clips[1], name="q/twin.wav")
    point = Point("decoded:out", lambda: DecodedAudio.from_folder(tmp_path / "out", 6.0))
    request = request_of([*clips, twin], [point], ["stoi"])
    runner.run(request)
    found = {one["clip"]: one for one in records.load(request.out)}
    assert found["x/alone.wav"]["scores"]["stoi"] == pytest.approx(1)
    for name in ("p/twin.wav", "q/twin.wav"):
        assert found[name]["scores"] == {}
        assert "its bare name is that of another clip as well" in found[name]["failed"]["load"]


def test_a_codec_that_cannot_be_loaded_fails_its_own_records_only(
    request_of: RequestOf, demo_clips: list[Clip]
) -> None:
    def missing() -> Codec:
        raise codecs.WeightsMissing("no weights")

    request = request_of(demo_clips[:2], ["opus@12kbps", Point("missing@1kbps", missing)])
    assert runner.run(request).failed == {"load": 2}
    assert sum(len(one["scores"]) for one in lines(request)) == 4


def test_wrong_requests_write_nothing(request_of: RequestOf, demo_clips: list[Clip]) -> None:
    with pytest.raises(BenchmarkError, match="no codec to measure"):
        request_of(demo_clips, [])
    with pytest.raises(BenchmarkError, match="measured twice"):
        request_of(demo_clips, ["opus@12kbps", "opus@12kbps"])
    request = request_of(demo_clips)
    request.out.mkdir()
    (request.out / "thesis.tex").write_text("")
    with pytest.raises(InvalidRun, match="not a run folder"):
        runner.run(request)
    assert [path.name for path in request.out.iterdir()] == ["thesis.tex"]


_BENCH = [sys.executable, "-m", "codeczoo.benchmarks.cli", "bench", "--corpus", "demo", "--limit", "8", "--no-report"]
_WHAT = ["--codecs", "opus@12kbps", "pcm:16", "amr-nb@12.2kbps", "--metrics", "stoi", "mel_distance", "si_sdr"]


@pytest.mark.slow
def test_killed_at_any_moment_and_continued_equals_undisturbed(tmp_path: Path, demo_audio: Path) -> None:
    """SIGKILL to the whole process group at a dozen moments, from the first import to the last record."""
    assert demo_audio.is_dir()
    undisturbed = tmp_path / "undisturbed"
    subprocess.run([*_BENCH, *_WHAT, "--out", str(undisturbed)], check=True, capture_output=True)
    killed = tmp_path / "killed"
    file = killed / records.RECORDS_FILE
    command = [*_BENCH, *_WHAT, "--workers", "2", "--out", str(killed)]
    rng = np.random.default_rng(0)
    for lines_before_kill in (0, 0, 1, 3, 7, 12, 20):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            written = file.read_bytes().count(b"\n") if file.is_file() else 0
            if written >= lines_before_kill and killed.is_dir():
                break
            time.sleep(0.002)
        time.sleep(float(rng.uniform(0, 0.4)))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)  # the main process alone: its workers must end by themselves
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(found) == len({records.key_of(one) for one in found}) == 24, "a pair was measured twice or lost"
    expected = [json.loads(line) for line in (undisturbed / records.RECORDS_FILE).read_text().splitlines()]
    assert without_timing(found) == without_timing(expected)
    for one, other in zip(
        sorted((undisturbed / "tokens").rglob("*.safetensors")),
        sorted((killed / "tokens").rglob("*.safetensors")),
        strict=True,
    ):
        expected_tokens, tokens_found = tokens.read(one), tokens.read(other)
        assert one.name == other.name
        assert tokens_found.encoded.payload == expected_tokens.encoded.payload
        for codes, expected_codes in zip(tokens_found.encoded.codes, expected_tokens.encoded.codes, strict=True):
            assert codes.equal(expected_codes)
    deadline = time.monotonic() + 20
    while (left := _processes_of(killed)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
    assert not (killed / ".spool").exists()


def _processes_of(folder: Path) -> list[str]:
    """Command lines of running processes that name a folder."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in text:
            found.append(text)
    return found
