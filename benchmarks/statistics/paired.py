"""The clips on which two sides can be compared: both have a value, under one definition of the metric.

A side is the records of one codec, of one run or of two. What cannot be compared is said in a sentence
(`Incomparable`), never left out: other metric identities, disjoint clips, one clip only, no value at all.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.records import Record

from .sample import ClipKey, clip_key, clusters_of, score


class Incomparable(BenchmarkError):
    """Two sides cannot be compared; the text says why."""


@dataclass(frozen=True)
class Side:
    """Finite values of one metric by clip, with the metric's identities and what each clip was drawn with."""

    name: str
    values: Mapping[ClipKey, float]
    clusters: Mapping[ClipKey, Hashable]
    identities: frozenset[str]
    clips: frozenset[ClipKey]
    """All clips of the side, with a value or not."""


@dataclass(frozen=True)
class Paired:
    """Values of both sides on the clips that both have, in the order of the clips."""

    metric: str
    clips: tuple[ClipKey, ...]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    clusters: tuple[Hashable, ...]

    @property
    def differences(self) -> NDArray[np.float64]:
        """First minus second, one a clip."""
        return self.first - self.second

    @cached_property
    def n_clusters(self) -> int:
        return len(set(self.clusters))

    @property
    def clustered(self) -> bool:
        """Whether some clips were drawn together."""
        return self.n_clusters < len(self.clips)


def side(name: str, records: Sequence[Record], metric: str) -> Side:
    """What the records of one codec hold of a metric."""
    values: dict[ClipKey, float] = {}
    clusters: dict[ClipKey, Hashable] = {}
    identities: set[str] = set()
    for record, drawn_with in zip(records, clusters_of(records), strict=True):
        value = score(record, metric)
        if value is not None:
            key = clip_key(record)
            values[key] = value
            clusters[key] = drawn_with
            identities.add(record.get("identities", {}).get(metric, ""))
    return Side(name, values, clusters, frozenset(identities), frozenset(map(clip_key, records)))


def pair(first: Side, second: Side, metric: str) -> Paired:
    """Both sides on the clips that both have. Raises Incomparable."""
    for each in (first, second):
        if not each.values:
            raise Incomparable(f"{each.name} has no value of {metric} on any of its {len(each.clips)} clips.")
    if len(first.identities | second.identities) > 1:
        kinds = " and ".join(f"{each.name} under {_listed(each.identities)}" for each in (first, second))
        raise Incomparable(
            f"{metric} was computed under different definitions ({kinds}): its numbers cannot be compared. "
            "Measure both again with one version."
        )
    both = sorted(first.values.keys() & second.values.keys())
    if not both:
        raise Incomparable(
            f"{first.name} and {second.name} have no clip with a value of {metric} in common "
            f"({len(first.values)} and {len(second.values)} clips): nothing can be compared. "
            "Measure both on one corpus."
        )
    if len(both) == 1:
        raise Incomparable(
            f"{first.name} and {second.name} have one clip with a value of {metric} in common ({both[0][1]}): "
            "one clip says nothing about others. Measure both on more."
        )
    return Paired(
        metric,
        tuple(both),
        np.array([first.values[key] for key in both]),
        np.array([second.values[key] for key in both]),
        tuple(first.clusters[key] for key in both),
    )


def _listed(identities: frozenset[str]) -> str:
    return " and ".join(sorted(identity or "an unknown one" for identity in identities))
