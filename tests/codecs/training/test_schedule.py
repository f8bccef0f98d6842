"""What follows from the step alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training.recipe import Recipe
from codeczoo.codecs.training.schedule import adversarial, bandwidth_id


def test_the_rate_falls_along_a_cosine_to_0() -> None:
    made = replace(recipes.load("small-320"), steps=1000)
    assert Recipe.learning_rate(made, 1) == 2e-4
    assert Recipe.learning_rate(made, 501) == pytest.approx(1e-4)
    # Cosine of a third of half a turn: three quarters of the way.
    assert Recipe.learning_rate(replace(made, steps=3), 2) == pytest.approx(1.5e-4)
    assert 0 < Recipe.learning_rate(made, 1000) < 1e-8
    assert Recipe.learning_rate(made, 1001) == pytest.approx(0, abs=1e-20)


def test_the_warm_up_rises_to_the_cosine() -> None:
    made = recipes.load("small-320", ["steps=1000", "optimiser.warmup_steps=9"])
    without = recipes.load("small-320", ["steps=1000"])
    for step in range(1, 10):
        assert Recipe.learning_rate(made, step) == pytest.approx(Recipe.learning_rate(without, step) * step / 10)
    assert Recipe.learning_rate(made, 10) == Recipe.learning_rate(without, 10)


def test_bandwidth_ids_are_drawn_evenly_and_again_the_same() -> None:
    made = recipes.load("small-320")
    drawn = [bandwidth_id(made, step) for step in range(1, 4001)]
    assert drawn == [bandwidth_id(made, step) for step in range(1, 4001)]
    counts = Counter(drawn)
    assert set(counts) == {0, 1, 2, 3}
    # Four standard deviations of a count of 4000 draws at a quarter: 110.
    assert all(abs(count - 1000) < 110 for count in counts.values())
    assert drawn != [bandwidth_id(replace(made, seed=1), step) for step in range(1, 4001)]
    assert {bandwidth_id(recipes.load("tiny"), step) for step in range(1, 100)} == {0}


def test_when_the_discriminators_join() -> None:
    made = recipes.load("tiny", ["adversarial_from=5"])
    assert [adversarial(made, step) for step in (1, 5, 6)] == [False, False, True]
    assert adversarial(recipes.load("small-320"), 1)
