"""Curves between points, and Bjontegaard's differences, against the package bjontegaard and scipy's integrals."""

from __future__ import annotations

import bjontegaard
import numpy as np
import pytest
from scipy import integrate
from scipy.interpolate import PchipInterpolator

from codeczoo.benchmarks.statistics.bjontegaard import bd_quality, bd_rate, compare_curves
from codeczoo.benchmarks.statistics.bootstrap import mean_interval, resampled_means, tails
from codeczoo.benchmarks.statistics.curves import Curve, at_rate, interpolate
from codeczoo.benchmarks.statistics.paired import Incomparable

RATES_1 = np.array([1.5, 3.0, 6.0, 12.0, 24.0])
QUALITY_1 = np.array([1.6, 2.1, 2.8, 3.4, 3.5])
RATES_2 = np.array([0.9, 2.0, 4.4, 8.8])
QUALITY_2 = np.array([1.7, 2.5, 3.1, 3.45])


def curve(rates, quality, clips=40, seed=0, family="a", noise=0.3) -> Curve:
    rng = np.random.default_rng(seed)
    scores = np.asarray(quality) + noise * rng.normal(size=(clips, 1)) + 0.05 * rng.normal(size=(clips, len(rates)))
    scores += np.asarray(quality) - scores.mean(axis=0)
    keys = tuple(("corpus", str(clip), "") for clip in range(clips))
    names = tuple(f"{family}@{rate:g}kbps" for rate in rates)
    return Curve(family, names, np.asarray(rates), scores, keys, tuple(c // 2 for c in range(clips)), frozenset({"id"}))


def test_the_curve_passes_its_points_and_does_not_overshoot():
    for rate, quality in zip(RATES_1, QUALITY_1, strict=True):
        assert interpolate(RATES_1, QUALITY_1, rate) == pytest.approx(quality, abs=1e-12)
    between = [float(interpolate(RATES_1, QUALITY_1, rate)) for rate in np.geomspace(1.5, 24.0, 200)]
    assert np.all(np.diff(between) > 0)
    # A straight line on the logarithmic axis stays one.
    assert interpolate(np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.0, 2.0]), 2**1.5) == pytest.approx(1.5)


@pytest.mark.parametrize("rate", [1.49, 24.1, 0.0])
def test_nothing_is_extrapolated(rate):
    with pytest.raises(ValueError, match="nothing is extrapolated"):
        interpolate(RATES_1, QUALITY_1, rate)


def test_scores_at_a_rate():
    of_clips = curve(RATES_1, QUALITY_1)
    found = at_rate(of_clips, 4.0)
    assert found.between == ("a@3kbps", "a@6kbps")
    assert found.values.mean() == pytest.approx(float(interpolate(RATES_1, of_clips.means, 4.0)), abs=1e-9)
    assert at_rate(of_clips, 6.05).between == ("a@6kbps",)
    assert at_rate(of_clips, 6.05).values == pytest.approx(of_clips.values[:, 2])
    assert at_rate(of_clips, 1.2) is None
    assert at_rate(of_clips, 30.0) is None


@pytest.mark.parametrize("rate", [2.0, 4.0, 17.0])
def test_its_interval_is_that_of_curves_drawn_anew(rate):
    of_clips = curve(RATES_1, QUALITY_1, clips=60, noise=0.5)
    ours = mean_interval(at_rate(of_clips, rate).values.tolist(), of_clips.clusters)
    means = resampled_means(of_clips.values, of_clips.clusters)
    anew = np.quantile([float(interpolate(RATES_1, row, rate)) for row in means], tails(30))
    assert ours == pytest.approx(tuple(anew), abs=0.03 * np.ptp(anew))


def test_differences_are_those_of_the_package_bjontegaard():
    ours = bd_rate(RATES_1, QUALITY_1, RATES_2, QUALITY_2)
    theirs = bjontegaard.bd_rate(
        RATES_1, QUALITY_1, RATES_2, QUALITY_2, method="pchip", require_matching_points=False, min_overlap=0
    )
    assert 100 * ours[0] == pytest.approx(theirs, abs=1e-6)
    ours = bd_quality(RATES_1, QUALITY_1, RATES_2, QUALITY_2)
    theirs = bjontegaard.bd_psnr(
        RATES_1, QUALITY_1, RATES_2, QUALITY_2, method="pchip", require_matching_points=False, min_overlap=0
    )
    assert ours[0] == pytest.approx(theirs, abs=1e-9)


def test_differences_are_integrals():
    value, low, high = bd_rate(RATES_1, QUALITY_1, RATES_2, QUALITY_2)
    assert (low, high) == (1.7, 3.45)
    first = PchipInterpolator(QUALITY_1, np.log(RATES_1))
    second = PchipInterpolator(QUALITY_2, np.log(RATES_2))
    area = integrate.quad(lambda q: float(second(q) - first(q)), low, high, limit=200, points=[2.1, 2.5, 2.8, 3.1, 3.4])
    assert value == pytest.approx(np.exp(area[0] / (high - low)) - 1, abs=1e-7)


def test_half_the_rate_is_minus_fifty_per_cent():
    assert bd_rate(RATES_1, QUALITY_1, RATES_1 / 2, QUALITY_1)[0] == pytest.approx(-0.5, abs=1e-12)
    assert bd_rate(RATES_1, QUALITY_1, RATES_1, QUALITY_1)[0] == 0.0
    assert bd_quality(RATES_1, QUALITY_1, RATES_1, QUALITY_1 + 0.3)[0] == pytest.approx(0.3, abs=1e-12)


def test_only_the_range_that_both_reach_must_rise():
    # The first family saturates and falls, above everything that the second one reaches.
    falling = np.append(QUALITY_1[:4], 3.38)
    found = bd_rate(RATES_1, falling, RATES_2[:3], QUALITY_2[:3])
    assert found == pytest.approx(bd_rate(RATES_1[:4], QUALITY_1[:4], RATES_2[:3], QUALITY_2[:3]))
    with pytest.raises(Incomparable, match="does not get better with every step"):
        bd_rate(RATES_1, np.array([1.6, 2.8, 2.1, 3.4, 3.5]), RATES_2, QUALITY_2)
    with pytest.raises(Incomparable, match="no quality in common"):
        bd_rate(RATES_1, QUALITY_1, RATES_2, QUALITY_2 + 5)
    with pytest.raises(Incomparable, match="rates do not overlap"):
        bd_quality(RATES_1, QUALITY_1, RATES_2 * 100, QUALITY_2)


def test_families_on_the_clips_that_both_have():
    first = curve(RATES_1, QUALITY_1, seed=1)
    second = curve(RATES_2, QUALITY_2, seed=2, family="b")
    found = compare_curves(first, second, higher_is_better=True, resamples=300)
    assert (found.n_clips, found.n_clusters) == (40, 20)
    assert found.rate.value == pytest.approx(bd_rate(RATES_1, QUALITY_1, RATES_2, QUALITY_2)[0])
    assert found.rate.interval[0] < found.rate.value < found.rate.interval[1] < 0
    assert found.quality.interval[0] < found.quality.value < found.quality.interval[1]
    # A distance: the same curves turned over give the same BD-rate, and better is more.
    turned = [curve(rates, 5 - quality, seed=seed) for rates, quality, seed in
              ((RATES_1, QUALITY_1, 1), (RATES_2, QUALITY_2, 2))]  # fmt: skip
    over = compare_curves(*turned, higher_is_better=False, resamples=300)
    assert over.rate.value == pytest.approx(found.rate.value)
    assert over.quality.value == pytest.approx(found.quality.value)
    assert over.rate.over == pytest.approx((5 - 3.45, 5 - 1.7))


def test_families_that_cannot_be_compared():
    first = curve(RATES_1, QUALITY_1)
    with pytest.raises(Incomparable, match="b has one point, b@3kbps"):
        compare_curves(first, curve([3.0], [2.0], family="b"), True)
    other = curve(RATES_2, QUALITY_2, family="b")
    with pytest.raises(Incomparable, match="different definitions"):
        compare_curves(first, Curve(**{**vars(other), "identities": frozenset({"new"})}), True)
    elsewhere = tuple(("other", str(clip), "") for clip in range(40))
    with pytest.raises(Incomparable, match="0 clips in common"):
        compare_curves(first, Curve(**{**vars(other), "clips": elsewhere}), True)


def test_bd_rate_covers_the_truth():
    """The interval holds the truth in about 95 % of studies."""
    inside = 0
    trials = 30
    rng = np.random.default_rng(5)
    truth = bd_rate(RATES_1, QUALITY_1, RATES_2, QUALITY_2)[0]
    for seed in range(trials):
        first, second = curve(RATES_1, QUALITY_1, seed=2 * seed), curve(RATES_2, QUALITY_2, seed=2 * seed + 1)
        shared = 0.1 * rng.normal(size=(20, 1)).repeat(2, axis=0)
        first = Curve(**{**vars(first), "values": QUALITY_1 + shared + 0.1 * rng.normal(size=(40, 5))})
        second = Curve(**{**vars(second), "values": QUALITY_2 + shared + 0.1 * rng.normal(size=(40, 4))})
        found = compare_curves(first, second, True, resamples=100).rate
        inside += found.interval is not None and found.interval[0] <= truth <= found.interval[1]
    assert inside / trials >= 0.95 - 3 * 0.0398
