"""The Pareto frontier: what no other point beats at the same or a lower bitrate."""

from __future__ import annotations

from collections.abc import Sequence


def frontier(points: Sequence[tuple[float, float]], higher_is_better: bool = True) -> list[int]:
    """Indices of the (bitrate, quality) points on the frontier, by rising bitrate.

    A point is on it if and only if no other has at most its bitrate and at least its quality, one of them strictly.
    Equal points stand or fall together.

    >>> frontier([(6.0, 2.7), (3.0, 2.1), (12.0, 2.5), (3.0, 1.9)])
    [1, 0]
    """
    sign = 1.0 if higher_is_better else -1.0
    order = sorted(range(len(points)), key=lambda index: (points[index][0], -sign * points[index][1]))
    kept: list[int] = []
    for index in order:
        beaten = kept and sign * points[index][1] <= sign * points[kept[-1]][1]
        if not beaten or points[index] == points[kept[-1]]:
            kept.append(index)
    return kept
