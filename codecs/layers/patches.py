"""The patched transform: samples in a row become the channels of one frame (Parker et al., 2024, appendix B.4).

    patches[b, h, l] = audio[b, 0, size * l + h]

Signal processing calls it the polyphase filterbank. Nothing is lost and nothing is added, in either direction.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def to_patches(audio: Tensor, size: int, multiple: int = 1) -> Tensor:
    """Audio `[B, 1, T]` to patches `[B, size, L]`; zeros complete the last patch, and L to a `multiple`."""
    missing = -audio.shape[-1] % (size * multiple)
    return F.pad(audio, (0, missing)).view(audio.shape[0], -1, size).transpose(1, 2)


def from_patches(patches: Tensor) -> Tensor:
    """Patches `[B, size, L]` to audio `[B, 1, size L]`."""
    return patches.transpose(1, 2).reshape(patches.shape[0], 1, -1)
