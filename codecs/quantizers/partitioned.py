"""UniCodec's domain-adaptive codebook (section 3.2): one SimVQ codebook, a part of which belongs to each domain.

    speech    the first quarter of the entries         (0 to 4095 of 16384)
    music     the second                               (4096 to 8191)
    sound     the second half                          (8192 to 16383)

A clip of a known domain is given entries of its part alone, so that training fits each part to its domain; one of
unknown domain, the nearest of all. The frozen vectors differ from part to part and the linear map behind them is one,
which every domain moves: the paper has it that only the entries of a sample's domain are updated, its code has the map.
Codes count through the whole codebook, whatever the domain, and decoding needs none.

An unknown domain is an error; the published code, whose ids are the strings "0", "1" and "2", takes it for none.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from codeczoo.codecs.domains import one_a_clip, parts

from .base import Quantized, to_rows
from .search import nearest
from .shared_rows import SharedRows
from .sim import SimVectorQuantizer

Domains = str | Sequence[str | None]
"""Of all clips, or one a clip; None: not known."""


class PartitionedSimQuantizer(SimVectorQuantizer):
    """A SimVQ codebook of `entries` vectors, searched in the part of a clip's domain."""

    def __init__(
        self, dim: int, entries: int, *, commitment_weight: float = 1.0, codebook_weight: float = 0.25
    ) -> None:
        super().__init__(dim, entries, commitment_weight=commitment_weight, codebook_weight=codebook_weight)
        self.parts = parts(entries)

    def forward(self, features: Tensor, domain: Domains | None = None) -> Quantized:
        """`domain`, for all clips or one a clip, is where each is searched; None: everywhere."""
        return self.quantized(features, self.encode(features, domain))

    def fit(self, features: Tensor, domain: Domains | None = None) -> None:
        """Each part from the frames of its domain; from all, where there are none of it."""
        rows = self._rows(features)
        of_clip = one_a_clip(domain, features.shape[0])
        entries: list[Tensor] = []
        for wanted, part in self.parts.items():
            clips = [index for index, name in enumerate(of_clip) if name == wanted]
            of_part = SharedRows.of(self._rows(features[clips]))
            entries.append((of_part if of_part.total else SharedRows.of(rows)).draw(len(part)))
        self._place(torch.cat(entries), rows)

    def encode(self, features: Tensor, domain: Domains | None = None) -> Tensor:
        self.check_features(features)
        batch, _, frames = features.shape
        of_clip = one_a_clip(domain, batch)
        codes = torch.empty(batch, 1, frames, dtype=torch.int64, device=features.device)
        with torch.no_grad():
            codebook = self.codebook()
            for wanted in dict.fromkeys(of_clip):
                clips = [index for index, name in enumerate(of_clip) if name == wanted]
                part = range(len(codebook)) if wanted is None else self.parts[wanted]
                found = nearest(to_rows(features[clips]), codebook[part.start : part.stop])[0]
                codes[clips] = part.start + found.reshape(len(clips), 1, frames)
        return codes
