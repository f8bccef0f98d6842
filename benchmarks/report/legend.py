"""What the signs of a figure mean: an entry a family, and entries for everything that is not one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from .columns import rate_text
from .panel import Point
from .style import FRONTIER, MARKER_POINTS, REFERENCE, Style, bubble_diameter, bubble_examples, shortened

LINE_HEIGHT = 0.165
"""Inches a line of keys takes."""
BUBBLE_HEIGHT = 0.44
"""Inches the line of bubbles takes."""
_CHARACTER, _HANDLE = 0.066, 0.62
"""Inches that a character and that everything beside the text takes, on the safe side."""


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


def sign_keys(found: Sequence[Point], has_reference: bool, has_frontier: bool = True) -> list[Line2D]:
    """Frontier, reference, crosses and hollow markers, as far as the figure has them."""
    keys = []
    if has_frontier and any(point.compared for point in found):
        keys.append(Line2D([], [], label="Pareto frontier", **FRONTIER))
    if has_reference:
        keys.append(Line2D([], [], label="reference itself", **REFERENCE))
    if any(not point.compared for point in found):
        keys.append(mark("x", "0.25", "not compared"))
    if any(point.tokens_per_second is None for point in found):
        keys.append(mark("o", "0.3", "hollow: byte codec, no tokens/s"))
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


def mark(marker: str, colour: str, label: str) -> Line2D:
    """The key of a sign that stands by itself."""
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


def keys_a_line(keys: Sequence[Line2D], width: float) -> int:
    """How many columns of keys fit into `width` inches; a legend fills its columns from the top."""
    widths = [_CHARACTER * len(str(key.get_label())) + _HANDLE for key in keys]
    for columns in range(len(keys), 1, -1):
        if sum(max(column) for column in np.array_split(widths, columns) if len(column)) <= width:
            return columns
    return 1


def lines_of(keys: Sequence[Line2D], width: float) -> int:
    """Lines that keys take in `width` inches."""
    return -(-len(keys) // keys_a_line(keys, width)) if keys else 0


def add(drawn: Figure, keys: list[Line2D], middle: float, bottom: float, width: float, handle: float = 2.6) -> None:
    """A legend in the figure: `middle` as a share of its width, `bottom` in inches above its lower edge."""
    legend = Legend(
        drawn,
        keys,
        [str(key.get_label()) for key in keys],
        loc="lower center",
        bbox_to_anchor=(middle, bottom / drawn.get_figheight()),
        bbox_transform=drawn.transFigure,
        ncols=keys_a_line(keys, width),
        columnspacing=1.6,
        handlelength=handle,
        borderpad=0.1,
        borderaxespad=0.0,
    )
    drawn.add_artist(legend)
