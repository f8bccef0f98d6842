"""What is no mean over clips beside the published: receptive fields, speed, tokens, probes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from codeczoo.benchmarks.errors import InvalidRun
from codeczoo.benchmarks.published.comparison import Pair, compare
from codeczoo.benchmarks.published.ours import Ours, of_reach
from codeczoo.benchmarks.published.ours_tokens import of_tokens
from codeczoo.benchmarks.published.papers import load
from codeczoo.benchmarks.report.published_report import write
from codeczoo.benchmarks.token_corpus import CodecTokens
from codeczoo.metrics.token_counts import TokenCounts

from .conftest import Write, pairs_of


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
