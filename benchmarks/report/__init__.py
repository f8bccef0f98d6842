"""Tables and figures, as a pure function of records: the same records give the same files, byte for byte.

`write(numbers_of(records), folder)` makes all of them:

    quality.md, quality.tex     means of every metric, with the columns of WavTokenizer's Table 1
    quality.csv                 the same, tidy: one line a (group, codec, metric), with confidence intervals and counts
    harness.md, .tex, .csv      delay, clipping, length and speed of every codec
    equal_bitrate.md, .tex, .csv    families interpolated to the bitrates asked for; equal_tokens.* for tokens a second
    pareto/GROUP/METRIC.png|pdf|svg, pareto/GROUP/overview.png|pdf|svg

and, of records of pieces of passages, which hear the same audio several times and would be counted several times there,

    length.md, .tex, .csv       means and real-time factors of every codec at every length, and the change with length
    length/GROUP.png|pdf|svg

`numbers_of` gives the numbers alone, which the page shows too; `summarise` and `summarise_lengths` those of one kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from codeczoo.benchmarks.statistics.families import Axis

from . import equal_rate, harness, length_table, table, tidy, writers
from .frontier import frontier
from .lengths import LengthGroup, Lengths, summarise_lengths
from .numbers import Numbers, numbers_of
from .summary import Cell, Group, GroupBy, Row, Summary, summarise

__all__ = [
    "Cell", "Group", "GroupBy", "Lengths", "Numbers", "Row", "Summary", "frontier", "numbers_of", "slug", "summarise",
    "summarise_lengths", "write",
]  # fmt: skip

FIGURE_FORMATS = ("png", "pdf", "svg")


def write(
    numbers: Numbers,
    out_dir: Path,
    *,
    intervals: bool = False,
    figures: bool = True,
    at_kbps: Sequence[float] = (),
    at_tokens_per_second: Sequence[float] = (),
) -> list[Path]:
    """Write every table and figure under `out_dir` and return their paths in the order written.

    `intervals` prints confidence intervals in Markdown and LaTeX; `at_kbps` and `at_tokens_per_second` are the rates
    of the tables at equal rate. Raises BenchmarkError.
    """
    paths: list[Path] = []
    if numbers.summary is not None:
        equal: dict[Axis, Sequence[float]] = {"kbps": at_kbps, "tokens_per_second": at_tokens_per_second}
        paths += _write_clips(numbers.summary, numbers.conducts, out_dir, intervals, figures)
        for axis, rates in equal.items():
            if rates:
                paths += _write_equal(numbers.summary, rates, axis, out_dir, intervals, numbers.resamples)
    if numbers.lengths is not None:
        paths += _write_pieces(numbers.lengths, out_dir, intervals, figures)
    return paths


def _write_clips(
    summary: Summary,
    conducts: Mapping[str, Sequence[harness.Conduct]],
    out_dir: Path,
    intervals: bool,
    figures: bool,
) -> list[Path]:
    quality = table.quality(summary, intervals)
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
