"""What the loop knows of a step, whatever family it is of: parts that learn, and what became of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from .learner import Learner
from .loader import Batch
from .models import Judges, TrainedModel

if TYPE_CHECKING:
    from accelerate import Accelerator


class Outcome(Protocol):
    """What a step came to."""

    @property
    def skipped(self) -> bool:
        """Whether the guard kept the model from moving."""
        ...

    @property
    def codes(self) -> Tensor:
        """int64 `[B, K, N]`, of this process's whole share of the batch."""
        ...

    def scalars(self) -> dict[str, float]:
        """Losses and gradients by name, for logging. Waits for the device."""
        ...


class Step(Protocol):
    """The parts that learn, and how they learn from a batch."""

    @property
    def accelerator(self) -> Accelerator: ...

    @property
    def model(self) -> TrainedModel: ...

    @property
    def judges(self) -> Judges: ...

    @property
    def generator(self) -> Learner: ...

    @property
    def discriminator(self) -> Learner: ...

    def __call__(self, parts: Sequence[Batch], step: int) -> Outcome:
        """Learn from the parts of this process's share of the batch. Every process calls this; steps count from 1."""
        ...
