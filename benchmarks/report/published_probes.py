"""Probe results that the codec papers print, in percent: WavTokenizer (arXiv 2408.16532, Table 3), UniCodec (arXiv
2502.20067, Table 5; its rows that repeat WavTokenizer's are left out)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One row of a paper."""

    paper: str
    system: str
    codebooks: int | None
    tokens_per_second: int
    values: dict[str, float]
    """Task -> percent, as printed."""


_TASKS = (
    "ravdess", "slurp", "emovo", "audiomnist", "fma-small", "magnatagatune",
    "irmas", "medley-solos-db", "esc-50", "urbansound8k", "fsd50k", "vivae",
)  # fmt: skip


def _row(paper: str, system: str, codebooks: int | None, tokens_per_second: int, *values: float | None) -> Published:
    known = {task: value for task, value in zip(_TASKS, values, strict=True) if value is not None}
    return Published(paper, system, codebooks, tokens_per_second, known)


PUBLISHED = (
    _row(
        "WavTokenizer", "DAC", 9, 900,
        37.5, 7.79, 23.63, 69.26, 35.04, 28.05, 40.23, 60.14, 25.94, 40.32, 12.97, 34.4,
    ),
    _row(
        "WavTokenizer", "Encodec", 8, 600,
        28.81, 6.36, 22.61, 43.88, 27.9, 19.93, 36.71, 39.17, 19.25, 30.55, 10.91, 30.05,
    ),
    _row(
        "WavTokenizer", "DAC", 4, 400,
        31.94, 7.82, 23.46, 68.38, 33.79, 27.84, 38.33, 59.42, 25.8, 38.24, 12.93, 33.42,
    ),
    _row(
        "WavTokenizer", "Encodec", 4, 300,
        29.51, 6.6, 21.93, 43.01, 27.28, 19.34, 36.84, 36.56, 17.9, 30.97, 10.99, 27.1,
    ),
    _row(
        "WavTokenizer", "Encodec", 2, 150,
        27.43, 6.27, 21.93, 36.49, 28.16, 19.0, 37.04, 32.45, 16.99, 29.6, 10.65, 26.3,
    ),
    _row(
        "WavTokenizer", "DAC", 1, 100,
        25.0, 7.13, 22.78, 62.87, 33.04, 25.02, 35.72, 51.37, 20.65, 33.5, 12.95, 29.91,
    ),
    _row(
        "WavTokenizer", "WavTokenizer", 1, 75,
        32.55, 8.02, 31.63, 69.57, 34.17, 28.35, 41.17, 57.64, 25.5, 39.75, 13.92, 35.63,
    ),
    _row(
        "UniCodec", "UniCodec", None, 75,
        40.28, None, None, 70.94, None, 29.55, None, 59.29, 26.0, None, None, 34.17,
    ),
    _row(
        "UniCodec", "UniCodec w/o semantic stage", None, 75,
        36.81, None, None, 69.84, None, 28.09, None, 54.05, 20.8, None, None, 30.21,
    ),
)  # fmt: skip
"""In the order of the papers' rows."""
