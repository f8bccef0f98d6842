"""Units of work in guarded processes: what dies, hangs, refuses or raises, and what is left running."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codeczoo.benchmarks import crew, distribution
from codeczoo.benchmarks.backend_names import Backend
from codeczoo.benchmarks.distribution import Distribution
from codeczoo.benchmarks.errors import ClusterUnavailable, WorkerUnfit

UNITS = """\
import os, signal, time
from dataclasses import dataclass, replace
from pathlib import Path
from codeczoo.benchmarks.errors import WorkerUnfit

@dataclass(frozen=True)
class Unit:
    names: tuple[str, ...]
    folder: Path

    def run(self, device):
        return [self.one(name, device) for name in self.names]

    def one(self, name, device):
        kind, _, rest = name.partition(":")
        marker = self.folder / f"{kind}{rest}"
        if kind == "once" and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "dies":
            os.kill(os.getpid(), signal.SIGSEGV)
        if kind == "hangs":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            (self.folder / f"{os.getpid()}.started").touch()
            time.sleep(600)
        if kind == "unfit":
            raise WorkerUnfit("has no weights")
        if kind == "raises":
            raise KeyError("a mistake of ours")
        return name, os.getpid(), os.environ.get("OMP_NUM_THREADS"), device

    def parts(self):
        return tuple(replace(self, names=(name,)) for name in self.names)

    def given_up(self, reason):
        return [(name, reason) for name in self.names]
"""

Results = dict[str, tuple[Any, ...]]


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes units whose class is importable in other processes."""
    (tmp_path / "fragile_units.py").write_text(UNITS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fragile_units", raising=False)
    import fragile_units  # pyright: ignore[reportMissingImports]

    return lambda *names: fragile_units.Unit(names, tmp_path)


def local(workers: int = 2, **how: Any) -> Distribution:
    return Distribution(Backend(), workers=workers, **how)


def results(of: Distribution, units: list[Any]) -> Results:
    """By name; every name just once."""
    found: Results = {}
    with of:
        for given in units:
            for _, values in of.run(given):
                _add(found, values)
        for _, values in of.finish():
            _add(found, values)
    return found


def _add(found: Results, values: list[tuple[Any, ...]]) -> None:
    for name, *rest in values:
        assert name not in found, "done twice"
        found[name] = tuple(rest)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 3])
def test_every_unit_is_done_once_in_as_many_processes_as_asked_for(unit: Callable[..., Any], workers: int) -> None:
    found = results(local(workers, threads=3), [unit(f"a{n}", f"b{n}") for n in range(12)])
    assert set(found) == {f"{letter}{n}" for letter in "ab" for n in range(12)}
    processes = {process for process, _, _ in found.values()}
    assert 1 <= len(processes) <= workers
    assert os.getpid() not in processes
    assert {how[1:] for how in found.values()} == {("3", "cpu")}
    assert not any(alive(process) for process in processes)


def test_without_workers_units_are_done_here(unit: Callable[..., Any]) -> None:
    found = results(local(0), [unit("a"), unit("b")])
    assert {process for process, *_ in found.values()} == {os.getpid()}


def test_one_death_costs_nothing_and_a_second_one_that_part_alone(unit: Callable[..., Any]) -> None:
    units = [unit("a"), unit("once:1", "b"), unit("c", "dies:2", "d"), *(unit(f"e{n}") for n in range(6))]
    found = results(local(), units)
    assert set(found) == {"a", "once:1", "b", "c", "dies:2", "d", *(f"e{n}" for n in range(6))}
    (reason,) = found.pop("dies:2")
    assert reason.startswith("the worker process died twice on this clip (SIGSEGV")
    assert all(len(how) == 3 for how in found.values()), "another part paid for it"


def test_what_hangs_is_killed_and_named(unit: Callable[..., Any]) -> None:
    began = time.monotonic()
    found = results(local(limit_s=3.0), [unit("a", "hangs"), unit("b")])
    assert found["hangs"] == ("twice not done within 3 s, and killed",)
    assert len(found["a"]) == len(found["b"]) == 3
    assert time.monotonic() - began < 120


def test_a_worker_that_lacks_something_ends_the_run_by_name(unit: Callable[..., Any]) -> None:
    with pytest.raises(WorkerUnfit, match=r"The worker on \S+ cannot do its part: it has no weights\."):
        results(local(), [unit("a"), unit("unfit"), unit("b")])


def test_a_mistake_of_ours_is_raised_with_its_traceback(unit: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*a mistake of ours"):
        results(local(), [unit("raises")])


def test_nothing_is_left_running_when_the_run_is_interrupted(unit: Callable[..., Any], tmp_path: Path) -> None:
    def interrupted() -> None:
        with local(limit_s=300.0) as of:
            for n in range(2):
                list(of.run(unit(f"hangs:{n}")))
            deadline = time.monotonic() + 60
            while len(list(tmp_path.glob("*.started"))) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    processes = [int(path.stem) for path in tmp_path.glob("*.started")]
    assert len(processes) == 2
    assert not any(alive(process) for process in processes)


def test_where_joblib_gives_up_what_is_missing_is_given_out_anew(
    unit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    real = crew.work

    def fails_twice(number: int, *rest: Any) -> Any:
        calls.append(number)
        if len(calls) in {3, 5}:
            raise ConnectionResetError("a worker is gone")
        return real(number, *rest)

    monkeypatch.setattr(crew, "work", fails_twice)
    found = results(local(), [unit(f"a{n}") for n in range(10)])
    assert set(found) == {f"a{n}" for n in range(10)}


def test_where_joblib_always_gives_up_the_run_ends_with_a_sentence(
    unit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise ConnectionResetError("a worker is gone")

    monkeypatch.setattr(crew, "work", fails)
    with pytest.raises(
        ClusterUnavailable, match=r"failed 3 times \(ConnectionResetError: a worker is gone\)\. What was"
    ):
        results(local(), [unit(f"a{n}") for n in range(10)])


def test_a_worker_of_another_codeczoo_refuses_before_it_reads_the_unit(
    unit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "software", lambda: "codeczoo 0.0.1 (source 00000000, Python 3.11)")
    with pytest.raises(WorkerUnfit, match=r"it has codeczoo .*, and the coordinator codeczoo 0\.0\.1"):
        results(local(), [unit("a")])
