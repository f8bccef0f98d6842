"""Where to write the labels of a figure so that they hide neither each other nor the data.

A label may stand in several directions and distances from any of its anchors. Each such place has a cost: labels that
overlap are worst, then covered markers, then covered lines, then distance. Labels take turns at choosing the cheapest
place, a few rounds long. All coordinates are points, y upwards; the result depends on nothing but the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_GAPS = (1.5, 7.0, 14.0, 24.0, 38.0)
_ROUNDS = 4
_LABEL_COST, _MARKER_COST, _LINE_COST, _OUTSIDE_COST = 500.0, 60.0, 3.0, 5000.0
_GAP_COST, _ANCHOR_COST = 0.5, 3.0


@dataclass(frozen=True)
class Label:
    """A text to place."""

    width: float
    height: float
    anchors: tuple[tuple[float, float, float], ...]
    """(x, y, radius of the marker there), the preferred ones first."""


@dataclass(frozen=True)
class Place:
    """Where a label stands."""

    x: float
    """Centre."""
    y: float
    anchor: int
    gap: float


Boxes = NDArray[np.float64]
"""`[N, 4]`: left, bottom, right, top."""


def _overlap(one: Boxes, many: Boxes) -> NDArray[np.float64]:
    """Area shared by each of `one` with each of `many`, `[len(one), len(many)]`."""
    low = np.maximum(one[:, None, :2], many[None, :, :2])
    high = np.minimum(one[:, None, 2:], many[None, :, 2:])
    return np.prod(np.clip(high - low, 0.0, None), axis=2)


def _candidates(label: Label) -> tuple[Boxes, list[Place]]:
    boxes, places = [], []
    half_width, half_height = label.width / 2, label.height / 2
    for number, (x, y, radius) in enumerate(label.anchors):
        for gap in _GAPS:
            for right, up in _DIRECTIONS:
                away = (radius + gap) * (0.75 if right and up else 1.0)
                centre_x = x + right * (away + half_width)
                centre_y = y + up * (away + half_height)
                place = Place(centre_x, centre_y, number, gap)
                places.append(place)
                boxes.append(_box(place, label))
    return np.array(boxes), places


def _box(place: Place, label: Label) -> tuple[float, float, float, float]:
    half_width, half_height = label.width / 2, label.height / 2
    return place.x - half_width, place.y - half_height, place.x + half_width, place.y + half_height


def arrange(
    labels: Sequence[Label],
    markers: Sequence[tuple[float, float, float, float]],
    line_points: Sequence[tuple[float, float]],
    bounds: tuple[float, float, float, float],
) -> list[Place]:
    """A place for every label. `markers` are boxes not to cover, `line_points` samples along lines, `bounds` the box
    to stay in."""
    blocks = np.array(markers, dtype=np.float64).reshape(-1, 4)
    samples = np.array(line_points, dtype=np.float64).reshape(-1, 2)
    options = [_candidates(label) for label in labels]
    fixed = [
        _fixed_cost(boxes, places, blocks, samples, bounds, label)
        for (boxes, places), label in zip(options, labels, strict=True)
    ]
    chosen: list[int | None] = [None] * len(labels)
    for _ in range(_ROUNDS):
        for number, (boxes, _places) in enumerate(options):
            others = [
                options[other][0][pick] for other, pick in enumerate(chosen) if pick is not None and other != number
            ]
            cost = fixed[number]
            if others:
                area = labels[number].width * labels[number].height
                cost = cost + _LABEL_COST * _overlap(boxes, np.array(others)).sum(axis=1) / area
            chosen[number] = int(np.argmin(cost))
    return [places[pick] for (_, places), pick in zip(options, chosen, strict=True) if pick is not None]


def _fixed_cost(
    boxes: Boxes,
    places: Sequence[Place],
    blocks: Boxes,
    samples: NDArray[np.float64],
    bounds: tuple[float, float, float, float],
    label: Label,
) -> NDArray[np.float64]:
    """What a place costs whatever the other labels do."""
    area = label.width * label.height
    cost = np.array([_GAP_COST * place.gap + _ANCHOR_COST * place.anchor for place in places])
    # As a share of the marker: a small one that is covered is as lost as a large one.
    cost += _MARKER_COST * (_overlap(boxes, blocks) / np.prod(blocks[:, 2:] - blocks[:, :2], axis=1)).sum(axis=1)
    inside = (
        (samples[None, :, 0] > boxes[:, None, 0])
        & (samples[None, :, 0] < boxes[:, None, 2])
        & (samples[None, :, 1] > boxes[:, None, 1])
        & (samples[None, :, 1] < boxes[:, None, 3])
    )
    cost += _LINE_COST * inside.sum(axis=1)
    kept = _overlap(boxes, np.array([bounds]))[:, 0] / area
    return cost + _OUTSIDE_COST * (1.0 - np.clip(kept, 0.0, 1.0))
