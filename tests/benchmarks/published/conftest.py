"""Runs of made-up records under the metrics' true identities, and what stands beside the printed numbers."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codeczoo import metrics
from codeczoo.benchmarks.protocol import metric_identity_hash
from codeczoo.benchmarks.report.published_report import write

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
                # Pairs about the mean, so that the mean of all is the very number that is given; none beyond what STOI
                # can be.
                offset = -offset if number % 2 else min(1.5 * spread, abs(rng.gauss(0, spread)))
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
