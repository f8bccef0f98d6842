"""The benchmark of the native models, on small ones: what it measures, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from codeczoo.benchmarks import native_speed
from codeczoo.benchmarks.errors import BenchmarkError


def test_figures_of_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--models", "taae", "--small", "--lengths", "1", "0.5", "--repeats", "1", "--threads", "1"]
    assert native_speed.main([*arguments, "--out", str(tmp_path)]) == 0
    figures = json.loads((tmp_path / "native_speed.json").read_text(encoding="utf-8"))
    assert set(figures["other_programs_cores"]) == ({"taae"} if Path("/proc/self/status").exists() else set())
    assert all(0 <= cores < 1000 for cores in figures["other_programs_cores"].values())
    rows = figures["rows"]
    assert [(row["model"], row["seconds"]) for row in rows] == [("taae", 0.5), ("taae", 1.0)]
    for row in rows:
        assert row["real_time_factor"] == pytest.approx((row["encode_s"] + row["decode_s"]) / row["seconds"])
        assert 0 < row["real_time_factor"] < 50
    text = (tmp_path / "native_speed.md").read_text(encoding="utf-8")
    assert text == capsys.readouterr().out
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 1 + len(rows)


@pytest.mark.parametrize("name", native_speed.models())
def test_every_model_codes(name: str) -> None:
    with torch.random.fork_rng():
        coder = native_speed.make(name, torch.device("cpu"), small=True)
        audio = 0.1 * torch.randn(1, 1, coder.sample_rate // 2)
    decoded = coder.decode(coder.encode(audio))
    assert decoded.shape[-1] >= audio.shape[-1]
    assert torch.isfinite(decoded).all()
    assert coder.parameters > 10_000


def test_what_cannot_be_measured() -> None:
    with pytest.raises(BenchmarkError, match="no native model 'opus'"):
        native_speed.measure("opus", [1.0], device="cpu", threads=1, repeats=1, small=True)
    with pytest.raises(BenchmarkError, match="above 0"):
        native_speed.measure("taae", [0.0], device="cpu", threads=1, repeats=1, small=True)
    assert native_speed.main(["--models", "nothing"]) == 1
