"""Manifests: three formats of one table, strict columns, no way out of their folder, no row held."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from codeczoo.benchmarks import corpora
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import InvalidCorpus
from codeczoo.benchmarks.manifest import manifest
from codeczoo.benchmarks.selection import parse_where

ROWS = [
    {"path": "speech/a.flac", "domain": "speech", "speaker": "p225", "role": "ref"},
    {"path": "music/b, live.flac", "domain": "music", "start_s": "30", "seconds": "10", "label": "rock"},
    {"path": "music/b, live.flac", "domain": "music", "start_s": "40", "role": "deg", "name": "finale"},
    {"path": "c.wav", "seconds": "1.5", "dataset": "own", "split": "test"},
]
COLUMNS = ("path", "domain", "dataset", "speaker", "label", "split", "start_s", "seconds", "name", "role")


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    if path.suffix == ".jsonl":
        lines = [
            json.dumps({k: float(v) if k in ("start_s", "seconds") else v for k, v in row.items()}) for row in rows
        ]
    else:
        mark = "," if path.suffix == ".csv" else "\t"
        cells = [[row.get(column, "") for column in COLUMNS] for row in rows]
        lines = [mark.join(f'"{cell}"' if mark in cell else cell for cell in line) for line in (COLUMNS, *cells)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_three_formats_give_the_same_clips(tmp_path: Path, suffix: str) -> None:
    corpus = manifest(write(tmp_path / f"clips.{suffix}", ROWS))
    live = tmp_path / "music" / "b, live.flac"
    assert (corpus.name, len(corpus)) == ("clips", 4)
    assert list(corpus) == [
        Clip("speech/a.flac", tmp_path / "speech" / "a.flac", domain="speech", speaker="p225"),
        Clip("music/b, live.flac#30-40", live, 30.0, 10.0, domain="music", label="rock"),
        Clip("finale", live, 40.0, None, domain="music"),
        Clip("c.wav", tmp_path / "c.wav", dataset="own", split="test"),
    ]
    assert list(corpus) == list(corpus), "a corpus can be iterated again"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_rows_are_chosen_by_any_column(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"clips.{suffix}", ROWS)
    chosen = corpora.resolve(str(path), where=parse_where(["path=music/*", "role=deg", "role=ref"]))
    assert [clip.name for clip in chosen] == ["finale"]
    assert [clip.name for clip in corpora.resolve(str(path), split="test")] == ["c.wav"]
    with pytest.raises(InvalidCorpus, match=r"has domain=sp: domain is music, speech\."):
        manifest(path, where={"domain": ["sp"]})


def test_a_column_to_choose_by_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidCorpus, match="no column 'rôle'; it has dataset, domain"):
        manifest(write(tmp_path / "clips.csv", ROWS), where={"rôle": ["ref"]})


def test_a_file_called_manifest_is_named_for_its_folder(tmp_path: Path) -> None:
    (tmp_path / "ears").mkdir()
    assert manifest(write(tmp_path / "ears" / "manifest.csv", ROWS)).name == "ears"


def test_a_byte_order_mark_and_other_line_ends_are_harmless(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfpath, label\r\na.wav, x\r\n")
    assert [(clip.name, clip.label) for clip in manifest(tmp_path / "a.csv")] == [("a.wav", "x")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no rows"),
        ("path\n", "has no rows"),
        ("file,label\na.wav,x\n", r"no column `path`.*its columns: file, label"),
        ("path,start\na.wav,3\n", "column 'start'; if `start_s` is meant"),
        ("path,Speaker\na.wav,x\n", "column 'Speaker'; if `speaker` is meant"),
        ("path,path\na.wav,b.wav\n", "two columns of one name"),
        ("path,label\na.wav,x,y\n", ":2 has more fields"),
        ("path,label\n,x\n", ":2 has no usable `path`"),
        ("path\na\0.wav\n", "no usable `path`|not a readable table"),
        ('path\n"a.wav\n', "not a readable table"),
        ("path,start_s\na.wav,soon\n", ":2: start_s is 'soon'"),
        ("path,start_s\na.wav,-1\n", "start_s is '-1'"),
        ("path,start_s,seconds\na.wav,0,nan\n", "seconds is 'nan'"),
        ("path,start_s,seconds\na.wav,0,0\n", "0 seconds holds nothing"),
        ("path\n../a.wav\n", r":2: \.\./a\.wav lies outside"),
        ("path\nx/../../a.wav\n", "lies outside"),
        ("path\n/etc/passwd\n", "/etc/passwd lies outside"),
        ("path\n.\n", "lies outside"),
        ("path,name\na.wav,../a\n", "cannot name a clip"),
        ("path,name\na.wav,/a\n", "cannot name a clip"),
        ("path\na.wav\nb.wav\nx/../a.wav\n", r"lines 2 and 4 are both named a\.wav"),
        ("path,name\na.wav,\nb.wav,a.wav\n", r"lines 2 and 3 are both named a\.wav"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "clips.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidCorpus, match=sentence):
        manifest(tmp_path / "clips.csv")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"path": "a.wav"}\n{"path": \n', ":2 is not JSON"),
        ('["a.wav"]\n', ":1 is not a JSON object"),
        ('{"path": ["a.wav"]}\n', "path is .* text or a number"),
        ('{"path": "a.wav", "speaker": {"id": 1}}\n', "speaker is .* text or a number"),
        ('{"path": null}\n', "no usable `path`"),
        ('{"audio": "a.wav"}\n', "no column `path`"),
        ('{"path": "a.wav"}\n\n{"path": "b.wav", "second": 1}\n', "if `seconds` is meant"),
        ('{"path": "a.wav"}\n{"path": "a.wav"}\n', "lines 1 and 2"),
    ],
)
def test_json_lines_that_cannot_be_used(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "clips.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidCorpus, match=sentence):
        manifest(tmp_path / "clips.jsonl")


def test_what_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"path\n\xff\xfe.wav\n")
    for path, sentence in (("a.csv", "UTF-8"), ("b.csv", "does not exist"), ("b.xlsx", "end in .csv, .tsv, .jsonl")):
        with pytest.raises(InvalidCorpus, match=sentence):
            manifest(tmp_path / path)


def test_paths_may_lie_below_a_root_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    table = tmp_path / "lists" / "clips.csv"
    table.write_text(f"path\n../audio/a.wav\n{tmp_path}/audio/b.wav\nc.wav\n", encoding="utf-8")
    with pytest.raises(InvalidCorpus, match="lies outside"):
        manifest(table)
    clips = list(manifest(table, root=tmp_path))
    assert [clip.name for clip in clips] == ["audio/a.wav", "audio/b.wav", "lists/c.wav"]
    assert [clip.path for clip in clips] == [tmp_path / clip.name for clip in clips]


def test_an_absolute_path_below_the_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text(f"path\n{tmp_path}/a.wav\n", encoding="utf-8")
    assert [clip.name for clip in manifest(tmp_path / "clips.csv")] == ["a.wav"]


def test_no_row_is_held(tmp_path: Path) -> None:
    def held() -> int:
        # Other tests of this process may keep clips of their own.
        return sum(type(thing) is Clip and thing.path.parent == tmp_path for thing in gc.get_objects())

    lines = [f"{index:04d}.flac,p{index % 100}" for index in range(2_000)]
    (tmp_path / "clips.csv").write_text("\n".join(["path,speaker", *lines, ""]), encoding="utf-8")
    corpus = manifest(tmp_path / "clips.csv")
    assert (len(corpus), held()) == (2_000, 0)
    assert [held() for index, _ in enumerate(corpus) if index % 1_000 == 999] == [1, 1]


def test_the_shared_manifest_is_usable_as_it_is(shared: Path) -> None:
    path = shared / "audio" / "manifest.csv"
    assert len(manifest(path)) == len(path.read_text(encoding="utf-8").splitlines()) - 1
    speech = corpora.resolve(str(path), where=parse_where(["path=speech/*", "domain=speech"]))
    assert speech.name == "audio"
    assert {clip.name.partition("/")[0] for clip in speech} == {"speech"}
    assert all(clip.path.is_file() and clip.seconds is None and clip.dataset for clip in speech)
