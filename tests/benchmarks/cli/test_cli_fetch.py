"""Fetching weights without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Run


def test_what_needs_no_weights_is_said(codeczoo: Run) -> None:
    assert codeczoo("fetch", "opus")[:2] == (0, "opus needs no weights.\n")
    assert codeczoo("fetch", "stoi")[:2] == (0, "stoi needs no weights, or its package carries them.\n")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("dac:44khz", "codeczoo: https://github.com/descriptinc/descript-audio-codec/releases/"),
        ("mimi:24khz", "codeczoo: The hub repository kyutai/mimi cannot be fetched: "),
        (
            "utmos",
            "codeczoo: utmos_state_dict.pt of Blinorot/UTMOS-PyTorch cannot be fetched from the Hugging Face hub",
        ),
    ],
)
def test_without_a_network_fetch_is_one_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    """In a process of its own, since the hub's library keeps its connections. A proxy that nobody runs: no network."""
    nobody = "http://127.0.0.1:9"
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "HTTPS_PROXY": nobody, "https_proxy": nobody, "HF_HOME": "hub"}
    environment.pop("CODECZOO_WEIGHTS", None)
    done = subprocess.run(
        [sys.executable, "-m", "codeczoo.benchmarks.cli", "fetch", name],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(sentence)
    assert done.stdout.startswith(f"{name}: licence of the weights: ")
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".pt", ".pth", ".th", ".safetensors"}]
