"""The loop: what it learns, how it goes on, what it refuses, and that nothing that is not finite gets in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from codeczoo import codecs
from codeczoo.codecs.errors import InvalidTraining, TrainingFailed
from codeczoo.codecs.training import train_log
from codeczoo.codecs.training.checkpoints import Checkpoints
from codeczoo.codecs.training.crops import validation_crops
from codeczoo.codecs.training.facts import ClipSet
from codeczoo.codecs.training.recipe import Recipe
from codeczoo.codecs.training.trainer import Running, Trainer
from codeczoo.codecs.training.validation import Validation

CPU = Running(device="cpu", tensorboard=False)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in the same order, whatever machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def same(a: Any, b: Any) -> bool:
    """Whether two states are equal to the last bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def end_state(run: Path) -> Any:
    """The last checkpoint of a run."""
    checkpoints = Checkpoints(run)
    return checkpoints.read(checkpoints.steps()[-1])


def train(recipe: Recipe, clips: ClipSet, run: Path, until: int | None = None, validation: Validation | None = None):
    return Trainer(recipe, clips, run, CPU, validation).run(until)


def test_a_run_that_is_stopped_anywhere_equals_an_undisturbed_one(
    small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    """Stops while the codebook waits, while its sample is gathered, and after the discriminators have joined."""
    validation = Validation(validation_crops(voice_clips, small_recipe.crops)[:2])
    train(small_recipe, voice_clips, tmp_path / "whole", validation=validation)
    for until in (1, 3, 4, 7, None):
        train(small_recipe, voice_clips, tmp_path / "parts", until, validation)
    whole, parts = end_state(tmp_path / "whole"), end_state(tmp_path / "parts")
    assert whole["counts"]["step"] == 12
    assert same(whole, parts)
    logs = [
        [{k: v for k, v in line.items() if k not in ("steps_per_second", "codebook/replaced")} for line in lines]
        for lines in (train_log.read(tmp_path / "whole"), train_log.read(tmp_path / "parts"))
    ]
    assert logs[0] == logs[1]
    assert [line["step"] for line in logs[0]] == [*range(1, 7), 6, *range(7, 13), 12]
