"""What the page shows of records, as plain values for JSON. All numbers come from the report's `Summary`: the page
computes no statistic of its own, it sorts and draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codeczoo.benchmarks.report import columns, harness, style, table, tidy
from codeczoo.benchmarks.report.frontier import frontier
from codeczoo.benchmarks.report.notes import section_notes, too_few_clips
from codeczoo.benchmarks.report.panel import ZERO
from codeczoo.benchmarks.report.summary import Cell, Group, Row, Summary
from codeczoo.benchmarks.statistics.sample import ClipKey
from codeczoo.metrics import Metric

from .choice import of_codec

Json = dict[str, Any]

EXTREMES = 3
"""Worst and best clips of a codec under a metric."""
_SIGNIFICANT = 6


def of_summary(summary: Summary, conducts: Mapping[str, Sequence[harness.Conduct]]) -> Json:
    """The page's data beside its audio. `conducts` is what the harness measured, by group."""
    looks = style.styles(row.family for group in summary.groups for row in group.rows)
    return {
        "groupBy": summary.group_by,
        "metrics": [_metric(fact) for fact in summary.metrics],
        "styles": {family: {"colour": look.colour, "marker": look.marker} for family, look in looks.items()},
        "groups": [_group(group, summary.metrics, conducts.get(group.name, ())) for group in summary.groups],
        "tiedNote": table.TIED_NOTE,
    }


def clip_id(key: ClipKey) -> str:
    """What tells a clip from those of the same name in other corpora."""
    corpus, clip, _ = key
    return f"{corpus}\n{clip}"


def _metric(fact: Metric) -> Json:
    return {
        "name": fact.name,
        "label": columns.label(fact.name),
        "unit": columns.unit(fact),
        "higher": fact.higher_is_better,
        "digits": columns.digits(fact),
        "description": fact.description,
        "source": fact.source,
    }


def _group(group: Group, metrics: Sequence[Metric], conducts: Sequence[harness.Conduct]) -> Json:
    asked = [fact for fact in metrics if any(fact.name in row.cells for row in group.rows)]
    by_codec = {conduct.codec: conduct for conduct in conducts}
    rows = [_row(row, group, asked, by_codec.get(row.codec)) for row in group.rows]
    if group.reference is not None:
        rows.insert(0, {**_row(group.reference, group, asked, None), "reference": True})
    return {
        "name": group.name,
        "clips": len(group.common_clips),
        "metrics": [fact.name for fact in asked],
        "rows": rows,
        "fronts": {fact.name: {axis: _front(group, fact, axis) for axis in ("kbps", "tokens")} for fact in asked},
        "extremes": {fact.name: _extremes(group, fact) for fact in asked},
        "notes": [note.replace("`", "") for note in section_notes(group, asked)],
        "tooFew": too_few_clips(group),
    }


def _row(row: Row, group: Group, asked: Sequence[Metric], conduct: harness.Conduct | None) -> Json:
    rate = row.bitrate
    return {
        "codec": row.codec,
        "family": row.family,
        "reference": False,
        "kbps": _number(rate.kbps),
        "kbpsText": table.NOTHING if rate.kbps is None else columns.kbps_text(rate.kbps),
        "kbpsKind": rate.kind,
        "nominalKbps": _number(rate.nominal_kbps) if rate.nominal_differs else None,
        "tokens": _number(row.tokens_per_second),
        "codebooks": row.n_codebooks,
        "clips": len(row.clips),
        "seconds": _number(row.seconds),
        "otherClips": row is not group.reference and row.clips != group.common_clips,
        "zero": row.family.startswith(ZERO),
        "cells": {fact.name: _cell(row, group, fact) for fact in asked if fact.name in row.cells},
        "conduct": None if conduct is None else _conduct(conduct),
    }


def _cell(row: Row, group: Group, fact: Metric) -> Json:
    cell = row.cells[fact.name]
    digits = columns.digits(fact)
    found: Json = {
        "mean": _number(cell.mean),
        "text": table.NOTHING if cell.mean is None else f"{cell.mean:.{digits}f}",
        "n": cell.n,
        "complete": cell.complete,
        "lost": _lost(cell),
    }
    if cell.interval is not None:
        low, high = cell.interval
        found |= {"low": _number(low), "high": _number(high), "interval": f"{low:.{digits}f} to {high:.{digits}f}"}
    if row is not group.reference:
        found["compared"] = row.codec in group.comparable(fact.name)
        found["rank"] = table.ranks(group, fact).get(row.codec, "")
        found["tied"] = row.codec in table.tied_with_best(group, fact)
        if fact.name in group.ties and not too_few_clips(group):
            found["letters"] = tidy.in_rank(group, fact).letters().get(row.codec, "")
    return found


def _lost(cell: Cell) -> list[str]:
    """Clips without a value, a sentence part a reason."""
    lost = [f"{count} undefined: {reason}" for reason, count in cell.undefined.items()]
    lost += [f"{count} failed: {reason}" for reason, count in cell.failed.items()]
    return [*lost, f"{cell.missing} not measured"] if cell.missing else lost


def _conduct(conduct: harness.Conduct) -> Json:
    return {
        "delayMs": None if conduct.delay_ms is None else [_number(value) for value in conduct.delay_ms],
        "clippedOutput": conduct.clipped_output,
        "encodeRtf": _number(conduct.encode_rtf),
        "decodeRtf": _number(conduct.decode_rtf),
        "conditions": list(conduct.conditions),
    }


def _front(group: Group, fact: Metric, axis: str) -> list[str]:
    """Codecs of the frontier among those that may be compared, by rising rate."""
    compared = group.comparable(fact.name)
    drawn: list[tuple[str, float, float]] = []
    for row in group.rows:
        rate = row.bitrate.kbps if axis == "kbps" else row.tokens_per_second
        cell = row.cells.get(fact.name)
        if row.codec in compared and rate and cell is not None and cell.mean is not None:
            drawn.append((row.codec, rate, cell.mean))
    kept = [point for point in drawn if not point[0].startswith(ZERO)] or drawn
    return [kept[index][0] for index in frontier([point[1:] for point in kept], fact.higher_is_better)]


def _extremes(group: Group, fact: Metric) -> dict[str, Json]:
    digits = columns.digits(fact)
    found: dict[str, Json] = {}
    for row in group.rows:
        cell = row.cells.get(fact.name)
        if cell is not None and cell.n:
            sides = of_codec(cell, fact, EXTREMES)
            worst, best = ([[clip_id(key), key[1], f"{value:.{digits}f}"] for key, value in side] for side in sides)
            found[row.codec] = {"worst": worst, "best": best}
    return found


def _number(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_SIGNIFICANT}g}")
