"""Adversarial terms and feature matching by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from codeczoo.codecs.training.adversarial import (
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
)
from codeczoo.codecs.training.feature_matching import feature_matching
from codeczoo.codecs.training.judgement import Judgement, Judgements


def saying(*logits: list[float]) -> Judgements:
    """Discriminators that give these logits."""
    return tuple(Judgement(torch.tensor([values]), ()) for values in logits)


def seeing(*maps: list[Tensor]) -> Judgements:
    """Discriminators that have these feature maps."""
    return tuple(Judgement(torch.zeros(1, 1), tuple(features)) for features in maps)


def test_hinge_by_hand() -> None:
    """Two discriminators of different numbers of logits count the same."""
    real, estimate = saying([2.0, 0.0, -1.0], [0.5]), saying([-3.0, 0.0, 1.0], [-0.25])
    first = (0 + 1 + 2) / 3 + (0 + 1 + 2) / 3
    second = 0.5 + 0.75
    assert float(hinge_discriminator(real, estimate)) == pytest.approx((first + second) / 2)
    assert float(hinge_generator(estimate)) == pytest.approx(((4 + 1 + 0) / 3 + 1.25) / 2)


def test_hinge_is_satisfied_beyond_its_margin() -> None:
    assert float(hinge_discriminator(saying([1.0, 5.0]), saying([-1.0, -9.0]))) == 0
    logits = torch.tensor([[1.5, 0.5]], requires_grad=True)
    hinge_generator((Judgement(logits, ()),)).backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0.0, -0.5]]


def test_least_squares_by_hand() -> None:
    real, estimate = saying([2.0, 0.0], [1.0]), saying([3.0, -1.0], [0.5])
    assert float(least_squares_discriminator(real, estimate)) == pytest.approx((1 + 1) / 2 + (9 + 1) / 2 + 0 + 0.25)
    assert float(least_squares_generator(estimate)) == pytest.approx((4 + 4) / 2 + 0.25)


def test_least_squares_optima() -> None:
    right, fooled = saying([1.0, 1.0]), saying([0.0])
    assert float(least_squares_discriminator(right, fooled)) == 0
    assert float(least_squares_generator(right)) == 0
    # A discriminator that cannot tell does best with a half, at a half; one that says nothing costs 1, eight cost 8.
    costs = {c: float(least_squares_discriminator(saying([c]), saying([c]))) for c in (0.0, 0.4, 0.5, 0.6)}
    assert min(costs, key=lambda c: costs[c]) == 0.5
    assert costs[0.5] == pytest.approx(0.5)
    assert float(least_squares_discriminator(saying(*[[0.0]] * 8), saying(*[[0.0]] * 8))) == 8


def test_feature_matching_by_hand() -> None:
    """Every map counts the same whatever its size; the sum goes over maps and discriminators."""
    real = seeing([torch.zeros(1, 2, 2, 2), torch.ones(1, 1, 3, 1)], [torch.full((1, 1, 1, 1), 4.0)])
    estimate = seeing([torch.full((1, 2, 2, 2), -0.5), torch.ones(1, 1, 3, 1)], [torch.full((1, 1, 1, 1), 1.0)])
    assert float(feature_matching(real, estimate)) == pytest.approx(0.5 + 0 + 3)
    assert float(feature_matching(real, real)) == 0


def test_feature_matching_leaves_the_target_alone() -> None:
    target, ours = (torch.randn(1, 2, 3, 4, requires_grad=True) for _ in range(2))
    feature_matching(seeing([target]), seeing([ours])).backward()
    assert target.grad is None
    assert ours.grad is not None
    assert float(ours.grad.abs().sum()) == pytest.approx(1)


def test_half_precision_is_summed_in_float32() -> None:
    """The mean of 100,000 ones in float16 would be infinite on the way."""
    ones = torch.ones(1, 100_000, dtype=torch.float16)
    judged = (Judgement(-ones, (ones,)),)
    for loss, value in ((hinge_generator(judged), 2), (least_squares_generator(judged), 4)):
        assert loss.dtype == torch.float32
        assert math.isclose(float(loss), value)
    distance = feature_matching(judged, (Judgement(ones, (ones * 3,)),))
    assert distance.dtype == torch.float32
    assert float(distance) == 2
