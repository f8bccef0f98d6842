"""Memory: a file of an hour takes no more than one of ten minutes, and a corpus of 200 clips no more than one of 20.

Each run is a process of its own, which tells its peak and those of its scoring processes: VmHWM, the largest resident
set since the program began. (`resource.getrusage` would also count what a process' parent held when it was forked.)
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks import corpora, records
from codeczoo.benchmarks.audio import read_mono

_log = logging.getLogger(__name__)

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")

MEASURED = """\
import json, os, sys
from multiprocessing.util import Finalize
from pathlib import Path

def peak_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

def note_peak():
    Path(os.environ["PEAKS"], str(os.getpid())).write_text(str(peak_mib()))

if __name__ == "__mp_main__":  # a scoring process
    Finalize(None, note_peak, exitpriority=0)
if __name__ == "__main__":
    from codeczoo.benchmarks.cli import main
    status = main(sys.argv[1:])
    workers = [float(file.read_text()) for file in Path(os.environ["PEAKS"]).iterdir()]
    print(json.dumps({"status": status, "main": peak_mib(), "worker": max(workers, default=0)}))
"""


def measured(tmp_path: Path, *arguments: str | Path) -> dict[str, float]:
    """Exit status, and peaks in MiB of the command line and of its largest scoring process."""
    script = tmp_path / "measured.py"
    script.write_text(MEASURED)
    peaks = tmp_path / f"peaks{len(list(tmp_path.iterdir()))}"
    peaks.mkdir()
    command = [sys.executable, str(script), *map(str, arguments)]
    environment = {**os.environ, "PEAKS": str(peaks)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=570, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    _log.info("%s: %s", " ".join(command[2:]), found)
    return found


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
            *("bench", "--codecs", "g726@16kbps", "--metrics", "mel_distance", "si_sdr", "pesq_wb"),
            *("--corpus", speech(tmp_path / f"{seconds}.flac", seconds)),
            *("--workers", "1", "--threads", "1", "--no-report", "--out", run),
        )
        assert peaks[seconds]["status"] == 3, "undefined, not failed"
        (record,) = records.load(run)
        assert record["seconds"] == seconds
        assert record["bits"]["payload"] / seconds == pytest.approx(16_000, rel=0.001)
        assert set(record["scores"]) == {"mel_distance", "si_sdr"}
        limit = "takes clips of up to 60 s; this one has"
        assert record["undefined"]["pesq_wb"] == f"{limit} {seconds} s (cut it with --segment-s)"
        assert not (run / ".spool").exists()
    for process, bound_mib in (("main", 800), ("worker", 400)):
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
        peaks[count] = found["main"]
    assert peaks[200] - peaks[20] < 30


def test_a_long_file_is_encoded_and_decoded_block_by_block(tmp_path: Path, demo_audio: Path) -> None:
    """Half of one here; the length is exact."""
    assert demo_audio.is_dir()
    seconds = 1800
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
                        "1", "--out", tmp_path / "short")["main"]  # fmt: skip
    whole_mib = 4 * seconds * 16_000 / 2**20
    assert encode["main"] - baseline < whole_mib
    assert decode["main"] - baseline < whole_mib
