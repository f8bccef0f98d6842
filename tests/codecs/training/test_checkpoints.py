"""Checkpoints on disk: which stay, what a damaged one says, and that nothing in one is executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from codeczoo.codecs.errors import InvalidTraining
from codeczoo.codecs.training.checkpoints import Checkpoints


def test_the_latest_stay_and_the_best(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (100, 200, 300, 400):
        checkpoints.write(step, {"x": torch.tensor([step])}, best=100)
    assert checkpoints.steps() == (100, 300, 400)
    assert checkpoints.read(300)["x"].item() == 300
    checkpoints.write(500, {"x": torch.tensor([500])}, best=500)
    assert checkpoints.steps() == (400, 500)


def test_a_part_left_by_a_kill_is_not_a_checkpoint(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(1, {})
    (checkpoints.folder / ".step-00000002.pt.part").write_bytes(b"PK half of it")
    assert checkpoints.steps() == (1,)
    checkpoints.write(2, {})
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == ["step-00000001.pt", "step-00000002.pt"]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_one_names_the_one_before(tmp_path: Path, damage: str) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        path = checkpoints.write(step, {"x": torch.arange(4096)})
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes(content[: len(content) // (2 if damage == "cut" else 1)])
    with pytest.raises(InvalidTraining, match=r"step-00000002\.pt .* Remove it, and training goes on from step 1"):
        checkpoints.read(2)
    assert torch.equal(checkpoints.read(1)["x"], torch.arange(4096))


class _Code:
    """What a pickle would run."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


def test_nothing_in_it_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.folder.mkdir()
    torch.save({"x": _Code()}, checkpoints.path(1))
    with pytest.raises(InvalidTraining, match="cannot be read: Weights only load failed"):
        checkpoints.read(1)
    assert not (tmp_path / "executed").exists()
