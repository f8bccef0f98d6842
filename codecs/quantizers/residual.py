"""Residual vector quantization: each stage quantizes what the stages before it left over (Zeghidour et al., 2021, arXiv
2107.03312), with quantizer dropout, so that a prefix of the stages is a codec of a lower rate.

Conventions. A stage is any quantizer of the same width; codes are those of the stages one after the other, `[B, K, N]`.
The features are the sum of the stages, added in their order in float32. The loss is the mean over stages of theirs.

Quantizer dropout, in training alone: an item of the batch is cut with probability `dropout`, to a number of stages that
is uniform in 1..all. A stage that an item does without neither learns from it nor adds to its loss, and its codes are
-1: not sent. So `quantized` is `decode(codes)` there too.

Learning. What a stage quantizes means nothing before the stages above it have codebooks, so in training an
uninitialised stage is the last of a forward: the codebooks are made one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codeczoo.codecs.errors import InvalidTokens

from .base import Quantized, Quantizer, straight_through

NOT_SENT = -1
"""In place of a code, where quantizer dropout cut the stage."""


class ResidualQuantizer(Quantizer):
    """Stages in a chain."""

    def __init__(self, stages: Sequence[Quantizer], *, dropout: float = 0.0) -> None:
        """`dropout` is the share of items that lose stages in training."""
        if not stages or len({stage.dim for stage in stages}) != 1:
            raise ValueError(f"Residual stages have one width; got widths {[stage.dim for stage in stages]}.")
        if not 0 <= dropout <= 1:
            raise ValueError(f"Quantizer dropout is the share of items, 0 to 1; got {dropout}.")
        super().__init__(
            stages[0].dim,
            tuple(entries for stage in stages for entries in stage.codebook_sizes),
            tuple(stride for stage in stages for stride in stage.strides),
        )
        self.stages = nn.ModuleList(stages)
        self.dropout = dropout

    def forward(self, features: Tensor) -> Quantized:
        self.check_features(features)
        batch, _, frames = features.shape
        kept = self._kept_stages(batch)
        residual = features.float()
        total = torch.zeros_like(residual)
        codes = torch.full((batch, len(self.codebook_sizes), frames), NOT_SENT, device=features.device)
        losses = [total.new_zeros(())]
        for number, (stage, books) in enumerate(self._chain()):
            items = (kept > number).nonzero()[:, 0].to(features.device)
            if batch and not len(items):
                break
            out = stage(residual[items])
            chosen = torch.zeros_like(total).index_copy_(0, items, out.quantized.detach())
            codes[items, books] = out.codes
            losses.append(out.loss * (len(items) / max(batch, 1)))
            residual = residual - chosen
            total += chosen
            if not stage.initialised:
                break
        loss = torch.stack(losses).sum() / len(self.stages)
        return Quantized(straight_through(features, total), codes, loss, self.statistics(codes))

    def encode(self, features: Tensor, stages: int | None = None) -> Tensor:
        """Codes of the first `stages` stages; of all unless given."""
        self.check_features(features)
        if stages is not None and not 1 <= stages <= len(self.stages):
            raise ValueError(f"This quantizer has 1 to {len(self.stages)} stages; got {stages}.")
        residual = features.float()
        codes: list[Tensor] = []
        for stage, _ in self._chain()[:stages]:
            codes.append(stage.encode(residual))
            residual = residual - stage.decode(codes[-1])
        return torch.cat(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes of all stages, or of the first ones alone, to features."""
        if codes.dim() == 3 and codes.shape[1] < len(self.codebook_sizes):
            codes = F.pad(codes, (0, 0, 0, len(self.codebook_sizes) - codes.shape[1]), value=NOT_SENT)
        sent = codes != NOT_SENT
        codes = codes.masked_fill(~sent, 0)
        self.check_codes(codes)
        counts = self._sent_codebooks(sent)
        total = torch.zeros(codes.shape[0], self.dim, codes.shape[2], device=codes.device)
        for stage, books in self._chain():
            absent = counts < books.stop
            if bool(absent.all()) and absent.numel():
                break
            total = total + stage.decode(codes[:, books]).masked_fill(absent, 0)
        return total

    def _chain(self) -> list[tuple[Quantizer, slice]]:
        """The stages, each with where its codebooks are among all."""
        chain: list[tuple[Quantizer, slice]] = []
        first = 0
        for stage in self.stages:
            assert isinstance(stage, Quantizer)
            chain.append((stage, slice(first, first + len(stage.codebook_sizes))))
            first += len(stage.codebook_sizes)
        return chain

    def _kept_stages(self, batch: int) -> Tensor:
        """How many stages each item goes through, `[B]`, on the CPU."""
        count = len(self.stages)
        if not (self.training and self.dropout):
            return torch.full((batch,), count)
        cut = torch.rand(batch) < self.dropout
        return torch.where(cut, torch.randint(1, count + 1, (batch,)), count)

    def _sent_codebooks(self, sent: Tensor) -> Tensor:
        """How many codebooks of each frame were sent, `[B, 1, N]`, which must be those of the first stages, whole."""
        counts = sent.sum(dim=1, keepdim=True)
        ends = torch.tensor([books.stop for _, books in self._chain()], device=sent.device)
        position = torch.arange(sent.shape[1], device=sent.device)[:, None]
        if not torch.equal(sent, position < counts) or not bool(torch.isin(counts, ends).all()):
            raise InvalidTokens(
                "A frame is decoded from whole stages, the first one and those that follow it; in these codes some are "
                f"missing ({NOT_SENT}). Give codes as `encode` gives them, or their first {ends.tolist()} codebooks."
            )
        return counts
