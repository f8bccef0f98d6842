"""Every number that tables, figures and the page show of some records, computed once for all of them.

Records of pieces of passages, which hear the same audio several times and would be counted several times, are kept
apart from those of clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codeczoo.benchmarks.records import Record
from codeczoo.benchmarks.statistics.bootstrap import RESAMPLES
from codeczoo.metrics import Metric

from . import harness
from .lengths import Lengths, is_piece, summarise_lengths
from .summary import GroupBy, Summary, metric_names, summarise


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a report says of records."""

    clips: Sequence[Record]
    """Those that `summary` is of."""
    summary: Summary | None
    """None where all records are of pieces."""
    conducts: Mapping[str, Sequence[harness.Conduct]]
    """What the harness itself measured of `clips`, by group."""
    lengths: Lengths | None
    """Of the pieces; None where there are none."""
    resamples: int
    """Of every interval."""


def numbers_of(
    records: Sequence[Record],
    *,
    group_by: GroupBy | None = None,
    metrics: Sequence[str] | None = None,
    facts: Mapping[str, Metric] | None = None,
    resamples: int = RESAMPLES,
) -> Numbers:
    """The numbers of records as `codeczoo.benchmarks.records.load` returns them.

    `group_by` is chosen from the records where it is None; `metrics` restricts and orders the columns; `facts`
    replaces the registry of metrics. Raises InvalidRun, UnknownMetric, BenchmarkError.
    """
    pieces = [record for record in records if is_piece(record)]
    clips = [record for record in records if not is_piece(record)]
    summary = lengths = None
    conducts: Mapping[str, Sequence[harness.Conduct]] = {}
    # Without records `clips` goes on too, and raises the sentence that there are none.
    if clips or not pieces:
        summary = summarise(clips, group_by, _asked(metrics, clips, pieces), facts, resamples)
        conducts = harness.by_group(clips, summary.group_by)
    if pieces:
        lengths = summarise_lengths(pieces, group_by, _asked(metrics, pieces, clips), facts, resamples)
    return Numbers(clips, summary, conducts, lengths, resamples)


def _asked(metrics: Sequence[str] | None, own: Sequence[Record], others: Sequence[Record]) -> Sequence[str] | None:
    """Those of `metrics` that `own` records score, or that no record scores: these are refused where they are read."""
    if metrics is None:
        return None
    here, elsewhere = (set[str]().union(*map(metric_names, found)) for found in (own, others))
    return [name for name in metrics if name in here or name not in elsewhere]
