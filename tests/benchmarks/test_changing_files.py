"""Files that change or vanish while they are measured: no number is of other audio than its record says."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo import codecs
from codeczoo.benchmarks import audio, files, protocol, records, runner, scoring
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import ChangedClip
from codeczoo.benchmarks.request import Point, Request
from codeczoo.codecs import Codec, Encoded, Spec

RequestOf = Callable[..., Request]


class Meddling:
    """A real codec that does something to the file beside encoding."""

    fingerprint = "meddling"

    def __init__(self, inner: Codec, meddle: Callable[[], object]) -> None:
        self.inner, self.meddle = inner, meddle

    @property
    def spec(self) -> Spec:
        return replace(self.inner.spec, name="meddling@12kbps")

    def encode(self, audio: object) -> Encoded:
        self.meddle()
        return self.inner.encode(audio)  # pyright: ignore[reportArgumentType]

    def decode(self, encoded: Encoded) -> object:
        return self.inner.decode(encoded)


@pytest.fixture
def clip(demo_clips: list[Clip], tmp_path: Path) -> Clip:
    """A copy of a real clip that may be changed."""
    path = tmp_path / "clips" / "a.wav"
    path.parent.mkdir()
    soundfile.write(path, *soundfile.read(demo_clips[0].path), subtype="PCM_16")
    scoring.forget_references()
    return Clip("a.wav", path, domain="speech")


def turned_in_time(path: Path) -> None:
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path, np.roll(samples, len(samples) // 3), rate)


def run_with(request_of: RequestOf, clip: Clip, meddle: Callable[[], object], **changes: object) -> records.Record:
    point = Point("meddling@12kbps", lambda: Meddling(codecs.load("opus@12kbps"), meddle))  # pyright: ignore
    request = request_of([clip], [point], ["stoi", "vuv_f1_yin"], **changes)
    runner.run(request)
    return records.load(request.out)[0]


def test_a_clip_that_changes_between_coding_and_scoring_has_no_score(request_of: RequestOf, clip: Clip) -> None:
    before = audio.content_sha256(clip)
    found = run_with(request_of, clip, lambda: turned_in_time(clip.path))
    assert found["scores"] == {}
    assert found["clip_sha256"] == before
    assert set(found["failed"]) == {"stoi", "vuv_f1_yin"}
    assert "changed while it was measured" in found["failed"]["stoi"]
    assert "/" not in found["failed"]["stoi"], "folders are the machine's own"


def test_what_is_known_of_references_is_never_of_another_content(request_of: RequestOf, clip: Clip) -> None:
    """The cache outlives the run: with the pitch track of what came after, every later run would be wrong."""
    whole = clip.path.read_bytes()
    run_with(request_of, clip, lambda: turned_in_time(clip.path))
    clip.path.write_bytes(whole)
    after = request_of([clip], ["opus@12kbps"], ["vuv_f1_yin"])
    runner.run(after)
    scored = next(found for found in records.load(after.out) if found["codec"] == "opus@12kbps")
    assert scored["scores"]["vuv_f1_yin"] > 0.8


def test_a_clip_that_vanishes_is_a_failure_of_its_own(
    request_of: RequestOf, clip: Clip, demo_clips: list[Clip]
) -> None:
    def meddle() -> None:
        clip.path.unlink(missing_ok=True)

    point = Point("meddling@12kbps", lambda: Meddling(codecs.load("opus@12kbps"), meddle))  # pyright: ignore
    request = request_of([clip, demo_clips[1]], [point], ["stoi"])
    assert runner.run(request).exit_status == 1
    first, second = records.load(request.out)
    assert "does not exist" in first["failed"]["stoi"]
    assert second["scores"]["stoi"] > 0.8


def test_a_clip_that_changes_while_it_is_read_is_measured_anew_by_the_next_command(
    request_of: RequestOf, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = clip.path.read_bytes()
    read = audio.clip_samples

    def reading(of: Clip) -> tuple[audio.Audio, int]:
        turned_in_time(of.path)
        return read(of)

    request = request_of([clip], ["opus@12kbps"], ["stoi"])
    with monkeypatch.context() as patch:
        patch.setattr(audio, "clip_samples", reading)
        assert runner.run(request).failed == {"read": 1}
    clip.path.write_bytes(whole)
    assert runner.run(request).failed == {}
    (found,) = records.load(request.out)
    assert found["scores"]["stoi"] > 0.8
    assert found["failed"] == {}


def test_a_copy_of_the_same_size_and_time_is_another_content(clip: Clip) -> None:
    before, status = audio.content_sha256(clip), clip.path.stat()
    turned_in_time(clip.path)
    os.utime(clip.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert clip.path.stat().st_size == status.st_size
    assert audio.content_sha256(clip) != before
    with pytest.raises(ChangedClip, match=r"a\.wav changed while it was measured"):
        protocol.read_reference(clip, clip.path.parent / "spool", before)


def test_a_long_clip_that_changes_leaves_nothing_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 121 * 4000), 4_000)
    clip, spool = Clip("long.wav", path), tmp_path / "spool"
    signal, _ = protocol.read_reference(clip, spool, audio.content_sha256(clip))
    protocol.release(signal)
    with pytest.raises(ChangedClip):
        protocol.read_reference(clip, spool, "0" * 64)
    assert list(spool.iterdir()) == []


def test_no_token_file_of_audio_that_has_changed(clip: Clip, tmp_path: Path) -> None:
    meddling = Meddling(codecs.load("opus@12kbps"), lambda: turned_in_time(clip.path))
    (outcome,) = files.run_jobs([files.EncodeJob(clip, meddling, tmp_path / "out")], 1)  # pyright: ignore
    assert "changed while it was measured" in outcome.failure
    assert not list((tmp_path / "out").rglob("*.safetensors"))


def test_records_that_count_no_longer_are_counted(request_of: RequestOf, clip: Clip) -> None:
    request = request_of([clip], ["opus@12kbps"], ["stoi"])
    assert runner.run(request).replaced == 0
    assert runner.run(request).replaced == 0
    turned_in_time(clip.path)
    summary = runner.run(request)
    assert (summary.measured, summary.known, summary.replaced) == (1, 0, 1)
