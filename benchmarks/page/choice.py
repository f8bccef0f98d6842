"""Which clips are worth hearing: under each metric the worst and the best, over all codecs and of each codec.

Over all codecs a clip's value is the mean of those that may be compared, so that the choice does not hang on one codec
that failed. Clips are taken in the order of the metrics, the worst before the best, one group after the other, until
there are as many as were asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.report.summary import Cell, Group, Summary
from codeczoo.benchmarks.statistics.sample import ClipKey
from codeczoo.metrics import Metric


@dataclass(frozen=True)
class Choice:
    """A clip, and under which metrics it is an extreme one."""

    group: str
    clip: ClipKey
    reasons: tuple[tuple[str, str], ...]
    """(`worst` or `best`, metric)."""


def of_codec(cell: Cell, fact: Metric, n: int) -> tuple[list[tuple[ClipKey, float]], list[tuple[ClipKey, float]]]:
    """The `n` worst clips of a cell, the worst first, and the `n` best, the best first."""
    # The values of a cell are in the order of its clips, which is that of their keys.
    pairs = sorted(zip(sorted(cell.scored), map(float, cell.values), strict=True), key=lambda pair: (pair[1], pair[0]))
    if not fact.higher_is_better:
        pairs.reverse()
    return pairs[:n], pairs[::-1][:n]


def extremes(group: Group, fact: Metric) -> tuple[ClipKey, ClipKey] | None:
    """The worst and the best clip of a group under a metric, by the mean of the codecs that may be compared; None where
    fewer than two clips are scored."""
    compared = group.comparable(fact.name)
    cells = [row.cells[fact.name] for row in group.rows if row.codec in compared]
    if not cells or cells[0].n < 2:
        return None
    keys = sorted(cells[0].scored)
    means = np.mean([cell.values for cell in cells], axis=0) * (1.0 if fact.higher_is_better else -1.0)
    return keys[int(np.argmin(means))], keys[int(np.argmax(means))]


def choose(summary: Summary, n: int, patterns: Sequence[str] = ()) -> list[Choice]:
    """`n` clips by their scores, or all that one of `patterns` matches. Raises BenchmarkError where none does."""
    reasons = _reasons(summary)
    if patterns:
        found = [
            (group.name, key)
            for group in summary.groups
            for key in sorted({key for row in group.rows for key in row.clips})
            if any(fnmatchcase(key[1], pattern) for pattern in patterns)
        ]
        if not found:
            raise BenchmarkError(f"No clip of the records matches {' or '.join(patterns)}.")
    else:
        # Where nothing is scored, or there are fewer extremes than were asked for, the first clips make up the number.
        rest = [(group.name, key) for group in summary.groups for key in sorted(group.common_clips)]
        found = list(dict.fromkeys([*reasons, *rest]))[:n]
    return [Choice(group, key, tuple(reasons.get((group, key), ()))) for group, key in found]


def _reasons(summary: Summary) -> dict[tuple[str, ClipKey], list[tuple[str, str]]]:
    reasons: dict[tuple[str, ClipKey], list[tuple[str, str]]] = {}
    for fact in summary.metrics:
        for group in summary.groups:
            found = extremes(group, fact)
            for word, key in zip(("worst", "best"), found or (), strict=False):
                reasons.setdefault((group.name, key), []).append((word, fact.name))
    return reasons
