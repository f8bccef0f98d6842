"""Corpora: folders, globs, official layouts, the demo clips, and what is chosen, drawn and cut of them."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks import audio, corpora, selection
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import InvalidClip, InvalidCorpus, UnknownSuite
from codeczoo.benchmarks.layouts import LAYOUTS, layout


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names_of(corpus: object) -> list[str]:
    return [clip.name for clip in corpus]  # type: ignore[attr-defined]


def test_a_folder_is_listed_in_the_order_of_parts(tmp_path: Path) -> None:
    tree(tmp_path, "b.WAV", "a/2.flac", "a/10.flac", "a.b/x.Mp3", "a.wav", "a.flac", "notes.txt", ".hidden.wav")
    tree(tmp_path, ".cache/x.wav", "a/._2.flac", "a/x.wav.tmp")
    corpus = corpora.folder(tmp_path)
    assert names_of(corpus) == ["a/10.flac", "a/2.flac", "a.b/x.Mp3", "a.flac", "a.wav", "b.WAV"]
    assert len(corpus) == 6
    assert corpus.name == tmp_path.name
    assert [clip.path for clip in corpus] == [tmp_path / name for name in names_of(corpus)]


def test_a_name_that_is_not_utf_8_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"lat\xe9in.wav")
    try:
        soundfile.write(tmp_path / "a.wav", np.zeros(10), 8_000)
        (tmp_path / "a.wav").rename(path)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    for corpus in (corpora.folder(tmp_path), corpora.matching(str(tmp_path / "*.wav")), corpora.single(path)):
        (clip,) = corpus
        assert clip.name == r"lat\xe9in.wav"
        assert clip.path == path
        assert audio.clip_samples(clip)[0].shape == (10,)


def test_listing_does_not_open_audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(soundfile, "SoundFile", refuse)
    assert len(corpora.resolve(str(tree(tmp_path, "a.wav", "b.wav")), where={"path": ["a*"]}, limit=1)) == 1


def test_links_are_followed_once(tmp_path: Path) -> None:
    root, elsewhere = tree(tmp_path / "root", "a/x.wav"), tree(tmp_path / "elsewhere", "y.wav")
    (root / "a" / "loop").symlink_to(root)
    (root / "b").symlink_to(elsewhere)
    (root / "c").symlink_to(elsewhere)
    (root / "d.wav").symlink_to(root / "nowhere.wav")
    (root / "e.wav").symlink_to(root / "a" / "x.wav")
    (root / "f.wav").symlink_to(root / "f.wav")
    assert names_of(corpora.folder(root)) == ["a/x.wav", "b/y.wav", "d.wav", "e.wav", "f.wav"]
    for clip in corpora.folder(root):
        if clip.name in ("d.wav", "f.wav"):
            with pytest.raises(InvalidClip, match=r"does not exist|symbolic links"):
                audio.clip_samples(clip)


def test_files_that_are_not_read_are_counted_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tree(tmp_path, "a.wav", "b.m4a", "c/d.M4A")
    with caplog.at_level(logging.WARNING):
        assert names_of(corpora.folder(tmp_path)) == ["a.wav"]
    assert "2 files below" in caplog.text
    assert "convert" in caplog.text


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("{root}/nowhere", InvalidCorpus, "does not exist"),
        ("{root}/empty", InvalidCorpus, r"holds no audio: no file in it ends in \.wav, \.flac"),
        ("{root}/notes.txt", InvalidCorpus, "neither audio .* nor a manifest"),
        ("{root}/*.ogg", InvalidCorpus, "No audio file .* matches"),
        ("{root}/nowhere/*.wav", InvalidCorpus, "nowhere does not exist"),
        ("{root}/notes.txt/*.wav", InvalidCorpus, "is a file where a folder"),
        ("{root}/missing.csv", InvalidCorpus, "manifest .* does not exist"),
        ("demoo", UnknownSuite, "Nearest: demo"),
        ("qqqq", UnknownSuite, "There are demo, librispeech"),
        ("librispeach:{root}", UnknownSuite, "Nearest: librispeech"),
        ("librispeech", InvalidCorpus, "librispeech:/path/to/LibriSpeech"),
        ("librispeech:", InvalidCorpus, "librispeech:/path/to/LibriSpeech"),
        ("librispeech:{root}/nowhere", InvalidCorpus, "does not exist"),
        ("librispeech:{root}/empty", InvalidCorpus, "no file is named like test-clean/1089"),
    ],
)
def test_a_corpus_that_is_not_there(tmp_path: Path, text: str, error: type[Exception], sentence: str) -> None:
    tree(tmp_path, "a.wav", "notes.txt", "empty/notes.txt")
    with pytest.raises(error, match=sentence):
        corpora.resolve(text.format(root=tmp_path))


def test_globs_name_clips_from_the_last_plain_folder(tmp_path: Path) -> None:
    tree(tmp_path, "p1/clean/a.wav", "p1/noisy/a.wav", "p2/clean/a.wav", "p2/clean/deep/b.flac", "p2/clean/b.txt")
    assert names_of(corpora.resolve(f"{tmp_path}/*/clean/*")) == ["p1/clean/a.wav", "p2/clean/a.wav"]
    assert names_of(corpora.resolve(f"{tmp_path}/p2/**/*.[fw]*")) == ["clean/a.wav", "clean/deep/b.flac"]


def test_a_folder_whose_name_holds_wildcards_is_a_folder(tmp_path: Path) -> None:
    tree(tmp_path / "take [1]", "a.wav")
    assert names_of(corpora.resolve(str(tmp_path / "take [1]"))) == ["a.wav"]


def test_one_file_is_a_corpus(tmp_path: Path) -> None:
    tree(tmp_path, "a.wav")
    assert list(corpora.resolve(str(tmp_path / "a.wav"))) == [Clip("a.wav", tmp_path / "a.wav")]


def test_demo_clips_are_real_speech(demo_audio: Path) -> None:
    corpus = corpora.resolve("demo")
    clips = list(corpus)
    assert (corpus.name, corpus.licence, len(corpus), len(clips)) == ("demo", "MIT", 27, 27)
    assert {clip.label for clip in clips} == {"en", "es", "fr", "hi", "it", "ja", "pl", "pt", "zh"}
    assert {clip.domain for clip in clips} == {"speech"}
    for clip in clips:
        assert clip.path.is_relative_to(demo_audio)
        info = audio.probe(clip.path)
        assert (info.sample_rate, info.channels) == (16_000, 1)


def test_demo_clips_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidCorpus, match=r"pip install 'codeczoo\[demo\]'"):
        corpora.resolve("demo")


LIBRISPEECH = ("dev-other/116/288045/116-288045-0000.flac", "test-clean/1089/134686/1089-134686-0000.flac")
MUSDB = tuple(f"test/A B - C/{part}.wav" for part in ("bass", "drums", "mixture", "other", "vocals"))

OFFICIAL: Mapping[str, tuple[tuple[str, ...], list[tuple[str, str | None, str | None, str | None]]]] = {
    "librispeech": (
        (*LIBRISPEECH, "test-clean/1089/134686/1089-134686.trans.txt", "SPEAKERS.TXT", "test-clean/stray.flac"),
        [(LIBRISPEECH[0], "116", None, "dev-other"), (LIBRISPEECH[1], "1089", None, "test-clean")],
    ),
    "libritts": (
        ("train-clean-100/103/1241/103_1241_000000_000001.wav", "train-clean-100/103/1241/103_1241.trans.tsv"),
        [("train-clean-100/103/1241/103_1241_000000_000001.wav", "103", None, "train-clean-100")],
    ),
    "ljspeech": (("wavs/LJ001-0001.wav", "README"), [("wavs/LJ001-0001.wav", "LJ", None, None)]),
    "vctk": (
        tuple(f"wav48_silence_trimmed/{name}" for name in
              ("p225/p225_001_mic1.flac", "p225/p225_001_mic2.flac", "s5/s5_001_mic1.flac", "log.txt")),
        [("wav48_silence_trimmed/p225/p225_001_mic1.flac", "p225", None, None),
         ("wav48_silence_trimmed/s5/s5_001_mic1.flac", "s5", None, None)],
    ),
    "musdb18hq": (MUSDB, [("test/A B - C/mixture.wav", None, None, "test")]),
    "musdb18hq-stems": (
        MUSDB,
        [(f"test/A B - C/{stem}.wav", None, stem, "test") for stem in ("bass", "drums", "other", "vocals")],
    ),
    "audioset": (
        ("eval/Y-0RWZT-miFs.wav", "eval/--4gqARaEJE_30000_40000.flac", "bal/Yabcdefghij.wav", "notes.wav"),
        [("bal/Yabcdefghij.wav", None, None, "bal"),
         ("eval/--4gqARaEJE_30000_40000.flac", None, "/m/068hy; Pets", "eval"),
         ("eval/Y-0RWZT-miFs.wav", None, "Keys, jangling; Car", "eval")],
    ),
}  # fmt: skip


def official(name: str, root: Path, sample: Path) -> Path:
    """A miniature of a data set, as it is unpacked, with real audio."""
    for file in OFFICIAL[name][0]:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        if Path(file).suffix in (".wav", ".flac"):
            soundfile.write(root / file, *soundfile.read(sample, frames=1600))
        else:
            (root / file).touch()
    if name == "ljspeech":
        (root / "metadata.csv").write_text('LJ001-0001|"Quoted, and | not closed|Quoted\n', encoding="utf-8")
    if name == "audioset":
        (root / "eval_segments.csv").write_text(
            "# Segments csv created Sun Mar  5 10:54:25 2017\n# num_ytids=2\n"
            "# YTID, start_seconds, end_seconds, positive_labels\n"
            '-0RWZT-miFs, 420.000, 430.000, "/m/03v3yw,/m/0k4j"\n'
            '--4gqARaEJE, 30.000, 40.000, "/m/068hy,/m/0pets"\n',
            encoding="utf-8",
        )
        (root / "class_labels_indices.csv").write_text(
            'index,mid,display_name\n0,/m/03v3yw,"Keys, jangling"\n1,/m/0k4j,Car\n2,/m/0pets,Pets\n', encoding="utf-8"
        )
    return root


@pytest.mark.parametrize("name", LAYOUTS)
def test_official_layouts(name: str, tmp_path: Path, demo_audio: Path) -> None:
    expected = OFFICIAL[name][1]
    root = official(name, tmp_path / LAYOUTS[name].folder, demo_audio / "en" / "counting.wav")
    corpus = corpora.resolve(f"{name}:{root}")
    assert [(clip.name, clip.speaker, clip.label, clip.split) for clip in corpus] == expected
    assert (corpus.name, len(corpus)) == (name, len(expected))
    assert corpus.licence
    for clip in corpus:
        assert len(audio.read_mono(clip.path)[0]) == 1600
    assert list(corpora.resolve(f"{name}:{tmp_path}")) == list(corpus), "the folder above is as good"


def test_vctk_0_80(tmp_path: Path) -> None:
    tree(tmp_path, "wav48/p225/p225_001.wav", "txt/p225/p225_001.txt")
    assert [(clip.name, clip.speaker) for clip in layout("vctk", tmp_path)] == [("wav48/p225/p225_001.wav", "p225")]


def test_a_missing_file_of_ljspeech_is_a_clip_that_fails(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("LJ001-0001|a|a\nLJ001-0002|b|b\n", encoding="utf-8")
    assert names_of(layout("ljspeech", tmp_path)) == ["wavs/LJ001-0001.wav", "wavs/LJ001-0002.wav"]


def test_another_table_is_not_ljspeech(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("id|text\n../../secret|a\n", encoding="utf-8")
    with pytest.raises(InvalidCorpus, match=r"does not hold LJSpeech-1\.1"):
        layout("ljspeech", tmp_path)
    (tmp_path / "metadata.csv").write_bytes(b"LJ001-0001|\xff\xff|\n")
    with pytest.raises(InvalidCorpus, match="a table that cannot be read"):
        layout("ljspeech", tmp_path)


def test_splits(tmp_path: Path) -> None:
    tree(tmp_path, *LIBRISPEECH, "dev-clean/1/2/1-2-0000.flac")
    assert names_of(corpora.resolve(f"librispeech:{tmp_path}", split="test-clean")) == [LIBRISPEECH[1]]
    assert len(layout("librispeech", tmp_path, "dev-*")) == 2
    with pytest.raises(InvalidCorpus, match="no split 'test-other'; it has dev-clean, dev-other, test-clean"):
        layout("librispeech", tmp_path, "test-other")


def test_every_named_corpus_is_described() -> None:
    assert [name.partition(":")[0] for name in corpora.descriptions()] == list(corpora.names())
    assert all(len(text) > 30 for text in corpora.descriptions().values())


def test_unknown_layout(tmp_path: Path) -> None:
    with pytest.raises(UnknownSuite, match="there are librispeech, libritts"):
        layout("librivox", tmp_path)


def test_conditions() -> None:
    assert selection.parse_where(["path=a/*=b", " domain = speech", "domain=music"]) == {
        "path": ("a/*=b",), "domain": ("speech", "music"),
    }  # fmt: skip
    for wrong in ("domain", "=speech", "domain="):
        with pytest.raises(InvalidCorpus, match="FIELD=PATTERN"):
            selection.parse_where([wrong])
    row = {"domain": "speech", "label": "en", "speaker": None}
    assert selection.matches(row, {"domain": ["music", "sp*"], "label": ["en"]})
    assert not selection.matches(row, {"domain": ["Speech"]})
    assert not selection.matches(row, {"speaker": ["*"]})
    assert selection.matches(row, {"domain": "speech"})
    assert not selection.matches(row, {"domain": "s"})


def test_choosing_clips(demo_audio: Path) -> None:
    chosen = corpora.resolve("demo", where={"label": ["en", "p?"], "path": ["*/counting.wav", "*/li*"]})
    assert names_of(chosen) == ["en/counting.wav", "pl/liczenie.wav"]
    assert (len(chosen), chosen.licence) == (2, "MIT")
    with pytest.raises(InvalidCorpus, match=r"No clip of demo has label=xx: label is en, es, fr, hi"):
        corpora.resolve("demo", where={"label": ["xx"]})
    with pytest.raises(InvalidCorpus, match=r"chosen by path, name, .*; not by 'language'"):
        corpora.resolve("demo", where={"language": ["en"]})
    with pytest.raises(InvalidCorpus, match="split is nowhere given"):
        corpora.resolve("demo", split="test")


def test_drawn_clips_are_nested_ordered_and_seeded(demo_audio: Path) -> None:
    whole = corpora.demo()
    order = names_of(whole)
    previous: set[str] = set()
    for n in (1, 2, 5, 20, 26):
        drawn = names_of(corpora.resolve("demo", limit=n))
        assert len(drawn) == n
        assert drawn == [name for name in order if name in set(drawn)]
        assert previous < set(drawn)
        previous = set(drawn)
    assert names_of(selection.take(whole, 5)) != names_of(selection.take(whole, 5, seed=1))
    # Written down, so that the draw is the same on every machine and in every version.
    assert names_of(selection.take(whole, 3)) == ["fr/comptage.wav", "pl/liczenie.wav", "pt/contagem.wav"]
    assert selection.take(whole, 27) is whole
    with pytest.raises(InvalidCorpus, match="at least one"):
        selection.take(whole, 0)


def long_corpus(tmp_path: Path, *seconds: float) -> corpora.Corpus:
    for index, length_s in enumerate(seconds):
        samples = np.random.default_rng(index).uniform(-0.5, 0.5, round(length_s * 8_000)).astype(np.float32)
        soundfile.write(tmp_path / f"{index}.wav", samples, 8_000, subtype="FLOAT")
    return corpora.folder(tmp_path)


def test_long_clips_are_cut_into_stretches_that_make_up_the_whole(tmp_path: Path) -> None:
    corpus = long_corpus(tmp_path, 2.0, 4.0, 7.5, 4.1)
    stretches = selection.cut(corpus, 2.0)
    assert names_of(stretches) == [
        "0.wav", "1.wav#0-2", "1.wav#2-4", "2.wav#0-2", "2.wav#2-4", "2.wav#4-6", "2.wav#6-7.5",
        "3.wav#0-2", "3.wav#2-3.05", "3.wav#3.05-4.1",
    ]  # fmt: skip
    assert len(stretches) == 10
    for clip in corpus:
        parts = [audio.clip_samples(part)[0] for part in stretches if part.path == clip.path]
        np.testing.assert_array_equal(np.concatenate(parts), audio.clip_samples(clip)[0])
        assert max(len(part) for part in parts) <= 2.0 * 8_000


def test_stretches_are_cut_further_within_their_bounds(tmp_path: Path) -> None:
    twice = selection.cut(selection.cut(long_corpus(tmp_path, 7.5), 4.0), 2.0)
    assert names_of(twice) == ["0.wav#0-2", "0.wav#2-4", "0.wav#4-6", "0.wav#6-7.5"]
    assert [(clip.start_s, clip.seconds) for clip in twice] == [(0, 2), (2, 2), (4, 2), (6, None)]
    assert names_of(selection.filtered(twice, {"name": ["*#4-*"], "path": ["0.wav"]})) == ["0.wav#4-6"]


def test_a_file_without_a_header_stays_one_clip(tmp_path: Path) -> None:
    long_corpus(tmp_path, 3.0)
    tree(tmp_path, "broken.wav")
    assert names_of(corpora.resolve(str(tmp_path), segment_s=2.0)) == ["0.wav#0-2", "0.wav#2-3", "broken.wav"]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_stretches_have_a_positive_length(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(InvalidCorpus, match="positive"):
        selection.cut(long_corpus(tmp_path, 1.0), seconds)


def test_limit_counts_files_before_they_are_cut(tmp_path: Path) -> None:
    long_corpus(tmp_path, 4.0, 4.0, 4.0)
    assert len(corpora.resolve(str(tmp_path), limit=2, segment_s=2.0)) == 4


def test_the_same_folder_elsewhere_gives_the_same_names(tmp_path: Path) -> None:
    tree(tmp_path / "one" / "clips", "a/x.wav", "b.wav", "c.wav")
    shutil.copytree(tmp_path / "one" / "clips", tmp_path / "two" / "clips")
    one, two = (corpora.resolve(str(tmp_path / at / "clips"), limit=2) for at in ("one", "two"))
    assert (one.name, names_of(one)) == (two.name, names_of(two))
