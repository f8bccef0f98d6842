"""The command line in this process, in an empty folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks.cli import main

Run = Callable[..., tuple[int, str, str]]
"""Arguments to (exit status, standard output, standard error)."""


@pytest.fixture
def codeczoo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process, in an empty folder, on a machine without weights or network."""
    home = tmp_path / "home"
    work = tmp_path / "work"
    for folder in (home, work):
        folder.mkdir()
    for name in ("CODECZOO_WEIGHTS", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.chdir(work)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def tree(folder: Path) -> dict[str, str]:
    """Every file and folder below a folder, files with the hash of their content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


def tone(path: Path, seconds: float = 1.0, rate: int = 16_000, channels: int = 1, subtype: str = "PCM_16") -> Path:
    """A file of speech-like level that every metric but the speech models accepts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = max(1, round(seconds * rate))
    rng = np.random.default_rng(samples)
    wave = 0.3 * np.sin(2 * np.pi * 220 * np.arange(samples) / rate) + 0.05 * rng.standard_normal(samples)
    soundfile.write(path, np.repeat(wave[:, None], channels, 1), rate, subtype)
    return path
