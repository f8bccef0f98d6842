"""One step of TAAE's training, of either stage.

    1  estimate = model(audio), through noise or rounding of a number of levels drawn for the step
    2  the discriminators' loss; they move
    3  the model's loss, as the moved discriminators judge; the model moves

The published code takes a batch for the discriminators, and the next one for the model: here each batch is for both,
and the model's forward runs once. The guard is that of `codeczoo.codecs.training.step`: what is not finite on any
process moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from codeczoo.codecs.taae import TAAE, Reconstruction

from .learner import Learner, all_finite
from .loader import Batch
from .perceptual import PerceptualLoss
from .taae_discriminator import GoldenDiscriminator
from .taae_losses import TaaeDiscriminatorLoss, TaaeGeneratorLoss, TaaeLosses
from .taae_recipe import TaaeRecipe

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class TaaeOutcome:
    """What a step came to, on this process."""

    skipped: bool
    """Whether the guard kept the model from moving."""
    generator: TaaeGeneratorLoss
    discriminator: TaaeDiscriminatorLoss
    codes: Tensor
    """int64 `[B, K, N]`."""
    generator_gradient: Tensor
    """Length of the gradient, before it is shortened."""
    discriminator_gradient: Tensor

    def scalars(self) -> dict[str, float]:
        """Everything by name, for logging. Waits for the device."""
        found = {f"generator/{name}": value for name, value in self.generator.scalars().items()}
        found |= {f"discriminator/{name}": value for name, value in self.discriminator.scalars().items()}
        found["generator/gradient"] = float(self.generator_gradient)
        found["discriminator/gradient"] = float(self.discriminator_gradient)
        return found


class TaaeStep:
    """The parts that learn, made ready by `accelerator`, and how they learn from a batch."""

    def __init__(
        self,
        recipe: TaaeRecipe,
        accelerator: Accelerator,
        model: TAAE,
        judges: GoldenDiscriminator,
        perceptual: PerceptualLoss | None = None,
    ) -> None:
        self.recipe = recipe
        self.accelerator = accelerator
        self.model = model
        """As it is saved and exported: not wrapped."""
        self.judges = judges
        """The discriminators, likewise."""
        self._model: Any
        self._judges: Any
        self._model, self._judges = accelerator.prepare(model, judges)
        if perceptual is not None and isinstance(perceptual.features, nn.Module):
            perceptual.features.to(accelerator.device)
        self.generator = Learner(model, recipe.optimiser, accelerator)
        self.discriminator = Learner(judges, replace(recipe.optimiser, weight_decay=0.0), accelerator)
        self._losses = TaaeLosses(self._judges, recipe.stage, recipe.losses, perceptual)

    def __call__(self, parts: Sequence[Batch], step: int) -> TaaeOutcome:
        """Learn from this process's share of the batch, which is one part. Every process calls this."""
        (part,) = parts
        audio = part.audio
        rate = self.recipe.learning_rate(step)
        self.generator.set_rate(rate)
        self.discriminator.set_rate(rate)
        made: Reconstruction = self._model(audio)
        judges_loss = self._losses.discriminator_loss(audio, made.audio)
        self.accelerator.backward(judges_loss.total)
        judges_length = self.discriminator.gradient_length()
        judges_moved = all_finite(judges_loss.total, judges_length)
        self.discriminator.move(judges_moved, judges_length)
        loss = self._losses.generator_loss(audio, made.audio, step)
        self.accelerator.backward(loss.total)
        length = self.generator.gradient_length()
        moved = judges_moved and all_finite(loss.total, length)
        self.generator.move(moved, length)
        return TaaeOutcome(not moved, loss, judges_loss, made.codes, length, judges_length)
