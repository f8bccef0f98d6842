"""Writes each family's name beside one of its points in a drawn panel: `labels` finds the places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .labels import Label, Place, arrange
from .panel import Point, by_family
from .style import MARKER_POINTS, Style, bubble_diameter, shortened

_POINTS_PER_INCH = 72.0
_TEXT_POINTS = 7.5
_LINE_STEP = 3.0
_LEADER_FROM = 5.0

XY = tuple[float, float]


def name_families(
    drawn: Figure, axes: Axes, found: Sequence[Point], edge: Sequence[XY], styles: Mapping[str, Style], largest: float
) -> None:
    """`edge` holds the corners of the frontier, in data coordinates."""
    to_points = _POINTS_PER_INCH / drawn.dpi

    def placed(kbps: float, quality: float) -> XY:
        x, y = axes.transData.transform((kbps, quality)) * to_points
        return float(x), float(y)

    families = by_family(found)
    at = {point.codec: placed(point.kbps, point.quality) for point in found}
    # The last point first: the ends of lines lie further apart than their beginnings.
    anchors = {family: (members[-1], *members[:-1]) for family, members in families.items()}
    labels = []
    for family, points in anchors.items():
        width, height = _size(drawn, shortened(family), to_points)
        labels.append(Label(width, height, tuple((*at[point.codec], _radius(point, largest)) for point in points)))
    markers = [_marker_box(at[point.codec], point, largest) for point in found]
    paths = [[at[point.codec] for point in members] for members in families.values()]
    paths.append([placed(*corner) for corner in edge])
    paths += [[placed(point.kbps, bound) for bound in point.interval] for point in found if point.interval is not None]
    samples = [sample for path in paths for start, end in pairwise(path) for sample in _along(start, end)]
    left, bottom, right, top = (float(side) * to_points for side in axes.get_window_extent().extents)
    places = arrange(labels, markers, samples, (left, bottom, right, top))
    for family, label, place in zip(anchors, labels, places, strict=True):
        _write(axes, family, anchors[family][place.anchor], label, place, styles[family])


def _size(drawn: Figure, text: str, to_points: float) -> XY:
    canvas = drawn.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    written = drawn.text(0, 0, text, fontsize=_TEXT_POINTS, weight="bold")
    extent = written.get_window_extent(canvas.get_renderer())
    written.remove()
    return extent.width * to_points + 2.0, extent.height * to_points + 1.0


def _radius(point: Point, largest: float) -> float:
    bubble = bubble_diameter(point.tokens_per_second, largest) if point.tokens_per_second else 0.0
    return 0.5 * max(MARKER_POINTS, bubble)


def _marker_box(centre: XY, point: Point, largest: float) -> tuple[float, float, float, float]:
    """The marker and the inner part of its bubble: the rim of a large bubble may be written over."""
    half = max(0.5 * MARKER_POINTS, 0.6 * _radius(point, largest)) + 1.0
    return centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half


def _along(start: XY, end: XY) -> NDArray[np.float64]:
    steps = max(2, int(np.hypot(end[0] - start[0], end[1] - start[1]) / _LINE_STEP))
    return np.linspace(start, end, steps, endpoint=False)


def _write(axes: Axes, text: str, point: Point, label: Label, place: Place, style: Style) -> None:
    x, y, _ = label.anchors[place.anchor]
    leader = {"arrowstyle": "-", "color": style.colour, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 2}
    axes.annotate(
        shortened(text),
        (point.kbps, point.quality),
        xytext=(place.x - x, place.y - y),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=_TEXT_POINTS,
        weight="bold",
        color=style.text_colour,
        zorder=6,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.3},
        arrowprops=leader if place.gap > _LEADER_FROM else None,
    )
