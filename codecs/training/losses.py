"""The losses of WavTokenizer's training, every term by name, and the two ways to compute them for a step.

    discriminators    hinge(MPD) + w_resolution hinge(MRD) + w_band least squares(band)
    generator         45 mel + 1000 commitment + adversarial(MPD) + features(MPD)
                      + w_resolution (adversarial(MRD) + features(MRD)) + w_band (adversarial(band) + features(band))

MPD and MRD terms are means over their discriminators, those of the band discriminator sums (see
`codeczoo.codecs.training.adversarial`). Terms are logged as they are here, before their weights.

What the published procedure does twice a batch (judging real audio once for each optimiser) is done as often as the
discriminators' weights change, and no more:

    alternating   `discriminator_loss`, the discriminators' update, `generator_loss`. As published: the generator meets
                  the updated discriminators, so everything is judged anew.
    joint         `joint_losses`: both losses from one judgement of real audio and estimate; both updates follow. The
                  generator meets the discriminators before their update: one step older, at about two thirds of the
                  cost.

Where gradients go. A discriminator loss reaches the discriminators alone, whatever the estimate hangs on; a generator
loss reaches the estimate (and the commitment) alone:

* `discriminator_loss` judges the detached estimate.
* `generator_loss` judges with `requires_grad` of the discriminators' parameters switched off, and restores it: the
  graph then has no branch to them, and real audio has no graph at all.
* `joint_losses` needs both. It judges a detached estimate that asks for a gradient, takes the generator's gradient at
  it at once (only this path is walked), and hands it out: `generator.total.backward()` continues from there into the
  model, `discriminator.total.backward()` may be called before or after. Loss scaling of the generator then acts behind
  the discriminators: with float16 use the alternating form (bfloat16 and float32 need no scaling).

Under `DistributedDataParallel` give the wrapped discriminators to `Losses`: each method calls them once.

Source: S. Ji et al., "WavTokenizer", ICLR 2025, section 3.4 and appendix A; its published code for the weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor, nn

from .adversarial import (
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
)
from .discriminators import Verdict
from .feature_matching import feature_matching
from .mel_loss import MelLoss


@dataclass(frozen=True)
class LossWeights:
    """What each term counts in the total; the defaults are the published ones."""

    mel: float = 45.0
    commitment: float = 1000.0
    period: float = 1.0
    resolution: float = 1.0
    band: float = 1.0

    def __post_init__(self) -> None:
        for name, weight in asdict(self).items():
            if not 0 < weight < math.inf:
                how = "leave a term out by leaving out its discriminator, or by giving no commitment"
                raise ValueError(f"Loss weights are positive numbers ({how}); got {name} = {weight}.")


@dataclass(frozen=True)
class Terms:
    """A total to call `backward` on, and the terms it is made of."""

    total: Tensor
    """Scalar, with a graph; the weighted sum of the terms."""

    @classmethod
    def mean(cls, parts: Sequence[Self]) -> Self:
        """Of equally large parts of a batch, without a graph. All have the same terms."""
        found: dict[str, Any] = {}
        for field in fields(cls):
            values = [value for part in parts if (value := getattr(part, field.name)) is not None]
            found[field.name] = torch.stack([value.detach() for value in values]).mean(dim=0) if values else None
        return cls(**found)

    def scalars(self) -> dict[str, float]:
        """All terms that there are, by name, and the total: for logging. Waits for the device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: float(value.detach()) for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class DiscriminatorLoss(Terms):
    """Of the discriminators; None where a kind is absent."""

    period: Tensor | None
    resolution: Tensor | None
    band: Tensor | None


@dataclass(frozen=True)
class GeneratorLoss(Terms):
    """Of the model that is trained; None where a discriminator is absent or not asked."""

    mel: Tensor
    commitment: Tensor | None
    period_adversarial: Tensor | None = None
    resolution_adversarial: Tensor | None = None
    band_adversarial: Tensor | None = None
    period_features: Tensor | None = None
    resolution_features: Tensor | None = None
    band_features: Tensor | None = None
    contrastive: Tensor | None = None
    """Of UniCodec's semantic stage alone (`codeczoo.codecs.unicodec_semantic`), as the two below: nats a masked frame.
    In the total it is summed over the masked frames of a crop, whose number changes from batch to batch."""
    masked_accuracy: Tensor | None = None
    """No part of the total."""
    masked_chance: Tensor | None = None
    """No part of the total."""


class Losses:
    """The losses of one model; audio is `[B, 1, T]`, a condition is a bandwidth id as int64 `[1]` or `[B]`."""

    def __init__(self, discriminators: nn.Module, mel: MelLoss, weights: LossWeights | None = None) -> None:
        """`discriminators` are `Discriminators`, wrapped or not; they and `mel` are on the audio's device."""
        self.discriminators = discriminators
        self.mel = mel
        self.weights = weights or LossWeights()

    def discriminator_loss(self, real: Tensor, estimate: Tensor, condition: Tensor | None = None) -> DiscriminatorLoss:
        """With a graph to the discriminators' weights, and none to the estimate."""
        judged = self.discriminators(real.detach(), estimate.detach(), condition=condition)
        return self._discriminator_loss(*judged)

    def generator_loss(
        self, real: Tensor, estimate: Tensor, commitment: Tensor | None, condition: Tensor | None = None
    ) -> GeneratorLoss:
        """With a graph to the estimate and the commitment, and none to the discriminators' weights."""
        with frozen(self.discriminators):
            judged = self.discriminators(real.detach(), estimate, condition=condition)
        terms = _adversarial_terms(*judged)
        return self._generator_loss(real, estimate, commitment, self._adversarial_total(terms), terms)

    def joint_losses(
        self, real: Tensor, estimate: Tensor, commitment: Tensor | None, condition: Tensor | None = None
    ) -> tuple[GeneratorLoss, DiscriminatorLoss]:
        """Both from one judgement: the values of the two methods above at the same weights, and their gradients.

        Takes a gradient itself, so it cannot be called under `torch.no_grad`: validation calls the methods above.
        """
        judged_estimate = estimate.detach().requires_grad_()
        judged = self.discriminators(real.detach(), judged_estimate, condition=condition)
        terms = _adversarial_terms(*judged)
        adversarial = self._adversarial_total(terms)
        (gradient,) = torch.autograd.grad(adversarial, judged_estimate, retain_graph=True)
        handed_out = _HandOut.apply(estimate, adversarial.detach(), gradient)
        generator = self._generator_loss(real, estimate, commitment, handed_out, terms)
        return generator, self._discriminator_loss(*judged)

    def reconstruction_loss(self, real: Tensor, estimate: Tensor, commitment: Tensor | None) -> GeneratorLoss:
        """Without the discriminators: for the steps before they join."""
        return self._generator_loss(real, estimate, commitment, None, {})

    def _discriminator_loss(self, real: Verdict, estimate: Verdict) -> DiscriminatorLoss:
        period = hinge_discriminator(real.period, estimate.period) if real.period else None
        resolution = hinge_discriminator(real.resolution, estimate.resolution) if real.resolution else None
        band = least_squares_discriminator(real.band, estimate.band) if real.band else None
        weights = self.weights
        total = _weighted((weights.period, period), (weights.resolution, resolution), (weights.band, band))
        return DiscriminatorLoss(total=total, period=period, resolution=resolution, band=band)

    def _adversarial_total(self, terms: dict[str, Tensor]) -> Tensor:
        return _weighted(*((getattr(self.weights, name.partition("_")[0]), term) for name, term in terms.items()))

    def _generator_loss(
        self,
        real: Tensor,
        estimate: Tensor,
        commitment: Tensor | None,
        adversarial_total: Tensor | None,
        terms: dict[str, Tensor],
    ) -> GeneratorLoss:
        mel = self.mel(real, estimate)
        total = _weighted((self.weights.mel, mel), (self.weights.commitment, commitment), (1.0, adversarial_total))
        return GeneratorLoss(total=total, mel=mel, commitment=commitment, **terms)


def _adversarial_terms(real: Verdict, estimate: Verdict) -> dict[str, Tensor]:
    terms: dict[str, Tensor] = {}
    if real.period:
        terms["period_adversarial"] = hinge_generator(estimate.period)
        terms["period_features"] = feature_matching(real.period, estimate.period) / len(real.period)
    if real.resolution:
        terms["resolution_adversarial"] = hinge_generator(estimate.resolution)
        terms["resolution_features"] = feature_matching(real.resolution, estimate.resolution) / len(real.resolution)
    if real.band:
        terms["band_adversarial"] = least_squares_generator(estimate.band)
        terms["band_features"] = feature_matching(real.band, estimate.band)
    return terms


def _weighted(*terms: tuple[float, Tensor | None]) -> Tensor:
    """Sum of the terms that there are."""
    return torch.stack([weight * term for weight, term in terms if term is not None]).sum()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No parameter asks for a gradient while the block runs."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


class _HandOut(torch.autograd.Function):
    """A value whose gradient at `estimate` is known already."""

    @staticmethod
    def forward(ctx: Any, estimate: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return grad_outputs[0] * gradient, None, None
