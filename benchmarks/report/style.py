"""How families look in figures: colour, marker and line style together, so that a figure reads without colour.

Colours are those of Okabe & Ito (2008), made for every kind of colour vision, less the yellow, which is lost on white.
Seven colours, twelve markers and four line styles are dealt out in step, which gives 84 pairs of colour and marker.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", "h", ">", "d")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)))

RC: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "codeczoo",
}
"""On top of matplotlib's defaults: text stays text in PDF and SVG, and files do not differ from run to run."""

METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}
"""Left out of the files, because dates and versions would change them when nothing has changed."""

FRONTIER: dict[str, Any] = {"color": "0.74", "linewidth": 3.0, "solid_capstyle": "butt", "solid_joinstyle": "miter"}
REFERENCE: dict[str, Any] = {"color": "0.35", "linewidth": 0.9, "linestyle": (0, (1, 1.5))}

MARKER_POINTS = 4.6
_LARGEST_BUBBLE = 26.0
_NAME_CHARACTERS = 29


@dataclass(frozen=True)
class Style:
    """Of one family."""

    colour: str
    text_colour: str
    """The same hue, dark enough for small print."""
    marker: str
    dashes: Any


def styles(families: Iterable[str]) -> dict[str, Style]:
    """A style a family; the same set of families always gets the same styles."""
    found = {}
    for number, family in enumerate(sorted(set(families))):
        colour = _COLOURS[number % len(_COLOURS)]
        marker, dashes = _MARKERS[number % len(_MARKERS)], _DASHES[number % len(_DASHES)]
        found[family] = Style(colour, _darker(colour), marker, dashes)
    return found


def _darker(colour: str) -> str:
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(channel * 0.62):02x}" for channel in channels)


def bubble_diameter(tokens_per_second: float, largest: float, scale: float = 1.0) -> float:
    """Points; the area is proportional to tokens a second, `largest` being the most in the figure."""
    return scale * _LARGEST_BUBBLE * math.sqrt(tokens_per_second / largest)


def bubble_examples(largest: float) -> list[float]:
    """Up to three round token rates for the legend: about a twentieth, a quarter and all of `largest`."""
    rounds = [base * 10.0**power for power in range(6) for base in (1.0, 2.0, 5.0)]
    found = {
        max((value for value in rounds if value <= part), default=0.0) for part in (largest / 20, largest / 4, largest)
    }
    return sorted(found - {0.0})


def shortened(name: str) -> str:
    """A family's name with its middle left out where it is too long for a figure."""
    if len(name) <= _NAME_CHARACTERS:
        return name
    half = (_NAME_CHARACTERS - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
