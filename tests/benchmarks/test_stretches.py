"""Whole clips and their pieces: never in one mean unsaid, and pieces of one file are no independent observations."""

from __future__ import annotations

import json
import logging
import math
import random
from pathlib import Path

import pytest
import soundfile

from codeczoo.benchmarks import records
from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.comparison import compare_points
from codeczoo.benchmarks.report.notes import section_notes
from codeczoo.benchmarks.report.summary import summarise
from codeczoo.benchmarks.statistics.sample import File, clusters_of, counted, drawn_as
from codeczoo.benchmarks.stretches import Overlaps, overlapping
from codeczoo.codecs.clip_names import stretch_name, stretch_of

from .synthetic import FACTS, record


def of(clip: str, codec: str = "opus@12kbps", score: float = 0.5, **fields: object) -> records.Record:
    sha256 = fields.pop("clip_sha256", f"sha256 of {clip}")
    return {**record(codec, clip, {"stoi": score}), "speaker": None, "clip_sha256": sha256, **fields}


def piece_of(passage: str, length_s: float, offset_s: float) -> records.Record:
    piece = {"passage": passage, "length_s": length_s, "offset_s": offset_s, "parts": []}
    return of(f"{passage}@{length_s:g}s-{offset_s:g}", piece=piece)


@pytest.mark.parametrize(
    ("name", "stretch"),
    [
        ("a/b.flac", ("a/b.flac", 0.0, math.inf)),
        ("a.flac#120-240", ("a.flac", 120.0, 240.0)),
        ("a.flac#2.25-3.051", ("a.flac", 2.25, 3.051)),
        ("a.flac#240-", ("a.flac", 240.0, math.inf)),
        ("a#1-2.wav", ("a#1-2.wav", 0.0, math.inf)),
        ("a#1-2.wav#0-1", ("a#1-2.wav", 0.0, 1.0)),
        ("a#b", ("a#b", 0.0, math.inf)),
    ],
)
def test_a_name_says_which_stretch_it_is(name: str, stretch: tuple[str, float, float]) -> None:
    assert stretch_of(name) == stretch
    file, start_s, end_s = stretch
    if file != name:
        assert stretch_name(file, start_s, None if end_s == math.inf else end_s) == name


@pytest.mark.parametrize(
    ("clips", "expected"),
    [
        (["a.wav", "b.wav"], (0, 0)),
        (["a.wav#0-2", "a.wav#2-4", "a.wav#4-", "b.wav#1-3"], (0, 0)),
        (["a.wav#0-2", "a.wav#1.999-4"], (0, 0)),
        (["a.wav#0-2", "a.wav#1.99-4"], (2, 1)),
        (["a.wav", "a.wav#0-2", "a.wav#2-3", "b.wav", "c.wav#0-1"], (3, 1)),
        (["a.wav#0-9", "a.wav#1-2", "a.wav#3-4", "a.wav#9-10", "b.wav#0-", "b.wav"], (5, 2)),
        (["a.wav#0-3", "a.wav#1-5", "a.wav#2-4"], (3, 1)),
    ],
)
def test_overlapping_clips_are_counted(clips: list[str], expected: tuple[int, int]) -> None:
    assert overlapping(map(of, clips)) == expected
    random.Random(0).shuffle(clips)
    assert overlapping(map(of, clips)) == expected
    assert overlapping([of(clip, scores={}) for clip in clips]) == Overlaps(0, 0)


def test_pieces_of_one_length_share_nothing_and_of_two_lengths_everything() -> None:
    short = [piece_of("p", 3.0, 0.0), piece_of("p", 3.0, 3.0)]
    assert overlapping(short) == (0, 0)
    assert overlapping([*short, piece_of("p", 6.0, 0.0), piece_of("q", 6.0, 0.0)]) == (3, 1)


def test_stretches_of_one_file_are_one_draw_unless_the_speaker_is_known() -> None:
    cut = [of("a.wav#0-2"), of("a.wav#2-4"), of("b.wav#0-2"), of("c.wav"), of("c.wav", corpus="other")]
    clusters = clusters_of(
        [*cut, of("d.wav#0-2", speaker="p1", dataset="set"), of("e.wav", speaker="p1", dataset="set")]
    )
    assert clusters[0] == clusters[1] == File("demo", "a.wav")
    assert clusters[3] == clusters[4]  # one content
    assert len(set(clusters)) == 4
    assert clusters[-1] == clusters[-2] == ("set", "p1")
    assert (drawn_as(clusters[:5]), drawn_as(clusters)) == ("file", "speaker or file")
    assert (counted(1, "file"), counted(3, "speaker or file")) == ("1 file", "3 speakers or files")


def test_stretches_of_files_with_one_content_are_one_draw() -> None:
    twins = [of(f"{file}.wav#{at}", clip_sha256=at) for file in "abc" for at in ("0-2", "2-4")]
    assert len(set(clusters_of(twins))) == 1
    chain = [of("b.wav#0-1", clip_sha256="x"), of("c.wav#0-1", clip_sha256="x"), of("c.wav#1-2", clip_sha256="y")]
    assert len(set(clusters_of([*chain, of("a.wav#1-2", clip_sha256="y"), of("d.wav#1-2", clip_sha256="z")]))) == 2


def mixed() -> list[records.Record]:
    names = [name for file in "abcd" for name in (f"{file}.wav", *(f"{file}.wav#{at}-{at + 2}" for at in (0, 2, 4)))]
    rng = random.Random(1)
    return [
        of(name, codec, better + rng.uniform(0.0, 0.01), dataset=None)
        for codec, better in (("opus@12kbps", 0.5), ("opus@6kbps", 0.4))
        for name in names
    ]


def test_four_files_in_sixteen_overlapping_clips_are_four_observations() -> None:
    (found,) = compare_points(mixed(), "opus@12kbps", "opus@6kbps", facts=FACTS)
    assert (found.n_clips, found.n_clusters, found.p) == (16, 4, 2 / 2**4)
    assert "16 clips of 4 files" in found.sentence()
    (group,) = summarise(mixed(), facts=FACTS, resamples=200).groups
    assert group.rows[0].overlaps == Overlaps(16, 4)
    notes = section_notes(group, list(FACTS.values()))
    assert notes[0].startswith("`opus@12kbps`, `opus@6kbps`: 16 of the clips are overlapping stretches of 4 files, ")
    assert any("No two codecs can be told apart with 16 clips of 4 files" in note for note in notes)
    whole = [each for each in mixed() if "#" not in each["clip"]]
    (group,) = summarise(whole, facts=FACTS, resamples=200).groups
    assert not any("overlapping" in note for note in section_notes(group, list(FACTS.values())))


def test_compare_says_that_clips_overlap(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {name: tmp_path / f"{name}.jsonl" for name in ("whole", "cut")}
    for name, path in paths.items():
        own = [each for each in mixed() if ("#" in each["clip"]) == (name == "cut")]
        path.write_text("".join(json.dumps(each) + "\n" for each in own))
    points = ["opus@12kbps", "opus@6kbps"]
    with caplog.at_level(logging.WARNING):
        assert main(["compare", str(paths["cut"]), *points]) == 0
        assert "12 clips of 4 files" in capsys.readouterr().out
        assert caplog.messages == []
        assert main(["compare", str(paths["whole"]), *points, "--also", str(paths["cut"])]) == 0
    (said,) = caplog.messages
    lengths = tmp_path / "lengths.jsonl"
    pieces = [piece_of(name, length_s, 0.0) for name in "pqr" for length_s in (3.0, 6.0)]
    own = [{**each, "codec": codec} for codec in points for each in pieces]
    lengths.write_text("".join(json.dumps(each) + "\n" for each in own))
    assert main(["compare", str(lengths), *points]) == 0
    assert "6 of the clips are pieces of several lengths of 3 passages" in caplog.messages[-1]
    assert "16 of the clips are overlapping stretches of 4 files, whose audio counts more than once" in said


def test_a_run_folder_takes_whole_clips_or_their_stretches(
    tmp_path: Path, demo_audio: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    samples, rate = soundfile.read(demo_audio / "en" / "counting.wav")
    Path("clips").mkdir()
    for name in "ab":
        soundfile.write(f"clips/{name}.wav", samples[: round(1.4 * rate)], rate)
    soundfile.write("clips/short.wav", samples[: rate // 2], rate)

    def bench(out: str, *more: str, codec: str = "opus@12kbps") -> tuple[int, str]:
        command = ["bench", "--codecs", codec, "--metrics", "si_sdr", "--corpus", "clips", "--workers", "0"]
        status = main([*command, "--no-report", "--out", out, *more])
        return status, capsys.readouterr().err

    for out, first, second, said in (
        ("whole", (), ("--segment-s", "0.7"), "scores of opus@12kbps on a.wav, and a.wav#0-0.7 is to be measured"),
        ("cut", ("--segment-s", "0.7"), (), "on a.wav#0-0.7, and a.wav is to be measured"),
    ):
        assert bench(out, *first)[0] == 0
        before = {path.name: path.read_bytes() for path in Path(out).iterdir() if path.is_file()}
        status, err = bench(out, *second)
        assert status == 2
        assert "count audio twice. Name another folder with --out" in err
        assert said in err or said.replace("a.wav#0-0.7, and", "a.wav#0.7-1.4, and") in err
        assert {path.name: path.read_bytes() for path in Path(out).iterdir() if path.is_file()} == before
        status, err = bench(out, *first)  # the same command continues
        assert status == 0
        assert "0 measured now" in err
    status, err = bench("cut", "--segment-s", "0.6")
    assert status == 2
    # Another codec is in means of its own.
    assert bench("cut", codec="opus@6kbps")[0] == 0
