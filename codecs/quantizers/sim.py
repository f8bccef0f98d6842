"""SimVQ: a frozen random codebook behind a learnt linear map (Zhu et al., 2024, arXiv 2411.02038; as in UniCodec).

The entries that are searched are the map of all frozen vectors, so a gradient that moves one moves them all, and none
is left behind: no averages, no dead entries, nothing to initialise. The loss is
`commitment_weight` x mean (features - sg(quantized))^2 + `codebook_weight` x mean (sg(features) - quantized)^2, with sg
a stop of the gradient. The default weights are those of UniCodec's code, where the smaller one is on the codebook's
term; the paper's authors and vector-quantize-pytorch have it on the commitment.

One thing can be initialised: where the entries lie and how far apart. A fresh map has them within a fraction of
features of unit scale, in all directions alike, where features differ in few; a gradient takes thousands of steps to
bring them there. The encoder is faster: it comes to them, and leaves all but a few behind. `fit` makes the frozen
vectors of frames that are drawn from the features, and the map one that puts them where they were.

Parameters, named as in UniCodec's checkpoint: `embedding.weight` [entries, D], frozen; `embedding_proj` Linear(D, D).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import Quantized, Quantizer, from_rows, squared_error, straight_through, to_rows
from .search import nearest
from .shared_rows import SharedRows, summed


class SimVectorQuantizer(Quantizer):
    """One codebook of `entries` vectors `dim` wide, seen through a linear map."""

    def __init__(
        self,
        dim: int,
        entries: int,
        *,
        bias: bool = True,
        commitment_weight: float = 1.0,
        codebook_weight: float = 0.25,
    ) -> None:
        super().__init__(dim, (entries,))
        self.commitment_weight = commitment_weight
        self.codebook_weight = codebook_weight
        self.embedding = nn.Embedding(entries, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)
        self.embedding.weight.requires_grad_(False)
        self.embedding_proj = nn.Linear(dim, dim, bias=bias)
        self.passes = False
        """Whether training forwards let features pass as they are, until there is something to `fit` the map to."""

    @property
    def initialised(self) -> bool:
        return not self.passes

    def fit(self, features: Tensor) -> None:
        """Set vectors and map so that the entries are frames drawn from these features. On every process."""
        rows = self._rows(features)
        self._place(SharedRows.of(rows).draw(len(self.embedding.weight)), rows)

    def _rows(self, features: Tensor) -> Tensor:
        self.check_features(features)
        return to_rows(features.detach())

    @torch.no_grad()
    def _place(self, entries: Tensor, rows: Tensor) -> None:
        """Vectors of variance 1 / D over all `rows`, as those of a fresh codebook, whose map gives `entries`."""
        bias = self.embedding_proj.bias
        count = summed(torch.tensor(float(len(rows)), device=rows.device))
        mean = torch.zeros_like(rows[0]) if bias is None else summed(rows.sum(dim=0)) / count
        scale = (summed((rows - mean).square().sum()) / count).sqrt()
        self.embedding.weight.copy_((entries - mean) / scale)
        self.embedding_proj.weight.copy_(scale * torch.eye(self.dim, device=rows.device))
        if bias is not None:
            bias.copy_(mean)

    def codebook(self) -> Tensor:
        """The entries as they are searched, float32 `[entries, D]`."""
        return self._map(self.embedding.weight)

    def forward(self, features: Tensor) -> Quantized:
        return self.quantized(features, self.encode(features))

    def quantized(self, features: Tensor, codes: Tensor) -> Quantized:
        """What `forward` gives for features whose codes are known."""
        quantized = self.decode(codes)
        if self.training and self.passes:
            # Tied to the map, which several processes would wait for the gradient of.
            return Quantized(features, codes, 0.0 * quantized.float().sum(), self.statistics(codes))
        if self.training:
            commitment = squared_error(features, quantized.detach())
            codebook = squared_error(quantized, features.detach())
            loss = self.commitment_weight * commitment + self.codebook_weight * codebook
        else:
            loss = torch.zeros((), device=features.device)
        return Quantized(straight_through(features, quantized), codes, loss, self.statistics(codes))

    def encode(self, features: Tensor) -> Tensor:
        self.check_features(features)
        with torch.no_grad():
            return nearest(to_rows(features), self.codebook())[0].reshape(features.shape[0], 1, features.shape[2])

    def decode(self, codes: Tensor) -> Tensor:
        """Codes to features; differentiable in the map."""
        self.check_codes(codes)
        batch, _, frames = codes.shape
        # The map of the vectors in use: a clip has fewer frames than the codebook entries.
        return from_rows(self._map(self.embedding.weight[codes.reshape(-1)]), batch, frames)

    def _map(self, vectors: Tensor) -> Tensor:
        weight, bias = self.embedding_proj.weight, self.embedding_proj.bias
        with torch.autocast(vectors.device.type, enabled=False):
            return F.linear(vectors.float(), weight.float(), None if bias is None else bias.float())
