"""k-means: scikit-learn's result from the same first centroids, the objective's law, draws, and its quantizer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from codeczoo.codecs.quantizers import KMeansQuantizer, k_means
from codeczoo.codecs.quantizers.k_means import Seeding

from .builders import clustered


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_equals_scikit_learn_from_the_same_first_rows() -> None:
    rows = torch.randn(800, 4)
    first = rows[torch.randperm(800, generator=generator(3))[:12]].double().numpy()
    theirs = KMeans(12, init=first, n_init=1, max_iter=500, tol=0.0).fit(rows.double().numpy())
    ours = k_means(rows, 12, iterations=500, generator=generator(3))
    assert np.allclose(ours.centroids, theirs.cluster_centers_, atol=1e-4)
    assert ours.objective[-1] == pytest.approx(theirs.inertia_ / 800, rel=1e-5)
    assert ours.counts.tolist() == np.bincount(theirs.labels_, minlength=12).tolist()


@pytest.mark.parametrize("seeding", ["rows", "plus_plus"])
@pytest.mark.parametrize("entries", [1, 7, 50])
def test_the_objective_never_rises(seeding: Seeding, entries: int) -> None:
    """Checked in float64 from outside, iteration by iteration; and it ends when nothing moves any more."""
    rows = clustered(1, 3, 400, torch.randn(20, 3))[0].t()
    objectives = []
    for iterations in range(1, 12):
        found = k_means(rows, entries, iterations=iterations, seeding=seeding, generator=generator(5))
        squared = (rows.double()[:, None] - found.centroids.double()).square().sum(dim=2)
        objectives.append(float(squared.amin(dim=1).mean()))
        assert len(found.objective) <= iterations
    assert all(after <= before + 1e-9 for before, after in pairwise(objectives))
    found = k_means(rows, entries, iterations=500, seeding=seeding, generator=generator(5))
    assert len(found.objective) < 500
    assert all(after <= before + 1e-6 for before, after in pairwise(found.objective))


def test_plus_plus_finds_every_cluster() -> None:
    """Far apart and tight: rows drawn by squared distance hit each of 30 once; rows drawn evenly do not."""
    centres = 10 * torch.randn(30, 5)
    rows = clustered(1, 5, 1_500, centres, noise=0.01)[0].t()
    spread = k_means(rows, 30, seeding="plus_plus", generator=generator(1)).objective
    even = k_means(rows, 30, seeding="rows", generator=generator(1)).objective
    assert spread[-1] < 1e-3
    assert even[-1] > 100 * spread[-1]


def test_counts_are_of_the_rows_the_centroids_are_means_of() -> None:
    rows = torch.randn(300, 2)
    found = k_means(rows, 10, iterations=3)
    assert float(found.counts.sum()) == 300
    torch.testing.assert_close(found.counts @ found.centroids, rows.sum(dim=0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seeding", ["rows", "plus_plus"])
def test_fewer_rows_than_centroids(seeding: Seeding) -> None:
    """Every row has its centroid; the surplus owns nothing."""
    rows = torch.randn(5, 3)
    found = k_means(rows, 40, seeding=seeding)
    assert found.centroids.shape == (40, 3)
    assert float(found.counts.sum()) == 5
    assert torch.isfinite(found.centroids).all()
    assert found.objective[-1] == pytest.approx(0.0, abs=1e-6) or seeding == "rows"


@pytest.mark.parametrize("seeding", ["rows", "plus_plus"])
def test_a_generator_decides_everything(seeding: Seeding) -> None:
    rows = torch.randn(200, 3)
    state = torch.get_rng_state()
    one = k_means(rows, 20, seeding=seeding, generator=generator(8))
    two = k_means(rows, 20, seeding=seeding, generator=generator(8))
    other = k_means(rows, 20, seeding=seeding, generator=generator(9))
    assert torch.equal(one.centroids, two.centroids)
    assert not torch.equal(one.centroids, other.centroids)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_first_centroids_are_distinct_rows() -> None:
    rows = torch.arange(64.0)[:, None]
    assert k_means(rows, 64, iterations=1).counts.tolist() == [1.0] * 64


def test_nothing_to_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="M >= 1"):
        k_means(torch.zeros(0, 3), 4)


def test_the_quantizer_of_given_features() -> None:
    centres = 10 * torch.randn(16, 6)
    features = clustered(4, 6, 200, centres)
    quantizer = KMeansQuantizer.fit(features, 16, generator=generator(2)).eval()
    out = quantizer(features)
    assert float((out.quantized - features).square().mean()) == pytest.approx(0.05**2, rel=0.1)
    assert float(out.statistics["utilisation"]) == 1.0
    restored = KMeansQuantizer(torch.zeros(16, 6))
    restored.load_state_dict(quantizer.state_dict())
    assert torch.equal(restored.encode(features), out.codes)


def test_centroids_stay_float32_in_half_precision() -> None:
    features = torch.randn(2, 6, 50)
    quantizer = KMeansQuantizer(torch.randn(32, 6))
    codes = quantizer.encode(features)
    assert torch.equal(quantizer.half().encode(features), codes)
