"""Quality and speed against the length of a clip: a panel a metric, and one for each real-time factor, of one group.

Lengths stand on a logarithmic axis; a line is one codec, its whiskers the 95 % confidence interval of each mean. Better
is up, as in the Pareto figures: the axis of a lower-is-better metric is turned over. Lines of several codecs stand a
little beside each other, so that their whiskers can be told apart. A cross marks a mean over fewer pieces than were
measured at its length, which is of other audio than its neighbours.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from codeczoo.metrics import Metric

from . import columns, legend
from .canvas import NOTE_HEIGHT, blank, save, settings, write_notes
from .lengths import SPEED, LengthGroup, Line
from .notes import named
from .panel import ZERO
from .style import MARKER_POINTS, REFERENCE, Style, shortened
from .summary import Cell

_PANEL_WIDTH, _PANEL_HEIGHT = 3.1, 2.4
_MOST_ACROSS = 4
_SCALE = 0.75
"""Of markers, in small panels."""
_APART = 1.035
"""Factor between the positions of neighbouring lines."""


def write(
    group: LengthGroup, metrics: Sequence[Metric], styles: Mapping[str, Style], stem: Path, formats: Sequence[str]
) -> list[Path]:
    """The figure of a group as STEM.png and so on; nothing where no codec has a value."""
    with settings():
        drawn = figure(group, metrics, styles)
        return [] if drawn is None else save(drawn, stem, formats)


def figure(group: LengthGroup, metrics: Sequence[Metric], styles: Mapping[str, Style]) -> Figure | None:
    """All panels of a group, with one legend; None where there is nothing to draw."""
    lines = _drawn(group)
    shown = [fact for fact in (*metrics, *SPEED) if any(_means(line, fact) for line in lines)]
    if not shown:
        return None
    keys = [_key(line, styles[line.codec]) for line in lines]
    signs = _signs(group, lines, shown)
    down = math.ceil(len(shown) / _MOST_ACROSS)
    across = math.ceil(len(shown) / down)
    width = _PANEL_WIDTH * across + 0.4
    notes = textwrap.wrap(" ".join(_notes(group, lines)), int(19 * width))
    foot = NOTE_HEIGHT * len(notes) + 0.08
    signs_top = foot + legend.LINE_HEIGHT * legend.lines_of(signs, width) + 0.08
    below = signs_top + legend.LINE_HEIGHT * legend.lines_of(keys, width) + 0.5
    height = below + _PANEL_HEIGHT * down + 0.2
    drawn = blank(width, height)
    grid = drawn.subplots(down, across, squeeze=False)
    drawn.subplots_adjust(0.52 / width, below / height, 1 - 0.12 / width, 1 - 0.55 / height, wspace=0.26, hspace=0.42)
    for axes, fact in zip(grid.flat, shown, strict=False):
        _panel(axes, group, lines, fact, styles)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    title = f"Quality and speed against length: {group.name}"
    drawn.suptitle(title, x=0.12 / width, y=1 - 0.08 / height, ha="left", va="top", size=10.5, weight="bold")
    legend.add(drawn, keys, 0.5, signs_top, width)
    if signs:
        legend.add(drawn, signs, 0.5, foot, width)
    write_notes(drawn, notes)
    return drawn


def _drawn(group: LengthGroup) -> list[Line]:
    """All codecs, but PCM only where it is alone: its quality would push all others into a corner."""
    coded = [line for line in group.lines if not line.codec.startswith(ZERO)]
    return coded or list(group.lines)


def _means(line: Line, fact: Metric) -> dict[float, Cell]:
    """Cells with a mean, by length."""
    found = {length: row.cells.get(fact.name) for length, row in line.at.items()}
    return {length: cell for length, cell in found.items() if cell is not None and cell.mean is not None}


def _panel(axes: Axes, group: LengthGroup, lines: Sequence[Line], fact: Metric, styles: Mapping[str, Style]) -> None:
    axes.set_title(columns.head(fact), fontsize=8.5)
    _set_lengths(axes, group.lengths_s)
    if group.reference is not None and (own := _means(group.reference, fact)):
        axes.plot(list(own), [cell.mean or 0.0 for cell in own.values()], zorder=1.2, **REFERENCE)
    for number, line in enumerate(lines):
        _draw(axes, line, fact, styles[line.codec], _APART ** (number - (len(lines) - 1) / 2))
    turned_over = not fact.higher_is_better
    if fact in SPEED:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=30))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
    if turned_over:
        axes.invert_yaxis()
    axes.tick_params(labelsize=7)
    axes.set_xlabel("length (s); vertical axis turned over" if turned_over else "length (s)", fontsize=7.5, labelpad=1)


def _set_lengths(axes: Axes, lengths_s: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(lengths_s[0] / 1.3, lengths_s[-1] * 1.3)
    axes.xaxis.set_major_locator(FixedLocator(list(lengths_s)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _draw(axes: Axes, line: Line, fact: Metric, style: Style, beside: float) -> None:
    cells = _means(line, fact)
    at = [length * beside for length in cells]
    means = [cell.mean or 0.0 for cell in cells.values()]
    axes.plot(
        at,
        means,
        color=style.colour,
        linestyle=style.dashes,
        linewidth=0.9,
        marker=style.marker,
        markersize=MARKER_POINTS * _SCALE,
        markerfacecolor="white" if _is_bytes(line) else style.colour,
        zorder=3,
    )
    for x, cell, mean in zip(at, cells.values(), means, strict=True):
        if cell.interval is not None:
            axes.plot([x, x], cell.interval, color=style.colour, linewidth=0.8, alpha=0.6, zorder=2.5)
        if not cell.complete:
            axes.plot([x], [mean], marker="x", color="0.25", markersize=7, markeredgewidth=0.9, zorder=5)


def _is_bytes(line: Line) -> bool:
    return all(row.tokens_per_second is None for row in line.at.values())


def _key(line: Line, style: Style) -> Line2D:
    return Line2D(
        [],
        [],
        label=shortened(line.codec),
        color=style.colour,
        linestyle=style.dashes,
        linewidth=1.0,
        marker=style.marker,
        markersize=MARKER_POINTS,
        markerfacecolor="white" if _is_bytes(line) else style.colour,
    )


def _signs(group: LengthGroup, lines: Sequence[Line], shown: Sequence[Metric]) -> list[Line2D]:
    signs = []
    if group.reference is not None and any(_means(group.reference, fact) for fact in shown):
        signs.append(Line2D([], [], label="reference itself", **REFERENCE))
    if any(not cell.complete for line in lines for fact in shown for cell in _means(line, fact).values()):
        signs.append(legend.mark("x", "0.25", "over fewer pieces (see n in the table)"))
    if any(_is_bytes(line) for line in lines):
        signs.append(legend.mark("o", "0.3", "hollow: byte codec"))
    return signs


def _notes(group: LengthGroup, lines: Sequence[Line]) -> list[str]:
    passages = frozenset[str]().union(*(heard for line in group.lines for heard in line.passages.values()))
    notes = [
        f"The same audio at every length: {len(passages)} passages of {group.lengths_s[-1]:g} s, cut into pieces end "
        "to end. Whiskers: 95 % confidence intervals over passages."
    ]
    if zero := [line.codec for line in group.lines if line not in lines]:
        notes.append(f"In the table alone: {named(zero)}.")
    return [*notes, *(note.replace("`", "") for note in group.timed)]
