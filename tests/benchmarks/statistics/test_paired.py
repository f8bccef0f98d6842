"""What is compared, and the sentences for what is not."""

from __future__ import annotations

import math

import pytest

from codeczoo.benchmarks.statistics.paired import Incomparable, pair, side


def test_only_clips_that_both_have(made):
    first = [made.record("a", clip, {"stoi": 0.1 * number}) for number, clip in enumerate("1234")]
    second = [made.record("b", clip, {"stoi": 0.5}, speaker="p") for clip in "4321x"]
    second[0]["scores"] = {"stoi": math.nan}
    both = pair(side("a", first, "stoi"), side("b", second, "stoi"), "stoi")
    assert [clip for _, clip, _ in both.clips] == ["1", "2", "3"]
    assert both.differences == pytest.approx([-0.5, -0.4, -0.3])
    assert both.n_clusters == 3
    assert not both.clustered


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"1": 0.5, "2": 0.6}, {"3": 0.5}, r"a and b have no clip with a value of stoi in common \(2 and 1 clips\)"),
        ({"1": 0.5, "2": 0.6}, {"1": 0.5}, r"one clip with a value of stoi in common \(1\): one clip says nothing"),
        ({"1": 0.5}, {"1": math.nan, "2": math.inf}, "b has no value of stoi on any of its 2 clips"),
        ({}, {"1": 0.5}, "a has no value of stoi on any of its 0 clips"),
    ],
)
def test_what_cannot_be_compared(made, first, second, said):
    sides = [
        side(name, [made.record(name, clip, {"stoi": value}) for clip, value in values.items()], "stoi")
        for name, values in (("a", first), ("b", second))
    ]
    with pytest.raises(Incomparable, match=said):
        pair(*sides, "stoi")


def test_other_definitions_are_not_compared(made):
    first = [made.record("a", clip, {"stoi": 0.5}) for clip in "12"]
    second = [made.record("b", clip, {"stoi": 0.5}, identities={"stoi": "ffffffff"}) for clip in "12"]
    with pytest.raises(Incomparable, match="a under 1c9d04aa and b under ffffffff"):
        pair(side("a", first, "stoi"), side("b", second, "stoi"), "stoi")
    second[0]["identities"] = {"stoi": "1c9d04aa"}
    with pytest.raises(Incomparable, match="b under 1c9d04aa and ffffffff"):
        pair(side("a", first, "stoi"), side("b", second, "stoi"), "stoi")


def test_a_clip_that_changed_is_another_clip(made):
    first = [made.record("a", clip, {"stoi": 0.5}) for clip in "12"]
    second = [made.record("b", clip, {"stoi": 0.5}, clip_sha256="changed") for clip in "12"]
    with pytest.raises(Incomparable, match="no clip"):
        pair(side("a", first, "stoi"), side("b", second, "stoi"), "stoi")
