"""Lloyd's k-means in bounded memory.

Conventions. Rows are float32 `[M, D]`; distances are squared Euclidean. Ties go to the first centroid; a centroid that
loses its last row stays where it is, so the objective (the mean squared distance of a row to its centroid) never rises.
The first centroids are distinct random rows (`"rows"`), or rows drawn one by one with a probability proportional to the
squared distance to what was drawn (`"plus_plus"`: Arthur and Vassilvitskii, 2007). With fewer rows than centroids, rows
are drawn with repetition: the surplus is duplicates, which own no row.

Draws are made on the CPU from the generator given, else from torch's global one: the same generator gives the same
result on the same machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .search import nearest

Seeding = Literal["rows", "plus_plus"]


@dataclass(frozen=True)
class Clusters:
    """What k-means found."""

    centroids: Tensor
    """float32 `[entries, D]`."""
    counts: Tensor
    """float32 `[entries]`: rows that each centroid is the mean of."""
    objective: tuple[float, ...]
    """Mean squared distance of a row to its centroid, before each iteration."""


def cluster_sums(rows: Tensor, assigned: Tensor, entries: int) -> tuple[Tensor, Tensor]:
    """Rows assigned to each of the entries: how many, float32 `[entries]`, and their sums `[entries, D]`."""
    counts = torch.bincount(assigned, minlength=entries).to(rows.dtype)
    sums = rows.new_zeros(entries, rows.shape[1]).index_add_(0, assigned, rows)
    return counts, sums


@torch.no_grad()
def k_means(
    rows: Tensor,
    entries: int,
    *,
    iterations: int = 100,
    seeding: Seeding = "rows",
    generator: torch.Generator | None = None,
) -> Clusters:
    """At most `iterations` of Lloyd's algorithm, fewer where no row changes its centroid any more."""
    if rows.dim() != 2 or not len(rows) or entries < 1 or iterations < 1:
        raise ValueError(
            f"k-means takes rows [M, D] with M >= 1, and at least one centroid and iteration; got {tuple(rows.shape)}, "
            f"{entries} centroids, {iterations} iterations."
        )
    rows = rows.float()
    centroids = _first_rows(rows, entries, generator) if seeding == "rows" else _far_rows(rows, entries, generator)
    counts = rows.new_zeros(entries)
    objective: list[float] = []
    before: Tensor | None = None
    for _ in range(iterations):
        assigned, distances = nearest(rows, centroids)
        objective.append(float(distances.clamp(min=0).mean(dtype=torch.float64)))
        if before is not None and torch.equal(assigned, before):
            break
        counts, sums = cluster_sums(rows, assigned, entries)
        owned = counts > 0
        centroids = torch.where(owned[:, None], sums / counts.clamp(min=1)[:, None], centroids)
        before = assigned
    return Clusters(centroids, counts, tuple(objective))


def _first_rows(rows: Tensor, entries: int, generator: torch.Generator | None) -> Tensor:
    if len(rows) >= entries:
        chosen = torch.randperm(len(rows), generator=generator)[:entries]
    else:
        chosen = torch.randint(len(rows), (entries,), generator=generator)
    return rows[chosen.to(rows.device)]


def _far_rows(rows: Tensor, entries: int, generator: torch.Generator | None) -> Tensor:
    centroids = rows.new_empty(entries, rows.shape[1])
    chosen = int(torch.randint(len(rows), (1,), generator=generator))
    least = rows.new_full((len(rows),), torch.inf, dtype=torch.float64)
    for entry in range(entries):
        centroids[entry] = rows[chosen]
        # Differences, not the expanded form: a row that was drawn must have the distance 0 exactly.
        least = torch.minimum(least, (rows - rows[chosen]).square().sum(dim=1, dtype=torch.float64))
        cumulated = least.cumsum(dim=0)
        target = torch.rand((), generator=generator, dtype=torch.float64) * cumulated[-1].cpu()
        # `right`: a row of distance 0 owns an empty interval. All at distance 0 (fewer distinct rows): take the last.
        chosen = min(int(torch.searchsorted(cumulated, target.to(rows.device), right=True)), len(rows) - 1)
    return centroids
