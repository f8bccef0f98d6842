"""A worker's process that dies loses nothing, and one clip that always kills it costs that clip alone.

Each run is a process of its own with a metric that kills the process which computes it: workers are started afresh, so
that only what the script's own file does at its import is known to them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codeczoo.benchmarks import corpora, records

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


def bench(tmp_path: Path, dies: str, *options: str) -> tuple[subprocess.CompletedProcess[str], list[records.Record]]:
    """A run on two workers; its lines, unmerged."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = ["bench", "--corpus", "demo", "--limit", str(CLIPS), "--codecs", *CODECS, "--metrics", "fragile"]
    command += ["si_sdr", "--workers", "2", "--threads", "1", "--no-report", "--out", "run", *options]
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


@pytest.mark.parametrize("options", [(), ("--code-in-workers",)])
def test_a_worker_that_is_killed_loses_nothing(options: tuple[str, ...], tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    done, lines = bench(tmp_path, "once", *options)
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
            assert "the worker process died twice on this clip" in line["failed"]["fragile"]
        else:
            assert set(line["scores"]) == {"fragile", "si_sdr"}, "another clip paid for it"
    assert "failed: fragile 2, si_sdr 2" in done.stderr


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
