"""The n-gram model: a plain one says the same; probabilities sum to 1; sources of known entropy are learnt."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeczoo.metrics import MetricError, Undefined
from codeczoo.metrics.token_ngram import NGram, interleaved

CLIPS = st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=5).filter(any)


class Plain:
    """Witten and Bell by dictionaries; beginnings are marked by -1."""

    def __init__(self, entries: int, order: int, clips: list[list[int]]) -> None:
        self.entries, self.order = entries, order
        self.after: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for clip in clips:
            padded = [-1] * (order - 1) + clip
            for at in range(order - 1, len(padded)):
                for length in range(order):
                    self.after[tuple(padded[at - length : at])][padded[at]] += 1

    def probability(self, token: int, before: list[int]) -> float:
        padded = [-1] * (self.order - 1) + before
        p = 1 / self.entries
        for length in range(self.order):
            found = self.after.get(tuple(padded[len(padded) - length :]))
            if not found:
                break
            p = (found[token] + len(found) * p) / (found.total() + len(found))
        return p


@settings(deadline=None)
@given(CLIPS, st.lists(st.integers(0, 3), min_size=1, max_size=10), st.integers(1, 4))
def test_a_plain_model_says_the_same(clips: list[list[int]], heard: list[int], order: int) -> None:
    model, plain = NGram(4, order, [np.array(clip, int) for clip in clips]), Plain(4, order, clips)
    expected = [-math.log2(plain.probability(token, heard[:at])) for at, token in enumerate(heard)]
    np.testing.assert_allclose(model.bits(np.array(heard)), expected, rtol=1e-12)


@settings(deadline=None)
@given(CLIPS, st.lists(st.integers(0, 3), max_size=6), st.integers(1, 4))
def test_probabilities_sum_to_1(clips: list[list[int]], before: list[int], order: int) -> None:
    model = NGram(4, order, [np.array(clip, int) for clip in clips])
    assert sum(2 ** -model.bits(np.array([*before, token]))[-1] for token in range(4)) == pytest.approx(1)


def test_a_chain_costs_its_entropy_rate() -> None:
    """Two states that are left with probability 0.1."""
    rng = np.random.default_rng(0)
    chain = np.cumsum(rng.random((60, 1000)) < 0.1, axis=1) % 2
    model = NGram(2, 2, chain[:40])
    rate = -(0.1 * math.log2(0.1) + 0.9 * math.log2(0.9))
    assert np.mean([model.bits(clip).mean() for clip in chain[40:]]) == pytest.approx(rate, abs=0.02)
    alone = NGram(2, 1, chain[:40])
    assert np.mean([alone.bits(clip).mean() for clip in chain[40:]]) == pytest.approx(1, abs=0.01)


def test_what_repeats_costs_little_and_what_is_random_all() -> None:
    rng = np.random.default_rng(1)
    period = np.tile(rng.permutation(16), 200)
    assert NGram(16, 3, [period]).bits(period)[10:].mean() < 0.06
    noise = rng.integers(0, 16, (2, 20_000))
    assert NGram(16, 2, noise[:1]).bits(noise[1]).mean() == pytest.approx(4, abs=0.05)


def test_codebooks_become_one_stream() -> None:
    stream = interleaved([np.array([0, 1]), np.array([2, 0])], (4, 3))
    assert stream.tolist() == [0, 6, 1, 4]
    with pytest.raises(MetricError, match=r"one frame rate .* got \[1, 2\] tokens"):
        interleaved([np.array([0]), np.array([0, 1])], (4, 3))


def test_whose_turn_it_is_costs_nothing() -> None:
    """Noise of 16 and of 4 entries in turns: 4 bits and 2 bits, and none to say which of the two it is."""
    rng = np.random.default_rng(2)
    sizes = (16, 4)
    heard, learnt = (interleaved([rng.integers(0, size, 20_000) for size in sizes], sizes) for _ in range(2))
    for order in (1, 2):
        costs = NGram(sizes, order, [learnt]).bits(heard)
        assert costs[::2].mean() == pytest.approx(4, abs=0.03)
        assert costs[1::2].mean() == pytest.approx(2, abs=0.03)
    # What was never met costs log2 of its own codebook.
    model = NGram(sizes, 1, [interleaved([np.array([0, 1, 0]), np.array([1, 1, 0])], sizes)])
    ways = [interleaved([np.array([token]), np.array([0])], sizes) for token in range(16)]
    assert sum(2 ** -model.bits(way)[0] for way in ways) == pytest.approx(1)
    with pytest.raises(MetricError, match="take turns"):
        model.bits(np.array([16, 0]))


def test_what_cannot_be_learnt_or_asked() -> None:
    with pytest.raises(Undefined, match="no tokens to learn from"):
        NGram(4, 2, [np.zeros(0, int)])
    with pytest.raises(MetricError, match="order and entries"):
        NGram(4, 0, [np.array([1])])
    model = NGram(4, 2, [np.array([1, 2])])
    with pytest.raises(MetricError, match="Tokens are 0 to 3; got 4 to 4"):
        model.bits(np.array([4]))
    with pytest.raises(MetricError, match=r"integers \[N\]"):
        model.bits(np.array([0.5]))
    assert model.bits(np.zeros(0, int)).shape == (0,)
