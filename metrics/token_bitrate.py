"""What tokens cost: four bitrates of one codebook, each with its own meaning.

    nominal         token rate x log2 K, as papers print it
    packed          token rate x ceil(log2 K): whole bits a token
    entropy coded   token rate x H: the bound for a code that knows the shares and not what came before
    Huffman coded   token rate x mean word length (TAAE, appendix A.8): reached by a real code of whole bits

The last two hold for the corpus that was counted, with a code made for that very corpus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .base import MetricError
from .huffman import HuffmanCode
from .token_counts import TokenCounts
from .token_entropy import entropy_bits


@dataclass(frozen=True)
class TokenBitrates:
    """In bits a second; those of several codebooks add up."""

    nominal_bps: float
    packed_bps: float
    entropy_bps: float
    huffman_bps: float

    def __add__(self, other: TokenBitrates) -> TokenBitrates:
        return TokenBitrates(
            self.nominal_bps + other.nominal_bps,
            self.packed_bps + other.packed_bps,
            self.entropy_bps + other.entropy_bps,
            self.huffman_bps + other.huffman_bps,
        )


def bitrates(counts: TokenCounts, seconds: float) -> TokenBitrates:
    """Of what was counted in so many seconds of audio. Raises MetricError, and Undefined where there are no tokens."""
    if not 0 < seconds < math.inf:
        raise MetricError(f"Bitrates are of a positive time; got {seconds} s.")
    per_token = entropy_bits(counts.counts)
    huffman = HuffmanCode.of(counts.counts).bits(counts.counts) / seconds
    rate = counts.tokens / seconds
    return TokenBitrates(
        nominal_bps=rate * math.log2(counts.entries),
        packed_bps=rate * (counts.entries - 1).bit_length(),
        entropy_bps=rate * per_token,
        huffman_bps=huffman,
    )
