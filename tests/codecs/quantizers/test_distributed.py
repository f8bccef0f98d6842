"""Two processes (gloo) with unequal halves of each batch: equal codebooks, those of one with the whole batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

WORKER = Path(__file__).with_name("one_of_two.py")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each process holds after training: `first` and `second` together, and `alone`."""
    folder = tmp_path_factory.mktemp("processes")
    started = {}
    for name, rank, processes in (("first", 0, 2), ("second", 1, 2), ("alone", 0, 1)):
        command = [sys.executable, str(WORKER), str(rank), str(processes), str(folder / "meet"), str(folder / name)]
        started[name] = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for name, process in started.items():
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, f"{name}: {errors}"
    return {name: torch.load(folder / name, weights_only=True) for name in started}


def test_both_hold_the_same_to_the_last_bit(runs: dict[str, dict[str, Any]]) -> None:
    for part in ("single", "chain"):
        first, second = runs["first"][part], runs["second"][part]
        assert first.keys() == second.keys()
        assert all(torch.equal(value, second[key]) for key, value in first.items())
    assert bool(runs["first"]["chain"]["stages.2.inited"].item())


def test_and_it_is_what_one_process_learns_from_the_whole_batch(runs: dict[str, dict[str, Any]]) -> None:
    """Through the first codebook, the averages and the replaced entries; but for the order of float32 sums."""
    together, alone = runs["first"]["single"], runs["alone"]["single"]
    assert runs["first"]["replaced"] == runs["alone"]["replaced"] > 0
    assert together.keys() == alone.keys()
    for key, value in alone.items():
        torch.testing.assert_close(together[key], value, rtol=1e-4, atol=1e-4)
