"""Attention through a sliding window, in time and memory that grow linearly with the clip.

A query of frame i sees the keys of frames i - left to i + right, both included (FlashAttention's convention for its
`window_size`), as far as the clip has them.

How. Queries are taken in blocks of consecutive frames, and each block meets the stretch of keys that any of its frames
sees: S + left + right of them, a band of which is visible. So N frames are N / S products of S x (S + left + right),
on every device, without a kernel of its own; a dense mask would make one of N x N. With S = left + right + 1 half of
what is computed is used.

Source of the sliding window in this form: FlashAttention-2 (Dao, 2023, arXiv 2307.08691), as TAAE uses it. Without
that package the published code attends to everything, which is another model.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .rotary import RotaryHalves

_LEAST_BLOCK = 16
_BLOCKS_AT_ONCE = 64
"""Blocks whose keys are laid out at a time in inference, so that copies of them stay few in a long clip."""


def windowed_attention(
    q: Tensor, k: Tensor, v: Tensor, window: tuple[int, int], lengths: Sequence[int] | None = None
) -> Tensor:
    """Queries, keys and values `[B, H, N, D]` to `[B, H, N, D]`; `window` is (left, right) in frames.

    With `lengths`, the frames of each clip of a padded batch, nothing behind a clip's end is seen by its frames; what
    is given for frames behind the end is without meaning.
    """
    left, right = window
    batch, frames = q.shape[0], q.shape[2]
    if lengths is None and frames <= min(left, right) + 1:
        return F.scaled_dot_product_attention(q, k, v)
    size = min(max(left + right + 1, _LEAST_BLOCK), frames)
    count = -(-frames // size)
    behind = count * size - frames
    q = F.pad(q, (0, 0, 0, behind)).unflatten(2, (count, size))
    # Blocks of keys overlap: views, until the product wants them laid out.
    k, v = (F.pad(x, (0, 0, left, right + behind)).unfold(2, size + left + right, size).mT for x in (k, v))
    visible = _visible(size, count, window, lengths or [frames], q.device)
    at_once = count if torch.is_grad_enabled() else _BLOCKS_AT_ONCE
    parts: list[Tensor] = []
    for start in range(0, count, at_once):
        some = slice(start, start + at_once)
        # [B, H, blocks, S, D] to [B blocks, H, S, D], which fused kernels take.
        blocks = (x[:, :, some].transpose(1, 2).flatten(0, 1) for x in (q, k, v))
        mask = visible[:, some].expand(batch, -1, -1, -1).flatten(0, 1)[:, None]
        made = F.scaled_dot_product_attention(*blocks, attn_mask=mask)
        parts.append(made.unflatten(0, (batch, -1)).transpose(1, 2).flatten(2, 3))
    return torch.cat(parts, dim=2)[:, :, :frames]


def _visible(size: int, count: int, window: tuple[int, int], lengths: Sequence[int], device: torch.device) -> Tensor:
    """Which keys of its stretch each query of each block sees, bool `[B or 1, blocks, S, S + left + right]`."""
    left, right = window
    query = torch.arange(size, device=device)[:, None]
    key = torch.arange(size + left + right, device=device) - left
    near = (key >= query - left) & (key <= query + right)
    frame = key + size * torch.arange(count, device=device)[:, None]
    ends = torch.tensor(lengths, device=device)[:, None, None]
    inside = (frame >= 0) & (frame < ends)
    # A query behind the clip's end sees itself: softmax over nothing would be NaN.
    return (near & inside[:, :, None]) | (key == query)


class WindowedAttention(nn.Module):
    """`[B, N, D]` to `[B, N, D]`: heads of QK-norm, partial rotary positions, and a sliding window.

    Queries and keys are normalised over the channels of a head, by weights that all heads share, before positions are
    put on (Dehghani et al., 2023, arXiv 2302.05442).
    """

    def __init__(
        self, width: int, head_width: int, rotary_dims: int, window: tuple[int, int], eps: float = 1e-6
    ) -> None:
        super().__init__()
        self.head_width = head_width
        self.window = window
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_norm = nn.LayerNorm(head_width, eps=eps)
        self.k_norm = nn.LayerNorm(head_width, eps=eps)
        self.rotary = RotaryHalves(rotary_dims)
        self.to_out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """`lengths`: the frames of each clip, where they are fewer than N."""
        q, k, v = (part.unflatten(-1, (-1, self.head_width)).transpose(1, 2) for part in self.to_qkv(x).chunk(3, -1))
        angles = self.rotary.angles(x.shape[1])
        q, k = self.rotary(self.q_norm(q), angles), self.rotary(self.k_norm(k), angles)
        # Norms are computed in float32 under autocast; the product wants one dtype.
        attended = windowed_attention(q.to(v.dtype), k.to(v.dtype), v, self.window, lengths)
        return self.to_out(attended.transpose(1, 2).flatten(2))
