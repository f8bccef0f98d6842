"""What the signs of a figure mean: an entry a family, and entries for everything that is not one."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.lines import Line2D

from .columns import rate_text
from .panel import Point
from .style import FRONTIER, MARKER_POINTS, REFERENCE, Style, bubble_diameter, bubble_examples, shortened


def family_key(family: str, found: Sequence[Point], style: Style) -> Line2D:
    """The line and marker of a family; hollow where it has no tokens."""
    hollow = all(point.tokens_per_second is None for point in found if point.family == family)
    return Line2D(
        [],
        [],
        label=shortened(family),
        color=style.colour,
        linestyle=style.dashes,
        linewidth=1.0,
        marker=style.marker,
        markersize=MARKER_POINTS,
        markerfacecolor="white" if hollow else style.colour,
    )


def sign_keys(found: Sequence[Point], has_reference: bool) -> list[Line2D]:
    """Frontier, reference, crosses and hollow markers, as far as the figure has them."""
    keys = []
    if any(point.compared for point in found):
        keys.append(Line2D([], [], label="Pareto frontier", **FRONTIER))
    if has_reference:
        keys.append(Line2D([], [], label="reference itself", **REFERENCE))
    if any(not point.compared for point in found):
        keys.append(_mark("x", "0.25", "not compared"))
    if any(point.tokens_per_second is None for point in found):
        keys.append(_mark("o", "0.3", "hollow: byte codec, no tokens/s"))
    return keys


def bubble_keys(largest: float, scale: float) -> list[Line2D]:
    """Bubbles of a few token rates; none where the figure has only byte codecs."""
    return [
        Line2D(
            [],
            [],
            label=f"{rate_text(rate)} tokens/s",
            linestyle="none",
            marker="o",
            markersize=bubble_diameter(rate, largest, scale),
            markerfacecolor="#0000001c",
            markeredgecolor="0.45",
            markeredgewidth=0.6,
        )
        for rate in (bubble_examples(largest) if largest else ())
    ]


def _mark(marker: str, colour: str, label: str) -> Line2D:
    return Line2D(
        [],
        [],
        label=label,
        linestyle="none",
        marker=marker,
        markersize=MARKER_POINTS,
        markerfacecolor="white",
        markeredgecolor=colour,
    )
