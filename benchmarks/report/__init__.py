"""Tables and figures, as a pure function of records: the same records give the same files, byte for byte.

`write(records, folder)` makes all of them:

    quality.md, quality.tex     means of every metric, with the columns of WavTokenizer's Table 1
    quality.csv                 the same, tidy: one line a (group, codec, metric), with confidence intervals and counts
    harness.md, .tex, .csv      delay, clipping, length and speed of every codec
    equal_bitrate.md, .tex, .csv    families interpolated to the bitrates asked for; equal_tokens.* for tokens a second
    pareto/GROUP/METRIC.png|pdf|svg, pareto/GROUP/overview.png|pdf|svg

and, of records of pieces of passages, which hear the same audio several times and would be counted several times there,

    length.md, .tex, .csv       means and real-time factors of every codec at every length, and the change with length
    length/GROUP.png|pdf|svg

`summarise` and `summarise_lengths` give the numbers alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from codeczoo.benchmarks.records import Record
from codeczoo.benchmarks.statistics.bootstrap import RESAMPLES
from codeczoo.benchmarks.statistics.families import Axis
from codeczoo.metrics import Metric

from . import equal_rate, harness, length_table, table, tidy, writers
from .frontier import frontier
from .lengths import LengthGroup, Lengths, is_piece, summarise_lengths
from .summary import Cell, Group, GroupBy, Row, Summary, metric_names, summarise

__all__ = [
    "Cell", "Group", "GroupBy", "Lengths", "Row", "Summary", "frontier", "slug", "summarise", "summarise_lengths",
    "write",
]  # fmt: skip

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
    at_kbps: Sequence[float] = (),
    at_tokens_per_second: Sequence[float] = (),
) -> list[Path]:
    """Write every table and figure of `records` under `out_dir` and return their paths in the order written.

    `group_by` is chosen from the records where it is None; `metrics` restricts and orders the columns; `facts`
    replaces the registry of metrics; `intervals` prints confidence intervals in Markdown and LaTeX;
    `at_kbps` and `at_tokens_per_second` are the rates of the tables at equal rate.
    Raises InvalidRun, UnknownMetric, BenchmarkError.
    """
    pieces = [record for record in records if is_piece(record)]
    clips = [record for record in records if not is_piece(record)]
    paths: list[Path] = []
    # Without records `clips` goes on too, and raises the sentence that there are none.
    if clips or not pieces:
        summary = summarise(clips, group_by, _asked(metrics, clips, pieces), facts, resamples)
        equal: dict[Axis, Sequence[float]] = {"kbps": at_kbps, "tokens_per_second": at_tokens_per_second}
        paths += _write_clips(clips, summary, out_dir, intervals, figures)
        for axis, rates in equal.items():
            if rates:
                paths += _write_equal(summary, rates, axis, out_dir, intervals, resamples)
    if pieces:
        lengths = summarise_lengths(pieces, group_by, _asked(metrics, pieces, clips), facts, resamples)
        paths += _write_pieces(lengths, out_dir, intervals, figures)
    return paths


def _asked(metrics: Sequence[str] | None, own: Sequence[Record], others: Sequence[Record]) -> Sequence[str] | None:
    """Those of `metrics` that `own` records score, or that no record scores: these are refused where they are read."""
    if metrics is None:
        return None
    here, elsewhere = (set[str]().union(*map(metric_names, found)) for found in (own, others))
    return [name for name in metrics if name in here or name not in elsewhere]


def _write_clips(
    records: Sequence[Record], summary: Summary, out_dir: Path, intervals: bool, figures: bool
) -> list[Path]:
    quality = table.quality(summary, intervals)
    conducts = harness.by_group(records, summary.group_by)
    own = harness.table(conducts)
    paths = _write_texts(
        out_dir,
        {
            "quality.md": writers.markdown(quality),
            "quality.tex": writers.latex(quality, "tab:quality"),
            "quality.csv": tidy.text(summary),
            "harness.md": writers.markdown(own),
            "harness.tex": writers.latex(own, "tab:harness"),
            "harness.csv": harness.csv_text(conducts, summary.group_by),
        },
    )
    if figures:
        from . import pareto  # imports matplotlib
        from .style import styles

        looks = styles(row.family for group in summary.groups for row in group.rows)
        for group, folder in zip(summary.groups, _file_names(summary.groups), strict=True):
            paths += pareto.write(group, summary.metrics, looks, out_dir / "pareto" / folder, FIGURE_FORMATS)
    return paths


def _write_equal(
    summary: Summary, rates: Sequence[float], axis: Axis, out_dir: Path, intervals: bool, resamples: int
) -> list[Path]:
    found = equal_rate.at_rates(summary, rates, axis, resamples)
    made = equal_rate.table(summary, found, intervals)
    name = "equal_bitrate" if axis == "kbps" else "equal_tokens"
    texts = {
        f"{name}.md": writers.markdown(made),
        f"{name}.tex": writers.latex(made, f"tab:{name.replace('_', '-')}"),
        f"{name}.csv": equal_rate.csv_text(summary, found),
    }
    return _write_texts(out_dir, texts)


def _write_pieces(lengths: Lengths, out_dir: Path, intervals: bool, figures: bool) -> list[Path]:
    made = length_table.quality_by_length(lengths, intervals)
    paths = _write_texts(
        out_dir,
        {
            "length.md": writers.markdown(made),
            "length.tex": writers.latex(made, "tab:length"),
            "length.csv": length_table.csv_text(lengths),
        },
    )
    if figures:
        from . import length_figure  # imports matplotlib
        from .style import styles

        looks = styles(line.codec for group in lengths.groups for line in group.lines)
        for group, name in zip(lengths.groups, _file_names(lengths.groups), strict=True):
            paths += length_figure.write(group, lengths.metrics, looks, out_dir / "length" / name, FIGURE_FORMATS)
    return paths


def _write_texts(out_dir: Path, texts: Mapping[str, str]) -> list[Path]:
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in texts.items():
        path = out_dir / name
        path.write_text(text, encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def slug(text: str) -> str:
    """A group's name as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "group"


def _file_names(groups: Sequence[Group | LengthGroup]) -> list[str]:
    """One a group; names that only differ in signs are numbered."""
    folders: list[str] = []
    for group in groups:
        base = folder = slug(group.name)
        number = 2
        while folder in folders:
            folder = f"{base}-{number}"
            number += 1
        folders.append(folder)
    return folders
