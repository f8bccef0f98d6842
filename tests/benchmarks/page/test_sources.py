"""The audio of records: it is what was measured, or the reason why it is not to be had."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo import codecs
from codeczoo.benchmarks import records
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.listing import ListedCorpus
from codeczoo.benchmarks.page.sources import NotHeard, RunAudio, RunSource, comparable, owners_of
from codeczoo.codecs import resampling


@pytest.fixture
def known(run_folder: Path) -> list[records.Record]:
    return records.load(run_folder)


def audio_of(source: RunSource, known: list[records.Record], spool: Path) -> RunAudio:
    audio = RunAudio(owners_of([(source, known)]), spool)
    audio.prepare(known)
    return audio


def one(known: list[records.Record], codec: str) -> records.Record:
    return next(record for record in known if record["codec"] == codec)


def test_kept_tokens_are_decoded_and_score_as_the_record_says(run_folder, corpus, known, tmp_path) -> None:
    record = one(known, "g726@16kbps")
    audio = audio_of(RunSource(run_folder, (corpus,), codecs.load), known, tmp_path)
    reference = audio.reference(record)
    version = audio.version(record, reference)
    assert version.how == "decoded from the tokens that the run kept"
    assert version.checked == "si_sdr_aligned and mel_distance came out again as in the record"
    codec = codecs.load("g726@16kbps")
    import torch

    mono = resampling.resample(reference.audio, reference.sample_rate_hz, codec.spec.sample_rate)
    decoded = codec.decode(codec.encode(torch.from_numpy(mono)[None, None]))[0, 0].numpy()
    expected = resampling.resample(decoded, codec.spec.decoded_sample_rate, reference.sample_rate_hz)
    np.testing.assert_array_equal(version.audio, expected[: len(reference.audio)])


def test_without_tokens_the_clip_is_coded_again_to_the_same(run_folder, corpus, known, tmp_path) -> None:
    record = one(known, "opus@12kbps")
    kept = audio_of(RunSource(run_folder, (corpus,), codecs.load), known, tmp_path)
    anew = audio_of(RunSource(tmp_path / "nothing", (corpus,), codecs.load), known, tmp_path)
    reference = anew.reference(record)
    version = anew.version(record, reference)
    assert version.how == "coded again by the version that was measured"
    np.testing.assert_array_equal(version.audio, kept.version(record, reference).audio)


def test_another_version_of_a_codec_is_heard_only_where_scores_agree(run_folder, corpus, known, tmp_path) -> None:
    record = {**one(known, "opus@12kbps"), "codec_fingerprint": "another"}
    audio = audio_of(RunSource(run_folder, (corpus,), codecs.load), [record], tmp_path)
    assert audio.version(record, audio.reference(record)).how == "coded again by another version of the codec"
    unscored = {**record, "scores": {}}
    with pytest.raises(NotHeard, match="another version, and the record has no score"):
        audio.version(unscored, audio.reference(record))


def test_another_output_is_never_heard_under_the_name_of_this_one(run_folder, corpus, known, tmp_path) -> None:
    record = one(known, "g722@64kbps")
    audio = audio_of(
        RunSource(tmp_path, (corpus,), lambda name: codecs.load("g726@16kbps")),
        known,
        tmp_path,
    )
    reference = audio.reference(record)
    with pytest.raises(NotHeard, match=r"it now takes \d+ bits where the record says \d+"):
        audio.version(record, reference)
    scored = {**record, "bits": {}, "scores": {"si_sdr_aligned": record["scores"]["si_sdr_aligned"] + 0.2}}
    honest = audio_of(RunSource(run_folder, (corpus,), codecs.load), known, tmp_path)
    with pytest.raises(NotHeard, match="now scores si_sdr_aligned"):
        honest.version(scored, reference)


def test_scores_under_another_definition_are_not_held_against(known) -> None:
    record = one(known, "opus@12kbps")
    assert comparable(record)[:2] == ("si_sdr_aligned", "mel_distance")
    other = {**record, "identities": dict.fromkeys(record["identities"], "another")}
    assert comparable(other) == ()


def test_a_changed_or_missing_clip_is_not_heard(run_folder, corpus, known, tmp_path) -> None:
    record = one(known, "opus@12kbps")
    clip = next(clip for clip in corpus if clip.name == record["clip"])
    samples, rate_hz = soundfile.read(clip.path)
    soundfile.write(tmp_path / "other.wav", samples[:-1], rate_hz)
    changed = ListedCorpus("demo", lambda: iter([replace(clip, path=tmp_path / "other.wav")]), 1)
    audio = audio_of(RunSource(run_folder, (changed,), codecs.load), known, tmp_path)
    with pytest.raises(NotHeard, match="has changed since it was measured"):
        audio.reference(record)
    gone = ListedCorpus("demo", lambda: iter([Clip(record["clip"], tmp_path / "gone.wav")]), 1)
    with pytest.raises(NotHeard, match=r"gone\.wav does not exist"):
        audio_of(RunSource(run_folder, (gone,), codecs.load), known, tmp_path).reference(record)
    with pytest.raises(NotHeard, match="no longer has this clip"):
        audio_of(RunSource(run_folder, (), codecs.load), known, tmp_path).reference(record)
    with pytest.raises(NotHeard, match="name the clips"):
        audio_of(RunSource(run_folder, (), codecs.load, "name the clips"), known, tmp_path).reference(record)


def test_of_two_clips_of_one_name_the_content_tells_which(run_folder, corpus, known, tmp_path) -> None:
    record = one(known, "opus@12kbps")
    other = next(clip for clip in corpus if clip.name != record["clip"])
    namesake = ListedCorpus("other", lambda: iter([replace(other, name=record["clip"])]), 1)
    audio = audio_of(RunSource(run_folder, (namesake, corpus), codecs.load), known, tmp_path)
    assert audio.reference(record).clip in list(corpus)


def test_what_failed_then_or_cannot_be_loaded_now_says_so(run_folder, corpus, known, tmp_path) -> None:
    record = one(known, "opus@12kbps")
    audio = audio_of(RunSource(run_folder, (corpus,), codecs.load), known, tmp_path)
    reference = audio.reference(record)
    with pytest.raises(NotHeard, match="decode failed when it was measured: out of luck"):
        audio.version({**record, "failed": {"decode": "out of luck"}}, reference)
    unknown = {**record, "codec": "nocodec@1kbps"}
    strange = audio_of(RunSource(run_folder, (corpus,), codecs.load), [unknown], tmp_path)
    with pytest.raises(NotHeard, match="nocodec"):
        strange.version(unknown, reference)


def test_damaged_tokens_are_not_used(run_folder, corpus, known, tmp_path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(run_folder, copied)
    for path in (copied / "tokens").rglob("*.safetensors"):
        path.write_bytes(b"torn")
    record = one(known, "opus@12kbps")
    audio = audio_of(RunSource(copied, (corpus,), codecs.load), known, tmp_path)
    assert audio.version(record, audio.reference(record)).how == "coded again by the version that was measured"
