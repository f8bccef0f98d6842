"""Help and lists: what is there, with its facts, and the nearest name where one is misspelt."""

from __future__ import annotations

import json

import pytest

from codeczoo import codecs, metrics
from codeczoo.benchmarks import corpora, suites
from codeczoo.benchmarks.cli import main

from .conftest import Run

VERBS = (
    *("list", "info", "bench", "score", "report", "compare", "check", "tokens", "probe", "encode", "decode", "fetch"),
    *("convert", "train", "doctor", "published", "listen"),
)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_teaches(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert f"codeczoo {verb} " in text.partition("examples:")[2]
    assert "None" not in text


def test_without_a_verb_the_help_is_shown_and_the_status_is_2(codeczoo: Run) -> None:
    status, out, _ = codeczoo()
    assert status == 2
    assert all(f"\n    {verb} " in out for verb in VERBS)


def test_codecs_are_listed_a_family_a_line_and_in_full_for_programs(codeczoo: Run) -> None:
    status, out, _ = codeczoo("list")
    lines = out.partition("\n\n")[0].splitlines()[1:]
    assert status == 0
    assert tuple(line.split()[0] for line in lines) == codecs.families()
    assert max(map(len, lines)) <= 140
    mimi = next(line for line in lines if line.startswith("mimi:24khz"))
    assert "0.138 to 4.4" in mimi
    assert "1q 2q ... 32q (32)" in mimi
    assert mimi.endswith("needs weights")
    rates = codeczoo("list", "--rates")[1].splitlines()[1:]
    assert tuple(line.split()[0] for line in rates) == codecs.names()
    found = json.loads(codeczoo("list", "codecs", "--json")[1])
    assert tuple(row["codec"] for row in found) == codecs.names()
    (row,) = [row for row in found if row["codec"] == "mimi:24khz@8q"]
    assert row["codebook_sizes"] == [2048] * 8
    assert row["kbps"] == pytest.approx(1.1)
    assert row["tokens_per_second"] == 100
    assert (row["runs_here"], row["missing"]) == (False, "weights: codeczoo fetch mimi:24khz")


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("metrics", metrics.names()),
        ("suites", suites.names()),
        ("corpora", tuple(corpora.descriptions())),
    ],
)
def test_the_other_lists_are_complete(codeczoo: Run, what: str, names: tuple[str, ...]) -> None:
    rows = json.loads(codeczoo("list", what, "--json")[1])
    assert tuple(row[what.removesuffix("s").replace("corpora", "corpus")] for row in rows) == names
    text = codeczoo("list", what)[1]
    assert max(map(len, text.splitlines())) <= 120
    assert [line.split()[0] for line in text.splitlines()[1:] if not line.startswith(" ")] == list(names)


@pytest.mark.parametrize("name", [*codecs.families(), *metrics.names(), *suites.names(), "mimi:24khz@8q", "opus@6kbps"])
def test_everything_has_facts_in_words_and_json(codeczoo: Run, name: str) -> None:
    status, out, _ = codeczoo("info", name)
    assert status == 0
    assert out.splitlines()[0].split()[1] == name
    assert name in json.loads(codeczoo("info", name, "--json")[1]).values()


def test_facts_of_a_family_are_those_of_all_its_rates(codeczoo: Run) -> None:
    facts = json.loads(codeczoo("info", "codec2", "--json")[1])
    assert "notes" not in facts, "the notes of codec2 differ from rate to rate"
    assert (facts["kbps"], facts["sample_rate"]) == ("0.7 to 3.2", 8000)
    assert [point["codec"] for point in facts["operating_points"]] == list(codecs.expand("codec2@*"))
    facts = json.loads(codeczoo("info", "dac:44khz@9q", "--json")[1])
    assert facts["kbps"] == pytest.approx(9 * 10 * 44100 / 512 / 1000)
    assert facts["weights_licence"] == "MIT"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pesq", "There is no metric named 'pesq'. Nearest: pesq_wb, pesq_nb"),
        ("demmo", "There is no suite named 'demmo'. Nearest: demo."),
        ("opsu", "There is no codec named 'opsu'. Nearest: opus."),
        ("mini", "There is no codec named 'mini'. Nearest: mimi:24khz."),
        ("opus@13kbps", "opus has no rate '13kbps'; it has: opus@6kbps, opus@8kbps"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(codeczoo: Run, name: str, sentence: str) -> None:
    status, out, err = codeczoo("info", name)
    assert (status, out) == (2, "")
    assert err.startswith(f"codeczoo: {sentence}")
    assert err.count("\n") == 1
