"""Lloyd's k-means in bounded memory, and the quantizer of its centroids.

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

from .base import Quantized, Quantizer, straight_through, to_rows
from .search import nearest
from .shared_rows import row_numbers

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
    if seeding == "rows":
        centroids = rows[row_numbers(len(rows), entries, generator).to(rows.device)]
    else:
        centroids = _far_rows(rows, entries, generator)
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


class KMeansQuantizer(Quantizer):
    """Fixed centroids: tokens of features that something else has learnt (as of HuBERT's, Hsu et al., 2021).

    Nothing is trained and the loss is 0; the state is the buffer `centroids` [entries, D].
    """

    centroids: Tensor

    def __init__(self, centroids: Tensor) -> None:
        """Centroids `[entries, D]`, kept as float32."""
        if centroids.dim() != 2 or not centroids.is_floating_point():
            raise ValueError(
                f"Centroids are floating point [entries, D]; got {centroids.dtype} {tuple(centroids.shape)}."
            )
        super().__init__(centroids.shape[1], (centroids.shape[0],))
        self.register_buffer("centroids", centroids.detach().float().clone())

    @classmethod
    def fit(
        cls,
        features: Tensor,
        entries: int,
        *,
        iterations: int = 100,
        seeding: Seeding = "plus_plus",
        generator: torch.Generator | None = None,
    ) -> KMeansQuantizer:
        """Centroids of the frames of features `[B, D, N]`."""
        found = k_means(to_rows(features), entries, iterations=iterations, seeding=seeding, generator=generator)
        return cls(found.centroids)

    def forward(self, features: Tensor) -> Quantized:
        codes = self.encode(features)
        quantized = straight_through(features, self.decode(codes))
        return Quantized(quantized, codes, self.centroids.new_zeros(()), self.statistics(codes))

    def encode(self, features: Tensor) -> Tensor:
        self.check_features(features)
        return nearest(to_rows(features), self.centroids.float())[0].reshape(features.shape[0], 1, features.shape[2])

    def decode(self, codes: Tensor) -> Tensor:
        self.check_codes(codes)
        return self.centroids.float()[codes[:, 0]].transpose(1, 2)
