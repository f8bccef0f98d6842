"""What a run folder belongs to: a recipe, a set of clips, a number of processes, a beginning. `RUN/training.json`.

Only a run of the same configuration can be resumed, because what came out otherwise would be neither the one nor the
other training. `pace`, workers, device and what is validated may change from one invocation to the next.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeczoo.codecs.errors import InvalidTraining

from .recipe import Recipe

NAME = "training.json"
_SCHEMA = 1
_NAMED_AT_ONCE = 4


@dataclass(frozen=True)
class RunIdentity:
    """What must agree for a training to go on."""

    recipe: Mapping[str, Any]
    """`Recipe.facts`."""
    data: str
    """`ClipSet.fingerprint` of the training clips."""
    processes: int
    initial: str | None = None
    """SHA-256 of the weights that it began with; None: fresh ones."""

    @staticmethod
    def of(recipe: Recipe, data: str, processes: int, initial: str | None = None) -> RunIdentity:
        # Through JSON, so that it equals what is read back.
        return RunIdentity(json.loads(json.dumps(recipe.facts())), data, processes, initial)


def claim(folder: Path, identity: RunIdentity) -> None:
    """Make the folder this run's, if it is new. Raises InvalidTraining where it is another's or cannot be written."""
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _check_unused(folder)
            _write(path, identity)
            return
    except OSError as error:
        raise InvalidTraining(f"The run folder {folder} cannot be used: {error.strerror}. Name another.") from error
    check(folder, identity)


def check(folder: Path, identity: RunIdentity) -> None:
    """Raise InvalidTraining unless the run in the folder is the one described, naming what differs."""
    found = _read(folder / NAME)
    differences = [
        f"{key} is {identity.recipe.get(key)!r} here and {found.recipe.get(key)!r} there"
        for key in sorted({*identity.recipe, *found.recipe})
        if identity.recipe.get(key) != found.recipe.get(key)
    ]
    if identity.data != found.data:
        differences.append("the training clips are others")
    if identity.processes != found.processes:
        differences.append(f"there are {identity.processes} processes here and {found.processes} there")
    if identity.initial != found.initial:
        differences.append(f"it begins with {_began(identity.initial)} here and with {_began(found.initial)} there")
    if differences:
        more = len(differences) - _NAMED_AT_ONCE
        listed = "; ".join(differences[:_NAMED_AT_ONCE]) + (f"; and {more} more" if more > 0 else "")
        raise InvalidTraining(
            f"{folder} holds a training of another configuration: {listed}. Go on as it began, or name a new folder."
        )


def _began(initial: str | None) -> str:
    return "fresh weights" if initial is None else f"weights {initial[:12]}"


def _check_unused(folder: Path) -> None:
    if any(folder.glob("checkpoints/*.pt")):
        raise InvalidTraining(f"{folder} holds checkpoints but no {NAME}: it is not known what they belong to.")


def _read(path: Path) -> RunIdentity:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["schema"] != _SCHEMA:
            raise InvalidTraining(f"{path} is of schema {stored['schema']}; this version knows {_SCHEMA}.")
        initial = stored.get("initial")
        return RunIdentity(
            dict(stored["recipe"]),
            str(stored["data"]),
            int(stored["processes"]),
            None if initial is None else str(initial),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidTraining(f"{path} does not describe a training: {error}.") from error


def _write(path: Path, identity: RunIdentity) -> None:
    stored = {
        "schema": _SCHEMA,
        "recipe": dict(identity.recipe),
        "data": identity.data,
        "processes": identity.processes,
        "initial": identity.initial,
    }
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{NAME}.", delete=False, encoding="utf-8") as file:
        json.dump(stored, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
