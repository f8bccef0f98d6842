"""CSV, tidy and complete: one line a (group, codec, metric), for whoever makes their own tables and plots.

Codecs that share a letter of `told_apart_group` cannot be told apart under that metric with these clips."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace

from codeczoo.benchmarks.statistics.groups import Ties
from codeczoo.metrics import Metric

from .summary import Group, Row, Summary

HEAD = (
    "group_by",
    "group",
    "codec",
    "family",
    "metric",
    "unit",
    "higher_is_better",
    "mean",
    "ci_low",
    "ci_high",
    "n",
    "undefined",
    "failed",
    "not_measured",
    "clips",
    "seconds",
    "comparable",
    "told_apart_group",
    "kbps_measured",
    "kbps_kind",
    "kbps_nominal",
    "tokens_per_second",
    "n_codebooks",
)


def text(summary: Summary) -> str:
    """CSV with a head. Numbers have nine significant digits; what has no value is empty."""
    lines: list[tuple[str, ...]] = [HEAD]
    for group in summary.groups:
        compared = {fact.name: group.comparable(fact.name) for fact in summary.metrics}
        letters = {fact.name: in_rank(group, fact).letters() for fact in summary.metrics if fact.name in group.ties}
        for row in (*((group.reference,) if group.reference else ()), *group.rows):
            for fact in summary.metrics:
                cell = row.cells.get(fact.name)
                if cell is None:
                    continue
                low, high = cell.interval or (None, None)
                lines.append(
                    (
                        *(summary.group_by, group.name, row.codec, row.family),
                        *(fact.name, fact.unit, str(fact.higher_is_better).lower()),
                        *map(number, (cell.mean, low, high, cell.n)),
                        *map(number, (sum(cell.undefined.values()), sum(cell.failed.values()), cell.missing)),
                        *map(number, (len(row.clips), row.seconds)),
                        str(row.codec in compared[fact.name]).lower(),
                        letters.get(fact.name, {}).get(row.codec, ""),
                        *_facts(row),
                    )
                )
    return as_csv(lines)


def in_rank(group: Group, fact: Metric) -> Ties:
    """The ties of a metric, codecs from the best mean to the worst, so that letters begin at the best."""
    means = {row.codec: row.cells[fact.name].mean or 0.0 for row in group.rows if fact.name in row.cells}
    found = group.ties[fact.name]
    return replace(found, codecs=tuple(sorted(found.codecs, key=means.__getitem__, reverse=fact.higher_is_better)))


def as_csv(lines: Sequence[Sequence[str]]) -> str:
    """Lines as CSV with plain newlines, so that files are the same on every system."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    return buffer.getvalue()


def _facts(row: Row) -> tuple[str, ...]:
    rate = row.bitrate
    counts = (row.tokens_per_second, row.n_codebooks)
    return (number(rate.kbps), rate.kind, number(rate.nominal_kbps), *map(number, counts))


def number(value: float | None) -> str:
    """Nine significant digits; empty for None."""
    return "" if value is None else f"{value:.9g}"
