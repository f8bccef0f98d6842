"""From operating points to curves: the points of a family that may stand on one, and those families that have none."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import numpy as np

from .curves import Curve
from .paired import Incomparable, Side

Axis = Literal["kbps", "tokens_per_second"]
AXIS_NAMES: Mapping[Axis, str] = {"kbps": "kbps", "tokens_per_second": "tokens/s"}


def family_of(codec: str) -> str:
    """The name before the rate."""
    return codec.rpartition("@")[0] or codec


def curve(family: str, sides: Mapping[str, Side], rates: Mapping[str, float | None], metric: str) -> Curve:
    """The curve of a family through its points, `sides` by codec, at `rates` by codec, on the clips that all have.

    Raises Incomparable where there is none: no values, several definitions of the metric, no common clip, no rate.
    """
    found = {codec: each for codec, each in sides.items() if each.values and rates.get(codec)}
    if not found:
        raise Incomparable(f"No point of {family} has both a value of {metric} and a rate.")
    identities = frozenset[str]().union(*(each.identities for each in found.values()))
    if len(identities) > 1:
        raise Incomparable(
            f"{metric} of {family} was computed under different definitions ({' and '.join(sorted(identities))}). "
            "Measure it again with one version."
        )
    clips = sorted(set.intersection(*(set(each.values) for each in found.values())))
    if not clips:
        raise Incomparable(f"The points of {family} have no clip with a value of {metric} in common.")
    at = {codec: float(rates[codec] or 0.0) for codec in found}
    order = sorted(found, key=lambda codec: (at[codec], codec))
    # Of two points at one rate (a family with several modes) no curve can say which is meant.
    twice = next(((a, b) for a, b in pairwise(order) if at[b] <= at[a] * (1 + 1e-9)), None)
    if twice:
        raise Incomparable(f"{twice[0]} and {twice[1]} are at one rate, so {family} has no curve.")
    first = found[order[0]]
    return Curve(
        family,
        tuple(order),
        np.array([at[codec] for codec in order]),
        np.array([[found[codec].values[clip] for codec in order] for clip in clips]),
        tuple(clips),
        tuple(first.clusters[clip] for clip in clips),
        identities,
    )
