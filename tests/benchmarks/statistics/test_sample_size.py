"""Clips needed against statsmodels' power of the t test and against studies that were simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.power import TTestPower

from codeczoo.benchmarks.statistics.sample_size import (
    LEAST_CLUSTERS,
    clips_needed,
    clusters_needed,
    detectable,
    power,
    spread,
)


@pytest.mark.parametrize("effect", [0.05, 0.2, 0.5, 1.0, 2.0])
def test_power_and_size_are_those_of_statsmodels(effect):
    theirs = TTestPower()
    for n in (5, 20):
        if effect * n > 30:  # theirs is NaN there
            continue
        assert power(n, effect) == pytest.approx(theirs.power(effect, n, 0.05), abs=1e-6)
    # Theirs is a real number, below which the power is too small.
    needed = theirs.solve_power(effect, alpha=0.05, power=0.8)
    assert clusters_needed(effect) == math.ceil(float(np.squeeze(needed)))


def test_what_no_number_of_clips_shows():
    assert clusters_needed(0.0) is None
    assert clusters_needed(1e-5) is None
    assert clips_needed([0.0] * 5, range(5)) is None
    assert clips_needed([0.3, -0.3], range(2)) is None


def test_no_fewer_than_the_test_itself_can_do_with():
    assert clips_needed([1.0] * 20, range(20)) == (LEAST_CLUSTERS, LEAST_CLUSTERS)
    assert clips_needed([1.0] * 20, ["a", "b"] * 10) == (10 * LEAST_CLUSTERS, LEAST_CLUSTERS)


def test_spread_is_the_cluster_robust_standard_error():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(12), rng.integers(1, 6, size=12))
    values = rng.normal(size=12)[speakers] + rng.normal(size=len(speakers))
    fitted = OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": speakers})
    assert spread(values, speakers.tolist()) == pytest.approx(fitted.bse[0] * math.sqrt(12), rel=1e-9)
    assert spread(values, range(len(values))) == pytest.approx(values.std(ddof=1), rel=1e-9)


def test_studies_of_that_size_show_the_difference_in_four_of_five():
    from codeczoo.benchmarks.statistics.permutation import sign_flip

    rng = np.random.default_rng(1)
    needed = clusters_needed(0.5)
    shown = sum(sign_flip(rng.normal(0.5, 1.0, size=needed), range(needed), resamples=999) <= 0.05 for _ in range(400))
    assert shown / 400 == pytest.approx(0.8, abs=0.06)


def test_the_detectable_difference_needs_these_clips():
    values = np.random.default_rng(2).normal(0.1, 1.0, size=50)
    seen = detectable(values, range(50))
    assert clusters_needed(seen / values.std(ddof=1)) in (49, 50, 51)
    assert detectable([0.0] * 5, range(5)) == 0.0
    assert detectable([0.5], ["a"]) == math.inf


def test_two_clips_show_only_the_enormous():
    """As in a gate of hundreds of metrics: Student's quantile at one degree of freedom is about 1 / (pi tail)."""
    values = [0.0, 1.0]
    seen = detectable(values, range(2), 5e-4)
    assert power(2, seen / math.sqrt(0.5), 5e-4) == pytest.approx(0.8, abs=1e-6)
    assert seen > 0.5 / (math.pi * 2.5e-4)
    assert detectable(values, range(2), 5e-5) == math.inf
