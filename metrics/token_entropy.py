"""Entropy of a codebook's use, and what follows from it, with the bias that few tokens bring.

    utilisation            share of the entries that occur
    entropy                H = -sum p log2 p, bits a token
    normalised entropy     H / log2 K, 0 to 1 (TAAE, appendix A.8)
    perplexity             2^H: as many evenly used entries say as much
    conditional entropy    H of a token, given the one before it

All of them from shares that were counted, and these are biased: N tokens show at most N entries, and shares scatter
more than probabilities do, so that entropy comes out too low, by about (K - 1) / (2 N ln 2) bits where N is much larger
than K, and by whole bits where it is not. A conditional entropy has K^2 shares to be counted and suffers far earlier.
Beside the counted value there is a corrected one:

    entropy        Chao and Shen (2003): shares shrunk by the probability of what has not occurred (the share of tokens
                   that occurred once), each weighted by its chance of having occurred at all
    utilisation    Chao's (1984) number of entries, from those that occurred once and twice; at most K
    conditional    Chao and Shen's entropy of pairs less that of their first tokens; between 0 and the corrected entropy

`enough` says whether there are TOKENS_AN_ENTRY tokens an entry; below that a table must say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .base import MetricError, Undefined
from .token_counts import TokenCounts

TOKENS_AN_ENTRY = 10
"""Below this the entropy of an evenly used codebook comes out more than 0.07 bits too low."""

Counts = NDArray[np.integer]


@dataclass(frozen=True)
class TokenStatistics:
    """One codebook over one corpus."""

    entries: int
    tokens: int
    clips: int
    utilisation: float
    utilisation_corrected: float
    entropy_bits: float
    entropy_corrected_bits: float
    conditional_entropy_bits: float | None
    """None where no clip has two tokens."""
    conditional_entropy_corrected_bits: float | None
    pair_coverage: float | None
    """Share of the pairs to come that have occurred already (Good and Turing): far below 1, the conditional entropy is
    that of the sample and not that of the source."""

    @property
    def normalised_entropy(self) -> float:
        """Of the counted entropy, as papers print it; 1 for a codebook of one entry, which it uses fully."""
        return _normalised(self.entropy_bits, self.entries)

    @property
    def normalised_entropy_corrected(self) -> float:
        return _normalised(self.entropy_corrected_bits, self.entries)

    @property
    def perplexity(self) -> float:
        return 2.0**self.entropy_bits

    @property
    def perplexity_corrected(self) -> float:
        return 2.0**self.entropy_corrected_bits

    @property
    def tokens_an_entry(self) -> float:
        return self.tokens / self.entries

    @property
    def enough(self) -> bool:
        """Whether there are tokens enough for the counted entropy to be believed."""
        return self.tokens_an_entry >= TOKENS_AN_ENTRY


def statistics(counts: TokenCounts) -> TokenStatistics:
    """Of what was counted. Raises Undefined where no token was."""
    if not counts.tokens:
        raise Undefined("no tokens")
    first, _, pairs = counts.pairs()
    corrected = min(entropy_corrected_bits(counts.counts), math.log2(counts.entries))
    conditional = conditional_corrected = None
    if pairs.size:
        before = np.bincount(first, weights=pairs, minlength=counts.entries).astype(np.int64)
        conditional = max(0.0, entropy_bits(pairs) - entropy_bits(before))
        # What came before can only tell something of a token.
        difference = entropy_corrected_bits(pairs) - entropy_corrected_bits(before)
        conditional_corrected = min(max(0.0, difference), corrected)
    return TokenStatistics(
        entries=counts.entries,
        tokens=counts.tokens,
        clips=counts.clips,
        utilisation=float(np.count_nonzero(counts.counts)) / counts.entries,
        utilisation_corrected=min(1.0, _chao_entries(counts.counts) / counts.entries),
        entropy_bits=entropy_bits(counts.counts),
        entropy_corrected_bits=corrected,
        conditional_entropy_bits=conditional,
        conditional_entropy_corrected_bits=conditional_corrected,
        pair_coverage=_coverage(pairs) if pairs.size else None,
    )


def partition_utilisation(counts: Counts, partitions: Mapping[str, range]) -> dict[str, float]:
    """Share of the entries of each part of a codebook that occur (UniCodec's Table 9). Raises MetricError."""
    found: dict[str, float] = {}
    for name, part in partitions.items():
        if part.step != 1 or not 0 <= part.start < part.stop <= len(counts):
            raise MetricError(f"The part {name} of a codebook of {len(counts)} entries cannot be {part}.")
        found[name] = float(np.count_nonzero(np.asarray(counts)[part.start : part.stop])) / len(part)
    return found


def entropy_bits(counts: NDArray[np.generic]) -> float:
    """Of the shares that were counted. Raises Undefined where nothing was."""
    shares = _shares(counts)
    return max(0.0, float(-(shares * np.log2(shares)).sum()))


def entropy_corrected_bits(counts: Counts) -> float:
    """By Chao and Shen. Raises Undefined where nothing was counted."""
    shares = _shares(counts)
    tokens = int(np.asarray(counts).sum())
    shrunk = shares * _coverage(counts)
    # The chance to have occurred among all tokens; -expm1(n log1p(-p)) keeps its digits for small p.
    with np.errstate(divide="ignore"):
        occurred = -np.expm1(tokens * np.log1p(-shrunk))
    return max(0.0, float(-(shrunk * np.log2(shrunk) / occurred).sum()))


def _coverage(counts: NDArray[np.generic]) -> float:
    """Probability that the next token is one that has occurred: 1 less the share of those that occurred once."""
    numbers = np.asarray(counts)
    tokens = int(numbers.sum())
    once = int((numbers == 1).sum())
    # With nothing but single tokens nothing would be left: one of them is taken for a second.
    return 1.0 - min(once, tokens - 1) / tokens if tokens > 1 else 1.0


def _chao_entries(counts: Counts) -> float:
    """Entries that would occur in an endless corpus, bias-corrected form."""
    numbers = np.asarray(counts)
    once, twice = int((numbers == 1).sum()), int((numbers == 2).sum())
    tokens = int(numbers.sum())
    return float(np.count_nonzero(numbers)) + (tokens - 1) / tokens * once * (once - 1) / (2 * (twice + 1))


def _shares(counts: NDArray[np.generic]) -> NDArray[np.float64]:
    numbers = np.asarray(counts, dtype=np.float64)
    numbers = numbers[numbers > 0]
    if not numbers.size:
        raise Undefined("no tokens")
    return numbers / numbers.sum()


def _normalised(bits: float, entries: int) -> float:
    return bits / math.log2(entries) if entries > 1 else 1.0
