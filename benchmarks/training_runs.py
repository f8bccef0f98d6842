"""Trainings that are part of an experiment: one after the other, each to its end or not at all."""

from __future__ import annotations

from pathlib import Path

from codeczoo.codecs.training.facts import ClipSet
from codeczoo.codecs.training.recipe import Recipe
from codeczoo.codecs.training.running import Device, Running
from codeczoo.codecs.training.trainer import Trainer
from codeczoo.codecs.training.validation import Validation


def train(recipe: Recipe, clips: ClipSet, out: Path, device: Device, validation: Validation) -> None:
    """Train to the last step. Ends the program where Ctrl-C or SIGTERM asked for it: the checkpoint is saved, and the
    next training must not begin."""
    ended = Trainer(recipe, clips, out, Running(device=device, tensorboard=False), validation).run()
    if ended.stopped_by is not None:
        raise SystemExit(128 + ended.stopped_by)
