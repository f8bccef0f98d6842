"""The losses of a step: where gradients go, the joint form against the alternating one, silence, ablations."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from codeczoo.codecs.errors import InvalidAudio
from codeczoo.codecs.training.discriminators import DiscriminatorConfig, Discriminators
from codeczoo.codecs.training.losses import GeneratorLoss, Losses, LossWeights
from codeczoo.codecs.training.mel_loss import MelLoss

TINY = DiscriminatorConfig(
    conditions=2,
    periods=(2, 3),
    period_channels=(4, 6, 8),
    resolutions=((64, 16), (32, 8)),
    resolution_channels=4,
    band_periods=(2,),
    band_n_ffts=(64,),
    band_channels=4,
)
ID = torch.tensor([1])
SAMPLES = 1200


def noise(seed: int = 0, samples: int = SAMPLES) -> Tensor:
    return 0.1 * torch.randn(2, 1, samples, generator=torch.Generator().manual_seed(seed))


def tiny(config: DiscriminatorConfig = TINY, weights: LossWeights | None = None) -> Losses:
    torch.manual_seed(0)
    return Losses(Discriminators(config), MelLoss(16_000), weights)


class Model(nn.Module):
    """One gain: a generator whose gradient is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.7))

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        return self.gain * audio + 0.01, (self.gain - 1).square()


def gradients(module: nn.Module) -> list[Tensor | None]:
    return [None if p.grad is None else p.grad.clone() for p in module.parameters()]


def test_the_totals_are_the_weighted_sums() -> None:
    weights = LossWeights(mel=3.0, commitment=5.0, period=0.5, resolution=0.25, band=2.0)
    losses = tiny(weights=weights)
    got = losses.generator_loss(noise(), noise(1), torch.tensor(0.125), ID).scalars()
    assert list(got) == [
        "total",
        "mel",
        "commitment",
        "period_adversarial",
        "resolution_adversarial",
        "band_adversarial",
        "period_features",
        "resolution_features",
        "band_features",
    ]
    expected = (
        3 * got["mel"]
        + 5 * 0.125
        + 0.5 * (got["period_adversarial"] + got["period_features"])
        + 0.25 * (got["resolution_adversarial"] + got["resolution_features"])
        + 2 * (got["band_adversarial"] + got["band_features"])
    )
    assert got["total"] == pytest.approx(expected, rel=1e-5)
    told = losses.discriminator_loss(noise(), noise(1), ID).scalars()
    expected = 0.5 * told["period"] + 0.25 * told["resolution"] + 2 * told["band"]
    assert told["total"] == pytest.approx(expected, rel=1e-5)


def test_identical_signals() -> None:
    losses, real = tiny(), noise()
    got = losses.generator_loss(real, real.clone(), None, ID).scalars()
    for name in ("mel", "period_features", "resolution_features", "band_features"):
        assert got[name] == 0, name
    assert got["total"] == pytest.approx(
        got["period_adversarial"] + got["resolution_adversarial"] + got["band_adversarial"], rel=1e-5
    )
    # Of equal signals the hinge is at least 2 (max(0, 1 - d) + max(0, 1 + d)), least squares at least 1/2 each of two.
    told = losses.discriminator_loss(real, real.clone(), ID).scalars()
    assert told["period"] >= 2 - 1e-6
    assert told["resolution"] >= 2 - 1e-6
    assert told["band"] >= 1


def test_the_discriminator_loss_reaches_the_discriminators_alone() -> None:
    losses, model = tiny(), Model()
    estimate, _ = model(noise())
    losses.discriminator_loss(noise(), estimate, ID).total.backward()
    assert model.gain.grad is None
    assert all(gradient is not None for gradient in gradients(losses.discriminators))
    assert sum(float(g.abs().sum()) > 0 for g in gradients(losses.discriminators) if g is not None) > 40


def test_the_generator_loss_reaches_the_model_alone() -> None:
    losses, model = tiny(), Model()
    estimate, commitment = model(noise())
    loss = losses.generator_loss(noise(), estimate, commitment, ID)
    assert all(p.requires_grad for p in losses.discriminators.parameters())
    loss.total.backward()
    assert model.gain.grad is not None
    assert float(model.gain.grad.abs()) > 0
    assert all(gradient is None for gradient in gradients(losses.discriminators))


def test_weights_that_were_frozen_stay_so() -> None:
    losses = tiny()
    bias = next(losses.discriminators.parameters())
    bias.requires_grad_(False)
    losses.generator_loss(noise(), noise(1).requires_grad_(), None, ID)
    assert [p.requires_grad for p in losses.discriminators.parameters()].count(False) == 1
    with pytest.raises(InvalidAudio):
        losses.generator_loss(noise()[..., :20], noise(1)[..., :20], None, ID)
    assert [p.requires_grad for p in losses.discriminators.parameters()].count(False) == 1


@pytest.mark.parametrize("discriminators_first", [True, False])
def test_joint_losses_are_the_two_losses_at_the_same_weights(discriminators_first: bool) -> None:
    losses, model, real = tiny(), Model(), noise()
    for name, parameter in losses.discriminators.named_parameters():
        if name.endswith("emb.weight"):
            nn.init.normal_(parameter)

    estimate, commitment = model(noise(1))
    discriminator = losses.discriminator_loss(real, estimate, ID)
    generator = losses.generator_loss(real, estimate, commitment, ID)
    discriminator.total.backward()
    generator.total.backward()
    expected = [*gradients(losses.discriminators), *gradients(model)]
    losses.discriminators.zero_grad()
    model.zero_grad()

    estimate, commitment = model(noise(1))
    joint_generator, joint_discriminator = losses.joint_losses(real, estimate, commitment, ID)
    assert all(gradient is None for gradient in [*gradients(losses.discriminators), *gradients(model)])
    order = (joint_discriminator, joint_generator) if discriminators_first else (joint_generator, joint_discriminator)
    order[0].total.backward()
    reached, other = (losses.discriminators, model) if discriminators_first else (model, losses.discriminators)
    assert all(gradient is not None for gradient in gradients(reached))
    assert all(gradient is None for gradient in gradients(other))
    order[1].total.backward()

    assert joint_generator.scalars() == pytest.approx(generator.scalars(), rel=1e-6)
    assert joint_discriminator.scalars() == pytest.approx(discriminator.scalars(), rel=1e-6)
    for got, wanted in zip([*gradients(losses.discriminators), *gradients(model)], expected, strict=True):
        assert got is not None
        assert wanted is not None
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-7)


def test_a_scaled_joint_loss_has_a_scaled_gradient() -> None:
    """Gradient accumulation divides a loss by the number of its parts."""
    losses, real = tiny(), noise()
    found = []
    for scale in (1.0, 0.25):
        estimate = noise(1).requires_grad_()
        generator, _ = losses.joint_losses(real, estimate, None, ID)
        (generator.total * scale).backward()
        assert estimate.grad is not None
        found.append(estimate.grad)
    torch.testing.assert_close(found[0] * 0.25, found[1])


@pytest.mark.parametrize("silent", ["real", "estimate", "both"])
@pytest.mark.parametrize("peak_floor", [1e-9, 1e-2])
def test_silence_has_finite_losses_and_gradients(silent: str, peak_floor: float) -> None:
    losses = tiny(replace(TINY, peak_floor=peak_floor))
    real = torch.zeros(2, 1, SAMPLES) if silent != "estimate" else noise()
    estimate = torch.zeros(2, 1, SAMPLES) if silent != "real" else noise(1)
    estimate.requires_grad_()
    generator, discriminator = losses.joint_losses(real, estimate, None, ID)
    discriminator.total.backward()
    generator.total.backward()
    values = [*generator.scalars().values(), *discriminator.scalars().values()]
    assert all(math.isfinite(value) for value in values)
    assert estimate.grad is not None
    assert bool(estimate.grad.isfinite().all())
    assert all(g is not None and bool(g.isfinite().all()) for g in gradients(losses.discriminators))


def test_a_peak_floor_bounds_the_gradient_of_silence() -> None:
    norms = []
    for peak_floor in (1e-9, 1e-2):
        losses = tiny(replace(TINY, peak_floor=peak_floor))
        estimate = torch.zeros(2, 1, SAMPLES, requires_grad=True)
        losses.generator_loss(noise(), estimate, None, ID).total.backward()
        assert estimate.grad is not None
        norms.append(float(estimate.grad.norm()))
    assert norms[0] / norms[1] > 1e5
    assert norms[1] < 1e3


def test_autocast() -> None:
    losses, real = tiny(), noise()
    exact = losses.generator_loss(real, noise(1), None, ID)
    estimate = noise(1).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        generator, discriminator = losses.joint_losses(real, estimate, None, ID)
    for field in ("total", "mel", "period_features", "band_adversarial"):
        assert getattr(generator, field).dtype == torch.float32
    assert discriminator.total.dtype == torch.float32
    assert generator.scalars() == pytest.approx(exact.scalars(), rel=0.05)
    assert generator.scalars()["mel"] == exact.scalars()["mel"]
    generator.total.backward()
    discriminator.total.backward()
    assert estimate.grad is not None
    assert bool(estimate.grad.isfinite().all())


def test_ablations_leave_their_terms_out() -> None:
    losses = tiny(replace(TINY, band_periods=(), band_n_ffts=(), resolutions=()))
    generator, discriminator = losses.joint_losses(noise(), noise(1).requires_grad_(), None, ID)
    assert generator.band_adversarial is None
    assert generator.resolution_features is None
    assert set(generator.scalars()) == {"total", "mel", "period_adversarial", "period_features"}
    assert set(discriminator.scalars()) == {"total", "period"}
    assert discriminator.scalars()["total"] == discriminator.scalars()["period"]


def test_reconstruction_alone() -> None:
    losses = tiny()
    loss = losses.reconstruction_loss(noise(), noise(1), torch.tensor(0.5))
    assert isinstance(loss, GeneratorLoss)
    mel = float(losses.mel(noise(), noise(1)))
    assert loss.scalars() == pytest.approx({"total": 45 * mel + 500, "mel": mel, "commitment": 0.5})


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_weights_are_positive(weight: float) -> None:
    with pytest.raises(ValueError, match="positive numbers"):
        LossWeights(mel=weight)


def test_short_audio_is_refused_by_name() -> None:
    losses = tiny()
    with pytest.raises(InvalidAudio, match="33 samples at least"):
        losses.joint_losses(noise(samples=32), noise(1, samples=32), None, ID)
    with pytest.raises(InvalidAudio, match="513 samples at least"):
        losses.joint_losses(noise(samples=512), noise(1, samples=512), None, ID)


@pytest.mark.parametrize("joint", [True, False])
def test_both_sides_learn(joint: bool) -> None:
    """Discriminators come to tell noise from a tone; an estimate that may move comes nearer to what is real."""
    torch.manual_seed(0)
    losses = tiny()
    real = 0.3 * torch.sin(0.3 * torch.arange(SAMPLES)).expand(2, 1, SAMPLES)
    estimate = noise(1).requires_grad_()
    discriminating = torch.optim.Adam(losses.discriminators.parameters(), lr=3e-3)
    told: list[float] = []
    for _ in range(20):
        discriminating.zero_grad()
        loss = losses.discriminator_loss(real, estimate, ID)
        loss.total.backward()
        discriminating.step()
        told.append(loss.scalars()["total"])
    assert told[-1] < 0.75 * told[0]
    generating = torch.optim.Adam([estimate], lr=1e-2)
    heard: list[dict[str, float]] = []
    for _ in range(10):
        generating.zero_grad()
        if joint:
            loss, _ = losses.joint_losses(real, estimate, None, ID)
        else:
            loss = losses.generator_loss(real, estimate, None, ID)
        loss.total.backward()
        generating.step()
        heard.append(loss.scalars())
    assert heard[-1]["total"] < 0.95 * heard[0]["total"], heard
    assert heard[-1]["mel"] < 0.95 * heard[0]["mel"]
