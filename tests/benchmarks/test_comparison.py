"""Comparisons in sentences, on synthetic records of known differences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.comparison import compare_families, compare_points, rank
from codeczoo.benchmarks.errors import BenchmarkError, InvalidRun


@pytest.fixture
def pair_of(made):
    """Makes records of a and b: STOI of a higher by `gap` on average over 20 speakers of two clips."""

    def make(gap=0.05, noise=0.01, seed=0):
        rng = np.random.default_rng(seed)
        found = []
        for clip in range(40):
            level = rng.uniform(0.6, 0.8)
            for codec, value in (("a@1kbps", level + gap + noise * rng.normal()), ("b@2kbps", level)):
                found.append(made.record(codec, f"{clip:02}", {"stoi": float(value)}, speaker=f"p{clip // 2}"))
        return found

    return make


def test_a_difference_in_one_sentence(made, pair_of):
    (found,) = compare_points(pair_of(), "b@2kbps", "a@1kbps", facts=made.facts)
    assert found.apart
    assert found.difference == pytest.approx(-0.05, abs=0.005)
    low, high = found.interval
    assert low < found.difference < high < 0
    said = found.sentence()
    assert said.startswith("STOI: a@1kbps is better than b@2kbps by 0.0")
    assert "on 40 clips of 20 speakers; 12 clips of 6 speakers would have been enough." in said


def test_no_difference_in_one_sentence(made, pair_of):
    (found,) = compare_points(pair_of(gap=0.002, noise=0.03), "a@1kbps", "b@2kbps", facts=made.facts)
    assert not found.apart
    clips, speakers = found.needed
    assert clips == 2 * speakers > 40
    assert "cannot be told apart on 40 clips of 20 speakers" in found.sentence()
    assert found.sentence().endswith(
        f"{clips} clips of {speakers} speakers would be needed to see a difference of this size."
    )
    (same,) = compare_points(pair_of(gap=0.0, noise=0.0), "a@1kbps", "b@2kbps", facts=made.facts)
    assert "have the same mean on 40 clips" in same.sentence()


def test_clips_that_are_left_out_are_counted(made, pair_of):
    """A codec that fails on hard clips must not look as if it had been tried on all."""
    records = pair_of()
    for record in records:
        if record["codec"] == "a@1kbps" and record["clip"] < "05":
            record["scores"], record["failed"] = {}, {"decode": "out of memory"}
    (found,) = compare_points(records, "b@2kbps", "a@1kbps", facts=made.facts)
    assert (found.n_clips, found.left_out) == (35, 5)
    assert "on 35 clips of 18 speakers, without 5 on which not all have a value" in found.sentence()
    third = [{**record, "codec": "c@3kbps"} for record in records if record["codec"] == "b@2kbps"]
    (ranking,) = rank([*records, *third], ["a@1kbps", "b@2kbps", "c@3kbps"], facts=made.facts)
    assert "on 35 clips of 18 speakers, without 5 on which not all have a value: " in ranking.sentence()
    of = {"a@1kbps": "f@1kbps", "b@2kbps": "f@2kbps", "c@3kbps": "g@1kbps"}
    named = [{**record, "codec": of[record["codec"]]} for record in [*records, *third]]
    second = [
        {**record, "codec": "g@2kbps", "bits": {"packed": 2 * record["bits"]["packed"]}}
        for record in named
        if record["codec"] == "g@1kbps"
    ]
    for record in named:
        if record["codec"] == "f@2kbps":
            record["bits"] = {"packed": 2 * record["bits"]["packed"]}
    (families,) = compare_families([*named, *second], "f", "g", facts=made.facts)
    assert families.left_out == 5
    assert families.sentence().endswith("on 35 clips of 18 speakers, without 5 on which not all have a value.")


def test_metrics_are_corrected_for_their_number(made):
    rng = np.random.default_rng(1)
    names = list(made.facts)
    records = [
        made.record(codec, str(clip), {name: float(rng.normal()) for name in names})
        for clip in range(30)
        for codec in "ab"
    ]
    holm = compare_points(records, "a", "b", facts=made.facts)
    shares = compare_points(records, "a", "b", facts=made.facts, correction="bh")
    assert min(each.p_corrected for each in holm) == pytest.approx(min(1.0, *(6 * each.p for each in holm)))
    assert all(b.p <= b.p_corrected <= h.p_corrected for b, h in zip(shares, holm, strict=True))


def test_what_is_not_compared_says_why(made, pair_of):
    records = pair_of()
    for record in records:
        if record["codec"] == "b@2kbps":
            record["identities"] = {"stoi": "ffffffff"}
    (found,) = compare_points(records, "a@1kbps", "b@2kbps", facts=made.facts)
    assert found.sentence().startswith("STOI: not compared. stoi was computed under different definitions (a@1kbps")
    with pytest.raises(InvalidRun, match="no metric"):
        compare_points([], "a", "b", facts=made.facts)
    with pytest.raises(BenchmarkError, match="scores pesq_wb; the records score: stoi"):
        compare_points(records, "a@1kbps", "b@2kbps", metrics=["pesq_wb"], facts=made.facts)


def test_families_at_equal_bitrate_and_equal_tokens(made):
    records = made.run(clips=12, families=("encodec:24khz", "dac:24khz"))
    found = compare_families(
        records, "encodec:24khz", "dac:24khz", metrics=["pesq_wb"], facts=made.facts, group_by="domain"
    )
    speech = next(each for each in found if each.group == "speech")
    # dac is better by 0.25 on the scale on which a doubling of the rate is 0.75: it takes 2^(-1/3) of the rate.
    assert speech.found.rate.value == pytest.approx(2 ** (-1 / 3) - 1, abs=0.04)
    assert speech.sentence().startswith("PESQ: for equal quality dac:24khz takes 1")
    tokens = compare_families(
        records, "encodec:24khz", "dac:24khz", axis="tokens_per_second", metrics=["pesq_wb"], facts=made.facts
    )
    # Both have 100 tokens a second for each kbit/s.
    assert tokens[0].found.rate.value == pytest.approx(found[0].found.rate.value)
    assert "tokens a second" in tokens[0].sentence()
    alone = compare_families(records[:1], "encodec:24khz", "dac:24khz", metrics=["stoi"], facts=made.facts)
    assert "not compared" in alone[0].sentence()


def test_many_points_are_ranked_with_letters(made):
    rng = np.random.default_rng(2)
    records = []
    for clip in range(40):
        ease = rng.normal(0, 0.1)
        for codec, level in (("a", 0.90), ("b", 0.901), ("c", 0.8)):
            value = level + ease + 0.02 * rng.normal()
            records.append(made.record(codec, f"{clip:02}", {"stoi": float(value)}))
    (found,) = rank(records, ["a", "b", "c"], facts=made.facts)
    assert [set(group) for group in found.ties.groups()] == [{"a", "b"}, {"c"}]
    assert found.sentence().startswith("STOI ↑ on 40 clips: ")
    (said,) = rank([*records, made.record("d", "x", {"stoi": 0.5})], ["a", "d"], facts=made.facts)
    assert "have no clip with a value of stoi in common" in said


@pytest.fixture
def run_folder(tmp_path: Path, made):
    """A run with two families, on disk."""
    folder = tmp_path / "run"
    folder.mkdir()
    records = [r for r in made.run(clips=8, families=("opus", "lyra:v2", "unicodec")) if r["domain"] == "speech"]
    for record in records:
        for kept in ("scores", "identities"):
            record[kept] = {name: value for name, value in record[kept].items() if name in ("stoi", "pesq_wb")}
        record["reference_scores"] = {}
    (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def test_the_verb(run_folder, capsys):
    assert main(["compare", str(run_folder), "opus@12kbps", "lyra:v2@6kbps"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["PESQ", "STOI"]
    assert main(["compare", str(run_folder), "opus", "lyra:v2", "--metrics", "stoi", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["first"], found["second"], found["metric"]) == ("opus", "lyra:v2", "stoi")
    assert main(["compare", str(run_folder), "lyra:v2@*", "opus@6kbps", "--metrics", "stoi"]) == 0
    assert capsys.readouterr().out.startswith("STOI ↑ on 8 clips of 3 speakers: ")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["opus@12kbps"], "Name at least two codecs"),
        (["opus@12kbps", "lyra:v2"], "A point of a family beside another codec needs its rate"),
        (["opus@12kbps", "mimi"], "hold no codec 'mimi'; they hold, among others: lyra:v2, "),
        (["opus@12kbps", "lyra:v3@6kbps"], "hold no codec 'lyra:v3@6kbps'; they hold, among others: lyra:v2@6kbps"),
    ],
)
def test_wrong_requests(run_folder, capsys, names, said):
    assert main(["compare", str(run_folder), *names]) == 2
    assert said in capsys.readouterr().err


def test_the_gate_verb(run_folder, tmp_path, capsys):
    records = [json.loads(line) for line in (run_folder / "records.jsonl").read_text().splitlines()]
    for record in records:
        record["speaker"] = None
        if record["codec"] == "opus@12kbps":
            record["scores"]["stoi"] -= 0.05
    worse = tmp_path / "worse.jsonl"
    worse.write_text("".join(json.dumps(record) + "\n" for record in records))

    def check(run: Path, *more: str) -> int:
        return main(["check", str(run), "--baseline", str(run_folder), "--codecs", "opus@12kbps", *more])

    assert check(run_folder) == 0
    junit, summary = tmp_path / "check.xml", tmp_path / "summary.md"
    summary.write_text("before\n")
    assert check(worse, "--junit", str(junit), "--summary", str(summary), "--json") == 1
    found = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert {each["metric"]: each["status"] for each in found["verdicts"]} == {"stoi": "failed", "pesq_wb": "passed"}
    assert "<failure" in junit.read_text()
    assert summary.read_text().startswith("before\n## Quality against the baseline")
    assert check(worse, "--tolerance", "stoi=0.1") == 0
    assert check(worse, "--tolerance", "stoi") == 2
