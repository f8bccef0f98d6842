"""Memory: a file of an hour takes no more than one of ten minutes, and a corpus of 200 clips no more than one of 20.

Each run is a process of its own, which tells its peak and that of its scoring processes: `resource` gives the largest
resident set since a process began.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks import corpora, records
from codeczoo.benchmarks.audio import read_mono

MEASURED = """\
import json, resource, sys

def peaks():
    kib = {who: resource.getrusage(getattr(resource, who)).ru_maxrss for who in ("RUSAGE_SELF", "RUSAGE_CHILDREN")}
    return {who: value / 1024 for who, value in kib.items()}

if __name__ == "__main__":  # scoring processes import this file
    from codeczoo.benchmarks.cli import main
    status = main(sys.argv[1:])
    print(json.dumps({"status": status, **peaks()}))
"""
"""RUSAGE_CHILDREN is the largest of all children that have ended, and workers end with the run."""


def measured(tmp_path: Path, *arguments: str | Path) -> dict[str, float]:
    """Exit status and peaks in MiB of the command line in a process of its own."""
    script = tmp_path / "measured.py"
    script.write_text(MEASURED)
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=570)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def speech(path: Path, seconds: int) -> Path:
    """Real speech, repeated, written clip by clip."""
    clips = [read_mono(clip.path)[0] for clip in corpora.demo()]
    left = seconds * 16_000
    with soundfile.SoundFile(path, "w", 16_000, 1, "PCM_16", format="FLAC") as file:
        while left:
            for clip in clips:
                file.write(clip[:left])
                left -= len(clip[:left])
    return path


@pytest.mark.slow
def test_an_hour_is_measured_in_the_memory_of_ten_minutes(tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    peaks: dict[int, dict[str, float]] = {}
    for seconds in (600, 3600):
        run = tmp_path / f"run{seconds}"
        peaks[seconds] = measured(
            tmp_path,
            *("bench", "--codecs", "opus@12kbps", "--metrics", "mel_distance", "si_sdr", "pesq_wb"),
            *("--corpus", speech(tmp_path / f"{seconds}.flac", seconds)),
            *("--workers", "1", "--threads", "1", "--no-report", "--out", run),
        )
        assert peaks[seconds]["status"] == 3, "undefined, not failed"
        (record,) = records.load(run)
        assert record["seconds"] == seconds
        assert record["bits"]["payload"] / seconds == pytest.approx(12_000, rel=0.2)
        assert set(record["scores"]) == {"mel_distance", "si_sdr"}
        limit = "takes clips of up to 60 s; this one has"
        assert record["undefined"]["pesq_wb"] == f"{limit} {seconds} s (cut it with --segment-s)"
        assert not (run / ".spool").exists()
    for process, bound_mib in (("RUSAGE_SELF", 800), ("RUSAGE_CHILDREN", 400)):
        assert peaks[3600][process] < bound_mib
        assert peaks[3600][process] - peaks[600][process] < 50, process


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    peaks: dict[int, float] = {}
    for count in (20, 200):
        folder = tmp_path / f"{count}"
        folder.mkdir()
        for number in range(count):
            soundfile.write(folder / f"{number}.wav", 0.1 * rng.standard_normal(24_000), 16_000)
        found = measured(
            tmp_path,
            *("bench", "--codecs", "g722@64kbps", "pcm:16", "--metrics", "si_sdr", "mel_distance", "--corpus", folder),
            *("--workers", "0", "--threads", "1", "--no-report", "--out", tmp_path / f"run{count}"),
        )
        assert found["status"] == 0
        assert len(records.load(tmp_path / f"run{count}")) == 2 * count
        peaks[count] = found["RUSAGE_SELF"]
    assert peaks[200] - peaks[20] < 30


def test_an_hour_is_encoded_and_decoded_block_by_block(tmp_path: Path, demo_audio: Path) -> None:
    """Ten minutes of it in the ordinary tests; the length is exact."""
    assert demo_audio.is_dir()
    seconds = 600
    source = speech(tmp_path / "long.flac", seconds)
    tokens, wav = tmp_path / "tokens", tmp_path / "wav"
    encode = measured(
        tmp_path, "encode", "--codec", "g722@64kbps", "--corpus", source, "--workers", "1", "--out", tokens
    )
    decode = measured(tmp_path, "decode", tokens, "--workers", "1", "--out", wav)
    info = soundfile.info(wav / "long.wav")
    assert (encode["status"], decode["status"]) == (0, 0)
    assert (info.frames, info.samplerate, info.subtype) == (seconds * 16_000, 16_000, "FLOAT")
    baseline = measured(tmp_path, "encode", "--codec", "g722@64kbps", "--corpus", "demo", "--limit", "1", "--workers",
                        "1", "--out", tmp_path / "short")["RUSAGE_SELF"]  # fmt: skip
    whole_mib = 4 * seconds * 16_000 / 2**20
    assert encode["RUSAGE_SELF"] - baseline < whole_mib
    assert decode["RUSAGE_SELF"] - baseline < whole_mib
