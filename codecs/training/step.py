"""One step of the training: what the paper's section 3.4 does with a batch.

    joint                                               alternating
    1  estimate = model(audio)                          1  estimate = model(audio)
    2  both losses, from one judgement of each signal   2  the discriminators' loss; they move
    3  model, codebook and discriminators move          3  the model's loss, as the moved discriminators judge
                                                        4  model and codebook move

The model's forward runs once a step, where the published procedure runs it for each of the two optimisers. Until the
discriminators join (`adversarial_from`), the model learns from the mel and commitment loss alone.

The guard. A loss or gradient that is not finite, on any process, is applied on none: gradients are dropped, the
codebook forgets what it saw (`Quantizer.discard`), the optimisers' states stay as they are, and the step counts as
skipped. In the alternating procedure the discriminators may have moved by a finite gradient before the model's turns
out not to be: that stands.

Several processes. Each has its share of the batch; `DistributedDataParallel` averages gradients, and the codebook sums
its statistics. All terms are means over crops, so that gradients are those of one process with the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .discriminators import Discriminators
from .learner import Learner, all_finite
from .loader import Batch
from .losses import DiscriminatorLoss, GeneratorLoss, Losses, Terms
from .mel_loss import MelLoss
from .models import TrainedModel
from .recipe import Recipe
from .schedule import adversarial, bandwidth_id

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class StepOutcome:
    """What a step came to, on this process: over all parts of its share of the batch."""

    skipped: bool
    """Whether the guard kept the model from moving."""
    generator: GeneratorLoss
    discriminator: DiscriminatorLoss | None
    """None until the discriminators join, as their gradient."""
    codes: Tensor
    """int64 `[B, K, N]`."""
    generator_gradient: Tensor
    """Length of the gradient of the whole batch, before it is shortened."""
    discriminator_gradient: Tensor | None

    def scalars(self) -> dict[str, float]:
        """Everything by name, for logging. Waits for the device."""
        found = {f"generator/{name}": value for name, value in self.generator.scalars().items()}
        found["generator/gradient"] = float(self.generator_gradient)
        if self.discriminator is not None and self.discriminator_gradient is not None:
            found |= {f"discriminator/{name}": value for name, value in self.discriminator.scalars().items()}
            found["discriminator/gradient"] = float(self.discriminator_gradient)
        return found


class TrainingStep:
    """The parts that learn, made ready by `accelerator`, and how they learn from a batch."""

    def __init__(self, recipe: Recipe, accelerator: Accelerator, model: TrainedModel, judges: Discriminators) -> None:
        self.recipe = recipe
        self.accelerator = accelerator
        self.model = model
        """As it is saved and exported: not wrapped."""
        self.judges = judges
        """The discriminators, likewise."""
        self._model: Any
        self._judges: Any
        self._model, self._judges = accelerator.prepare(model, judges)
        self.generator = Learner(model, recipe.optimiser, accelerator)
        self.discriminator = Learner(judges, recipe.optimiser, accelerator)
        self._codebook_learns = True
        self._losses = Losses(self._judges, MelLoss(recipe.model.sample_rate).to(accelerator.device), recipe.losses)

    def __call__(self, parts: Sequence[Batch], step: int) -> StepOutcome:
        """Learn from the parts of this process's share of the batch. Every process calls this."""
        rate = self.recipe.learning_rate(step)
        self.generator.set_rate(rate)
        self.discriminator.set_rate(rate)
        self._codebook_learns = step > self.recipe.codebook.from_step
        identity = bandwidth_id(self.recipe, step)
        if not adversarial(self.recipe, step):
            return self._reconstruct(parts, identity)
        if self.recipe.procedure == "joint":
            return self._joint(parts, identity)
        (part,) = parts
        return self._alternating(part, identity)

    def _reconstruct(self, parts: Sequence[Batch], identity: int) -> StepOutcome:
        def learn(part: Batch) -> tuple[Tensor, GeneratorLoss]:
            made = self.recipe.run_model(self._model, part, identity)
            loss = self._losses.reconstruction_loss(part.audio, made.audio, made.commitment)
            loss = self.recipe.with_own_terms(loss, made)
            self._backward(loss, len(parts))
            return made.codes, loss

        codes, losses = zip(*[learn(part) for part in self._in_turn(parts)], strict=True)
        loss = GeneratorLoss.mean(losses)
        length = self.generator.gradient_length()
        moved = all_finite(loss.total, length)
        self._move_model(moved, length)
        return StepOutcome(not moved, loss, None, torch.cat(codes), length, None)

    def _joint(self, parts: Sequence[Batch], identity: int) -> StepOutcome:
        condition = self._condition(identity)

        def learn(part: Batch) -> tuple[Tensor, GeneratorLoss, DiscriminatorLoss]:
            made = self.recipe.run_model(self._model, part, identity)
            loss, judges_loss = self._losses.joint_losses(part.audio, made.audio, made.commitment, condition)
            loss = self.recipe.with_own_terms(loss, made)
            self._backward(loss, len(parts))
            self._backward(judges_loss, len(parts))
            return made.codes, loss, judges_loss

        codes, losses, judges_losses = zip(*[learn(part) for part in self._in_turn(parts)], strict=True)
        loss, judges_loss = GeneratorLoss.mean(losses), DiscriminatorLoss.mean(judges_losses)
        length, judges_length = self.generator.gradient_length(), self.discriminator.gradient_length()
        moved = all_finite(loss.total, judges_loss.total, length, judges_length)
        self._move_model(moved, length)
        self.discriminator.move(moved, judges_length)
        return StepOutcome(not moved, loss, judges_loss, torch.cat(codes), length, judges_length)

    def _alternating(self, part: Batch, identity: int) -> StepOutcome:
        condition = self._condition(identity)
        made = self.recipe.run_model(self._model, part, identity)
        judges_loss = self._losses.discriminator_loss(part.audio, made.audio, condition)
        self._backward(judges_loss, 1)
        judges_length = self.discriminator.gradient_length()
        judges_moved = all_finite(judges_loss.total, judges_length)
        self.discriminator.move(judges_moved, judges_length)
        loss = self._losses.generator_loss(part.audio, made.audio, made.commitment, condition)
        loss = self.recipe.with_own_terms(loss, made)
        self._backward(loss, 1)
        length = self.generator.gradient_length()
        moved = judges_moved and all_finite(loss.total, length)
        self._move_model(moved, length)
        return StepOutcome(not moved, loss, judges_loss, made.codes, length, judges_length)

    def _in_turn(self, parts: Sequence[Batch]) -> Iterator[Batch]:
        """The parts; gradients travel between processes with the last."""
        for part in parts[:-1]:
            with self.accelerator.no_sync(self._model), self.accelerator.no_sync(self._judges):
                yield part
        yield parts[-1]

    def _condition(self, identity: int) -> Tensor | None:
        if not self.recipe.discriminators.conditions:
            return None
        return torch.tensor([identity], device=self.accelerator.device)

    def _backward(self, loss: Terms, parts: int) -> None:
        self.accelerator.backward(loss.total / parts)

    def _move_model(self, finite: bool, length: Tensor) -> None:
        self.generator.move(finite, length)
        if finite and self._codebook_learns:
            self.model.quantizer.update()
        else:
            self.model.quantizer.discard()
