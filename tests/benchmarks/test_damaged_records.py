"""Records that were edited or damaged, and are JSON all the same: no number is made of what no run can have written."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from codeczoo.benchmarks import records
from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.errors import InvalidRun


@pytest.mark.parametrize(
    ("field", "name", "value", "said"),
    [
        ("scores", "stoi", "0.9", "says that stoi is '0.9', which is no number"),
        ("scores", "stoi", True, "says that stoi is True, which is no number"),
        ("bits", "packed", -5, "says that its packed bits are -5, which nothing can have"),
        ("bits", "packed", float("nan"), "says that its packed bits are nan, which nothing can have"),
        ("bits", "packed", "5", "says that packed is '5', which is no number"),
    ],
)
def test_what_is_no_number_is_refused(
    made: SimpleNamespace, tmp_path: Path, field: str, name: str, value: object, said: str
) -> None:
    found = [made.record("opus@12kbps", clip, {"stoi": 0.9}) for clip in ("x", "y")]
    found[1][field][name] = value
    path = tmp_path / records.RECORDS_FILE
    path.write_text("".join(json.dumps(record) + "\n" for record in found), encoding="utf-8")
    with pytest.raises(InvalidRun, match=r"records\.jsonl:2 ") as raised:
        records.load(tmp_path)
    assert said in str(raised.value)


def test_a_score_that_its_metric_cannot_give_is_refused(
    made: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One STOI of 7.5 made a mean of 1.79, in bold."""
    found = [made.record("opus@12kbps", clip, {"stoi": 0.9}) for clip in ("x", "y")]
    found[1]["scores"]["stoi"] = 7.5
    (tmp_path / records.RECORDS_FILE).write_text("".join(json.dumps(record) + "\n" for record in found))
    assert main(["report", str(tmp_path), "--no-figures"]) == 2
    assert "stoi is 7.5, which lies outside of -1 to 1" in capsys.readouterr().err
    found += [{**record, "codec": "g722@64kbps"} for record in found]
    (tmp_path / records.RECORDS_FILE).write_text("".join(json.dumps(record) + "\n" for record in found))
    assert main(["compare", str(tmp_path), "opus@12kbps", "g722@64kbps"]) == 2
    assert "stoi is 7.5" in capsys.readouterr().err
