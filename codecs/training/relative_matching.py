"""Distance in features, each layer in units of its own size: what TAAE learns from (equations 7 and 9).

    mean over layers of    mean |target - estimate| / (mean |target| + floor)

Layers of any scale count alike, and no weight has to be found for them. Means are over the batch, of several processes
over each one's own share: what they find together differs a little from what one finds of the whole. No gradient goes
through the target. The published code has the floor 1e-3 for discriminators (the paper has none).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from .judgement import Judgements, in_float32

FLOOR = 1e-3


def relative_distance(targets: Sequence[Tensor], estimates: Sequence[Tensor], floor: float = FLOOR) -> Tensor:
    """Mean over the layers of two equally long lists of features."""
    distances: list[Tensor] = []
    for target, estimate in zip(targets, estimates, strict=True):
        known = in_float32(target.detach())
        distances.append((in_float32(estimate) - known).abs().mean() / (known.abs().mean() + floor))
    return torch.stack(distances).mean()


def relative_feature_matching(real: Judgements, estimate: Judgements) -> Tensor:
    """Mean over layers, then over discriminators; the gradient goes to the estimate alone."""
    pairs: Iterable = zip(real, estimate, strict=True)
    return torch.stack([relative_distance(x.maps, y.maps) for x, y in pairs]).mean()
