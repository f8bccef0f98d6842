"""Multi-scale residual quantization: residual stages at rising frame rates, so that what changes slowly is sent rarely
(SNAC, Siuzdak et al., 2024, arXiv 2410.14411, whose strides are 4, 2, 1 at 24 kHz and 8, 4, 2, 1 at 44.1 kHz).

A stage of stride s quantizes the mean of s frames and its vector is repeated over them. The last mean is over the
frames that are left: any N is allowed, and a stage sends ceil(N / s) tokens. Published models pad the audio to whole
windows instead. Codes stay `[B, K, N]`, repeated; `to_tokens` gives what is sent, `[B, ceil(N / s)]` a codebook.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from codeczoo.codecs.errors import InvalidTokens

from .base import Quantized, Quantizer, straight_through
from .residual import ResidualQuantizer


class PooledQuantizer(Quantizer):
    """A quantizer that works on means of `stride` frames."""

    def __init__(self, inner: Quantizer, stride: int) -> None:
        if stride < 1:
            raise ValueError(f"A stride is at least 1 frame; got {stride}.")
        super().__init__(inner.dim, inner.codebook_sizes, tuple(stride * inside for inside in inner.strides))
        self.inner = inner
        self.stride = stride

    def forward(self, features: Tensor) -> Quantized:
        self.check_features(features)
        out: Quantized = self.inner(self._pooled(features))
        frames = features.shape[-1]
        quantized = straight_through(features, self._spread(out.quantized.detach(), frames))
        return Quantized(quantized, self._spread(out.codes, frames), out.loss, out.statistics)

    def encode(self, features: Tensor) -> Tensor:
        self.check_features(features)
        return self._spread(self.inner.encode(self._pooled(features)), features.shape[-1])

    def decode(self, codes: Tensor) -> Tensor:
        pooled, frames = codes[..., :: self.stride], codes.shape[-1]
        if not torch.equal(self._spread(pooled, frames), codes):
            raise InvalidTokens(f"One token stands for {self.stride} frames, so codes repeat over them; these do not.")
        return self._spread(self.inner.decode(pooled), frames)

    def _pooled(self, features: Tensor) -> Tensor:
        if not features.shape[-1]:
            return features.float()
        return F.avg_pool1d(features.float(), self.stride, self.stride, ceil_mode=True)

    def _spread(self, pooled: Tensor, frames: int) -> Tensor:
        return pooled.repeat_interleave(self.stride, dim=-1)[..., :frames]


class MultiScaleQuantizer(ResidualQuantizer):
    """Residual stages, each at its own rate."""

    def __init__(self, stages: Sequence[Quantizer], pool_strides: Sequence[int], *, dropout: float = 0.0) -> None:
        """`pool_strides`: frames that a token of each stage stands for, coarse first."""
        if len(stages) != len(pool_strides) or list(pool_strides) != sorted(pool_strides, reverse=True):
            raise ValueError(
                f"Each stage has its stride, coarse first; got {len(stages)} stages and strides {list(pool_strides)}."
            )
        pooled = [PooledQuantizer(stage, stride) for stage, stride in zip(stages, pool_strides, strict=True)]
        super().__init__(pooled, dropout=dropout)
