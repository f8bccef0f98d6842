"""Suites: strict files, and built-in ones that name only what there is."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from codeczoo.benchmarks import suites
from codeczoo.benchmarks.corpora import resolve
from codeczoo.benchmarks.errors import InvalidSuite, UnknownSuite
from codeczoo.codecs import registry as codecs
from codeczoo.metrics import registry as metrics

GOOD = """
name = "mine"
description = "Two codecs."
codecs = ["pcm:16", "opus@*"]
metrics = ["stoi"]
[corpus]
source = "demo"
split = "test"
where = { domain = "speech", path = ["a/*", "b/*"] }
limit = 5
seed = 2
segment_s = 30
[report]
group_by = "domain"
intervals = true
"""


def write(tmp_path: Path, text: str) -> str:
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    return str(tmp_path / "mine.toml")


def test_every_key_is_read(tmp_path: Path) -> None:
    assert suites.load(write(tmp_path, GOOD)) == suites.Suite(
        name="mine",
        description="Two codecs.",
        codecs=("pcm:16", "opus@*"),
        metrics=("stoi",),
        corpus="demo",
        where=(("domain", "speech"), ("path", "a/*"), ("path", "b/*")),
        split="test",
        limit=5,
        seed=2,
        segment_s=30.0,
        group_by="domain",
        intervals=True,
    )


def test_the_shortest_suite(tmp_path: Path) -> None:
    text = 'name = "a"\ndescription = "b"\ncodecs = ["c"]\nmetrics = ["d"]\n'
    assert suites.load(write(tmp_path, text)) == suites.Suite("a", "b", ("c",), ("d",))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name = "mine"', "", "`name` is None; text"),
        ('"mine"', '"a b"', "cannot name a suite"),
        ("metrics =", "metric =", "unknown key `metric`; is `metrics` meant"),
        ("limit", "limits", r"unknown key `corpus\.limits`; is `limit` meant"),
        ("group_by", "x", r"unknown key `report\.x`; there are group_by, intervals"),
        ('["stoi"]', "[]", "a list of names"),
        ('["stoi"]', '"stoi"', "a list of names"),
        ('["stoi"]', '["stoi", "stoi"]', "without repetitions"),
        ('["stoi"]', "[1]", "a list of names"),
        ("limit = 5", "limit = 0", "whole number from 1 on"),
        ("limit = 5", "limit = true", "whole number from 1 on"),
        ("seed = 2", "seed = -1", "whole number from 0 on"),
        ("segment_s = 30", "segment_s = 0", "positive number"),
        ("segment_s = 30", "segment_s = inf", "positive number"),
        ("segment_s = 30", "lengths_s = 3", "`corpus.lengths_s` is 3; a list of numbers"),
        ("segment_s = 30", 'lengths_s = ["3"]', "a list of numbers"),
        ("segment_s = 30", "lengths_s = [true]", "a list of numbers"),
        ("segment_s = 30", "lengths_s = []", "`corpus.lengths_s`: there is none"),
        ("segment_s = 30", "lengths_s = [0, 3]", "0 s is no length"),
        ("segment_s = 30", "lengths_s = [5, 3]", "3 s follows 5 s; lengths rise"),
        ("segment_s = 30", "lengths_s = [3, 3]", "each is named once"),
        ("segment_s = 30", "lengths_s = [3, 10]", "3 s does not fit a whole number of times into 10 s"),
        ("segment_s = 30", "segment_s = 30\nlengths_s = [3]", "exclude each other"),
        ("segment_s = 30", "length_s = [3]", r"unknown key `corpus\.length_s`; is `lengths_s` meant"),
        ("intervals = true", 'intervals = "yes"', "true or false"),
        ('domain = "speech"', "domain = 3", "a pattern or a list of them"),
        ("[report]", "[[report]]", "`report` is .* a table"),
        ('"demo"', "demo", "is not TOML"),
    ],
)
def test_a_wrong_file_gets_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert GOOD.count(old) >= 1
    with pytest.raises(InvalidSuite, match=sentence) as caught:
        suites.load(write(tmp_path, GOOD.replace(old, new, 1)))
    assert "mine.toml" in str(caught.value)


def test_unknown_suites() -> None:
    with pytest.raises(UnknownSuite, match="Nearest: speech"):
        suites.load("speach")
    with pytest.raises(UnknownSuite, match="There are demo, length, music, sound, speech, taae-table2, "):
        suites.load("../qqqq")
    with pytest.raises(UnknownSuite, match="does not exist"):
        suites.load("nowhere/mine.toml")


def test_the_built_in_suites() -> None:
    tables = {
        "wavtokenizer": (1, 3, 5, 6, 7, 8, 9),
        "unicodec": (2, 3, 5, 8, 9),
        "taae": (2, 9, 10, 11),
    }
    of_papers = [f"{paper}-table{number}" for paper in sorted(tables) for number in tables[paper]]
    assert suites.names() == ("demo", "length", "music", "sound", "speech", *of_papers)
    for name in suites.names():
        suite = suites.load(name)
        assert suite.name == name
        assert suite == suites.load(str(files(suites) / f"{name}.toml"))


@pytest.mark.parametrize("name", suites.names())
def test_built_in_suites_name_only_what_there_is(name: str) -> None:
    suite = suites.load(name)
    for pattern in suite.codecs:
        assert codecs.expand(pattern), pattern
    measures = metrics.measures(suite.metrics)
    assert {metric for measure in measures for metric in measure.names} >= set(suite.metrics)


def test_the_length_suite_asks_for_the_lengths_of_the_literature() -> None:
    assert suites.load("length").lengths_s == (3.0, 5.0, 10.0, 30.0, 60.0)
    others = {name for name in suites.names() if suites.load(name).lengths_s is not None} - {"length"}
    assert others == {"unicodec-table8", "taae-table10"}  # these print real-time factors by length


def test_the_demo_suite_needs_no_download(demo_audio: Path) -> None:
    suite = suites.load("demo")
    points = [point for pattern in suite.codecs for point in codecs.expand(pattern)]
    assert 10 <= len(points) <= 12
    assert all(codecs.family(point).weights is None for point in points)
    assert len(resolve(suite.corpus)) == 27
