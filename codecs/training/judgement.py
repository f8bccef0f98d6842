"""What a discriminator says of audio: its logits, and the feature maps behind them.

A discriminator takes several signals in one call and gives one `Judgement` for each, so that what depends on its
weights alone (weight normalisation) is computed once for real audio and estimate together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Judgement:
    """Of one signal, by one discriminator."""

    logits: Tensor
    """`[B, M]`, one for every patch that the discriminator sees: high where it takes the audio for real."""
    maps: tuple[Tensor, ...]
    """The feature maps `[B, C, H, W]` that feature matching compares, in the order of the layers."""


Judgements = tuple[Judgement, ...]
"""Of one signal, by several discriminators."""


def in_float32(x: Tensor) -> Tensor:
    """The tensor, if it is of half precision in float32: losses and spectra are never computed in less."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()
