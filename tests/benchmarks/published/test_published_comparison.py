"""Ours beside the published: flagged where it lies beyond the interval, never compared where it is not the same."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from codeczoo.benchmarks.errors import BenchmarkError, InvalidPublished, InvalidRun
from codeczoo.benchmarks.published.comparison import compare, tally
from codeczoo.benchmarks.published.ours import Measured, Operating, Ours
from codeczoo.benchmarks.published.papers import load
from codeczoo.benchmarks.published.systems import REFERENCE
from codeczoo.benchmarks.report.published_report import gather, suites_of, write
from codeczoo.benchmarks.statistics.bootstrap import mean_interval

from .conftest import PRINTED, Write, hash_of, pairs_of


def test_within_and_beyond(run_of: Write, tmp_path: Path) -> None:
    """The very printed mean is within; one that is off by three of its half intervals is not, on either side."""
    run = run_of(PRINTED)
    found = {line["metric"]: line for line in pairs_of(run, tmp_path)}
    assert {name: line["verdict"] for name, line in found.items()} == dict.fromkeys(PRINTED, "within")
    assert float(found["stoi"]["difference"]) == pytest.approx(0, abs=1e-9)
    half = (float(found["stoi"]["ci_high"]) - float(found["stoi"]["ci_low"])) / 2
    assert 0 < half < 0.01
    for sign in (-1, 1):
        moved = {**PRINTED, "stoi": PRINTED["stoi"] + 3 * sign * half}
        run = run_of(moved, name=f"moved{sign}")
        verdicts = {line["metric"]: line["verdict"] for line in pairs_of(run, tmp_path)}
        assert verdicts == {"pesq_wb": "within", "stoi": "beyond", "vuv_f1": "within"}
        text, _ = write("wavtokenizer-table1", [run], None, {})
        assert "Of 3 numbers that can be compared 1 lie beyond the interval" in text
        assert text.count("≠ |") == 1


def test_the_interval_is_that_of_the_report(run_of: Write, tmp_path: Path) -> None:
    """Bootstrap over speakers, recomputed from the records."""
    run = run_of({"stoi": 0.93})
    records = [json.loads(line) for line in (run / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    records.sort(key=lambda record: record["clip"])
    wanted = mean_interval([r["scores"]["stoi"] for r in records], [r["speaker"] for r in records])
    (line,) = pairs_of(run, tmp_path)
    assert wanted is not None
    assert (float(line["ci_low"]), float(line["ci_high"])) == pytest.approx(wanted, rel=1e-8)
    assert line["clips"] == "40"


def test_the_printed_rounding_is_granted() -> None:
    """0.9391 may have been 0.93914: an interval that begins there holds it, one that begins at 0.93916 does not."""
    rows = [row for row in load("wavtokenizer-table1").rows if row.printed == "0.9391"]
    for low, verdict in ((0.93914, "within"), (0.93916, "beyond")):
        ours = Ours(
            [
                Measured(
                    "encodec:24khz@6kbps", "libritts-test-clean", "stoi", 0.95, (low, 0.96), 9,
                    identities=frozenset({hash_of("stoi")}),
                )
            ],
            {"encodec:24khz@6kbps": Operating()},
            {hash_of("stoi"): "stoi|resampler:pystoi"},
        )  # fmt: skip
        (pair,) = compare(rows, ours, {})
        assert pair.verdict == verdict


def test_what_is_not_the_same_is_shown_with_the_reason(run_of: Write, tmp_path: Path) -> None:
    dac = run_of({"stoi": 0.9699}, "dac:44khz@9q", name="dac")
    (line,) = pairs_of(dac, tmp_path)
    assert (line["verdict"], line["codec"]) == ("shown", "dac:44khz@9q")
    assert "86.1" in line["reason"]

    yin = run_of({"vuv_f1_yin": 0.9527}, name="yin")
    (line,) = pairs_of(yin, tmp_path)
    assert line["verdict"] == "shown"
    assert line["reason"] == "ours is vuv_f1_yin, the printed number is by the definition of vuv_f1"

    taae = run_of(
        {"pesq_nb": 2.84, "pesq_wb": 2.7}, "encodec:24khz@3kbps", name="taae", dataset="librispeech", corpus="x"
    )
    (line,) = pairs_of(taae, tmp_path, "taae-table2")
    assert (line["verdict"], line["our_metric"], line["metric"]) == ("shown", "pesq_nb", "pesq")
    assert "does not state the mode" in line["reason"]


def test_mel_distances_of_two_papers_are_never_mixed(run_of: Write, tmp_path: Path) -> None:
    both = {"mel_distance": 0.95, "mel_distance_taae": 0.95}
    run = run_of(both, "encodec:24khz@3kbps", dataset="librispeech", corpus="librispeech-test-clean")
    (line,) = pairs_of(run, tmp_path, "taae-table2")
    assert (line["our_metric"], line["verdict"]) == ("mel_distance_taae", "within")
    run = run_of(both, "encodec:24khz@6kbps", name="unicodec")
    (line,) = pairs_of(run, tmp_path, "unicodec-table2")
    assert (line["our_metric"], line["verdict"]) == ("mel_distance", "beyond")
    run = run_of({"mel_distance_taae": 0.5367}, "encodec:24khz@6kbps", name="other")
    (line,) = pairs_of(run, tmp_path, "unicodec-table2")
    assert (line["our_metric"], line["verdict"]) == ("mel_distance_taae", "shown")


def test_an_identity_decides_not_a_name(run_of: Write, tmp_path: Path) -> None:
    """A record made under another identity, or one nobody knows, is not compared, whatever its metric's name."""
    unknown = run_of({"stoi": 0.9391}, identities={"stoi": "0badc0de"}, name="unknown")
    (line,) = pairs_of(unknown, tmp_path)
    assert line["verdict"] == "shown"
    assert "identity 0badc0de of stoi, which neither run.json nor this version knows" in line["reason"]

    import hashlib

    text = "pesq_wb|fs:16000|mode:nb|resampler:other"
    named = hashlib.sha256(text.encode()).hexdigest()[:8]
    described = {"schema": 1, "invocations": [{"metrics": {"pesq_wb": text}}]}
    other = run_of({"pesq_wb": 2.7202}, identities={"pesq_wb": named}, described=described, name="narrow")
    (line,) = pairs_of(other, tmp_path)
    assert line["verdict"] == "shown"
    assert "is not the printed definition (mode:wb)" in line["reason"]


def test_no_mean_over_two_identities_is_made(run_of: Write, tmp_path: Path) -> None:
    run_of({"stoi": 0.9391}, clips=10)
    run = run_of({"stoi": 0.9391}, clips=10, below="test-clean/x/", identities={"stoi": "0badc0de"})
    assert list(pairs_of(run, tmp_path)) == []
    both = ", ".join(sorted(("0badc0de", hash_of("stoi"))))
    (note,) = gather(load("wavtokenizer-table1"), [run]).notes
    assert f"was computed under several identities ({both}): there is no mean of them, and none is shown." in note


def test_utmos_without_its_checkpoint_is_not_utmos() -> None:
    rows = [row for row in load("wavtokenizer-table1").rows if row.system == "Ground Truth"][:1]
    for sha, verdict in (("absent", "shown"), ("3f0c", "within")):
        text = f"utmos|fs:16000|sha256:{sha}"
        one = Measured(REFERENCE, "libritts-test-clean", "utmos", 4.05, (4.0, 4.1), 9, identities=frozenset({"x"}))
        (pair,) = compare(rows, Ours([one], {}, {"x": text}), {})
        assert pair.verdict == verdict


def test_the_clips_own_score_stands_below_ground_truth(run_of: Write, tmp_path: Path) -> None:
    named = hash_of("utmos")
    text = "utmos|fs:16000|sha256:3f0c"
    import hashlib

    own = hashlib.sha256(text.encode()).hexdigest()[:8]
    described = {"schema": 1, "invocations": [{"metrics": {"utmos": text}}]}
    run = run_of(
        {"utmos": 3.04}, reference_scores={"utmos": 4.0562}, identities={"utmos": own}, described=described, clips=24
    )
    found = {line["system"]: line for line in pairs_of(run, tmp_path)}
    assert named != own
    assert (found["Ground Truth"]["verdict"], found["Ground Truth"]["codec"]) == ("within", REFERENCE)
    assert found["Encodec"]["verdict"] == "within"


def test_other_clips_are_shown_apart(run_of: Write, tmp_path: Path) -> None:
    run = run_of(PRINTED, dataset="mine", corpus="mine", below="a/")
    assert pairs_of(run, tmp_path) == []
    text, _ = write("wavtokenizer-table1", [run], None, {})
    assert "### ours, on other clips: mine" in text
    lines = csv.DictReader(io.StringIO((tmp_path / "out" / "wavtokenizer-table1.csv").read_text(encoding="utf-8")))
    alone = [line for line in lines if line["verdict"] == "alone"]
    assert {line["our_metric"] for line in alone} == set(PRINTED)
    assert {line["reason"] for line in alone} == {"clips of mine, which is none of the table's sets"}
    assert "nothing here is compared with it" in text
    assert "≠ |" not in text
    assert "No number of ours can be compared" in text
    mixed = run_of(PRINTED, name="run")
    text, _ = write("wavtokenizer-table1", [mixed], None, {})
    assert "40 clips of the run are of none of the table's data sets and are left out." in text


def test_a_set_is_known_by_layout_or_by_name(run_of: Write, tmp_path: Path) -> None:
    by_corpus = run_of(PRINTED, name="c", dataset=None, corpus="libritts-test-clean", below="")
    by_split = run_of(PRINTED, name="s", below="", split="test-clean")
    by_dataset = run_of(PRINTED, name="d", dataset="libritts-test-clean", corpus="x", below="")
    other = run_of(PRINTED, name="o", below="dev-clean/")
    for run in (by_corpus, by_split, by_dataset):
        assert len(pairs_of(run, tmp_path)) == 3
    assert pairs_of(other, tmp_path) == []


def test_ours_by_hand(run_of: Write, tmp_path: Path) -> None:
    run = run_of({"stoi": 0.9426}, "decoded:vocos@6kbps")
    assert pairs_of(run, tmp_path) == []
    found = pairs_of(run, tmp_path, **{"decoded:vocos@6kbps": "Vocos"})
    assert [(line["kbps"], line["verdict"]) for line in found] == [("6", "within"), ("3", "beyond")]
    one_rate = pairs_of(run, tmp_path, **{"decoded:vocos@6kbps": "Vocos@3kbps"})
    assert [line["kbps"] for line in one_rate] == ["3"]
    ablation = pairs_of(run, tmp_path, "wavtokenizer-table5", **{"decoded:vocos@6kbps": "*codebook 16384"})
    assert [line["variant"] for line in ablation] == ["codebook 16384"]
    text, _ = write("wavtokenizer-table5", [run], None, {"decoded:vocos@6kbps": "*codebook 16384"})
    assert "`decoded:vocos@6kbps` stands below WavTokenizer, codebook 16384 because --match says so." in text
    with pytest.raises(BenchmarkError, match="--match names mine, which was not measured; measured were: decoded"):
        write("wavtokenizer-table1", [run], None, {"mine": "Vocos"})
    with pytest.raises(
        BenchmarkError, match="--match names 'Vocoss'; the systems of this table are: Ground Truth; DAC@9kbps; "
    ):
        write("wavtokenizer-table1", [run], None, {"decoded:vocos@6kbps": "Vocoss"})


def test_one_speaker_and_one_clip(run_of: Write, tmp_path: Path) -> None:
    """LJSpeech has one speaker: the interval is over clips, and that is said. One clip has no interval, no verdict."""
    lj = {"dataset": "ljspeech", "corpus": "ljspeech", "below": "wavs/", "speaker": "LJ"}
    run = run_of({"stoi": 0.9441}, **lj)
    (line,) = pairs_of(run, tmp_path)
    assert line["verdict"] == "within"
    text, _ = write("wavtokenizer-table1", [run], None, {})
    assert "`encodec:24khz@6kbps`: one speaker, so that the interval is over clips." in text
    few = run_of({"stoi": 0.5}, clips=4, name="few")
    (line,) = pairs_of(few, tmp_path)
    assert (line["verdict"], line["reason"]) == (
        "shown",
        "an interval over fewer than 6 speakers or clips decides nothing",
    )
    single = run_of({"stoi": 0.5}, clips=1, name="single", **lj)
    (line,) = pairs_of(single, tmp_path)
    assert (line["verdict"], line["reason"], line["ci_low"]) == ("shown", "no interval is known of ours", "")


def test_values_that_are_none(run_of: Write, tmp_path: Path) -> None:
    run = run_of({"stoi": float("nan")}, undefined={"stoi": "silent"}, clips=3)
    assert pairs_of(run, tmp_path) == []


def test_an_empty_or_wrong_run(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for table, sentence in (
        ("wavtokenizer-table1", "holds no records; wavtokenizer-table1 is read from a run of codeczoo bench"),
        ("wavtokenizer-table3", "holds no probes; wavtokenizer-table3 is read from a run of codeczoo probe"),
        ("taae-table11", "is no such .json file"),
    ):
        with pytest.raises(InvalidRun, match=sentence):
            write(table, [tmp_path / "empty"], None, {})
    (tmp_path / "empty" / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(InvalidRun, match="is not JSON"):
        suites_of([tmp_path / "empty"])
    with pytest.raises(InvalidPublished, match="no published numbers named 'table1'"):
        write("table1", [], None, {})


def test_every_table_prints_without_a_run() -> None:
    from codeczoo.benchmarks.published import papers

    for name in papers.names():
        text, paths = write(name, [], None, {})
        assert paths == []
        assert "Published numbers alone" in text
        assert "≠" not in text


def test_every_verdict_is_counted(run_of: Write) -> None:
    table = load("wavtokenizer-table1")
    counts = tally(compare(table.rows, Ours(), {}))
    assert counts == {"beyond": 0, "within": 0, "shown": 0, "absent": len(table.rows)}


def test_latex_escapes_the_marks(run_of: Write, tmp_path: Path) -> None:
    run = run_of({"stoi": 0.5, "vuv_f1_yin": 0.9})
    write("wavtokenizer-table1", [run], tmp_path / "out", {})
    text = (tmp_path / "out" / "wavtokenizer-table1.tex").read_text(encoding="utf-8")
    assert r"$\neq$" in text
    assert r"$\diamond$" in text
    assert not any(mark in text for mark in "≠◇")


def test_lost_clips_are_named(run_of: Write, tmp_path: Path) -> None:
    run = run_of({"stoi": 0.9391})
    run_of({}, clips=2, below="test-clean/x/", undefined={"stoi": "silent"})
    text, _ = write("wavtokenizer-table1", [run], None, {})
    assert (
        "`encodec:24khz@6kbps`, stoi: 2 of 42 clips of LibriTTS test-clean have no value and are not in the mean."
        in text
    )
    assert "ours 42, the paper measured 4837" in text
