"""Which codecs cannot be told apart with these clips.

Being told apart is not transitive: A may differ from C while B differs from neither. So the answer is a list of groups
that may overlap: every largest set of codecs of which no pair is told apart (the letters of multiple comparisons).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from .permutation import all_pairs
from .sample_size import ALPHA


@dataclass(frozen=True)
class Ties:
    """All pairs of codecs under one metric, by their corrected p-values."""

    codecs: tuple[str, ...]
    p: Mapping[frozenset[str], float]
    alpha: float = ALPHA

    def tied(self, one: str, other: str) -> bool:
        """Whether two codecs cannot be told apart."""
        return one == other or self.p[frozenset((one, other))] > self.alpha

    def groups(self) -> list[tuple[str, ...]]:
        """Every largest set of codecs of which no pair is told apart, in the order of `codecs`; a codec that is told
        apart from all others is a group of one."""
        beside = {
            one: {other for other in self.codecs if other != one and self.tied(one, other)} for one in self.codecs
        }
        place = {codec: number for number, codec in enumerate(self.codecs)}
        found = [tuple(sorted(clique, key=place.__getitem__)) for clique in _cliques(beside)]
        return sorted(found, key=lambda group: [place[codec] for codec in group])

    def letters(self) -> dict[str, str]:
        """The groups of each codec as letters, a for the first: codecs that share one cannot be told apart."""
        found = dict.fromkeys(self.codecs, "")
        for number, group in enumerate(self.groups()):
            for codec in group:
                found[codec] += letter(number)
        return found


def letter(number: int) -> str:
    """0 to a, 25 to z, 26 to a1, 52 to a2."""
    turn, place = divmod(number, 26)
    return chr(ord("a") + place) + (str(turn) if turn else "")


def ties(codecs: Sequence[str], values: ArrayLike, clusters: Sequence[Hashable], alpha: float = ALPHA) -> Ties:
    """Of `values` `[clips, codecs]`, all on the same clips. Codecs come out in the order given."""
    found = all_pairs(values, clusters)
    return Ties(tuple(codecs), {frozenset((codecs[i], codecs[j])): p for (i, j), p in found.items()}, alpha)


def _cliques(beside: Mapping[str, Collection[str]]) -> list[frozenset[str]]:
    """Maximal cliques of a graph (Bron & Kerbosch 1973, with a pivot)."""
    found: list[frozenset[str]] = []

    def grow(clique: frozenset[str], candidates: frozenset[str], done: frozenset[str]) -> None:
        if not candidates and not done:
            found.append(clique)
            return
        pivot = max(sorted(candidates | done), key=lambda node: len(candidates & frozenset(beside[node])))
        for node in sorted(candidates - frozenset(beside[pivot])):
            near = frozenset(beside[node])
            grow(clique | {node}, candidates & near, done & near)
            candidates, done = candidates - {node}, done | {node}

    grow(frozenset(), frozenset(beside), frozenset())
    return found
