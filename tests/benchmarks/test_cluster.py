"""The same command on a real Dask cluster of two workers: nothing lost, nothing doubled, nothing wrong in silence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codeczoo.benchmarks import records
from codeczoo.benchmarks.backend_names import Backend
from codeczoo.benchmarks.backends import refuse_others
from codeczoo.benchmarks.environment import software
from codeczoo.benchmarks.errors import BenchmarkError, ClusterUnavailable
from codeczoo.codecs import tokens

pytest.importorskip("distributed", reason="needs pip install 'codeczoo[dask]'")

WHAT = ["--corpus", "demo", "--limit", "10", "--codecs", "opus@12kbps", "g722@64kbps", "--metrics", "si_sdr"]
WHAT += ["--threads", "1", "--no-report"]
OTHER = "import codeczoo.benchmarks.environment as e\ne.software = lambda: 'codeczoo 0.0.9 (source ffffffff)'\n"


class Cluster:
    """A scheduler and its workers, as a user would start them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        self._start("scheduler", "--port", "0", "--host", "127.0.0.1", "--scheduler-file", str(file))
        deadline = time.monotonic() + 120
        while not file.is_file() and time.monotonic() < deadline:
            time.sleep(0.1)
        self.address: str = json.loads(file.read_text())["address"]

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *options]
        with (self._folder / f"{what}{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log, start_new_session=True)
        self.processes.append(process)
        return process

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        return self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--memory-limit", "0", *options)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.stop()


def bench(out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "codeczoo.benchmarks.cli", "bench", *WHAT, "--out", str(out), *options]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )


def lines(run: Path) -> list[records.Record]:
    file = run / records.RECORDS_FILE
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def without_timing(found: list[records.Record]) -> dict[records.Key, records.Record]:
    return {
        records.key_of(one): {name: one[name] for name in one if name not in {"timing", "scoring_s"}} for one in found
    }


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(
    cluster: Cluster, tmp_path: Path, demo_audio: Path
) -> None:
    assert demo_audio.is_dir()
    victim, _ = cluster.worker(), cluster.worker()
    distributed = bench(tmp_path / "distributed", "--backend", "dask", "--address", cluster.address)
    deadline = time.monotonic() + 300
    while len(lines(tmp_path / "distributed")) < 4 and distributed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    before = len(lines(tmp_path / "distributed"))
    _, told = distributed.communicate(timeout=300)
    assert distributed.returncode == 0, told
    assert 4 <= before < 20, "the worker was not killed in the middle"
    alone = bench(tmp_path / "alone", "--workers", "0")
    _, told = alone.communicate(timeout=300)
    assert alone.returncode == 0, told
    found, expected = lines(tmp_path / "distributed"), lines(tmp_path / "alone")
    assert len(found) == len(expected) == 20
    assert without_timing(found) == without_timing(expected)
    kept = [sorted((tmp_path / run / "tokens").rglob("*.safetensors")) for run in ("distributed", "alone")]
    assert len(kept[0]) == 20
    for one, other in zip(*kept, strict=True):
        assert one.name == other.name
        assert tokens.read(one).encoded.payload == tokens.read(other).encoded.payload
    run = json.loads((tmp_path / "distributed" / records.RUN_FILE).read_text())["invocations"][0]
    assert (run["backend"], run["coded_by"]) == ("dask", "workers")
    assert all(one["timing"]["processor"] for one in found)


@pytest.mark.slow
def test_a_worker_of_another_codeczoo_is_named_before_anything_is_measured(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(OTHER)
    cluster.worker()
    cluster.worker("--preload", str(tmp_path / "other.py"))
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=120)
    refused = bench(tmp_path / "run", "--backend", "dask", "--address", cluster.address)
    _, told = refused.communicate(timeout=300)
    assert refused.returncode == 2
    assert "have another codeczoo than this program" in told
    assert "tcp://127.0.0.1:" in told
    assert "has codeczoo 0.0.9 (source ffffffff)" in told
    assert "Traceback" not in told
    assert lines(tmp_path / "run") == []


@pytest.mark.slow
def test_a_scheduler_that_cannot_be_reached_is_a_sentence(tmp_path: Path) -> None:
    refused = bench(tmp_path / "run", "--backend", "dask", "--address", "tcp://127.0.0.1:9")
    _, told = refused.communicate(timeout=300)
    assert refused.returncode == 2
    assert "There is no Dask scheduler at tcp://127.0.0.1:9 (" in told
    assert "Traceback" not in told


def test_workers_with_another_codeczoo_or_none_are_named() -> None:
    refuse_others({"a": software(), "b": software()})
    found = {"a": software(), "b": "codeczoo 0.0.9", "c": ModuleNotFoundError("No module named 'codeczoo'")}
    with pytest.raises(ClusterUnavailable, match=r"b has codeczoo 0\.0\.9; c has none that can be used \(ModuleNotFou"):
        refuse_others(found)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Backend("slurm"), "There is no backend 'slurm'; there are local, dask, ray"),
        (lambda: Backend("dask"), "--backend dask needs its scheduler's address"),
        (lambda: Backend("local", "tcp://head:8786"), "--address names a cluster; say of which kind"),
    ],
)
def test_backends_that_make_no_sense(make: Callable[[], Backend], sentence: str) -> None:
    with pytest.raises(BenchmarkError, match=sentence):
        make()
