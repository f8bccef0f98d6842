"""Product quantization (Jegou et al., 2011): a frame is cut into sub-vectors, each with a small codebook, and all that
was chosen is *one* token, an entry of the product of the codebooks.

With parts of E_0, E_1, ... entries the codebook has E_0 x E_1 x ... entries that nobody stores, and
token = c_0 + E_0 (c_1 + E_1 (c_2 + ...)): the first part is the lowest digit, as in `finite_scalar`, which is the case
of parts that are one number wide. How it differs from `grouped` is said there: same search, other tokens.

`statistics` are those of the parts, one value each: of the whole codebook a batch can only use a tiny share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from .base import Quantized, Quantizer
from .digits import MOST_ENTRIES, from_digits, to_digits
from .grouped import GroupedQuantizer


class ProductQuantizer(Quantizer):
    """Quantizers of one codebook each, side by side, that make one token together."""

    def __init__(self, parts: Sequence[Quantizer]) -> None:
        """The parts, in the order of their channels."""
        if any(len(part.codebook_sizes) != 1 or part.strides != (1,) for part in parts):
            raise ValueError(
                "Each part of a product has one codebook and a token a frame; use GroupedQuantizer for others."
            )
        grouped = GroupedQuantizer(parts)
        entries = math.prod(grouped.codebook_sizes)
        if entries > MOST_ENTRIES:
            raise ValueError(
                f"A token is an int64, so at most 2^63 - 1 entries; got parts of {grouped.codebook_sizes}."
            )
        super().__init__(grouped.dim, (entries,))
        self.parts = grouped

    def forward(self, features: Tensor) -> Quantized:
        out = self.parts(features)
        return Quantized(out.quantized, from_digits(out.codes, self.parts.codebook_sizes), out.loss, out.statistics)

    def encode(self, features: Tensor) -> Tensor:
        return from_digits(self.parts.encode(features), self.parts.codebook_sizes)

    def decode(self, codes: Tensor) -> Tensor:
        self.check_codes(codes)
        return self.parts.decode(to_digits(codes, self.parts.codebook_sizes))
