"""One writer a folder, also where the kernel's locks hold on one machine alone; the other one is played by files."""

from __future__ import annotations

import fcntl
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from codeczoo.benchmarks import records, run_lock
from codeczoo.benchmarks.errors import InvalidRun
from codeczoo.benchmarks.run_folder import RunFolder
from codeczoo.benchmarks.run_lock import RunLock

OWNER = {"host": "elsewhere", "process": 7, "token": "theirs"}


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "BEAT_S", 0.1)
    monkeypatch.setattr(run_lock, "STILL_S", 1.0)
    monkeypatch.setattr(run_lock, "SETTLE_S", 0.2)


def write(folder: Path, **owner: Any) -> None:
    part = folder / "part"
    part.write_text(json.dumps({**OWNER, **owner}))
    part.replace(folder / ".owner")


def test_a_writer_on_another_machine_that_shows_itself_keeps_the_folder(tmp_path: Path) -> None:
    end = threading.Event()

    def beat() -> None:
        for count in range(10_000):
            write(tmp_path, count=count)
            if end.wait(0.1):
                return

    write(tmp_path, count=0)
    other = threading.Thread(target=beat)
    other.start()
    try:
        with pytest.raises(InvalidRun, match="in use by a process on elsewhere"):
            RunLock(tmp_path).acquire()
    finally:
        end.set()
        other.join()


def test_a_writer_on_another_machine_that_is_dead_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, count=12)
    lock = RunLock(tmp_path)
    began = time.monotonic()
    lock.acquire()
    assert time.monotonic() - began >= run_lock.STILL_S
    assert json.loads((tmp_path / ".owner").read_text())["token"] != "theirs"
    lock.release()
    assert not (tmp_path / ".owner").exists()


def test_a_dead_writer_of_this_machine_is_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "STILL_S", 3600.0)
    lock = RunLock(tmp_path)
    lock.acquire()
    mine = json.loads((tmp_path / ".owner").read_text())
    lock.release()
    write(tmp_path, **{**mine, "token": "that of a process that was killed"})
    lock.acquire()
    lock.release()


def test_of_two_that_take_a_dead_writers_place_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, count=1)
    lock = RunLock(tmp_path)
    real = time.sleep

    def sleep(seconds: float) -> None:
        if seconds == run_lock.SETTLE_S:
            write(tmp_path, token="a third one's", count=0)
        real(seconds)

    monkeypatch.setattr(run_lock.time, "sleep", sleep)
    with pytest.raises(InvalidRun, match="was taken by another process in this moment"):
        lock.acquire()


def test_a_writer_whose_place_was_taken_writes_no_more(tmp_path: Path) -> None:
    line: records.Record = {"schema": records.SCHEMA, "codec": "a", "corpus": "b", "clip": "c"}
    with RunFolder(tmp_path) as folder:
        folder.append(line)
        write(tmp_path, count=0)
        time.sleep(1.0)
        with pytest.raises(InvalidRun, match="Another process has taken over"):
            folder.append(line)
    assert (tmp_path / records.RECORDS_FILE).read_text().count("\n") == 1
    assert json.loads((tmp_path / ".owner").read_text())["token"] == "theirs", "the other one's claim is not removed"


def test_where_there_are_no_kernel_locks_the_count_decides_on_one_machine_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    first, second = RunLock(tmp_path), RunLock(tmp_path)
    second._name["host"] += " (another process of it)"
    first.acquire()
    with pytest.raises(InvalidRun, match="in use by a process on"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
