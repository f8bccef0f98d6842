"""Convolutions over a long signal, a stretch of it at a time.

The first layers of an encoder make of every sample as many channels: 30 MB a layer for 10 s of audio, more than a
CPU's cache holds, and several of them at once. A tile of a few thousand samples goes through all of these layers
within the cache instead, and only the last one's output, some times smaller, is kept whole.

A layer that meets the end of a tile takes it for the end of the clip and mirrors it. What comes of that is wrong as far
from the cut as the layers reach together, so a tile is taken longer by that much, and its wrong ends are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from .convolution import Conv1d, Residual


@dataclass(frozen=True)
class Tiles:
    """How to cut a signal for some layers."""

    samples: int
    """Length of a tile; of the last one half to one and a half times that."""
    margin: int
    """Samples on either side of a tile within which layers may go wrong."""
    hop: int
    """Samples a step of the layers' output. Tiles and margins are whole steps."""

    @classmethod
    def of(cls, layers: Iterable[nn.Module], at_least: int) -> Tiles:
        """Tiles of at least so many samples for these layers."""
        margin, hop = 0, 1
        for layer in layers:
            convolutions = layer.modules() if isinstance(layer, (Conv1d, Residual)) else ()
            for part in convolutions:
                if isinstance(part, Conv1d):
                    margin += (part.span - 1) * hop
                    hop *= part.stride
        margin = -(-margin // hop) * hop
        return cls(-(-max(at_least, 8 * margin) // hop) * hop, margin, hop)

    def through(self, layers: Iterable[nn.Module], x: Tensor, lengths: Sequence[int]) -> Tensor:
        """Every clip of `[B, C, T]`, as long as `lengths` says, through the layers: `[B, D, ceil(T / hop)]`, zeros
        behind a clip's end."""
        whole = x.new_zeros(0)
        for index, length in enumerate(lengths):
            clip = x[index : index + 1, :, :length]
            count = max(1, round(length / self.samples))
            for start in range(0, count * self.samples, self.samples):
                end = length if start == (count - 1) * self.samples else start + self.samples
                before = min(start, self.margin)
                tile = clip[..., start - before : min(end + self.margin, length)]
                for layer in layers:
                    tile = layer(tile)
                kept = tile[0, :, before // self.hop : -(-(end - start + before) // self.hop)].t()
                if not whole.numel():
                    whole = kept.new_zeros(len(lengths), -(-x.shape[-1] // self.hop), kept.shape[1])
                whole[index, start // self.hop : start // self.hop + len(kept)] = kept
        return whole.transpose(1, 2)
