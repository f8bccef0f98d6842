"""How often the entries of one codebook occurred, and which followed which: all that token statistics are made of.

Counts are taken clip by clip in memory that depends on the codebook and not on the corpus, and counts of parts of a
corpus are added up: any number of workers in any order come to the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .base import MetricError

Codes = NDArray[np.integer]

_PENDING = 1 << 22
"""Pairs that are gathered before they are sorted into those known."""


class TokenCounts:
    """Of one codebook of `entries`."""

    def __init__(self, entries: int) -> None:
        """Raises MetricError."""
        if entries < 1:
            raise MetricError(f"A codebook has at least one entry; got {entries}.")
        self.entries = entries
        self.counts: NDArray[np.int64] = np.zeros(entries, np.int64)
        """`[entries]`: tokens an entry."""
        self.clips = 0
        self._keys: NDArray[np.int64] = np.zeros(0, np.int64)
        self._pair_counts: NDArray[np.int64] = np.zeros(0, np.int64)
        self._pending: list[NDArray[np.int64]] = []

    @property
    def tokens(self) -> int:
        """Over all clips."""
        return int(self.counts.sum())

    def add(self, codes: Codes) -> None:
        """Count the tokens `[N]` of one clip; pairs do not reach from one clip into the next. Raises MetricError."""
        found = np.asarray(codes)
        if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
            raise MetricError(f"The tokens of a clip are integers [N]; got {found.dtype} {list(found.shape)}.")
        if found.size and (found.min() < 0 or found.max() >= self.entries):
            raise MetricError(
                f"A codebook of {self.entries} entries has the tokens 0 to {self.entries - 1}; got {found.min()} to "
                f"{found.max()}."
            )
        whole = found.astype(np.int64)
        self.counts += np.bincount(whole, minlength=self.entries)
        self.clips += 1
        if whole.size > 1:
            self._pending.append(whole[:-1] * self.entries + whole[1:])
            if sum(part.size for part in self._pending) >= _PENDING:
                self._settle()

    def merge(self, other: TokenCounts) -> None:
        """Add the counts of another part of the corpus. Raises MetricError."""
        if other.entries != self.entries:
            raise MetricError(
                f"Counts of codebooks of {self.entries} and {other.entries} entries cannot be added: they are not of "
                "one codebook."
            )
        other._settle()
        self._settle()
        self.counts += other.counts
        self.clips += other.clips
        self._take(np.concatenate([self._keys, other._keys]), np.concatenate([self._pair_counts, other._pair_counts]))

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """First token, second token and count of every pair of neighbours that occurred, each `[P]`."""
        self._settle()
        return self._keys // self.entries, self._keys % self.entries, self._pair_counts.copy()

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """Everything, for storing; `of` takes it back."""
        self._settle()
        return {
            "counts": self.counts.copy(),
            "clips": np.array([self.clips]),
            "pairs": self._keys.copy(),
            "pair_counts": self._pair_counts.copy(),
        }

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.int64]]) -> TokenCounts:
        """Counts that `arrays` gave. Raises MetricError where they are not whole."""
        try:
            counts, keys, numbers = (np.asarray(arrays[name]) for name in ("counts", "pairs", "pair_counts"))
            made = cls(len(counts))
            made.clips = int(arrays["clips"][0])
        except (KeyError, IndexError, TypeError) as error:
            raise MetricError(f"These are not token counts: {error}.") from error
        kinds = all(np.issubdtype(array.dtype, np.integer) and array.ndim == 1 for array in (counts, keys, numbers))
        if (
            not kinds
            or len(keys) != len(numbers)
            or min((array.min() for array in (counts, keys, numbers) if array.size), default=0) < 0
            or (keys.size and keys.max() >= made.entries**2)
        ):
            raise MetricError("These token counts are damaged: counts are whole numbers, and pairs are of its entries.")
        made.counts = counts.astype(np.int64)
        made._take(keys.astype(np.int64), numbers.astype(np.int64))
        return made

    def _settle(self) -> None:
        if not self._pending:
            return
        fresh = np.concatenate(self._pending)
        self._pending.clear()
        self._take(
            np.concatenate([self._keys, fresh]),
            np.concatenate([self._pair_counts, np.ones(len(fresh), np.int64)]),
        )

    def _take(self, keys: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        order = np.argsort(keys, kind="stable")
        keys, numbers = keys[order], numbers[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        self._keys = keys[first]
        self._pair_counts = np.add.reduceat(numbers, first) if len(first) else numbers[:0]
