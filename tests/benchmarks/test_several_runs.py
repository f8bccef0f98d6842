"""Records of several runs as one: nothing is left out in silence, and no name stands for two clips."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codeczoo.benchmarks import records
from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.errors import InvalidRun


def written(folder: Path, found: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    text = "".join(json.dumps(record) + "\n" for record in found)
    (folder / records.RECORDS_FILE).write_text(text, encoding="utf-8")
    return folder


def test_two_folders_of_one_name_are_refused(
    made: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`bench --corpus a/clips` and `bench --corpus b/clips`: the records of the first were dropped without a word."""
    first = written(tmp_path / "first", [made.record("opus@12kbps", "x.wav", {"stoi": 0.9}, clip_sha256="1" * 64)])
    second = written(tmp_path / "second", [made.record("g722@64kbps", "x.wav", {"stoi": 0.8}, clip_sha256="2" * 64)])
    assert len(records.load_runs([first, second])) == 2, "different codecs are different keys, as in one run"
    third = written(tmp_path / "third", [made.record("opus@12kbps", "x.wav", {"stoi": 0.8}, clip_sha256="2" * 64)])
    with pytest.raises(InvalidRun, match=r"x\.wav of corpus 'demo' is not the same audio in .*first and in .*third"):
        records.load_runs([first, third])
    assert main(["report", str(first), str(third), "--no-figures"]) == 2
    assert main(["compare", str(first), "opus@12kbps", "g722@64kbps", "--also", str(third)]) == 2
    assert capsys.readouterr().err.count("is not the same audio") == 2


def test_records_that_count_no_longer_are_named(
    made: SimpleNamespace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clips = ("x.wav", "y.wav")
    first = written(tmp_path / "first", [made.record("opus@12kbps", clip, {"stoi": 0.9}) for clip in clips])
    newer = [made.record("opus@12kbps", clip, {"stoi": 0.8}, codec_fingerprint="newer") for clip in clips]
    second = written(tmp_path / "second", newer)
    with caplog.at_level(logging.WARNING):
        found = records.load_runs([first, second])
    assert [record["scores"] for record in found] == [{"stoi": 0.8}] * 2
    assert "opus@12kbps: 2 records of" in caplog.text
    assert "another version of the codec" in caplog.text


def test_metrics_of_two_runs_are_put_together(
    made: SimpleNamespace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = written(tmp_path / "first", [made.record("opus@12kbps", "x.wav", {"stoi": 0.9})])
    second = written(tmp_path / "second", [made.record("opus@12kbps", "x.wav", {"pesq_wb": 3.0})])
    broken = made.record("opus@12kbps", "y.wav", failed={"read": "gone"}, clip_sha256="", codec_fingerprint="")
    third = written(tmp_path / "third", [broken])
    with caplog.at_level(logging.WARNING):
        found = records.load_runs([first, second, third])
    assert [record["scores"] for record in found] == [{"stoi": 0.9, "pesq_wb": 3.0}, {}]
    assert caplog.text == ""


def test_compare_says_that_versions_are_mixed(
    made: SimpleNamespace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = [
        made.record(codec, f"{clip}.wav", {"stoi": 0.9 - clip / 100})
        for codec in ("opus@12kbps", "g722@64kbps")
        for clip in range(8)
    ]
    found[3]["codec_fingerprint"] = "older"
    run = written(tmp_path / "run", found)
    with caplog.at_level(logging.WARNING):
        main(["compare", str(run), "opus@12kbps", "g722@64kbps"])
    assert "opus@12kbps mixes records of 2 versions" in caplog.text
    assert "g722" not in caplog.text
