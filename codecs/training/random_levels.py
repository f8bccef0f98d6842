"""The bottleneck that TAAE learns with: FSQ whose number of levels is drawn for each step, with noise for rounding.

A training forward draws one of the choices, all alike (section 3.2: 17, 9 and 5 levels), and quantizes by it; of its
items, `noise_share` get uniform noise of half a step instead of rounding, `continuous_share` neither, the others the
rounding with a straight-through gradient (`codeczoo.codecs.quantizers.finite_scalar`). The paper has 0.5 and 0; the
published code 0.95 and 0.0025, since it draws twice for each item, and one fixed list of levels.

In eval mode, and for tokens, it is the first choice, the model's own levels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codeczoo.codecs.quantizers.base import Quantized, Quantizer
from codeczoo.codecs.quantizers.finite_scalar import FiniteScalarQuantizer


class RandomLevels(Quantizer):
    """FSQ with one of several numbers of levels for all `dim` channels."""

    def __init__(
        self,
        dim: int,
        choices: tuple[int, ...] = (17, 9, 5),
        *,
        noise_share: float = 0.5,
        continuous_share: float = 0.0,
    ) -> None:
        if not choices:
            raise ValueError("There is at least one number of levels to choose from; got none.")
        made = [
            FiniteScalarQuantizer((levels,) * dim, noise_share=noise_share, continuous_share=continuous_share)
            for levels in choices
        ]
        super().__init__(dim, made[0].codebook_sizes)
        self.choices = nn.ModuleList(made)

    def forward(self, features: Tensor) -> Quantized:
        """In training mode by the choice drawn, whose codes these are; the statistics are those of the first."""
        if not self.training:
            return self._native(features)
        # Drawn on the CPU from the global generator, as all quantizers draw.
        found: Quantized = self.choices[int(torch.randint(len(self.choices), ()))](features)
        codes = self.encode(features)
        return Quantized(found.quantized, codes, found.loss, self.statistics(codes))

    def encode(self, features: Tensor) -> Tensor:
        return self._native.encode(features)

    def decode(self, codes: Tensor) -> Tensor:
        return self._native.decode(codes)

    @property
    def _native(self) -> FiniteScalarQuantizer:
        first = self.choices[0]
        assert isinstance(first, FiniteScalarQuantizer)
        return first
