"""One set of axes: quality against bitrate, a line a family, bubbles for token rates, the frontier behind.

Better is always up and left: the axis of a lower-is-better metric is turned over, and its label says so. Only codecs
that may be compared (same clips, same metric identity) take part in the frontier; the others are drawn with a
cross and named in the figure's note.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from codeczoo.metrics import Metric

from . import columns
from .frontier import frontier
from .style import FRONTIER, MARKER_POINTS, REFERENCE, Style, bubble_diameter
from .summary import Group

_ONE_DECADE = 10.0
ZERO = "pcm:"
"""Families that are no codec to compare with, but the harness's zero."""
_ORDINARY_RATE = 600.0


@dataclass(frozen=True)
class Point:
    """One operating point that has both a bitrate and a mean."""

    codec: str
    family: str
    kbps: float
    quality: float
    interval: tuple[float, float] | None
    tokens_per_second: float | None
    compared: bool


def points(group: Group, fact: Metric) -> list[Point]:
    """Operating points of a group under a metric, by family and rising bitrate.

    PCM is left out beside others: it shows what the harness itself costs, and its bitrate would push all others into
    a corner."""
    compared = group.comparable(fact.name)
    found = []
    coded = [row for row in group.rows if not row.family.startswith(ZERO)]
    for row in coded or group.rows:
        cell = row.cells.get(fact.name)
        if cell is None or cell.mean is None or not row.bitrate.kbps:
            continue
        per_second = row.tokens_per_second
        point = Point(
            row.codec, row.family, row.bitrate.kbps, cell.mean, cell.interval, per_second, row.codec in compared
        )
        found.append(point)
    return sorted(found, key=lambda point: (point.family, point.kbps, point.codec))


def by_family(found: Sequence[Point]) -> dict[str, list[Point]]:
    """Points of each family, in the order given."""
    families: dict[str, list[Point]] = {}
    for point in found:
        families.setdefault(point.family, []).append(point)
    return families


def largest_rate(found: Sequence[Point]) -> float:
    """The token rate of the largest bubble; 0 where there are only byte codecs.

    Not below that of an ordinary residual codec, so that a figure of low rates is not one of huge bubbles."""
    largest = max((point.tokens_per_second or 0.0 for point in found), default=0.0)
    return max(largest, _ORDINARY_RATE) if largest else 0.0


def draw(
    axes: Axes,
    found: Sequence[Point],
    fact: Metric,
    styles: Mapping[str, Style],
    reference: float | None,
    largest: float,
    scale: float = 1.0,
    intervals: bool = True,
    with_frontier: bool = True,
) -> list[tuple[float, float]]:
    """Draw at least one point; returns the frontier's points. `scale` shrinks bubbles and markers for small panels."""
    _set_axes(axes, found, fact, reference)
    edge = _frontier_points(found, fact) if with_frontier else []
    if edge:
        kbps, quality = [x for x, _ in edge], [y for _, y in edge]
        # What the last point reaches, any higher bitrate can reach too.
        axes.step([*kbps, axes.get_xlim()[1]], [*quality, quality[-1]], where="post", zorder=1.5, **FRONTIER)
    if reference is not None:
        axes.axhline(reference, zorder=1.2, **REFERENCE)
    for family, members in by_family(found).items():
        style = styles[family]
        kbps, quality = [point.kbps for point in members], [point.quality for point in members]
        axes.plot(kbps, quality, color=style.colour, linestyle=style.dashes, linewidth=math.sqrt(scale), zorder=3)
        for point in members:
            if intervals and point.interval is not None:
                whisker = [point.kbps, point.kbps]
                axes.plot(whisker, point.interval, color=style.colour, linewidth=0.8, alpha=0.6, zorder=2.5)
            _draw_point(axes, point, style, largest, scale)
    return edge


def _draw_point(axes: Axes, point: Point, style: Style, largest: float, scale: float) -> None:
    size = MARKER_POINTS * math.sqrt(scale)
    hollow = point.tokens_per_second is None
    if point.tokens_per_second is not None:
        axes.plot(
            [point.kbps],
            [point.quality],
            linestyle="none",
            marker="o",
            markersize=bubble_diameter(point.tokens_per_second, largest, scale),
            markerfacecolor=style.colour + "2e",
            markeredgecolor=style.colour + "90",
            markeredgewidth=0.6,
            zorder=2,
        )
    axes.plot(
        [point.kbps],
        [point.quality],
        linestyle="none",
        marker=style.marker,
        markersize=size,
        markerfacecolor="white" if hollow else style.colour,
        markeredgecolor=style.colour,
        markeredgewidth=1.0 if hollow else 0.4,
        zorder=4,
    )
    if not point.compared:
        axes.plot(
            [point.kbps],
            [point.quality],
            linestyle="none",
            marker="x",
            markersize=2 * size,
            markeredgecolor="0.25",
            markeredgewidth=0.9,
            zorder=5,
        )


def _frontier_points(found: Sequence[Point], fact: Metric) -> list[tuple[float, float]]:
    compared = [(point.kbps, point.quality) for point in found if point.compared]
    return [compared[index] for index in frontier(compared, fact.higher_is_better)]


def _set_axes(axes: Axes, found: Sequence[Point], fact: Metric, reference: float | None) -> None:
    kbps = np.array([point.kbps for point in found])
    low, high = float(kbps.min()), float(kbps.max())
    axes.set_xscale("log")
    axes.set_xlim(low / 1.45, high * 1.6)
    wide = high * 1.6 / (low / 1.45) > _ONE_DECADE
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5) if wide else (1, 2, 3, 4, 5, 6, 8), numticks=40))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Bitrate (kbps, measured)")
    values = [point.quality for point in found] + ([] if reference is None else [reference])
    values += [bound for point in found for bound in point.interval or ()]
    bottom, top = min(values), max(values)
    margin = 0.09 * (top - bottom) or 0.05 * abs(top) or 0.5
    axes.set_ylim(bottom - margin, top + margin)
    named = columns.label(fact.name) + (f" ({columns.unit(fact)})" if columns.unit(fact) else "")
    if fact.higher_is_better:
        axes.set_ylabel(f"{named}, higher is better ↑")
    else:
        axes.invert_yaxis()
        axes.set_ylabel(f"{named}, lower is better\n(axis turned over: better is up)")
