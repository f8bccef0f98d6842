"""Tests by flipping signs against scipy's, against all patterns written out, and by their error rates."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from codeczoo.benchmarks.statistics.permutation import all_pairs, least_p, sign_flip


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
@pytest.mark.parametrize("shift", [0.0, 0.4, -0.3])
def test_few_clips_give_scipys_exact_p(alternative, shift):
    values = np.random.default_rng(0).normal(shift, 1.0, size=10)
    theirs = stats.permutation_test(
        (values, np.zeros(10)),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
        alternative=alternative,
    )
    assert sign_flip(values, range(10), alternative) == pytest.approx(theirs.pvalue, abs=1e-12)


def test_many_clips_give_students_p():
    for seed, shift in ((1, 0.1), (2, 0.2), (3, 0.0)):
        values = np.random.default_rng(seed).normal(shift, 1.0, size=200)
        theirs = stats.ttest_1samp(values, 0.0).pvalue
        assert sign_flip(values, range(200)) == pytest.approx(theirs, abs=0.012)


def test_clips_of_a_speaker_flip_together():
    # Two speakers that agree are two observations however many their clips: of 4 patterns, 2 are as extreme.
    assert sign_flip([1.0] * 10 + [0.5] * 10, ["a"] * 10 + ["b"] * 10) == 0.5
    assert sign_flip([1.0] * 10 + [0.5] * 10, range(20)) < 0.001


def test_no_difference_is_no_evidence():
    assert sign_flip([0.0] * 8, range(8)) == 1.0
    assert sign_flip([0.0] * 80, range(80)) == 1.0
    assert sign_flip([0.0] * 80, range(80), "greater") == 1.0


@pytest.mark.parametrize(("clusters", "two", "one"), [(1, 1.0, 0.5), (5, 2 / 32, 1 / 32), (13, 2 / 2**13, 1 / 2**13)])
def test_the_least_p_is_reached(clusters, two, one):
    values = np.linspace(1.0, 2.0, clusters)
    assert least_p(clusters) == two == sign_flip(values, range(clusters))
    assert least_p(clusters, "greater") == one == sign_flip(values, range(clusters), "greater")


def test_the_level_is_held_and_differences_are_found():
    rng = np.random.default_rng(5)
    speakers = np.repeat(np.arange(12), 3).tolist()
    rejected = {0.0: 0, 1.0: 0}
    trials = 400
    for shift in rejected:
        for _ in range(trials):
            values = shift + np.repeat(rng.standard_t(4, size=12), 3) + rng.normal(size=36)
            rejected[shift] += sign_flip(values, speakers) <= 0.05
    assert rejected[0.0] / trials <= 0.05 + 3 * 0.011
    assert rejected[1.0] / trials > 0.5


def written_out(values: np.ndarray) -> dict[tuple[int, int], float]:
    """Step-down maxima over all patterns of signs, in plain loops."""
    pairs = list(combinations(range(values.shape[1]), 2))
    differences = {pair: values[:, pair[0]] - values[:, pair[1]] for pair in pairs}
    size = {pair: abs(d.sum()) / np.sqrt((d**2).sum()) for pair, d in differences.items()}
    falling = sorted(pairs, key=size.__getitem__, reverse=True)
    p, above = {}, 0.0
    patterns = list(product((1, -1), repeat=len(values)))
    for place, pair in enumerate(falling):
        left = falling[place:]
        extreme = 0
        for signs in patterns:
            chance = max(
                abs((np.array(signs) * differences[other]).sum()) / np.sqrt((differences[other] ** 2).sum())
                for other in left
            )
            extreme += chance >= size[pair] * (1 - 1e-9)
        above = max(above, extreme / len(patterns))
        p[pair] = above
    return p


def test_all_pairs_are_the_step_down_maxima():
    rng = np.random.default_rng(6)
    values = rng.normal(size=(7, 4)) + np.array([0.0, 0.2, 1.0, 2.5])
    found = all_pairs(values, range(7))
    assert found == pytest.approx(written_out(values), abs=1e-12)


def test_one_pair_is_the_plain_test():
    values = np.random.default_rng(7).normal(size=(9, 2))
    assert all_pairs(values, range(9))[0, 1] == pytest.approx(sign_flip(values[:, 0] - values[:, 1], range(9)))


def test_codecs_that_give_the_same_are_not_told_apart():
    values = np.random.default_rng(8).normal(size=(40, 2))
    found = all_pairs(np.hstack([values, values[:, :1] * (1 + 1e-16)]), range(40))
    assert found[0, 2] == 1.0


def test_one_wrong_claim_in_twenty_tables():
    rng = np.random.default_rng(9)
    wrong = best = 0
    trials = 200
    for _ in range(trials):
        # Six equal codecs, clips of unequal difficulty; a seventh that is far worse must not hide behind them.
        values = rng.normal(size=(30, 1)) + 0.3 * rng.standard_t(5, size=(30, 7))
        values[:, 6] -= 0.5
        found = all_pairs(values, range(30), resamples=499)
        wrong += min(p for (_, second), p in found.items() if second < 6) <= 0.05
        best += all(found[first, 6] <= 0.05 for first in range(6))
    assert wrong / trials <= 0.05 + 3 * 0.0154
    assert best / trials > 0.7
