"""Adversarial terms: hinge and least squares.

Of one discriminator D, with x real and y an estimate, means over all logits:

    hinge            discriminator  mean max(0, 1 - D(x)) + mean max(0, 1 + D(y))     generator  mean max(0, 1 - D(y))
    least squares    discriminator  mean (1 - D(x))^2 + mean D(y)^2                   generator  mean (1 - D(y))^2

The generator's hinge is the one of WavTokenizer's equation 5: it stops pulling once an estimate is taken for real. The
usual one, -mean D(y) (SoundStream, EnCodec), never does.

Hinge terms are the mean over the discriminators (1/K in equations 2 and 5). The paper speaks of the hinge for all of
them; the published code, and this one, use least squares for the band discriminator, **summed** over its eight parts as
DAC does: at weight 1 it counts far more than the other two.

Sources: S. Ji et al., "WavTokenizer", ICLR 2025, section 3.4; X. Mao et al., "Least Squares GAN", ICCV 2017; R. Kumar
et al., "High-Fidelity Audio Compression with Improved RVQGAN" (DAC), NeurIPS 2023.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .judgement import Judgements, in_float32


def hinge_discriminator(real: Judgements, estimate: Judgements) -> Tensor:
    """What the discriminators minimise, mean over them."""
    terms = [
        F.relu(1 - in_float32(x.logits)).mean() + F.relu(1 + in_float32(y.logits)).mean()
        for x, y in zip(real, estimate, strict=True)
    ]
    return torch.stack(terms).mean()


def hinge_generator(estimate: Judgements) -> Tensor:
    """What the generator minimises, mean over the discriminators."""
    return torch.stack([F.relu(1 - in_float32(y.logits)).mean() for y in estimate]).mean()


def least_squares_discriminator(real: Judgements, estimate: Judgements) -> Tensor:
    """What the discriminators minimise, sum over them."""
    terms = [
        (1 - in_float32(x.logits)).square().mean() + in_float32(y.logits).square().mean()
        for x, y in zip(real, estimate, strict=True)
    ]
    return torch.stack(terms).sum()


def least_squares_generator(estimate: Judgements) -> Tensor:
    """What the generator minimises, sum over the discriminators."""
    return torch.stack([(1 - in_float32(y.logits)).square().mean() for y in estimate]).sum()
