"""A scoring process that dies loses nothing, and one clip that always kills it costs that clip alone.

Each run is a process of its own with a metric that kills the process which computes it: workers are started afresh, so
that only what the script's own file does at its import is known to them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from codeczoo.benchmarks import audio, corpora, records, scoring_pool
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.scoring import Estimate, ScoringJob

SCRIPT = """\
import os, signal, sys
from codeczoo.metrics import Measure, Metric, registry

def fragile(reference, estimate, sample_rate, features):
    if os.environ["DIES"] == "once":
        try:
            os.close(os.open(os.environ["MARKER"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return {"fragile": 1.0}
        os.kill(os.getpid(), signal.SIGKILL)
    if len(reference) == int(os.environ["DIES"]):
        os._exit(1)
    return {"fragile": 1.0}

MEASURE = Measure((Metric("fragile", "1", True, None, "pair", "", "fragile", ""),), fragile)
registry.TABLE["fragile"] = f"{__name__}:MEASURE"

if __name__ == "__main__":
    from codeczoo.benchmarks.cli import main
    sys.exit(main(sys.argv[1:]))
"""

CODECS = ("opus@12kbps", "g722@64kbps")
CLIPS = 12


def bench(tmp_path: Path, dies: str) -> tuple[subprocess.CompletedProcess[str], list[records.Record]]:
    """A run on two workers; its lines, unmerged."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = ["bench", "--corpus", "demo", "--limit", str(CLIPS), "--codecs", *CODECS, "--metrics", "fragile"]
    command += ["si_sdr", "--workers", "2", "--threads", "1", "--no-report", "--out", "run"]
    done = subprocess.run(
        [sys.executable, script.name, *command],
        cwd=tmp_path,
        env={**os.environ, "DIES": dies, "MARKER": str(tmp_path / "marker")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    text = (tmp_path / "run" / records.RECORDS_FILE).read_text(encoding="utf-8")
    return done, [json.loads(line) for line in text.splitlines()]


def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    done, lines = bench(tmp_path, "once")
    assert (tmp_path / "marker").exists(), "nothing was killed"
    assert done.returncode == 0, done.stderr
    assert len({records.key_of(line) for line in lines}) == len(lines) == CLIPS * len(CODECS), done.stderr
    assert all(set(line["scores"]) == {"fragile", "si_sdr"} and not line["failed"] for line in lines)


def test_a_clip_that_always_kills_its_worker_is_reported_failed(tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    victim = list(corpora.resolve("demo", limit=CLIPS))[4]
    import soundfile

    done, lines = bench(tmp_path, str(soundfile.info(victim.path).frames))
    assert done.returncode == 1, done.stderr
    assert len({records.key_of(line) for line in lines}) == len(lines) == CLIPS * len(CODECS), done.stderr
    for line in lines:
        if line["clip"] == victim.name:
            assert set(line["failed"]) == {"fragile", "si_sdr"}
            assert "the scoring process died twice on this clip" in line["failed"]["fragile"]
        else:
            assert set(line["scores"]) == {"fragile", "si_sdr"}, "another clip paid for it"
    assert "failed: fragile 2, si_sdr 2" in done.stderr


AFTER_THE_BREAK = """\
import sys, tempfile
from concurrent.futures import wait
from pathlib import Path
import script
from codeczoo.benchmarks import audio, corpora
from codeczoo.benchmarks.scoring import Estimate, ScoringJob
from codeczoo.benchmarks.scoring_pool import ScoringPool

def job(clip, metric):
    mono, rate = audio.read_mono(clip.path)
    return ScoringJob(clip, audio.content_sha256(clip), (Estimate("x", mono, rate, (metric,)),), Path("spool"))

if __name__ == "__main__":
    clips = list(corpora.resolve("demo", limit=6))
    done = []
    with ScoringPool(2) as pool:
        done += pool.run(job(clips[4], "fragile"))
        wait(pool._running)
        for clip in clips[:4]:
            done += pool.run(job(clip, "si_sdr"))
        done += pool.finish()
    for finished, (result,) in done:
        print(finished.clip.name, *result.failed)
"""


def test_jobs_handed_in_after_the_break_and_before_it_is_noticed_are_done(tmp_path: Path, demo_audio: Path) -> None:
    import soundfile

    assert demo_audio.is_dir()
    clips = list(corpora.resolve("demo", limit=6))
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "after.py").write_text(AFTER_THE_BREAK)
    done = subprocess.run(
        [sys.executable, "after.py"],
        cwd=tmp_path,
        env={**os.environ, "DIES": str(soundfile.info(clips[4].path).frames)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = [f"{clips[4].name} fragile", *(clip.name for clip in clips[:4])]
    assert sorted(done.stdout.splitlines()) == sorted(expected)


def test_a_pool_that_breaks_while_it_takes_a_job_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, demo_clips: list[Clip]
) -> None:
    """A pool that is torn down while it starts a worker for a job raises ValueError: bad value(s) in fds_to_keep."""
    calls: list[int] = []

    class Breaking(ProcessPoolExecutor):
        def submit(self, *what: Any) -> Future[Any]:
            future = super().submit(*what)
            calls.append(1)
            if len(calls) == 2:
                raise ValueError("bad value(s) in fds_to_keep")
            return future

    monkeypatch.setattr(scoring_pool, "ProcessPoolExecutor", Breaking)
    done: list[str] = []
    with scoring_pool.ScoringPool(2) as pool:
        for clip in demo_clips:
            mono, rate = audio.read_mono(clip.path)
            estimate = Estimate("x", mono * 0.5 + 0.001, rate, ("stoi",))
            job = ScoringJob(clip, audio.content_sha256(clip), (estimate,), tmp_path)
            done += [finished.clip.name for finished, (result,) in pool.run(job) if not result.failed]
        done += [finished.clip.name for finished, (result,) in pool.finish() if not result.failed]
    assert len(calls) > len(demo_clips)
    assert sorted(done) == sorted(clip.name for clip in demo_clips)


def test_lengths_tell_the_victim(demo_audio: Path) -> None:
    """The test above names its victim by the number of samples."""
    import soundfile

    assert demo_audio.is_dir()
    frames = [soundfile.info(clip.path).frames for clip in corpora.resolve("demo", limit=CLIPS)]
    assert frames.count(frames[4]) == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_metric_raises_is_recorded_where_it_is_computed(workers: int, tmp_path: Path, demo_audio: Path) -> None:
    """A metric that raises is a record's failure, in this process and in another."""
    assert demo_audio.is_dir()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("os._exit(1)", 'raise RuntimeError("boom")'))
    victim = next(iter(corpora.resolve("demo", limit=2)))
    import soundfile

    command = f"bench --corpus demo --limit 2 --codecs pcm:16 --metrics fragile si_sdr --workers {workers} --out run"
    done = subprocess.run(
        [sys.executable, script.name, *command.split(), "--threads", "1", "--no-report"],
        cwd=tmp_path,
        env={**os.environ, "DIES": str(soundfile.info(victim.path).frames)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = {record["clip"]: record for record in records.load(tmp_path / "run")}
    assert found[victim.name]["failed"] == {"fragile": "RuntimeError: boom"}
    assert set(found[victim.name]["scores"]) == {"si_sdr"}
