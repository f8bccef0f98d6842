"""How well tokens can be predicted from the few before them: an n-gram model, the least of language models.

Bits a token of text never seen are what a language model downstream pays at most; the entropy of single tokens says
nothing of it. Probabilities are those of Witten and Bell (1991): what was counted after a context, mixed with what the
context shorter by one predicts, the more so the more different tokens have followed it,

    p(w | h) = (c(h w) + d(h) p(w | h')) / (c(h) + d(h)),        d(h): different tokens after h

down to a single token's share and, below it, 1 / K. Nothing has to be chosen, every token has a probability, and those
of all tokens sum to 1. Before a clip's first token stand marks of its beginning.

Several codebooks are one stream, frame by frame, codebook by codebook (`interleaved`). Whose turn it is, is known: it
belongs to every context, the empty one included, and below that a token of a codebook has 1 / K of that codebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .base import MetricError, Undefined

Codes = NDArray[np.integer]


@dataclass(frozen=True)
class _Level:
    """Contexts of one length: sorted keys, and what followed each."""

    contexts: NDArray[np.int64]
    """Of each context: that of the context shorter by one, times K + 1, plus its oldest token. Sorted."""
    followed: NDArray[np.int64]
    """Of each (context, token): number of the context, times K, plus the token. Sorted."""
    counts: NDArray[np.int64]
    """Of `followed`."""
    totals: NDArray[np.int64]
    """Tokens after each context."""
    different: NDArray[np.int64]
    """Different ones among them."""


class NGram:
    """Predicts a token of `entries` from the `order` - 1 before it."""

    def __init__(self, entries: int | Sequence[int], order: int, clips: Iterable[Codes]) -> None:
        """Learns from the tokens `[N_i]` of clips; of several codebooks, whose `entries` are given then, from their
        tokens interleaved. Raises MetricError; Undefined where there are no tokens."""
        self.sizes = (entries,) if isinstance(entries, int) else tuple(entries)
        if order < 1 or min(self.sizes, default=0) < 1:
            raise MetricError(f"An n-gram model has an order and entries of 1 or more; got {order} and {entries}.")
        self.entries = sum(self.sizes)
        self.order = order
        kept = [self._checked(clip) for clip in clips]
        kept = [clip for clip in kept if len(clip)]
        if not kept:
            raise Undefined("no tokens to learn from")
        tokens = np.concatenate(kept)
        context = np.concatenate([self._turns(clip) for clip in kept])
        self._levels: list[_Level] = []
        for length in range(order):
            keys = context
            if length:
                oldest = np.concatenate([self._before(clip, length) for clip in kept])
                keys = context * (self.entries + 1) + oldest
            contexts, context = np.unique(keys, return_inverse=True)
            followed, counts = np.unique(context * self.entries + tokens, return_counts=True)
            of = followed // self.entries
            self._levels.append(
                _Level(
                    contexts,
                    followed,
                    counts,
                    np.bincount(of, weights=counts, minlength=len(contexts)).astype(np.int64),
                    np.bincount(of, minlength=len(contexts)),
                )
            )

    def bits(self, codes: Codes) -> NDArray[np.float64]:
        """What each token of a clip costs, `[N]`. Raises MetricError."""
        tokens = self._checked(codes)
        context = self._turns(tokens)
        probability = 1.0 / np.asarray(self.sizes, np.float64)[context]
        # A context that was never met tells no more than the shorter one, and no longer one was met either.
        known = np.ones(len(tokens), bool)
        for length, level in enumerate(self._levels):
            keys = context * (self.entries + 1) + self._before(tokens, length) if length else context
            context, found = _places(level.contexts, keys)
            known &= found
            place, counted = _places(level.followed, context * self.entries + tokens)
            count = np.where(counted, level.counts[place], 0)
            total, different = level.totals[context], level.different[context]
            mixed = (count + different * probability) / (total + different)
            probability = np.where(known, mixed, probability)
        return -np.log2(probability)

    def _checked(self, codes: Codes) -> NDArray[np.int64]:
        found = np.asarray(codes)
        if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
            raise MetricError(f"The tokens of a clip are integers [N]; got {found.dtype} {list(found.shape)}.")
        if found.size and (found.min() < 0 or found.max() >= self.entries):
            raise MetricError(f"Tokens are 0 to {self.entries - 1}; got {found.min()} to {found.max()}.")
        ends = np.cumsum(self.sizes)
        if found.size and (np.searchsorted(ends, found, side="right") != self._turns(found)).any():
            raise MetricError(f"The tokens of {len(self.sizes)} codebooks take turns (`interleaved`); these do not.")
        return found.astype(np.int64)

    def _turns(self, tokens: Codes) -> NDArray[np.int64]:
        """The codebook of each token."""
        return np.arange(len(tokens)) % len(self.sizes)

    def _before(self, tokens: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
        """The token so many steps before each; `entries` before a clip begins."""
        padding = np.full(min(steps, len(tokens)), self.entries, np.int64)
        return np.concatenate([padding, tokens[: len(tokens) - len(padding)]])


def interleaved(codes: Sequence[Codes], sizes: Sequence[int]) -> NDArray[np.int64]:
    """The tokens of several codebooks, `[N]` each, as one stream `[N K]`; each codebook has numbers of its own.

    Raises MetricError where they are not of one length.
    """
    if len(codes) != len(sizes) or len({len(row) for row in codes}) > 1:
        lengths = [len(row) for row in codes]
        raise MetricError(
            f"Codebooks of one frame rate are needed to interleave; got {lengths} tokens for {len(sizes)}."
        )
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rows = [np.asarray(row, np.int64) + begin for row, begin in zip(codes, begins, strict=True)]
    return np.stack(rows, axis=1).reshape(-1) if rows else np.zeros(0, np.int64)


def _places(sorted_keys: NDArray[np.int64], keys: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where each key is in `sorted_keys` (anywhere, where it is not), and whether it is."""
    place = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return place, sorted_keys[place] == keys
