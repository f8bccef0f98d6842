"""Figures of probes: accuracy (or mAP) against nominal bitrate, a panel a task, baselines as lines across."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from codeczoo.benchmarks.probes.probing import MAJORITY, UNIFORM
from codeczoo.metrics import Metric

from . import legend
from .canvas import NOTE_HEIGHT, blank, save, settings, write_notes
from .legend import bubble_keys, family_key, sign_keys
from .panel import Point, draw, largest_rate
from .probe_summary import ProbeResult
from .style import Style, styles

_WIDTH, _HEIGHT, _SCALE = 3.3, 2.6, 0.6
_MOST_ACROSS = 4
_BASELINES: dict[str, tuple[str, str, Any]] = {
    "mfcc": ("MFCC", "0.30", (0, (4, 1.5))),
    "log-mel": ("log-mel", "0.30", (0, (1.5, 1.2))),
    MAJORITY: ("chance", "0.55", "-"),
    UNIFORM: ("chance", "0.55", "-"),
}
_UNITS = {"accuracy": "Accuracy (%)", "map": "Macro mAP (%)"}


def write(found: Sequence[ProbeResult], folder: Path, formats: Sequence[str]) -> list[Path]:
    """A figure a mode and pooling; none where no codec has a result and a bitrate. Returns their paths."""
    paths: list[Path] = []
    with settings():
        for mode, pooling in dict.fromkeys((result.mode, result.pooling) for result in found):
            of = [result for result in found if (result.mode, result.pooling) == (mode, pooling)]
            if any(_points(of, task) for task in _tasks(of)):
                name = mode if pooling == "mean" else f"{mode}-{pooling}"
                paths += save(figure(of, mode), folder / name, formats)
    return paths


def figure(found: Sequence[ProbeResult], mode: str) -> Figure:
    """The results of one mode."""
    tasks = [task for task in _tasks(found) if _points(found, task)]
    points = [point for task in tasks for point in _points(found, task)]
    families = sorted({point.family for point in points})
    of_family, largest = styles(families), largest_rate(points)
    keys = [family_key(family, points, of_family[family]) for family in families]
    keys += [Line2D([], [], color=c, linestyle=d, linewidth=1.0, label=label) for label, c, d in _shown(found)]
    signs = [*sign_keys(points, has_reference=False, has_frontier=False), *bubble_keys(largest, _SCALE)]
    across = min(len(tasks), _MOST_ACROSS)
    rows = math.ceil(len(tasks) / across)
    width = max(_WIDTH * across + 0.4, 4.6)
    text = "Bars are 95 % intervals over speakers or recordings of the test clips. Chance is the larger of the most "
    text += f"frequent training label and a uniform draw. Probe: {mode}."
    notes = textwrap.wrap(text, int(19 * width))
    foot = NOTE_HEIGHT * len(notes) + 0.12
    signs_top = foot + legend.LINE_HEIGHT * legend.lines_of(signs, width) + 0.1
    below = signs_top + legend.LINE_HEIGHT * legend.lines_of(keys, width) + 0.55
    height = below + _HEIGHT * rows + 0.2
    drawn = blank(width, height)
    grid = drawn.subplots(rows, across, squeeze=False)
    drawn.subplots_adjust(0.6 / width, below / height, 1 - 0.15 / width, 1 - 0.55 / height, wspace=0.26, hspace=0.42)
    for axes, task in zip(grid.flat, tasks, strict=False):
        _panel(axes, found, task, of_family, largest)
    for axes in list(grid.flat)[len(tasks) :]:
        axes.set_visible(False)
    title = "What linear probes read off the tokens"
    drawn.suptitle(title, x=0.12 / width, y=1 - 0.08 / height, ha="left", va="top", size=10.5, weight="bold")
    legend.add(drawn, keys, 0.5, signs_top, width)
    legend.add(drawn, signs, 0.5, foot, width)
    write_notes(drawn, notes)
    return drawn


def _tasks(found: Sequence[ProbeResult]) -> list[str]:
    return list(dict.fromkeys(result.task for result in found))


def _points(found: Sequence[ProbeResult], task: str) -> list[Point]:
    made = []
    for of in found:
        if of.task != task or of.mean is None or not of.is_codec or not of.kbps:
            continue
        family = of.features.partition("@")[0]
        interval = None if of.interval is None else (100 * of.interval[0], 100 * of.interval[1])
        rate = of.facts.get("tokens_per_second")
        made.append(Point(of.features, family, of.kbps, 100 * of.mean, interval, rate, compared=not of.failed))
    return sorted(made, key=lambda point: (point.family, point.kbps, point.codec))


def _baselines(found: Sequence[ProbeResult], task: str) -> dict[str, float]:
    """Label -> percent; of the two kinds of chance the larger."""
    lines: dict[str, float] = {}
    for of in found:
        if of.task == task and of.mean is not None and of.features in _BASELINES:
            label = _BASELINES[of.features][0]
            lines[label] = max(lines.get(label, 0.0), 100 * of.mean)
    return lines


def _shown(found: Sequence[ProbeResult]) -> list[tuple[str, str, Any]]:
    there = {result.features for result in found if result.mean is not None}
    return list({look[0]: look for name, look in _BASELINES.items() if name in there}.values())


def _panel(axes: Axes, found: Sequence[ProbeResult], task: str, of_family: dict[str, Style], largest: float) -> None:
    points = _points(found, task)
    metric = next(result.metric for result in found if result.task == task)
    # No frontier: intervals of a probe are wide, and it would rank what they do not.
    draw(axes, points, _fact(metric), of_family, None, largest, _SCALE, with_frontier=False)
    lines = _baselines(found, task)
    for label, value in lines.items():
        _, colour, dashes = next(look for look in _BASELINES.values() if look[0] == label)
        axes.axhline(value, color=colour, linestyle=dashes, linewidth=1.0, zorder=1.2)
    bottom, top = axes.get_ylim()
    margin = 0.04 * (top - bottom)
    values = list(lines.values())
    axes.set_ylim(
        max(0.0, min([bottom, *(value - margin for value in values)])), max([top, *(v + margin for v in values)])
    )
    axes.set_title(task, fontsize=8.5)
    axes.set_ylabel(_UNITS[metric], fontsize=7.5)
    axes.set_xlabel("kbps, nominal", fontsize=7.5, labelpad=1)
    axes.tick_params(labelsize=7)


def _fact(name: str) -> Metric:
    """A probe's value as a panel takes it."""
    return Metric(
        name=name, unit="1", higher_is_better=True, sample_rate=None, inputs="estimate", source="", identity=name,
        description="",
    )  # fmt: skip
