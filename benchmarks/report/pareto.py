"""Pareto figures: quality against bitrate, one figure a metric and one overview of the main metrics, for one group.

As WavTokenizer's Figure 1: bitrate in kbit/s on a logarithmic axis, bubble area for tokens a second.
"""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from codeczoo.metrics import Metric

from . import columns, legend
from .canvas import NOTE_HEIGHT, blank, save, settings, write_notes
from .legend import bubble_keys, family_key, sign_keys
from .naming import name_families
from .notes import named
from .panel import Point, draw, largest_rate, points
from .style import Style
from .summary import Group

_WIDTH = 6.6
_AXES_HEIGHT = 3.7
_MOST_PANELS = 6
_PANEL_WIDTH, _PANEL_HEIGHT, _PANEL_SCALE = 3.1, 2.4, 0.55
_BUBBLE_RIM = 0.1
"""Inches by which the largest bubble reaches below its line."""
_BUBBLE_HANDLE = 3.8
"""Em; wide enough for the largest bubble."""


def write(
    group: Group, metrics: Sequence[Metric], styles: Mapping[str, Style], folder: Path, formats: Sequence[str]
) -> list[Path]:
    """A figure for each metric that was asked of the group, and the overview. Returns their paths."""
    asked = [fact for fact in metrics if any(fact.name in row.cells for row in group.rows)]
    paths: list[Path] = []
    with settings():
        for fact in asked:
            paths += save(figure(group, fact, styles), folder / fact.name, formats)
        if asked:
            paths += save(overview(group, asked, styles), folder / "overview", formats)
    return paths


def figure(group: Group, fact: Metric, styles: Mapping[str, Style]) -> Figure:
    """One metric, families named where they stand."""
    found = points(group, fact)
    largest = largest_rate(found)
    reference = _reference(group, fact)
    signs = sign_keys(found, reference is not None) if found else []
    bubbles = bubble_keys(largest, 1.0)
    notes = textwrap.wrap(" ".join(_notes(group, fact, found)), 128)
    foot = NOTE_HEIGHT * len(notes) + 0.08
    bubbles_top = foot + (legend.BUBBLE_HEIGHT if bubbles else 0.0)
    below = bubbles_top + legend.LINE_HEIGHT * legend.lines_of(signs, _WIDTH) + 0.5
    height = below + _AXES_HEIGHT + 0.32
    drawn = blank(_WIDTH, height)
    axes = drawn.add_axes((0.105, below / height, 0.875, _AXES_HEIGHT / height))
    axes.set_title(f"{columns.label(fact.name)}: {group.name}")
    write_notes(drawn, notes)
    if not found:
        _draw_nothing(axes, group, fact, 60)
        return drawn
    edge = draw(axes, found, fact, styles, reference, largest)
    legend.add(drawn, signs, 0.5, bubbles_top, _WIDTH)
    legend.add(drawn, bubbles, 0.5, foot + _BUBBLE_RIM, _WIDTH, handle=_BUBBLE_HANDLE)
    name_families(drawn, axes, found, edge, styles, largest)
    return drawn


def overview(group: Group, metrics: Sequence[Metric], styles: Mapping[str, Style]) -> Figure:
    """Small multiples of the main metrics, with one legend of families and one of signs."""
    shown = _main(group, metrics)
    found = [point for fact in shown for point in points(group, fact)]
    largest = largest_rate(found)
    has_reference = any(_reference(group, fact) is not None for fact in shown)
    families = sorted({point.family for point in found})
    family_keys = [family_key(family, found, styles[family]) for family in families]
    signs = [*sign_keys(found, has_reference), *bubble_keys(largest, _PANEL_SCALE)]

    rows = 1 if len(shown) <= 3 else 2
    across = math.ceil(len(shown) / rows)
    width = _PANEL_WIDTH * across + 0.4
    apart = sorted({point.codec for point in found if not point.compared})
    said = [_apart(apart)] if apart else []
    if empty := [columns.label(fact.name) for fact in metrics if not points(group, fact) and fact not in shown]:
        said.append(f"No codec has a value of {', '.join(empty)}.")
    notes = textwrap.wrap(" ".join(said), int(19 * width))
    foot = NOTE_HEIGHT * len(notes) + 0.08
    signs_top = foot + legend.LINE_HEIGHT * legend.lines_of(signs, width) + 0.08
    below = signs_top + legend.LINE_HEIGHT * legend.lines_of(family_keys, width) + 0.5
    height = below + _PANEL_HEIGHT * rows + 0.2
    drawn = blank(width, height)
    grid = drawn.subplots(rows, across, squeeze=False)
    drawn.subplots_adjust(0.5 / width, below / height, 1 - 0.12 / width, 1 - 0.55 / height, wspace=0.24, hspace=0.42)
    for axes, fact in zip(grid.flat, shown, strict=False):
        _small(axes, group, fact, styles, largest)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    title = f"Quality against bitrate: {group.name}"
    drawn.suptitle(title, x=0.12 / width, y=1 - 0.08 / height, ha="left", va="top", size=10.5, weight="bold")
    legend.add(drawn, family_keys, 0.5, signs_top, width)
    legend.add(drawn, signs, 0.5, foot, width)
    write_notes(drawn, notes)
    return drawn


def _main(group: Group, metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics of the overview: the main ones as far as there are values, else whatever was asked."""
    valued = [fact for fact in metrics if points(group, fact)] or list(metrics)
    main = [fact for fact in valued if fact.name in columns.MAIN]
    return (main or valued)[:_MOST_PANELS]


def _small(axes: Axes, group: Group, fact: Metric, styles: Mapping[str, Style], largest: float) -> None:
    axes.set_title(columns.head(fact), fontsize=8.5)
    found = points(group, fact)
    if not found:
        _draw_nothing(axes, group, fact, 34)
        return
    draw(axes, found, fact, styles, _reference(group, fact), largest, _PANEL_SCALE, intervals=False)
    axes.set_ylabel("")
    axes.tick_params(labelsize=7)
    axes.set_xlabel("kbps" if fact.higher_is_better else "kbps (vertical axis turned over)", fontsize=7.5, labelpad=1)


def _reference(group: Group, fact: Metric) -> float | None:
    if group.reference is None or fact.name not in group.reference.cells:
        return None
    return group.reference.cells[fact.name].mean


def _apart(codecs: Sequence[str]) -> str:
    return f"Not compared, because over other clips or under another metric identity: {named(codecs)}."


def _notes(group: Group, fact: Metric, found: Sequence[Point]) -> list[str]:
    """The caveats of a figure, as sentences."""
    if not found:
        return []
    compared = group.comparable(fact.name)
    clips = max((row.cells[fact.name].n for row in group.rows if row.codec in compared), default=0)
    notes = [f"Means over {clips} clip{'' if clips == 1 else 's'}; bars are 95 % confidence intervals."]
    if apart := [point.codec for point in found if not point.compared]:
        notes.append(_apart(apart))
    drawn = {point.codec for point in found}
    left_out = [row for row in group.rows if fact.name in row.cells and row.codec not in drawn]
    if absent := [row.codec for row in left_out if row.cells[fact.name].mean is None or not row.bitrate.kbps]:
        notes.append(f"Without a value or bitrate: {named(absent)}.")
    if zero := [row.codec for row in left_out if row.codec not in absent]:
        notes.append(f"In the table alone: {named(zero)}.")
    if any(row.bitrate.kind == "stated" for row in group.rows if row.codec in drawn):
        notes.append("Bitrates of audio decoded elsewhere are as stated.")
    return notes


def _draw_nothing(axes: Axes, group: Group, fact: Metric, line_characters: int) -> None:
    """Say why there is nothing to see."""
    reasons: Counter[str] = Counter()
    cells = [row.cells[fact.name] for row in group.rows if fact.name in row.cells]
    for cell in cells:
        reasons.update(cell.undefined)
        reasons.update(cell.failed)
    text = f"No codec has a value of {columns.label(fact.name)} here."
    if any(cell.n for cell in cells):
        text = f"No codec with a value of {columns.label(fact.name)} has a known bitrate."
    elif reasons:
        reason, count = max(reasons.items(), key=lambda item: (item[1], item[0]))
        text += f" {reasons.total()} times undefined or failed, {count} of them because: {reason}"
    lines = textwrap.wrap(" ".join(text.split()), line_characters, max_lines=6, placeholder=" …")
    axes.text(0.5, 0.5, "\n".join(lines), transform=axes.transAxes, ha="center", va="center", color="0.3")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_color("0.8")
