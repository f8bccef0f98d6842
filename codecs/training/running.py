"""How a training runs on the machine at hand: device, workers, precision, the pace that it keeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from codeczoo.codecs.errors import InvalidTraining, MissingDependency
from codeczoo.codecs.taae import TAAE
from codeczoo.codecs.wavtokenizer import WavTokenizer

from .models import Judges, TrainedModel
from .recipe import Recipe

if TYPE_CHECKING:
    from accelerate import Accelerator

Device = Literal["auto", "cpu", "cuda"]
Watcher = Callable[[int, Mapping[str, float]], None]
"""Called after every step with its number and the scalars that were logged last."""


@dataclass(frozen=True)
class Running:
    """How a training runs here. Only `initial` decides what comes out, beyond rounding."""

    device: Device = "auto"
    workers: int = 0
    """Processes that make batches; 0: the training's own."""
    compile: bool = False
    """Whether the networks are compiled, which takes minutes first."""
    tensorboard: bool = True
    initial: Path | None = None
    """Weights that a new training begins with (`codeczoo.codecs.training.initial`), instead of fresh ones."""
    watch: Watcher | None = None
    model_facts: Mapping[str, str] = field(default_factory=dict[str, str])
    """What exported models say of themselves: `training_data`, `weights_licence`, `domain`."""


class Clock:
    """Time spent learning, without validating and saving; a context manager around each step."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._steps = 0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds += time.perf_counter() - self._began
        self._steps += 1

    def rate_since_last(self) -> float:
        """Steps a second since this was last asked."""
        rate = self._steps / self._seconds if self._seconds else 0.0
        self._seconds, self._steps = 0.0, 0
        return rate


def accelerator_for(recipe: Recipe, device: Device) -> Accelerator:
    """What runs the recipe on this device, or on all processes that were started. Raises MissingDependency,
    InvalidTraining."""
    try:
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs
    except ImportError as error:
        raise MissingDependency("Training needs the package accelerate: pip install 'codeczoo[train]'") from error
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidTraining("There is no GPU that PyTorch can use here; train with the device cpu or auto.")
    # The codebook's buffers are equal on all processes by their own doing.
    wrapping = DistributedDataParallelKwargs(broadcast_buffers=False)
    try:
        return Accelerator(
            # Without being told that it is a CPU, accelerate would run several processes as if each were alone.
            cpu=device == "cpu" or not torch.cuda.is_available(),
            mixed_precision=recipe.precision,
            kwargs_handlers=[wrapping],
            rng_types=[],
        )
    except ValueError as error:
        raise InvalidTraining(f"Precision {recipe.precision} cannot be had here: {error}") from error


def compile_networks(model: TrainedModel, judges: Judges) -> None:
    """Compile at the first use."""
    # Part by part and in place: the names of weights stay, and the codebook, whose first steps differ, is left out.
    model.encoder.compile()
    # So is a transformer of experts, whose shapes change with what each expert gets.
    if isinstance(model, TAAE) or (isinstance(model, WavTokenizer) and model.config.decoder is None):
        model.decoder.compile()
    else:
        model.backbone.compile()
    judges.compile()
