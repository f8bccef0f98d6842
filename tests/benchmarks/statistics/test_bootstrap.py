"""Intervals of means against Student's, scipy's bootstrap, cluster-robust standard errors and known coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from codeczoo.benchmarks.statistics.bootstrap import mean_interval, mean_intervals, resampled_means, tails


@pytest.mark.parametrize("n", [8, 20, 100])
def test_on_normal_values_it_is_students_interval(n):
    values = stats.norm.ppf((np.arange(n) + 0.5) / n, loc=3.0, scale=0.7)
    low, high = mean_interval(values.tolist(), range(n), resamples=60_000)
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06 * half)


def test_resamples_are_those_of_scipys_bootstrap():
    values = np.random.default_rng(0).gamma(1.5, size=60)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1))
    ours = np.quantile(resampled_means(values[:, None], range(60), 20_000), [0.025, 0.975])
    width = np.ptp(ours)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.03 * width)


def test_spread_over_clusters_is_the_cluster_robust_standard_error():
    rng = np.random.default_rng(2)
    speakers = np.repeat(np.arange(60), rng.integers(1, 7, size=60))
    values = rng.normal(size=60)[speakers] + rng.normal(size=len(speakers))
    fitted = OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": speakers})
    ours = resampled_means(values[:, None], speakers.tolist(), 20_000).std()
    assert ours == pytest.approx(fitted.bse[0] * np.sqrt(59 / 60), rel=0.03)


def test_tails_widen_where_clusters_are_few():
    assert tails(1000)[0] == pytest.approx(0.025, abs=2e-4)
    assert tails(8)[0] == pytest.approx(stats.norm.cdf(-np.sqrt(8 / 7) * 2.364624), abs=1e-6)
    assert sum(tails(8)) == 1.0


def test_columns_are_intervals_of_their_own():
    values = np.random.default_rng(3).normal(size=(40, 3))
    speakers = (np.arange(40) // 3).tolist()
    together = mean_intervals(values, speakers)
    assert together == [pytest.approx(mean_interval(column.tolist(), speakers), abs=1e-12) for column in values.T]


def test_coverage_over_speakers():
    """Fifteen speakers of four clips: the truth is inside in 95 % of studies; one clip at a time, in far fewer."""
    rng = np.random.default_rng(4)
    speakers = np.repeat(np.arange(15), 4)
    inside = {"speakers": 0, "clips": 0}
    trials = 600
    for _ in range(trials):
        values = (rng.normal(size=15)[speakers] + 0.5 * rng.normal(size=60)).tolist()
        for name, clusters in (("speakers", speakers.tolist()), ("clips", range(60))):
            low, high = mean_interval(values, clusters, resamples=1000)
            inside[name] += low <= 0 <= high
    # Three standard errors of a share of 0.95 in 600 trials are 0.027.
    assert inside["speakers"] / trials == pytest.approx(0.95, abs=0.027)
    assert inside["clips"] / trials < 0.8
