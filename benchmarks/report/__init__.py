"""Tables and figures, as a pure function of records: the same records give the same files, byte for byte.

`write(records, folder)` makes all of them:

    quality.md, quality.tex     means of every metric, with the columns of WavTokenizer's Table 1
    quality.csv                 the same, tidy: one line a (group, codec, metric), with confidence intervals and counts
    harness.md, .tex, .csv      delay, clipping, length and speed of every codec
    pareto/GROUP/METRIC.png|pdf|svg, pareto/GROUP/overview.png|pdf|svg

`summarise` gives the numbers alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from codeczoo.benchmarks.records import Record
from codeczoo.metrics import Metric

from . import harness, table, tidy, writers
from .bootstrap import RESAMPLES
from .frontier import frontier
from .summary import Cell, Group, GroupBy, Row, Summary, summarise

__all__ = ["Cell", "Group", "GroupBy", "Row", "Summary", "frontier", "slug", "summarise", "write"]

FIGURE_FORMATS = ("png", "pdf", "svg")


def write(
    records: Sequence[Record],
    out_dir: Path,
    *,
    group_by: GroupBy | None = None,
    metrics: Sequence[str] | None = None,
    facts: Mapping[str, Metric] | None = None,
    intervals: bool = False,
    figures: bool = True,
    resamples: int = RESAMPLES,
) -> list[Path]:
    """Write every table and figure of `records` under `out_dir` and return their paths in the order written.

    `group_by` is chosen from the records where it is None; `metrics` restricts and orders the columns; `facts`
    replaces the registry of metrics; `intervals` prints confidence intervals in Markdown and LaTeX.
    Raises InvalidRun, UnknownMetric, BenchmarkError.
    """
    summary = summarise(records, group_by, metrics, facts, resamples)
    quality = table.quality(summary, intervals)
    own = harness.table(records, summary)
    texts = {
        "quality.md": writers.markdown(quality),
        "quality.tex": writers.latex(quality, "tab:quality"),
        "quality.csv": tidy.text(summary),
        "harness.md": writers.markdown(own),
        "harness.tex": writers.latex(own, "tab:harness"),
        "harness.csv": harness.csv_text(records, summary.group_by),
    }
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in texts.items():
        path = out_dir / name
        path.write_text(text, encoding="utf-8", newline="\n")
        paths.append(path)
    if figures:
        from . import pareto  # imports matplotlib
        from .style import styles

        looks = styles(row.family for group in summary.groups for row in group.rows)
        for group, folder in zip(summary.groups, _folders(summary), strict=True):
            paths += pareto.write(group, summary.metrics, looks, out_dir / "pareto" / folder, FIGURE_FORMATS)
    return paths


def slug(text: str) -> str:
    """A group's name as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "group"


def _folders(summary: Summary) -> list[str]:
    """One folder a group; names that only differ in signs are numbered."""
    folders: list[str] = []
    for group in summary.groups:
        base = folder = slug(group.name)
        number = 2
        while folder in folders:
            folder = f"{base}-{number}"
            number += 1
        folders.append(folder)
    return folders
