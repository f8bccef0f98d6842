"""Records survive kills, are read back as written, and never taken for something else."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeczoo.benchmarks import records
from codeczoo.benchmarks.errors import InvalidRun
from codeczoo.benchmarks.run_folder import RunFolder, file_stem


def record(clip: str = "a.wav", codec: str = "opus@12kbps", **fields: object) -> records.Record:
    base: records.Record = {
        "schema": records.SCHEMA,
        "codec": codec,
        "codec_fingerprint": "f1",
        "corpus": "demo",
        "clip": clip,
        "clip_sha256": "s1",
        "scores": {},
        "undefined": {},
        "failed": {},
        "identities": {},
    }
    return {**base, **fields}


def key(clip: str = "a.wav", codec: str = "opus@12kbps") -> records.Key:
    return codec, "demo", clip


def test_what_was_appended_is_found_before_and_after_reopening(tmp_path: Path) -> None:
    written = [record(f"{n}.wav", scores={"stoi": n / 100}) for n in range(50)]
    with RunFolder(tmp_path / "run") as folder:
        for one in written:
            folder.append(one)
        assert [folder.find(key(f"{n}.wav")) for n in range(50)] == written
    with RunFolder(tmp_path / "run") as folder:
        assert [folder.find(key(f"{n}.wav")) for n in range(50)] == written
        assert folder.find(key("other.wav")) is None
    assert records.load(tmp_path / "run") == written


def test_later_lines_add_scores_and_replace_what_has_changed(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as folder:
        folder.append(record(scores={"stoi": 0.5}, identities={"stoi": "i1"}))
        folder.append(record(scores={"pesq_wb": 2.0}, identities={"pesq_wb": "i2"}))
        found = folder.find(key())
        assert found is not None
        assert found["scores"] == {"stoi": 0.5, "pesq_wb": 2.0}
        # A score under a new identity of the metric takes the old one's place, also where it is now undefined.
        folder.append(record(undefined={"stoi": "silence"}, identities={"stoi": "i3"}))
        found = folder.find(key())
        assert found is not None
        assert found["scores"] == {"pesq_wb": 2.0}
        assert found["undefined"] == {"stoi": "silence"}
        # Another codec or another clip under the same names: nothing of the old one is left.
        folder.append(record(codec_fingerprint="f2", scores={"stoi": 0.9}, identities={"stoi": "i3"}))
        found = folder.find(key())
        assert found is not None
        assert found["scores"] == {"stoi": 0.9}
        assert found["undefined"] == {}


def test_what_coding_failed_at_is_gone_once_it_was_coded() -> None:
    """A failed metric is of its metric, and stays until that is measured."""
    failed = record(failed={"encode": "out of memory", "pesq_wb": "too short"})
    coded = record(bits={"nominal": 12.0}, scores={"stoi": 0.5}, identities={"stoi": "i1"})
    scored = record(scores={"stoi": 0.5}, identities={"stoi": "i1"})
    assert records.merge([failed, coded])[key()]["failed"] == {"pesq_wb": "too short"}
    assert records.merge([failed, scored])[key()]["failed"] == failed["failed"]


@pytest.mark.parametrize("torn", ['{"schema": 1, "codec": "op', "{", '{"schema": 1}', "\x00\xff"])
def test_a_torn_last_line_is_dropped_and_overwritten(tmp_path: Path, torn: str) -> None:
    with RunFolder(tmp_path) as folder:
        folder.append(record("a.wav"))
    file = tmp_path / records.RECORDS_FILE
    whole = file.read_bytes()
    file.write_bytes(whole + torn.encode("latin-1"))
    if torn != '{"schema": 1}':
        assert records.load(tmp_path) == [record("a.wav")]
    with RunFolder(tmp_path) as folder:
        assert file.read_bytes() == whole
        folder.append(record("b.wav"))
    assert [one["clip"] for one in records.load(tmp_path)] == ["a.wav", "b.wav"]


def test_a_torn_line_longer_than_the_search_block_is_dropped(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as folder:
        folder.append(record("a.wav"))
    file = tmp_path / records.RECORDS_FILE
    whole = file.read_bytes()
    file.write_bytes(whole + b"x" * 200_000)
    with RunFolder(tmp_path):
        assert file.read_bytes() == whole


def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / records.RECORDS_FILE
    file.write_text(json.dumps(record("a.wav")) + "\n{damaged\n" + json.dumps(record("b.wav")) + "\n")
    with pytest.raises(InvalidRun, match=r"records\.jsonl:2 is not a JSON record"):
        records.load(tmp_path)


def test_a_run_of_another_schema_is_refused_and_not_changed(tmp_path: Path) -> None:
    description = tmp_path / records.RUN_FILE
    description.write_text('{"schema": 99, "invocations": []}')
    with pytest.raises(InvalidRun, match="schema 99"), RunFolder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [records.RUN_FILE]
    description.unlink()
    (tmp_path / records.RECORDS_FILE).write_text('{"schema": 99}\n')
    with pytest.raises(InvalidRun, match="schema 99"):
        records.load(tmp_path)


def test_a_folder_of_something_else_is_refused_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("dear to somebody")
    with pytest.raises(InvalidRun, match="not empty and not a run folder"), RunFolder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(InvalidRun, match="is a file"), RunFolder(tmp_path / "thesis.tex"):
        pass
    below = tmp_path / "thesis.tex" / "run"
    with pytest.raises(InvalidRun, match=r"run cannot be made \(Not a directory\); name another"), RunFolder(below):
        pass


def test_packed_records_are_read_and_not_continued(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as folder:
        folder.append(record("a.wav", scores={"stoi": 0.5}))
    file = tmp_path / records.RECORDS_FILE
    packed = tmp_path / f"{records.RECORDS_FILE}.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()
    assert records.load(tmp_path) == records.load(packed) == [record("a.wav", scores={"stoi": 0.5})]
    with pytest.raises(InvalidRun, match="unpack them first"), RunFolder(tmp_path):
        pass
    assert not file.exists()


def test_two_processes_cannot_use_one_folder(tmp_path: Path) -> None:
    with RunFolder(tmp_path), pytest.raises(InvalidRun, match="in use by another process"), RunFolder(tmp_path):
        pass
    with RunFolder(tmp_path):
        pass  # free again


_APPEND_FOREVER = """
import itertools, json, sys
from pathlib import Path
from codeczoo.benchmarks.run_folder import RunFolder

record = json.loads(sys.argv[2])
with RunFolder(Path(sys.argv[1])) as folder:
    for n in itertools.count():
        folder.append({**record, "clip": f"{n}.wav"})
"""


def test_a_writer_that_is_killed_leaves_whole_records(tmp_path: Path) -> None:
    what = json.dumps(record(scores={"stoi": 0.5}, undefined={"pesq_wb": "long reason " * 200}))
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", _APPEND_FOREVER, str(tmp_path), what])
        file = tmp_path / records.RECORDS_FILE
        before = file.stat().st_size if file.is_file() else 0
        deadline = time.monotonic() + 60
        while (not file.is_file() or file.stat().st_size < before + 100_000) and time.monotonic() < deadline:
            time.sleep(0.01)
        writer.kill()
        writer.wait()
        with RunFolder(tmp_path) as folder:
            assert folder.find(key("0.wav")) is not None
        lines = file.read_text().splitlines()
        assert len(lines) > 10
        assert all(json.loads(line)["schema"] == records.SCHEMA for line in lines)


@given(st.text(max_size=200), st.text(max_size=200))
def test_file_stems_are_safe_and_distinct(one: str, other: str) -> None:
    stem = file_stem(one)
    assert len(stem) < 128
    assert not set(stem) & set('/\\:*?"<>| \0')
    assert stem not in {".", ".."}
    assert (file_stem(other) == stem) == (one == other)
