"""What a clip is to a statistic: what tells it from the others, and what it was drawn together with."""

from __future__ import annotations

import math
from collections.abc import Hashable

from codeczoo.benchmarks.records import Record

ClipKey = tuple[str, str, str]
"""(corpus, clip, SHA-256 of the clip)."""


def clip_key(record: Record) -> ClipKey:
    """What tells a clip from all others."""
    return record.get("corpus", ""), record["clip"], record.get("clip_sha256") or ""


def cluster(record: Record) -> Hashable:
    """What a clip was drawn with: its speaker; where that is not known its passage, if it is a piece of one; else it
    was drawn by itself."""
    if record.get("speaker") is not None:
        return record.get("dataset"), record["speaker"]
    piece = record.get("piece")
    return clip_key(record) if piece is None else (record.get("corpus", ""), piece["passage"])


def score(record: Record, metric: str) -> float | None:
    """The clip's finite value of a metric; None where it has none."""
    value = record.get("scores", {}).get(metric)
    return float(value) if value is not None and math.isfinite(value) else None
