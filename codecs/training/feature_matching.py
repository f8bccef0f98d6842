"""Feature matching: the distance of an estimate from real audio in the feature maps of the discriminators.

    sum over discriminators and layers of mean |map(x) - map(y)|

The mean over K discriminators, as WavTokenizer's code takes it for the period and resolution discriminators, is this
divided by K; its equation 6 divides by the number of layers too, its code does not. For the band discriminator the code
takes the sum.

The maps of real audio are targets: no gradient goes through them.

Source: S. Ji et al., "WavTokenizer", ICLR 2025, section 3.4; A. Larsen et al., "Autoencoding beyond pixels using a
learned similarity metric", ICML 2016.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .judgement import Judgements, in_float32


def feature_matching(real: Judgements, estimate: Judgements) -> Tensor:
    """Sum over all discriminators and maps; the gradient goes to the estimate alone."""
    distances = [
        F.l1_loss(in_float32(ours), in_float32(target.detach()))
        for x, y in zip(real, estimate, strict=True)
        for target, ours in zip(x.maps, y.maps, strict=True)
    ]
    return torch.stack(distances).sum()
