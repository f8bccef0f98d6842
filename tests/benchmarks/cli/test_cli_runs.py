"""Runs of a suite or of clips of every kind, and probes: what goes wrong is recorded, and the run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

from codeczoo.benchmarks import corpora, records

from .conftest import Run, tone


def test_every_kind_of_file_is_measured_or_its_reason_recorded(codeczoo: Run, tmp_path: Path) -> None:
    clips = tmp_path / "work" / "clips"
    measured = {
        "stereo.wav": {"channels": 2},
        "eight_channels.wav": {"channels": 8, "rate": 48_000},
        "8khz.wav": {"rate": 8_000},
        "192khz.flac": {"rate": 192_000, "subtype": "PCM_24"},
        "24bit.wav": {"rate": 44_100, "subtype": "PCM_24"},
        "float.wav": {"subtype": "FLOAT"},
        "double.wav": {"subtype": "DOUBLE"},
    }
    for name, how in measured.items():
        tone(clips / name, **how)  # pyright: ignore[reportArgumentType]
    tone(clips / "one_sample.wav", seconds=0)
    soundfile.write(clips / "silence.wav", np.zeros(16_000), 16_000)
    for name, bad in (("nan.wav", np.nan), ("inf.wav", np.inf)):
        soundfile.write(clips / name, np.array([0.1, bad, 0.1] * 4000, np.float32), 16_000, "FLOAT")
    soundfile.write(clips / "zero_samples.wav", np.zeros(0), 16_000)
    (clips / "not_audio.wav").write_text("this is not a sound")
    (clips / "empty.wav").write_bytes(b"")
    broken = {
        "nan.wav": "nan.wav has NaN or infinite samples, the first at 0.000 s.",
        "inf.wav": "inf.wav has NaN or infinite samples, the first at 0.000 s.",
        "zero_samples.wav": "zero_samples.wav holds no samples.",
        "not_audio.wav": "not_audio.wav cannot be read as audio",
        "empty.wav": "empty.wav is an empty file.",
    }
    command = "bench --codecs opus@12kbps --metrics si_sdr stft_distance --workers 0 --corpus clips --out run"
    status, out, err = codeczoo(*command.split())
    assert status == 1
    found = {record["clip"]: record for record in records.load(tmp_path / "work" / "run")}
    assert len(found) == len(measured) + len(broken) + 2
    for name, reason in broken.items():
        assert found[name]["scores"] == found[name]["undefined"] == {}
        assert list(found[name]["failed"]) == ["read"]
        assert reason in found[name]["failed"]["read"]
    for name in measured:
        assert set(found[name]["scores"]) == {"si_sdr", "stft_distance"}, name
        assert found[name]["failed"] == {}
    assert "si_sdr" in found["silence.wav"]["undefined"]
    assert set(found["one_sample.wav"]["undefined"]) == {"si_sdr", "stft_distance"}
    assert "failed: read 5" in err
    assert "undefined: si_sdr 2, stft_distance 1" in err
    assert "12 (codec, clip) pairs" in err or "14 (codec, clip) pairs" in err
    assert "5 failed" in out
    assert codeczoo(*command.split(), "--no-report")[0] == 1, "what failed before still counts"


SUITE = """\
name = "mine"
description = "All that a suite may say."
codecs = ["pcm:16"]
metrics = ["si_sdr"]
[corpus]
source = "demo"
where = { label = ["en", "fr"] }
limit = 4
seed = 5
segment_s = 1.5
[report]
group_by = "dataset"
intervals = true
"""


def test_all_that_a_suite_says_is_done_and_options_win(codeczoo: Run, tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    (tmp_path / "work" / "mine.toml").write_text(SUITE)
    command = ["bench", "--suite", "mine.toml", "--workers", "0", "--no-tokens", "--out"]
    status, out, _ = codeczoo(*command, "run")
    assert status == 0
    assert "### pytest-audioeval" in out
    assert "confidence" in out
    expected = corpora.resolve("demo", where={"label": ("en", "fr")}, limit=4, seed=5, segment_s=1.5)
    assert [record["clip"] for record in records.load(tmp_path / "work" / "run")] == [clip.name for clip in expected]
    assert len(expected) > 4
    options = "--codecs pcm:12 --metrics si_sdr_aligned --limit 2 --seed 6 --segment-s 99 --group-by corpus"
    status, out, _ = codeczoo(*command, "other", *options.split(), "--where", "label=pl")
    assert status == 0
    assert "### demo" in out
    found = records.load(tmp_path / "work" / "other")
    chosen = corpora.resolve("demo", where={"label": ("pl",)}, limit=2, seed=6)
    assert [record["clip"] for record in found] == [clip.name for clip in chosen]
    assert {record["codec"] for record in found} == {"pcm:12"}
    assert set(found[0]["scores"]) == {"si_sdr_aligned"}


def test_a_suite_with_lengths_makes_a_report_by_length(codeczoo: Run, tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    text = SUITE.replace("segment_s = 1.5", "lengths_s = [1, 3]").replace("limit = 4", "limit = 1")
    (tmp_path / "work" / "mine.toml").write_text(text)
    command = ["bench", "--suite", "mine.toml", "--codecs", "pcm:16", "--metrics", "si_sdr", "--workers", "0"]
    status, out, err = codeczoo(*command, "--out", "run")
    assert status == 0, err
    assert [line.split("|")[2].strip() for line in out.splitlines() if line.startswith("| `pcm:16`")] == [
        "1", "3", "change",
    ]  # fmt: skip
    assert {record["piece"]["length_s"] for record in records.load(tmp_path / "work" / "run")} == {1.0, 3.0}
    written = (tmp_path / "work" / "run" / "report").rglob("*")
    assert {path.name for path in written if path.is_file()} == {
        *(f"length.{form}" for form in ("md", "tex", "csv")),
        *(f"pytest-audioeval.{form}" for form in ("png", "pdf", "svg")),
    }
    status, out, _ = codeczoo(*command, "--lengths-s", "2", "--no-report", "--out", "other")
    assert [record["seconds"] for record in records.load(tmp_path / "work" / "other")] == [2.0]
    status, out, _ = codeczoo(*command, "--segment-s", "9", "--no-report", "--out", "cut")
    assert all("piece" not in record for record in records.load(tmp_path / "work" / "cut"))


def test_another_corpus_is_not_cut_by_the_suites_choice_of_clips(codeczoo: Run, tmp_path: Path) -> None:
    (tmp_path / "work" / "mine.toml").write_text(SUITE)
    tone(tmp_path / "work" / "clips" / "a.wav")
    assert (
        codeczoo(
            *["bench", "--suite", "mine.toml", "--corpus", "clips", "--workers", "0", "--no-report", "--out", "run"]
        )[0]
        == 0
    )
    assert [record["clip"] for record in records.load(tmp_path / "work" / "run")] == ["a.wav"]


def test_what_a_suite_names_and_cannot_run_here_is_left_out_and_noted(codeczoo: Run, tmp_path: Path) -> None:
    text = SUITE.replace('"pcm:16"', '"pcm:16", "mimi:24khz@*", "dac:44khz@9q"').replace(
        '"si_sdr"', '"si_sdr", "utmos"'
    )
    (tmp_path / "work" / "mine.toml").write_text(text)
    tone(tmp_path / "work" / "clips" / "a.wav")
    command = "bench --suite mine.toml --corpus clips --workers 0 --threads 1 --no-report --out run"
    status, _, err = codeczoo(*command.split())
    assert status == 0
    assert [line for line in err.splitlines() if line.startswith("left out")] == [
        "left out: mimi:24khz (32 rates): weights: codeczoo fetch mimi:24khz",
        "left out: dac:44khz (1 rate): weights: codeczoo fetch dac:44khz",
        "left out: utmos: weights: codeczoo fetch utmos",
    ]
    (invocation,) = json.loads((tmp_path / "work" / "run" / "run.json").read_text())["invocations"]
    assert invocation["codecs"] == ["pcm:16"]
    assert len(invocation["skipped_codecs"]) == 33
    assert invocation["threads"] == 1
    assert invocation["command"].startswith("codeczoo bench --suite mine.toml")


def test_threads_are_applied_and_recorded(codeczoo: Run, tmp_path: Path) -> None:
    import torch

    before = torch.get_num_threads()
    tone(tmp_path / "work" / "clips" / "a.wav")
    try:
        command = "bench --codecs pcm:16 --metrics si_sdr --corpus clips --workers 0 --no-report --threads 3 --out run"
        assert codeczoo(*command.split())[0] == 0
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    (record,) = records.load(tmp_path / "work" / "run")
    assert record["timing"]["threads"] == 3


def test_a_probe_prints_its_table_and_continues(codeczoo: Run, tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    command = ["probe", "--codecs", "pcm:16", "--corpus", "demo", "--seeds", "1", "--threads", "1", "--out", "run"]
    status, out, err = codeczoo(*command)
    assert status == 3, err
    assert "| chance (uniform) | 11.1 |" in out
    assert "- `pcm:16`: undefined, no embeddings" in out
    assert "pytest-audioeval (linear): 9 labels, 27 test clips" in out
    assert "21 probes: 21 made now" in err
    status, again, err = codeczoo(*command)
    assert (status, again) == (3, out)
    assert "21 probes: 0 made now" in err
    assert codeczoo("probe", "--report", "--out", "run")[1] == out
    assert {path.name for path in (tmp_path / "work" / "run" / "report" / "probes").iterdir()} == {
        "probes.md", "probes.tex", "probes.csv",
    }  # fmt: skip


COMMAND_LINE = """\
import signal, sys
from codeczoo.benchmarks.cli import main

# What a shell starts in the background ignores the signal, and so do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""


def test_ctrl_c_ends_a_run_and_records_nothing_wrong(tmp_path: Path) -> None:
    for number in range(60):
        tone(tmp_path / "clips" / f"{number}.flac", seconds=0.5 + number / 100, channels=2)
    bench = ["bench", "--codecs", "opus@12kbps", "--metrics", "si_sdr", "stft_distance", "--corpus", "clips"]
    command = [sys.executable, "-c", COMMAND_LINE, *bench, "--workers", "0", "--no-report", "--out", "run"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    file = tmp_path / "run" / "records.jsonl"

    def recorded() -> int:
        return file.read_bytes().count(b"\n") if file.is_file() else 0

    for pause_s in (0.0, 0.011):
        known, deadline = recorded(), time.monotonic() + 60
        with subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            while recorded() == known:
                assert running.poll() is None, running.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.002)
            time.sleep(pause_s)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=60)
        assert running.returncode == 130, err
        assert "exception" not in err.lower()
    assert 0 < recorded() < 60
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {record["clip"]: record for record in records.load(tmp_path / "run")}
    assert len(found) == 60
    assert not any(record["failed"] or record["undefined"] for record in found.values())
