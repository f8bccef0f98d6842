"""What a new training may begin with: the weights of an earlier one.

    FILE.pt            a checkpoint of a training: model, codebook and discriminators
    anything else      a model as it is published or exported: the discriminators begin fresh

Optimisers, learning rate, counts, random states and the position in the data begin anew: that is what tells it from
going on with a run. Nothing of the file is executed.
"""

from __future__ import annotations

from pathlib import Path

from codeczoo.codecs.errors import CodecError, InvalidTraining
from codeczoo.codecs.fingerprint import sha256_of

from .checkpoints import read_state
from .models import Judges, TrainedModel
from .recipe import Recipe
from .train_state import weights_of


def fingerprint(path: Path) -> str:
    """SHA-256 of the file, by which a run knows what it began with. Raises InvalidTraining."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise InvalidTraining(f"The weights to begin with, {path}, cannot be read: {error.strerror}.") from error


def begin_with(path: Path, recipe: Recipe, model: TrainedModel, judges: Judges) -> None:
    """Give the model, and from a checkpoint of a training the discriminators, the weights in `path`. Raises
    InvalidTraining where they do not fit."""
    try:
        if path.suffix == ".pt":
            weights = weights_of(read_state(path))
            model.load_state_dict(weights.model)
            judges.load_state_dict(weights.discriminators)
        else:
            model.load_state_dict(recipe.read_model(path).state_dict())
    except (CodecError, RuntimeError) as error:
        reason = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise InvalidTraining(f"This training cannot begin with {path}: {reason}") from error
