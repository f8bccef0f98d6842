"""ABX against scipy, statsmodels and a simulated listener."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.listening import abx, answers
from codeczoo.benchmarks.listening.key import write as write_key

from .conftest import abx_file, plain_key, put


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 12), (6, 12), (12, 12), (38, 60), (511, 1000)])
def test_p_and_interval_are_scipys(right: int, n: int) -> None:
    from scipy import stats

    theirs = stats.binomtest(right, n, 0.5, alternative="greater")
    assert abx.binomial_p(right, n) == pytest.approx(theirs.pvalue, rel=1e-10)
    bounds = stats.binomtest(right, n).proportion_ci(0.95, "exact")
    assert abx.clopper_pearson(right, n) == pytest.approx((bounds.low, bounds.high), abs=1e-9)


def test_the_interval_is_statsmodels_as_well() -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    assert abx.clopper_pearson(17, 24) == pytest.approx(proportion.proportion_confint(17, 24, method="beta"), abs=1e-9)


@pytest.mark.parametrize("d", [0.0, 0.5, 1.0, 2.0, 3.5])
def test_d_prime_is_that_of_a_listener_who_takes_the_nearer_one(d: float) -> None:
    rng = np.random.default_rng(11)
    n = 400_000
    order = rng.choice([-1, 1], n)
    x_is_a = rng.random(n) < 0.5
    a, b = rng.standard_normal((2, n)) + np.stack([order, -order]) * d / 2
    x = rng.standard_normal(n) + np.where(x_is_a, order, -order) * d / 2
    right = (np.abs(x - a) < np.abs(x - b)) == x_is_a
    assert abx.share_right(d) == pytest.approx(right.mean(), abs=4 * 0.5 / math.sqrt(n))


@pytest.mark.parametrize("d", [0.0, 0.3, 1.0, 2.7, 5.0])
def test_d_prime_is_turned_back(d: float) -> None:
    assert abx.d_prime(abx.share_right(d)) == pytest.approx(d, abs=1e-5)


def test_d_prime_at_the_ends() -> None:
    assert abx.d_prime(0.2) == abx.d_prime(0.5) == 0.0
    assert abx.d_prime(1.0) is None


def test_a_test_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four listeners, six trials of each of two codecs: a@1kbps is heard 23 times of 24, b@2kbps 13 times of 24."""
    key = plain_key("abx", 6)
    write_key(key, tmp_path)
    for number in range(4):

        def right(place: int, codec: str, number: int = number) -> bool:
            if codec == "a@1kbps":
                return not (number == 2 and place == 1)
            return (place + number) % 4 < 2 or (number, place) == (0, 12)

        put(tmp_path / "answers", abx_file(key, f"p{number}", right))
    found = abx.analyse(key, answers.read_all([tmp_path / "answers"], key))
    a, b = found.by_condition["a@1kbps"], found.by_condition["b@2kbps"]
    assert (a.right, a.n) == (23, 24)
    assert a.p == pytest.approx(25 / 2**24)
    assert a.p_corrected == pytest.approx(2 * 25 / 2**24)
    assert b.n == 24
    assert b.p_corrected == b.p == pytest.approx(sum(math.comb(24, k) for k in range(b.right, 25)) / 2**24)
    assert 10 <= b.right <= 14
    assert {name: one.right for name, one in found.by_listener.items() if name[0] == "a@1kbps"} == {
        ("a@1kbps", "p0"): 6, ("a@1kbps", "p1"): 6, ("a@1kbps", "p2"): 5, ("a@1kbps", "p3"): 6,
    }  # fmt: skip
    assert found.by_listener["a@1kbps", "p0"].d_prime is None
    assert found.by_trial["a@1kbps", "clip0"].right == 3
    assert main(["listen", "analyse", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "a@1kbps was told from the reference (23 of 24 right, p < 0.001)." in text
    assert f"b@2kbps could not be told from the reference by these answers ({b.right} of 24 right" in text
    facts = json.loads((tmp_path / "analysis" / "listening.json").read_text(encoding="utf-8"))
    assert [(one["codec"], one["right"], one["n"]) for one in facts["codecs"]] == [
        ("a@1kbps", 23, 24),
        ("b@2kbps", b.right, 24),
    ]
    assert facts["codecs"][0]["d_prime_interval"][0] > 1
