"""Huffman codes of tokens: the shortest codes of whole bits a token, and the stream they make.

Codes are canonical: lengths alone say what they are, entries of one length counted up in their order (D. Huffman, 1952;
E. Schwartz and B. Kallick, 1964). Entries that never occurred have no code; a codebook of which one entry occurred
takes a bit a token all the same, as a stream without bits would not say how long it is.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .base import MetricError, Undefined

LONGEST = 62
"""Bits a code; reached by shares that fall like Fibonacci's numbers over 10^12 tokens."""


@dataclass(frozen=True)
class HuffmanCode:
    """A code of one codebook."""

    lengths: NDArray[np.int64]
    """`[entries]`: bits a token; 0 for entries that have no code."""

    @classmethod
    def of(cls, counts: NDArray[np.integer]) -> HuffmanCode:
        """The best code for entries that occur this often. Raises Undefined where none does."""
        numbers = np.asarray(counts, dtype=np.int64)
        used = np.flatnonzero(numbers)
        if not used.size:
            raise Undefined("no tokens")
        lengths = np.zeros(len(numbers), np.int64)
        lengths[used] = _lengths(numbers[used])
        if lengths.max() > LONGEST:
            raise MetricError(f"This code would have words of {lengths.max()} bits; {LONGEST} are taken.")
        return cls(lengths)

    def bits(self, counts: NDArray[np.integer]) -> int:
        """Of a stream in which entries occur this often. Raises MetricError where one has no code."""
        numbers = np.asarray(counts, dtype=np.int64)
        if numbers.shape != self.lengths.shape or ((numbers > 0) & (self.lengths == 0)).any():
            raise MetricError("These counts hold entries that this Huffman code was not made for.")
        return int((numbers * self.lengths).sum())

    @cached_property
    def words(self) -> NDArray[np.int64]:
        """`[entries]`: the code words as numbers."""
        words = np.zeros(len(self.lengths), np.int64)
        word, before = 0, 0
        for entry in self._in_order:
            length = int(self.lengths[entry])
            word <<= length - before
            words[entry], before = word, length
            word += 1
        return words

    def encode(self, codes: NDArray[np.integer]) -> tuple[bytes, int]:
        """Tokens `[N]` as a stream, its last byte filled with zeros, and its bits. Raises MetricError."""
        tokens = np.asarray(codes, dtype=np.int64)
        if tokens.size and (tokens.min() < 0 or tokens.max() >= len(self.lengths) or not self.lengths[tokens].all()):
            raise MetricError("These tokens hold entries that this Huffman code was not made for.")
        lengths = self.lengths[tokens]
        total = int(lengths.sum())
        ends = np.cumsum(lengths)
        # Bit i of the stream belongs to token t, whose last bit is ends[t] - 1.
        owner = np.repeat(np.arange(len(tokens)), lengths)
        shift = ends[owner] - 1 - np.arange(total)
        return np.packbits((self.words[tokens][owner] >> shift & 1).astype(np.uint8)).tobytes(), total

    def decode(self, stream: bytes, tokens: int) -> NDArray[np.int64]:
        """The first `tokens` tokens of a stream. Raises MetricError where it ends before, or holds no word."""
        table = {(int(self.lengths[entry]), int(self.words[entry])): int(entry) for entry in self._in_order}
        bits = np.unpackbits(np.frombuffer(stream, np.uint8)).tolist()
        found = np.empty(tokens, np.int64)
        at = 0
        for index in range(tokens):
            word, length = 0, 0
            while (length, word) not in table:
                if at == len(bits) or length == LONGEST:
                    raise MetricError(f"The stream ends, or is damaged, after {index} of {tokens} tokens.")
                word = word << 1 | bits[at]
                length, at = length + 1, at + 1
            found[index] = table[length, word]
        return found

    @property
    def _in_order(self) -> NDArray[np.intp]:
        """Entries that have a code, the shortest first."""
        order = np.argsort(self.lengths, kind="stable")
        return order[self.lengths[order] > 0]


def _lengths(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits a word of entries that all occur."""
    if len(counts) == 1:
        return np.ones(1, np.int64)
    # Nodes of the tree: entries first, then what joins two nodes. The number settles ties, and so the lengths.
    parents = np.zeros(2 * len(counts) - 1, np.int64)
    heap = [(int(count), node) for node, count in enumerate(counts)]
    heapq.heapify(heap)
    for node in range(len(counts), len(parents)):
        (count, left), (other, right) = heapq.heappop(heap), heapq.heappop(heap)
        parents[left] = parents[right] = node
        heapq.heappush(heap, (count + other, node))
    depths = np.zeros(len(parents), np.int64)
    for node in range(len(parents) - 2, -1, -1):
        depths[node] = depths[parents[node]] + 1
    return depths[: len(counts)]
