"""Ours beside the published: flagged where it lies beyond the interval, never compared where it is not the same."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from codeczoo import metrics
from codeczoo.benchmarks.errors import BenchmarkError, InvalidPublished, InvalidRun
from codeczoo.benchmarks.protocol import metric_identity_hash
from codeczoo.benchmarks.published.comparison import Pair, compare, tally
from codeczoo.benchmarks.published.ours import Measured, Operating, Ours, of_reach
from codeczoo.benchmarks.published.ours_tokens import of_tokens
from codeczoo.benchmarks.published.papers import load
from codeczoo.benchmarks.published.systems import REFERENCE
from codeczoo.benchmarks.report.published_report import suites_of, write
from codeczoo.benchmarks.statistics.bootstrap import mean_interval
from codeczoo.benchmarks.token_corpus import CodecTokens
from codeczoo.metrics.token_counts import TokenCounts

PRINTED = {"pesq_wb": 2.7202, "stoi": 0.9391, "vuv_f1": 0.9527}
"""Encodec at 6 kbps on LibriTTS test-clean in WavTokenizer's Table 1."""
Write = Callable[..., Path]


def hash_of(name: str) -> str:
    return metric_identity_hash(metrics.metric(name))


@pytest.fixture
def run_of(tmp_path: Path, made: SimpleNamespace) -> Write:
    """Writes a run: clips of LibriTTS test-clean by default, values that scatter about given means."""

    def make(
        means: Mapping[str, float],
        codec: str = "encodec:24khz@6kbps",
        *,
        clips: int = 40,
        spread: float = 0.02,
        name: str = "run",
        described: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Path:
        rng = random.Random(1)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        facts: dict[str, Any] = {"dataset": "libritts", "corpus": "libritts", "below": "test-clean/", **fields}
        below = facts.pop("below")
        with (folder / "records.jsonl").open("a", encoding="utf-8") as file:
            offset = 0.0
            for number in range(clips):
                # Pairs about the mean, so that the mean of all is the very number that is given.
                offset = -offset if number % 2 else rng.gauss(0, spread)
                scores = {metric: mean * (1 + offset) for metric, mean in means.items()}
                speaker = f"s{number % (clips // 2 or 1)}"
                own = {"identities": {metric: hash_of(metric) for metric in scores}, "speaker": speaker, **facts}
                record = made.record(codec, f"{below}{speaker}/1/{number}.wav", scores, **own)
                file.write(json.dumps(record) + "\n")
        if described is not None:
            (folder / "run.json").write_text(json.dumps(described), encoding="utf-8")
        return folder

    return make


def pairs_of(run: Path, tmp_path: Path, table: str = "wavtokenizer-table1", **matches: str) -> list[dict[str, str]]:
    """Lines of the CSV where something of ours stands beside a printed number, as programs read them."""
    write(table, [run], tmp_path / "out", matches)
    lines = csv.DictReader(io.StringIO((tmp_path / "out" / f"{table}.csv").read_text(encoding="utf-8")))
    return [line for line in lines if line["mean"] and line["system"]]


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


def test_a_mean_over_two_identities_is_not_compared(run_of: Write, tmp_path: Path) -> None:
    run_of({"stoi": 0.9391}, clips=10)
    run = run_of({"stoi": 0.9391}, clips=10, below="test-clean/x/", identities={"stoi": "0badc0de"})
    (line,) = pairs_of(run, tmp_path)
    assert line["verdict"] == "shown"
    both = ", ".join(sorted(("0badc0de", hash_of("stoi"))))
    assert line["reason"] == f"stoi was computed under several identities: {both}"


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


def reach(tmp_path: Path, **facts: object) -> list[Pair]:
    file = tmp_path / "reach.json"
    file.write_text(json.dumps(facts), encoding="utf-8")
    ours = Ours()
    of_reach(file, ours)
    return [pair for pair in compare(load("taae-table11").rows, ours, {}) if pair.measured is not None]


def test_receptive_fields_are_compared_by_rounding(tmp_path: Path) -> None:
    name = "taae:speech-16k@2x15625_700bps"
    found = reach(tmp_path, codec=name, measured_layer_s=5.1234, measured_receptive_field_s=244.4)
    assert [(pair.verdict, pair.reason) for pair in found] == [
        ("within", ""),
        ("shown", "the paper prints it as approximate"),
    ]
    (pair,) = reach(tmp_path, codec=name, measured_layer_s=5.126)
    assert pair.verdict == "beyond"
    (pair,) = reach(tmp_path, codec="encodec:24khz@6kbps", measured_receptive_field_s="infinite")
    assert pair.verdict == "within"
    (pair,) = reach(tmp_path, codec="encodec:24khz@6kbps", measured_receptive_field_s=3.0)
    assert (pair.verdict, pair.reason) == ("shown", "the paper prints unlimited")
    with pytest.raises(InvalidRun, match="seconds are a number, or infinite"):
        reach(tmp_path, codec=name, latency_s="soon")
    with pytest.raises(InvalidRun, match="names no codec"):
        reach(tmp_path, latency_s=1)


def test_speed_is_never_compared(run_of: Write, tmp_path: Path, made: SimpleNamespace) -> None:
    folder = tmp_path / "speed"
    folder.mkdir()
    with (folder / "records.jsonl").open("w", encoding="utf-8") as file:
        for number in range(6):
            piece = {"passage": f"p{number}", "length_s": 30.0, "offset_s": 0.0, "parts": []}
            timing = {"encode_rtf": 0.02, "decode_rtf": 0.01 + number / 1000, "device": "cpu"}
            record = made.record("mimi:24khz@8q", f"p{number}@30s", {"si_sdr": 1.0}, piece=piece, timing=timing)
            file.write(json.dumps(record) + "\n")
    found = {line["metric"]: line for line in pairs_of(folder, tmp_path, "taae-table10")}
    assert float(found["rtf_30s"]["mean"]) == pytest.approx(0.0325)
    assert found["rtf_30s"]["verdict"] == "shown"
    assert "NVIDIA H100" in found["rtf_30s"]["reason"]
    # 79.3 M parameters, printed as 80.
    assert (found["params_m"]["verdict"], found["params_m"]["mean"]) == ("beyond", "79308609")


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


def test_models_of_published_size_stand_beside_the_printed_speed(tmp_path: Path) -> None:
    rows = [{"model": "taae", "seconds": 30.0, "real_time_factor": 0.0021, "parameters": 953_319_756}]
    file = tmp_path / "native_speed.json"
    file.write_text(json.dumps({"device": "NVIDIA H100", "rows": rows}), encoding="utf-8")
    found = {line["metric"]: line for line in pairs_of(file, tmp_path, "taae-table10")}
    assert {line["system"] for line in found.values()} == {"TAAE"}
    assert (found["rtf_30s"]["mean"], found["rtf_30s"]["verdict"]) == ("0.0021", "shown")
    # 953 M, printed as 950: the paper rounds more coarsely than its digits say.
    assert found["params_m"]["verdict"] == "beyond"
    text, _ = write("taae-table10", [file], None, {})
    assert "`native_speed:taae`: on NVIDIA H100, random weights." in text
    for wrong in ("[]", "{}", "no", '{"device": "x", "rows": [{}]}'):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(InvalidRun, match=r"is not the JSON of python -m codeczoo\.benchmarks\.native_speed"):
            write("taae-table10", [file], None, {})
    with pytest.raises(InvalidRun, match="name a run folder"):
        write("wavtokenizer-table1", [file], None, {})


def counted(codec: str, group: str, codes: list[int]) -> CodecTokens:
    counts = TokenCounts(8)
    counts.add(np.array(codes))
    parts = (("speech", 0, 2), ("music", 2, 4), ("sound", 4, 8))
    return CodecTokens(codec, group, (counts,), 1.0, 1, 0, parts)


def test_use_of_a_codebook_and_of_its_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """UniCodec's Table 9: a part on its own set; the whole over all three, where the codec that is told the domain is a
    codec of its own on each set."""
    sets = ("libritts-test-clean", "musdb-test", "audioset-eval")
    codes = {"libritts-test-clean": [0, 1, 1], "musdb-test": [2, 0], "audioset-eval": [4, 5, 6]}
    found = [counted("unicodec:base", name, codes[name]) for name in sets]
    for domain, name in zip(("speech", "music", "sound"), sets, strict=True):
        found += [counted(f"unicodec:base@{domain}", of, [3] if of == name else [7]) for of in sets]
    monkeypatch.setattr("codeczoo.benchmarks.published.ours_tokens.sources", lambda run, group_of: ())
    monkeypatch.setattr("codeczoo.benchmarks.published.ours_tokens.gather", lambda of, jobs: tuple(found))
    ours = Ours()
    table = load("unicodec-table9")
    of_tokens(tmp_path, table.sets, ours)
    values = {
        (pair.row.variant, pair.codec): pair.measured.value
        for pair in compare(table.rows, ours, {})
        if pair.measured is not None
    }
    assert values == {
        ("w/o domain id; whole codebook", "unicodec:base"): 6 / 8,
        ("w/o domain id; speech codebook", "unicodec:base"): 1.0,
        ("w/o domain id; music codebook", "unicodec:base"): 0.5,
        ("w/o domain id; audio codebook", "unicodec:base"): 0.75,
        # Entry 3 alone, on each set by the point of its own domain; entry 7 is of points on other sets.
        ("w. domain id; whole codebook", "unicodec:base@speech+music+sound"): 1 / 8,
        ("w. domain id; speech codebook", "unicodec:base@speech"): 0.0,
        ("w. domain id; music codebook", "unicodec:base@music"): 0.5,
        ("w. domain id; audio codebook", "unicodec:base@sound"): 0.0,
    }


def probe_lines(task: str, mode: str, accuracy: float, metric: str = "accuracy") -> list[dict[str, Any]]:
    """Two folds of 100 test clips, of 20 speakers each of whom is told right alike."""
    return [
        {
            "schema": 1, "task": task, "metric": metric, "classes": 50, "domain": "sound",
            "features": "encodec:24khz@1.5kbps",
            "codec_facts": {"bitrate_kbps": 1.5, "n_codebooks": 2, "tokens_per_second": 150.0},
            "features_identity": "f", "mode": mode, "mode_identity": mode, "pooling": "mean", "task_identity": task,
            "seed": 0, "fold": str(fold), "identity": f"{task}{mode}{fold}",
            "clips": {"train": 80, "validation": 20, "test": 100}, "scores": {metric: accuracy},
            **({"interval": [accuracy - 0.05, accuracy + 0.05]} if metric == "map" else {}),
            **({} if metric == "map" else {"groups": {
                f"s{fold}-{number}": [5 * accuracy + (0.1 if number % 2 else -0.1), 5] for number in range(20)
            }}),
            "failed": {}, "group_is": "speaker", "leak": "", "notes": [],
        }
        for fold in (1, 2)
    ]  # fmt: skip


def test_probes_beside_the_published_ones(tmp_path: Path) -> None:
    """Compared by the published procedure alone, on sets with one label a clip and speakers apart."""
    run = tmp_path / "probes"
    run.mkdir()
    lines = [
        *probe_lines("esc-50", "arch", 0.1699),
        *probe_lines("esc-50", "linear", 0.4),
        *probe_lines("vivae", "arch", 0.5),
        *probe_lines("ravdess", "arch", 0.2743),
        *probe_lines("magnatagatune", "arch", 0.19, "map"),
        *probe_lines("audiomnist", "linear", 0.3649),
        *probe_lines("languages", "arch", 0.9),
    ]
    (run / "probes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    for table in ("unicodec-table5", "wavtokenizer-table3"):
        found = {line["dataset"]: line for line in pairs_of(run, tmp_path, table)}
        assert {name: line["verdict"] for name, line in found.items()} == {
            "esc50": "within", "vivae": "beyond", "ravdess": "shown", "magnatagatune": "shown", "audio_mnist": "shown",
        }  # fmt: skip
        assert (found["esc50"]["published"], found["esc50"]["our_metric"]) == ("0.1699", "arch")
        assert "same actors in train and test" in found["ravdess"]["reason"]
        assert "scored by mAP" in found["magnatagatune"]["reason"]
        assert found["audio_mnist"]["reason"] == "ours is linear, the printed number is by the definition of arch"
    text, _ = write("unicodec-table5", [run], None, {})
    assert "| 17.000 ± " in text or "| 16.990 ± " in text  # percent, as UniCodec prints it
    assert "Probes of languages have no column in this table and are left out." in text
