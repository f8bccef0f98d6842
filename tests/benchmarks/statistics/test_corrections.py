"""Corrections against statsmodels and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from codeczoo.benchmarks.statistics.corrections import benjamini_hochberg, holm


@pytest.mark.parametrize("seed", range(12))
def test_both_are_those_of_statsmodels(seed):
    rng = np.random.default_rng(seed)
    # Rounded, so that there are ties, zeros and ones.
    p = np.round(rng.beta(0.5, 1.0, size=rng.integers(1, 30)), 2).tolist()
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(np.array(p)), abs=1e-12)


def test_nothing_to_correct():
    assert holm([]) == benjamini_hochberg([]) == []
    assert holm([0.2]) == benjamini_hochberg([0.2]) == [0.2]
