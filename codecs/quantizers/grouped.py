"""Grouped quantization: the channels are cut into groups, each with a quantizer of its own (HiFi-Codec, Yang et al.,
2023, arXiv 2305.02765, whose groups are residual).

Grouped or product? Both quantize parts of a frame on their own. Here every group sends its own tokens, and a group may
be any quantizer: K is the sum over the groups. In `product` the parts' entries are the digits of one token, K is 1, and
the codebook is the product of the parts' codebooks.

Conventions. The first group takes the first channels. Codes are coarse first: the first codebook of every group, in the
order of the groups, then the second of every group that has one. The loss is the mean over all elements: that of a
group weighs as much as its share of the channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .base import Quantized, Quantizer


class GroupedQuantizer(Quantizer):
    """Quantizers side by side, each for as many channels as it is wide."""

    def __init__(self, groups: Sequence[Quantizer]) -> None:
        """The groups, in the order of their channels."""
        order = sorted((depth, g) for g, group in enumerate(groups) for depth in range(len(group.codebook_sizes)))
        super().__init__(
            sum(group.dim for group in groups),
            tuple(groups[g].codebook_sizes[depth] for depth, g in order),
            tuple(groups[g].strides[depth] for depth, g in order),
        )
        self.groups = nn.ModuleList(groups)
        self._widths = [group.dim for group in groups]
        self._places = [[k for k, (_, owner) in enumerate(order) if owner == g] for g in range(len(groups))]

    def forward(self, features: Tensor) -> Quantized:
        self.check_features(features)
        parts = [group(part) for group, part in zip(self.groups, features.split(self._widths, dim=1), strict=True)]
        codes = self._interleaved([part.codes for part in parts])
        weights = zip(parts, self._widths, strict=True)
        loss = torch.stack([part.loss * (width / self.dim) for part, width in weights]).sum()
        return Quantized(torch.cat([part.quantized for part in parts], dim=1), codes, loss, self.statistics(codes))

    def encode(self, features: Tensor) -> Tensor:
        self.check_features(features)
        parts = zip(self._members(), features.split(self._widths, dim=1), strict=True)
        return self._interleaved([group.encode(part) for group, part in parts])

    def decode(self, codes: Tensor) -> Tensor:
        # Not `check_codes`: a group may know codes of its own, such as those that dropout left out.
        if codes.dim() != 3 or codes.shape[1] != len(self.codebook_sizes):
            self.check_codes(codes)
        members = zip(self._members(), self._places, strict=True)
        return torch.cat([group.decode(codes[:, places]) for group, places in members], dim=1)

    def _members(self) -> list[Quantizer]:
        return [group for group in self.groups if isinstance(group, Quantizer)]

    def _interleaved(self, parts: list[Tensor]) -> Tensor:
        batch, _, frames = parts[0].shape
        codes = parts[0].new_empty(batch, len(self.codebook_sizes), frames)
        for places, part in zip(self._places, parts, strict=True):
            codes[:, places] = part
        return codes
