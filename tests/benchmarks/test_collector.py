"""The garbage collector beside large runs of records."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from codeczoo.benchmarks import collector, records
from codeczoo.benchmarks.errors import InvalidRun


def test_a_pause_ends_with_the_block_and_with_an_error() -> None:
    assert gc.isenabled()
    with collector.paused():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(InvalidRun), collector.paused():
        raise InvalidRun("torn")
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collector.paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_is_is_passed_over_only_within() -> None:
    before = gc.get_freeze_count()
    with collector.passing_over_what_is():
        assert gc.get_freeze_count() > before
    assert gc.get_freeze_count() == 0


def test_equal_parts_of_loaded_records_are_one_object_and_equal_to_what_was_written(tmp_path: Path) -> None:
    facts = {"bitrate_kbps": 6.0, "sample_rate": 24000}
    written = [
        {
            "schema": 1,
            "codec": "toy@6kbps",
            "codec_fingerprint": "f",
            "codec_facts": facts if number < 3 else {**facts, "sample_rate": 16000},
            "corpus": "speech",
            "clip": f"{number}.wav",
            "clip_sha256": str(number),
            "speaker": None,
            "scores": {"stoi": 0.1 * number},
            "undefined": {"pesq_wb": "too short"} if number == 1 else {},
            "note": {"kept": [number]},
        }
        for number in range(4)
    ]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(each) + "\n" for each in written), encoding="utf-8")
    found = records.load(tmp_path)
    assert found == written
    assert [list(each) for each in found] == [list(each) for each in written]
    assert found[0]["codec_facts"] is found[2]["codec_facts"]
    assert found[0]["codec"] is found[3]["codec"]
    names = [next(iter(each["scores"])) for each in found]
    assert names[0] is names[3]
    assert found[0]["scores"] is not found[1]["scores"]
