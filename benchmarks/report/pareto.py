"""Pareto figures: quality against bitrate, one figure a metric and one overview of the main metrics, for one group.

As WavTokenizer's Figure 1: bitrate in kbit/s on a logarithmic axis, bubble area for tokens a second. Files are PNG at
200 dpi, PDF and SVG with text as text, without dates, so that they change only when the numbers do.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from codeczoo.metrics import Metric

from . import columns
from .labels import Label, arrange
from .panel import FRONTIER_STYLE, REFERENCE_STYLE, Point, by_family, draw, largest_rate, points
from .style import MARKER_POINTS, METADATA, RC, Style, bubble_diameter, bubble_examples
from .summary import Group

_DPI = 200
_MOST_PANELS = 6
_LINE_STEP = 3.0
_LABEL_POINTS = 7.5
_PANEL_SCALE = 0.55


@contextmanager
def _settings() -> Iterator[None]:
    """Matplotlib's defaults and ours, whatever the user's own settings are, which are left as they were."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield


def write(
    group: Group, metrics: Sequence[Metric], styles: Mapping[str, Style], folder: Path, formats: Sequence[str]
) -> list[Path]:
    """A figure for each metric that was asked of the group, and the overview. Returns the paths in the order written."""
    asked = [fact for fact in metrics if any(fact.name in row.cells for row in group.rows)]
    paths: list[Path] = []
    with _settings():
        for fact in asked:
            paths += _save(figure(group, fact, styles), folder / fact.name, formats)
        if asked:
            paths += _save(overview(group, asked, styles), folder / "overview", formats)
    return paths


def _save(drawn: Figure, stem: Path, formats: Sequence[str]) -> list[Path]:
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{form}") for form in formats]
    for path, form in zip(paths, formats, strict=True):
        drawn.savefig(path, format=form, dpi=_DPI, metadata=METADATA[form])
    return paths


def figure(group: Group, fact: Metric, styles: Mapping[str, Style]) -> Figure:
    """One metric, families labelled where they stand."""
    found = points(group, fact)
    notes = _notes(group, fact, found)
    lines = textwrap.wrap(" ".join(notes), 128)
    foot = 0.13 * len(lines)
    drawn = Figure(figsize=(6.6, 4.3 + foot))
    FigureCanvasAgg(drawn)
    height = 4.3 + foot
    axes = drawn.add_axes((0.105, (0.52 + foot) / height, 0.875, 3.45 / height))
    axes.set_title(f"{columns.label(fact.name)}: {group.name}")
    drawn.text(0.012, 0.06 / height, "\n".join(lines), fontsize=6.6, color="0.3", va="bottom", linespacing=1.25)
    if not found:
        _draw_nothing(axes, group, fact)
        return drawn
    largest = largest_rate(found)
    reference = _reference(group, fact)
    draw(axes, found, fact, styles, reference, largest)
    legend = axes.legend(
        handles=_keys(found, largest, 1.0, reference is not None),
        loc="lower right",
        labelspacing=0.75,
        handlelength=3.0,
        borderpad=0.6,
    )
    _label(drawn, axes, found, fact, styles, largest, legend.get_window_extent(_renderer(drawn)).extents)
    return drawn


def overview(group: Group, metrics: Sequence[Metric], styles: Mapping[str, Style]) -> Figure:
    """Small multiples of the main metrics, with one legend."""
    shown = _main(group, metrics)
    rows = 1 if len(shown) <= 3 else 2
    across = math.ceil(len(shown) / rows)
    families = sorted({point.family for fact in shown for point in points(group, fact)})
    keys = [_family_key(group, family, styles[family]) for family in families]
    found = [point for fact in shown for point in points(group, fact)]
    largest = largest_rate(found)
    if found:
        has_reference = any(_reference(group, fact) is not None for fact in shown)
        keys += _keys(found, largest, _PANEL_SCALE, has_reference)
    per_line = 6 if across == 3 else 4 if across == 2 else 2
    foot = 0.2 * math.ceil(len(keys) / per_line) + 0.15
    width, height = 3.1 * across + 0.4, 2.5 * rows + foot + 0.3
    drawn = Figure(figsize=(width, height))
    FigureCanvasAgg(drawn)
    grid = drawn.subplots(rows, across, squeeze=False)
    left, right = 0.62 / width, 1 - 0.12 / width
    drawn.subplots_adjust(left, (foot + 0.42) / height, right, 1 - 0.5 / height, wspace=0.3, hspace=0.42)
    for axes, fact in zip(grid.flat, shown, strict=False):
        _small(axes, group, fact, styles, largest)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    drawn.suptitle(f"Quality against bitrate: {group.name}", x=0.12 / width, y=1 - 0.07 / height, ha="left", va="top")
    drawn.legend(handles=keys, loc="lower center", ncols=per_line, columnspacing=1.4, handlelength=2.6)
    return drawn


def _main(group: Group, metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics of the overview: the main ones as far as there are values, else whatever was asked."""
    valued = [fact for fact in metrics if points(group, fact)] or list(metrics)
    main = [fact for fact in valued if fact.name in columns.MAIN]
    rest = [fact for fact in valued if fact.name not in columns.MAIN]
    return (main or rest)[:_MOST_PANELS]


def _small(axes: Axes, group: Group, fact: Metric, styles: Mapping[str, Style], largest: float) -> None:
    axes.set_title(columns.head(fact), fontsize=8.5)
    found = points(group, fact)
    if not found:
        _draw_nothing(axes, group, fact)
        return
    draw(axes, found, fact, styles, _reference(group, fact), largest, _PANEL_SCALE, intervals=False)
    axes.set_ylabel("")
    axes.tick_params(labelsize=7)
    axes.set_xlabel("kbps", fontsize=7.5, labelpad=1)


def _reference(group: Group, fact: Metric) -> float | None:
    if group.reference is None or fact.name not in group.reference.cells:
        return None
    return group.reference.cells[fact.name].mean


def _notes(group: Group, fact: Metric, found: list[Point]) -> list[str]:
    """The caveats of a figure, as sentences."""
    clips = len(group.common_clips)
    notes = (
        [f"Means over {clips} clip{'' if clips == 1 else 's'}; bars are 95 % confidence intervals."] if found else []
    )
    apart = [point.codec for point in found if not point.compared]
    if apart:
        notes.append(f"Crossed out, because over other clips or another version of the metric: {', '.join(apart)}.")
    drawn = {point.codec for point in found}
    absent = [row.codec for row in group.rows if fact.name in row.cells and row.codec not in drawn]
    if absent and found:
        notes.append(f"Without a value: {', '.join(absent)}.")
    if any(row.bitrate.kind == "stated" for row in group.rows if row.codec in drawn):
        notes.append("Bitrates of audio decoded elsewhere are as stated.")
    return notes


def _draw_nothing(axes: Axes, group: Group, fact: Metric) -> None:
    """Say why there is nothing to see."""
    reasons: dict[str, int] = {}
    without_rate = 0
    for row in group.rows:
        cell = row.cells.get(fact.name)
        for found in (cell.undefined, cell.failed) if cell is not None else ():
            for reason, count in found.items():
                reasons[reason] = reasons.get(reason, 0) + count
        without_rate += cell is not None and cell.mean is not None
    text = f"No codec has a value of {columns.label(fact.name)} here."
    if without_rate:
        text = f"No codec with a value of {columns.label(fact.name)} has a bitrate."
    elif reasons:
        reason = max(reasons, key=lambda reason: (reasons[reason], reason))
        text += f" Undefined or failed {sum(reasons.values())} times, most often: {reason}"
    wide = 60 if axes.get_position().width > 0.6 else 32
    axes.text(
        *(0.5, 0.5, "\n".join(textwrap.wrap(" ".join(text.split()), wide, max_lines=6))),
        transform=axes.transAxes,
        ha="center",
        va="center",
        color="0.3",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_color("0.8")


def _family_key(group: Group, family: str, style: Style) -> Line2D:
    hollow = all(row.tokens_per_second is None for row in group.rows if row.family == family)
    return Line2D(
        *([], []),
        color=style.colour,
        linestyle=style.dashes,
        linewidth=1.0,
        marker=style.marker,
        label=family,
        markersize=MARKER_POINTS,
        markerfacecolor="white" if hollow else style.colour,
    )


def _keys(found: list[Point], largest: float, scale: float, has_reference: bool) -> list[Line2D]:
    """Legend entries of everything that is not a family."""
    keys = [Line2D([], [], label="Pareto frontier", **FRONTIER_STYLE)]
    if has_reference:
        keys.append(Line2D([], [], label="reference itself", **REFERENCE_STYLE))
    if any(point.tokens_per_second is None for point in found):
        hollow = {"marker": "o", "markersize": MARKER_POINTS, "markerfacecolor": "white", "markeredgecolor": "0.3"}
        keys.append(Line2D([], [], linestyle="none", label="hollow, no bubble: byte codec", **hollow))
    for rate in bubble_examples(largest) if largest else ():
        bubble = {"marker": "o", "markersize": bubble_diameter(rate, largest, scale), "linestyle": "none"}
        look = {"markerfacecolor": "#0000001c", "markeredgecolor": "0.45", "markeredgewidth": 0.6}
        keys.append(Line2D([], [], label=f"{columns.rate_text(rate)} tokens/s", **bubble, **look))
    return keys


def _renderer(drawn: Figure):
    canvas = drawn.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    return canvas.get_renderer()


def _label(
    drawn: Figure,
    axes: Axes,
    found: list[Point],
    fact: Metric,
    styles: Mapping[str, Style],
    largest: float,
    legend: Sequence[float],
) -> None:
    """Write each family's name beside one of its points."""
    to_points = 72.0 / drawn.dpi
    place = {point.codec: axes.transData.transform((point.kbps, point.quality)) * to_points for point in found}
    radius = {
        point.codec: 0.5 * max(MARKER_POINTS, bubble_diameter(point.tokens_per_second or 0.0, largest or 1.0))
        for point in found
    }
    families = by_family(found)
    labels = []
    for family, members in families.items():
        text = drawn.text(0, 0, family, fontsize=_LABEL_POINTS, weight="bold")
        size = text.get_window_extent(_renderer(drawn))
        text.remove()
        anchors = [(*map(float, place[point.codec]), 0.5 * MARKER_POINTS) for point in (members[-1], *members[:-1])]
        labels.append(Label(size.width * to_points + 2, size.height * to_points + 1, tuple(anchors)))
    boxes = [(x - r, y - r, x + r, y + r) for (x, y), r in ((place[c], 0.45 * radius[c] + 1.2) for c in place)]
    boxes.append(tuple(float(edge) * to_points for edge in legend))  # type: ignore[arg-type]
    samples = [
        sample
        for members in families.values()
        for start, end in zip(members, members[1:], strict=False)
        for sample in _along(place[start.codec], place[end.codec])
    ]
    bounds = tuple(float(edge) * to_points for edge in axes.get_window_extent().extents)
    for (family, members), label, spot in zip(
        families.items(),
        labels,
        arrange(labels, boxes, samples, bounds),
        strict=True,  # type: ignore[arg-type]
    ):
        anchor = (members[-1], *members[:-1])[spot.anchor]
        x, y, _ = label.anchors[spot.anchor]
        leader = {"arrowstyle": "-", "color": styles[family].colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}
        axes.annotate(
            *(family, (anchor.kbps, anchor.quality)),
            xytext=(spot.x - x, spot.y - y),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=_LABEL_POINTS,
            weight="bold",
            color=styles[family].text_colour,
            zorder=6,
            arrowprops=leader if spot.gap > 5 else None,
        )


def _along(start: np.ndarray, end: np.ndarray) -> list[tuple[float, float]]:
    steps = max(2, int(np.hypot(*(end - start)) / _LINE_STEP))
    return [tuple(map(float, start + (end - start) * step / steps)) for step in range(1, steps)]  # type: ignore[misc]
