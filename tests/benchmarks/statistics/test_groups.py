"""Groups that cannot be told apart, against groups worked out by hand and by going through all sets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from codeczoo.benchmarks.statistics.groups import Ties, letter, ties


def of_pairs(codecs: str, apart: set[str]) -> Ties:
    p = {frozenset(pair): 0.01 if "".join(pair) in apart else 0.5 for pair in combinations(codecs, 2)}
    return Ties(tuple(codecs), p)


def test_groups_may_overlap():
    found = of_pairs("abcd", {"ac", "ad", "bd"})
    assert found.groups() == [("a", "b"), ("b", "c"), ("c", "d")]
    assert found.letters() == {"a": "a", "b": "ab", "c": "bc", "d": "c"}


def test_a_codec_apart_from_all_is_a_group():
    assert of_pairs("abc", {"ab", "ac"}).groups() == [("a",), ("b", "c")]
    assert of_pairs("ab", set()).groups() == [("a", "b")]


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_all_largest_sets(seed):
    rng = np.random.default_rng(seed)
    apart = {"".join(pair) for pair in combinations("abcdefg", 2) if rng.random() < 0.4}
    found = of_pairs("abcdefg", apart)
    sets = [
        set(chosen)
        for size in range(1, 8)
        for chosen in combinations("abcdefg", size)
        if all(found.tied(one, other) for one, other in combinations(chosen, 2))
    ]
    largest = [chosen for chosen in sets if not any(chosen < other for other in sets)]
    assert sorted(map(sorted, found.groups())) == sorted(map(sorted, largest))


def test_ties_of_values():
    rng = np.random.default_rng(0)
    clips = rng.normal(size=(60, 1))
    values = clips + 0.1 * rng.normal(size=(60, 3)) + np.array([0.0, 0.005, 0.5])
    found = ties(("a", "b", "c"), values, range(60))
    assert found.tied("a", "b")
    assert not found.tied("b", "c")


def test_letters_go_on_after_z():
    assert [letter(number) for number in (0, 25, 26, 53)] == ["a", "z", "a1", "b2"]
