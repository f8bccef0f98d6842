"""Quantizers with codebooks of random vectors, and features to give them."""

from __future__ import annotations

import torch
from torch import Tensor

from codeczoo.codecs.quantizers import VectorQuantizer


def vector(dim: int, entries: int, scale: float = 1.0) -> VectorQuantizer:
    """A single codebook of random vectors, as if loaded from a checkpoint."""
    quantizer = VectorQuantizer(dim, entries)
    embed = scale * torch.randn(entries, dim)
    quantizer.load_state_dict(
        {"inited": torch.ones(1), "cluster_size": torch.ones(entries), "embed": embed, "embed_avg": embed.clone()}
    )
    return quantizer


def clustered(clips: int, dim: int, frames: int, centres: Tensor, noise: float = 0.05) -> Tensor:
    """Features `[clips, dim, frames]` that lie around random ones of the centres `[count, dim]`."""
    chosen = centres[torch.randint(len(centres), (clips, frames))]
    return (chosen + noise * torch.randn(clips, frames, dim)).transpose(1, 2)
