"""Training clips: folders and manifests to stretches of files, and the split that nobody changes sides in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codeczoo.codecs.errors import InvalidClips
from codeczoo.codecs.training.clips import Clip, check_apart, find, split


def manifest(folder: Path, text: str, name: str = "index.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_gives_its_audio_in_the_order_of_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("b/2.FLAC", "b/10.opus", "a.mp3", "a/z.wav", ".hidden/x.wav", "a/notes.txt", "a/c.m4a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    clips = find(tmp_path, domain="music")
    assert [clip.name for clip in clips] == ["a/z.wav", "a.mp3", "b/10.opus", "b/2.FLAC"]
    assert clips[0] == Clip("a/z.wav", tmp_path / "a" / "z.wav", 0.0, None, "music", None)
    assert "1 files below" in caplog.text


def test_a_manifest_of_shards_is_read_as_it_is(tmp_path: Path) -> None:
    text = "shard,start_s,end_s,dataset,speaker\nx.opus,7.975,18.315,set,libri-1081\nx.opus,0.0,7.875,set,\n"
    first, second = find(manifest(tmp_path, text), domain="speech")
    assert first == Clip(
        "x.opus#7.975-18.315", tmp_path / "x.opus", 7.975, pytest.approx(10.34), "speech", "libri-1081"
    )
    assert (second.start_s, second.seconds, second.speaker) == (0.0, 7.875, None)


@pytest.mark.parametrize(
    ("columns", "values", "start_s", "seconds"),
    [
        ("start_s\tend_s", "1\t3", 1.0, 2.0),
        ("end_s", "3", 0.0, 3.0),
        ("start_s\tduration", "1\t3", 1.0, 3.0),
        ("start_s\tduration_s", "0\t3", 0.0, 3.0),
        ("start_s\tseconds\tend_s", "1\t9\t3", 1.0, 2.0),
        ("start_s\tseconds\tend_s", "1\t9\t", 1.0, 9.0),
        ("duration", "3", 0.0, None),
        ("start_s", "2.5", 2.5, None),
        ("start_s\tend_s", "\t", 0.0, None),
    ],
)
def test_stretches(tmp_path: Path, columns: str, values: str, start_s: float, seconds: float | None) -> None:
    (clip,) = find(manifest(tmp_path, f"path\t{columns}\na.wav\t{values}\n", "index.tsv"))
    assert (clip.start_s, clip.seconds) == (start_s, seconds)


def test_domains_of_rows_win_over_the_given_one(tmp_path: Path) -> None:
    rows = [{"path": "a.wav", "domain": "music"}, {"path": "b.wav", "domain": None}, {"path": "c.wav"}]
    path = manifest(tmp_path, "\n".join(map(json.dumps, rows)), "index.jsonl")
    assert [clip.domain for clip in find(path, domain="sound")] == ["music", "sound", "sound"]
    assert [clip.domain for clip in find(path)] == ["music", None, None]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no rows"),
        ("path,speaker\n", "has no rows"),
        ("file,speaker\na.wav,x\n", r"no column `path` \(or `shard`\).*it has: file, speaker"),
        ("path\n../a.wav\n", "lies outside"),
        ("path\n/etc/a.wav\n", "lies outside"),
        ("path\nx/../../a.wav\n", "lies outside"),
        ("path,start_s\n,1\n", "no usable `path`"),
        ("path,start_s\na.wav,nan\n", "start_s is 'nan'"),
        ("path,end_s\na.wav,-1\n", "end_s is '-1'"),
        ("path,start_s,end_s\na.wav,2,2\n", "from 2 s to 2 s holds nothing"),
        ("path,start_s,seconds\na.wav,2,0\n", "0 seconds holds nothing"),
        ("path,domain\na.wav,talk\n", "domain is 'talk'; it is one of speech, music, sound"),
        ("path\na.wav\nb.wav\n./a.wav\n", "a.wav .* is listed twice"),
        ("path\na.wav,b\n", "more fields"),
        ("path,path\na.wav,b\n", "two columns of one name"),
        ("path\n\xff\n", "not a readable table in UTF-8"),
    ],
)
def test_unusable_manifests_get_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "index.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidClips, match=sentence) as caught:
        find(path)
    assert str(tmp_path) in str(caught.value) or "lies outside" in sentence


def test_a_root_lets_paths_lie_beside_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    path = manifest(tmp_path / "lists", "path\n../audio/a.wav\n")
    (clip,) = find(path, root=tmp_path)
    assert (clip.name, clip.path) == ("audio/a.wav", tmp_path / "audio" / "a.wav")


def test_sources_that_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.docx").touch()
    for sources, sentence in [
        ((), "No training data was named"),
        ((tmp_path / "nowhere",), "does not exist"),
        ((tmp_path / "empty",), "holds no audio"),
        ((tmp_path / "a.docx",), "neither audio .* nor a manifest"),
    ]:
        with pytest.raises(InvalidClips, match=sentence):
            find(*sources)


def test_a_split_that_leaves_nobody_to_validate_on_says_what_to_do() -> None:
    clips = [Clip(f"{n}.wav", Path(f"{n}.wav")) for n in range(3)]
    with pytest.raises(
        InvalidClips, match=r"none of the 3 clips is left for validation; change the share .*--hold-out"
    ):
        split(clips, 1e-9)


def test_nobody_changes_sides_when_the_data_grows() -> None:
    clips = [Clip(f"{n}.wav", Path(f"{n}.wav"), speaker=f"p{n % 200}") for n in range(1000)]
    small_training, small_validation = split(clips[:500], 0.1)
    training, validation = split(list(reversed(clips)), 0.1)
    assert set(small_training) <= set(training)
    assert set(small_validation) <= set(validation)
    assert {clip.speaker for clip in training}.isdisjoint(clip.speaker for clip in validation)
    assert len(training) + len(validation) == 1000
    assert 10 <= len({clip.speaker for clip in validation}) <= 32  # of 200: 20 expected, within 3 sigma
    by_clip = split(clips, 0.1, by="clip")[1]
    assert 70 <= len(by_clip) <= 130
    assert len({clip.speaker for clip in by_clip}) > 60


def test_a_smaller_share_is_a_part_of_a_larger_one() -> None:
    clips = [Clip(f"{n}.wav", Path(f"{n}.wav")) for n in range(300)]
    assert set(split(clips, 0.05)[1]) < set(split(clips, 0.2)[1])


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_shares_lie_between_nothing_and_all(share: float) -> None:
    with pytest.raises(InvalidClips, match="between 0 and 1"):
        split([Clip("a", Path("a"))], share)


def test_a_side_without_clips_is_an_error() -> None:
    with pytest.raises(InvalidClips, match="none of the 2 clips is left for"):
        split([Clip("a", Path("a"), speaker="x"), Clip("b", Path("b"), speaker="x")], 0.5)


def test_stretches_of_a_file_stay_on_one_side_where_no_speaker_is_known() -> None:
    clips = [
        Clip(f"{file}.flac#{at}-{at + 5}", Path(f"{file}.flac"), float(at), 5.0)
        for file in range(60)
        for at in range(0, 20, 5)
    ]
    training, validation = split(clips, 0.2)
    assert {clip.path for clip in training}.isdisjoint(clip.path for clip in validation)
    assert len(training) + len(validation) == len(clips)
    by_clip = split(clips, 0.2, by="clip")
    assert not {clip.path for clip in by_clip[0]}.isdisjoint(clip.path for clip in by_clip[1])


@pytest.mark.parametrize(
    ("start_s", "seconds", "apart"),
    [(0.0, 2.0, True), (0.0, 2.5, False), (4.0, None, True), (3.5, None, False), (0.0, None, False), (2.5, 0.5, False)],
)
def test_what_is_validated_on_is_not_trained_on(
    tmp_path: Path, start_s: float, seconds: float | None, apart: bool
) -> None:
    """By the file, whatever it is called, and by the stretch of it."""
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").symlink_to("a.wav")
    held_out = [Clip("a.wav#2-4", tmp_path / "a.wav", 2.0, 2.0), Clip("gone.wav", tmp_path / "gone.wav")]
    training = [Clip("other.wav", tmp_path / "other.wav"), Clip("b.wav", tmp_path / "b.wav", start_s, seconds)]
    if apart:
        check_apart(training, held_out)
    else:
        with pytest.raises(InvalidClips, match=r"a\.wav#2-4 is to be validated on, and b\.wav, which is trained on"):
            check_apart(training, held_out)
