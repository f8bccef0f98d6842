"""Probe results that the codec papers print, in percent, out of results/published: WavTokenizer's Table 3 and
UniCodec's Table 5, whose rows that repeat WavTokenizer's are left out."""

from __future__ import annotations

from dataclasses import dataclass

from codeczoo.benchmarks.published.comparison import label
from codeczoo.benchmarks.published.papers import load
from codeczoo.benchmarks.published.rows import PublishedRow
from codeczoo.benchmarks.published.sets import of_name


@dataclass(frozen=True)
class Published:
    """One row of a paper."""

    paper: str
    system: str
    codebooks: int | None
    tokens_per_second: float | None
    values: dict[str, float]
    """Task -> percent, as printed."""


def published() -> tuple[Published, ...]:
    """In the order of the papers' rows. Raises InvalidPublished."""
    return (*_table("WavTokenizer", "wavtokenizer-table3"), *_table("UniCodec", "unicodec-table5"))


def _table(paper: str, name: str) -> list[Published]:
    systems: dict[tuple[object, ...], list[PublishedRow]] = {}
    for row in load(name).rows:
        if not row.note.startswith("dagger"):
            systems.setdefault((label(row), row.codebooks, row.tokens_per_second), []).append(row)
    return [
        Published(
            paper,
            label(members[0]),
            members[0].codebooks,
            members[0].tokens_per_second,
            {of_name(row.dataset).dataset: round(100 * row.value, 4) for row in members if row.value is not None},
        )
        for members in systems.values()
    ]
