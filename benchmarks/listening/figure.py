"""The figures of listening tests: ratings by condition, proportions of right answers by codec."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from codeczoo.benchmarks.report.style import REFERENCE, shortened

from .abx import Abx
from .mushra import Mushra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORDS = ("Bad", "Poor", "Fair", "Good", "Excellent")
_FORMATS = ("png", "pdf", "svg")


def draw_mushra(found: Mushra, stem: Path) -> list[Path]:
    """Every rating as a dot, each condition's mean with its 95 % interval; the five words at the side."""
    from codeczoo.benchmarks.report import canvas

    names = [mean.condition for mean in found.means]
    with canvas.settings():
        figure = canvas.blank(1.9 + 0.85 * len(names), 3.0 + _room(names))
        axes = figure.add_axes(_box(figure, 0.6, _room(names), 0.75, 0.15))
        rng = np.random.default_rng(0)
        for place, mean in enumerate(found.means):
            spread = rng.uniform(-0.26, 0.26, len(mean.ratings))
            axes.plot(place + spread, mean.ratings, ".", color="#0072B2", alpha=0.28, markersize=4, zorder=2)
            if mean.interval is not None:
                axes.plot([place, place], mean.interval, color="black", linewidth=1.4, zorder=4, solid_capstyle="butt")
            axes.plot([place], [mean.mean], "s", color="black", markersize=5, zorder=5)
        for bound in range(20, 100, 20):
            axes.axhline(bound, zorder=1, **REFERENCE)
        axes.set_ylim(-3, 103)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_yticks(range(0, 101, 20))
        axes.set_ylabel("rating")
        axes.grid(visible=False)
        _name(axes, names)
        for number, word in enumerate(_WORDS):
            axes.text(
                1.01, 10 + 20 * number, word, transform=axes.get_yaxis_transform(), va="center", fontsize=8, color="0.3"
            )
        note = f"Dots: {found.means[0].n_ratings} ratings each. Squares: means with 95 % intervals over listeners."
        canvas.write_notes(figure, [note])
        return canvas.save(figure, stem, _FORMATS)


def draw_abx(found: Abx, stem: Path) -> list[Path]:
    """Share of right answers of each codec with its interval, and that of each listener."""
    from codeczoo.benchmarks.report import canvas

    names = list(found.by_condition)
    with canvas.settings():
        figure = canvas.blank(1.9 + 0.85 * max(2, len(names)), 2.8 + _room(names))
        axes = figure.add_axes(_box(figure, 0.6, _room(names), 0.3, 0.15))
        rng = np.random.default_rng(0)
        for place, name in enumerate(names):
            each = found.by_condition[name]
            own = [100 * one.share for (codec, _), one in found.by_listener.items() if codec == name]
            beside = place - 0.12 - 0.2 * rng.random(len(own))
            axes.plot(beside, own, "o", color="#0072B2", alpha=0.35, markersize=4, zorder=2)
            axes.plot([place, place], [100 * bound for bound in each.interval], color="black", linewidth=1.4, zorder=4)
            axes.plot([place], [100 * each.share], "s", color="black", markersize=5, zorder=5)
        axes.axhline(50, zorder=1, **REFERENCE)
        axes.set_ylim(-2, 102)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_ylabel("X recognised (%)")
        _name(axes, names)
        note = "Squares: all answers with 95 % intervals. Dots: listeners. Dotted: guessing."
        canvas.write_notes(figure, [note])
        return canvas.save(figure, stem, _FORMATS)


def _name(axes: Axes, names: Sequence[str]) -> None:
    shown = [shortened(name) for name in names]
    axes.set_xticks(range(len(names)), shown, rotation=35, ha="right", rotation_mode="anchor")


def _room(names: Sequence[str]) -> float:
    """Inches that slanted names and a line of notes take below the axes."""
    return 0.5 + 0.042 * max(len(shortened(name)) for name in names)


def _box(figure: Figure, left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
    """Axes with margins in inches."""
    width, height = figure.get_size_inches()
    return (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
