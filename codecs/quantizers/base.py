"""The contract of a quantizer: continuous features to entries of codebooks, and back.

Notation as in `codeczoo.codecs.base`: B clips, D width, N frames, K codebooks; *entries* are the vectors of a codebook,
and *rows* are the frames of all clips laid flat, `[M, D]`.

Conventions
- Features are floating point `[B, D, N]`. Searching and learning are float32 whatever the features' dtype, under
  autocast too; what `forward` gives back has the features' dtype.
- Codes are int64 `[B, K, N]`, coarse first: `codes[b, k, n]` is the entry of codebook k that frame n is made of. That
  holds for every quantizer. Where a codebook works at a coarser rate, one token stands for `strides[k]` frames, and its
  code is repeated over them; `to_tokens` leaves the repetitions out and `from_tokens` puts them back. So N is never
  lost, and decoding is one rule for all: frame by frame.
- Gradients pass straight through: `quantized` is exactly `decode(codes)`, and its gradient is that of `features`.
- A codebook that learns from averages does not change in `forward`. Training forwards stage what they saw; `update`,
  called once an optimiser step on every process, applies it. So several forwards of one step (gradient accumulation)
  are one batch, exactly. A step that is skipped (NaN) calls `discard` instead. A forward that must not count (the
  generator's second run of a step, for the discriminator) is made in eval mode, or not at all.
- Random draws (first entries, replaced entries, dropout) are made on the CPU from torch's global generator: who saves
  `torch.get_rng_state()` and the state dict between two steps resumes bit for bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codeczoo.codecs.errors import InvalidFeatures, InvalidTokens


@dataclass(frozen=True)
class Quantized:
    """What a quantizer makes of features `[B, D, N]`."""

    quantized: Tensor
    """`[B, D, N]` in the features' dtype, with the straight-through gradient."""
    codes: Tensor
    """int64 `[B, K, N]`; -1 where quantizer dropout sent nothing (training only, see `residual`)."""
    loss: Tensor
    """float32 scalar, unweighted: what pulls features and entries together; 0 in eval and where there is none."""
    statistics: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Of this batch on this process, float32: `utilisation` and `perplexity` `[K]` (see `usage`), and `replaced`, the
    number of dead entries that the last `update` replaced, all codebooks together."""


class Quantizer(nn.Module, ABC):
    """Base of all quantizers: `forward` in training, `encode` and `decode` to use it."""

    def __init__(self, dim: int, codebook_sizes: tuple[int, ...], strides: tuple[int, ...] | None = None) -> None:
        super().__init__()
        if dim < 1 or not codebook_sizes or min(codebook_sizes) < 1:
            raise ValueError(
                f"A quantizer has features at least 1 wide and codebooks with at least 1 entry; got width {dim} and "
                f"codebooks of {codebook_sizes} entries."
            )
        self.dim = dim
        """D, width of the features."""
        self.codebook_sizes = codebook_sizes
        """Entries of each of the K codebooks, coarse first."""
        self.strides = strides or (1,) * len(codebook_sizes)
        """Frames that one token of each codebook stands for."""

    @abstractmethod
    def forward(self, features: Tensor) -> Quantized:
        """Features `[B, D, N]` to what the decoder is given. In training mode it stages what `update` learns from."""

    @abstractmethod
    def encode(self, features: Tensor) -> Tensor:
        """Features `[B, D, N]` to codes int64 `[B, K, N]`; nothing is staged or changed, in any mode."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Codes int64 `[B, K, N]` to float32 features `[B, D, N]`."""

    @property
    def initialised(self) -> bool:
        """Whether there are codebooks to quantize with."""
        return all(inner.initialised for inner in _outermost(self))

    @property
    def replaced(self) -> int:
        """Dead entries that the last `update` replaced."""
        return sum(inner.replaced for inner in _outermost(self))

    def update(self) -> None:
        """Learn from the training forwards since the last call. Once an optimiser step, on every process."""
        for inner in _outermost(self):
            inner.update()

    def discard(self) -> None:
        """Forget what training forwards have staged since the last `update`, on this process."""
        for inner in _outermost(self):
            inner.discard()

    def to_tokens(self, codes: Tensor) -> tuple[Tensor, ...]:
        """Codes `[B, K, N]` to what is sent, one int64 `[B, ceil(N / stride)]` a codebook (`Encoded.codes`)."""
        self.check_codes(codes)
        sent = tuple(codes[:, k, ::stride] for k, stride in enumerate(self.strides))
        if not torch.equal(self.from_tokens(sent, codes.shape[-1]), codes):
            raise InvalidTokens(
                f"A token of the codebooks stands for {self.strides} frames, so codes repeat over them; these do not. "
                "Give codes as `encode` gives them."
            )
        return sent

    def from_tokens(self, tokens: tuple[Tensor, ...], frames: int) -> Tensor:
        """What was sent, back to codes `[B, K, frames]`."""
        counts = tuple(sent.shape[-1] for sent in tokens)
        expected = tuple(-(-frames // stride) for stride in self.strides)
        if counts != expected:
            raise InvalidTokens(f"{frames} frames are {expected} tokens of the codebooks; got {counts}.")
        spread = [sent.repeat_interleave(k, dim=-1)[:, :frames] for sent, k in zip(tokens, self.strides, strict=True)]
        return torch.stack(spread, dim=1)

    def statistics(self, codes: Tensor) -> dict[str, Tensor]:
        """`Quantized.statistics` of codes `[B, K, N]`."""
        return usage(codes, self.codebook_sizes) | {"replaced": torch.tensor(float(self.replaced), device=codes.device)}

    def check_features(self, features: Tensor) -> None:
        """Raise ValueError unless these are floating-point `[B, D, N]`; in eval InvalidFeatures unless they are finite:
        of NaN any code would do. (In training NaN shows in the loss, and the step is skipped.)"""
        if features.dim() != 3 or features.shape[1] != self.dim or not features.is_floating_point():
            got = f"{features.dtype} {tuple(features.shape)}"
            raise ValueError(f"This quantizer takes floating-point features [B, {self.dim}, N]; got {got}.")
        if not self.training and not bool(features.isfinite().all()):
            raise InvalidFeatures(
                f"The features {tuple(features.shape)} hold NaN or infinite numbers: they have no codes."
            )

    def check_codes(self, codes: Tensor) -> None:
        """Raise InvalidTokens unless these are int64 `[B, K, N]` within the codebooks."""
        count = len(self.codebook_sizes)
        if codes.dim() != 3 or codes.shape[1] != count or codes.dtype != torch.int64:
            got = f"{codes.dtype} {tuple(codes.shape)}"
            raise InvalidTokens(f"This quantizer takes int64 codes [B, {count}, N]; got {got}.")
        if not codes.numel():
            return
        low, high = codes.amin(dim=(0, 2)).tolist(), codes.amax(dim=(0, 2)).tolist()
        for k, entries in enumerate(self.codebook_sizes):
            if low[k] < 0 or high[k] >= entries:
                raise InvalidTokens(f"Codebook {k} has {entries} entries; got codes {low[k]} to {high[k]}.")


def _outermost(module: nn.Module) -> Iterator[Quantizer]:
    """The quantizers inside a module that are not inside another one of these."""
    for child in module.children():
        if isinstance(child, Quantizer):
            yield child
        else:
            yield from _outermost(child)


def to_rows(features: Tensor) -> Tensor:
    """`[B, D, N]` to float32 rows `[B N, D]`."""
    return features.transpose(1, 2).reshape(-1, features.shape[1]).float()


def from_rows(rows: Tensor, batch: int, frames: int) -> Tensor:
    """Rows `[B N, D]` back to `[B, D, N]`."""
    return rows.reshape(batch, frames, rows.shape[1]).transpose(1, 2)


def straight_through(features: Tensor, quantized: Tensor) -> Tensor:
    """The value of `quantized`, to the last bit, in the dtype and with the gradient of `features`."""
    return quantized.detach().to(features.dtype) + (features - features.detach())


def squared_error(estimate: Tensor, target: Tensor) -> Tensor:
    """Mean over all elements of (estimate - target)^2, float32; 0 where there is none."""
    return F.mse_loss(estimate.float(), target.float()) if target.numel() else 0.0 * estimate.float().sum()


def usage(codes: Tensor, codebook_sizes: tuple[int, ...]) -> dict[str, Tensor]:
    """How a batch of codes `[B, K, N]` uses the codebooks, float32 `[K]` each; codes below 0 do not count.

    `utilisation` is the share of entries that occur; `perplexity` is e to the entropy in nats, the number of entries
    that would carry as much if all were equally frequent (0 without codes).
    """
    utilisation, perplexity = [], []
    for k, entries in enumerate(codebook_sizes):
        sent = codes[:, k]
        # Not a histogram: a codebook of FSQ may have millions of entries.
        counts = sent[sent >= 0].unique(return_counts=True)[1].float()
        utilisation.append(counts.new_tensor(len(counts) / entries))
        entropy = torch.special.entr(counts / counts.sum()).sum()
        perplexity.append(entropy.exp() if len(counts) else entropy)
    return {"utilisation": torch.stack(utilisation), "perplexity": torch.stack(perplexity)}
