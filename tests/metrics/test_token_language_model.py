"""The transformer: sources of known entropy cost what they must, the future is never seen, one seed is one result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from codeczoo.metrics import MetricError, Undefined
from codeczoo.metrics.token_language_model import TokenTransformer, TransformerRecipe
from codeczoo.metrics.token_ngram import NGram

Clip = list[NDArray[np.int64]]

SMALL = TransformerRecipe(
    width=32, heads=2, context=32, dropout=0.0, batch=16, learning_rate=5e-3, warm_up=10, average=0.9, most_steps=150
)


@pytest.fixture(autouse=True)
def one_thread():
    """Tests run side by side; threads would stand in each other's way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cost(model: TokenTransformer, clips: Sequence[Clip], codebook: int = 0, skip: int = 0) -> float:
    """Bits a token, without the first ones of each clip."""
    return float(np.concatenate([model.bits(clip)[codebook][skip:] for clip in clips]).mean())


def trained(sizes: Sequence[int], clips: Sequence[Clip], **changes: float) -> TokenTransformer:
    """On the first four fifths of the clips, validated on the others."""
    cut = len(clips) * 4 // 5
    return TokenTransformer(sizes, clips[:cut], clips[cut:], replace(SMALL, **changes))


def test_what_is_random_costs_all() -> None:
    rng = np.random.default_rng(0)
    clips = [[row] for row in rng.integers(0, 16, (50, 200))]
    found = cost(trained((16,), clips[:40], most_steps=50), clips[40:])
    assert found == pytest.approx(4.0, abs=0.02)


def test_a_cycle_costs_nothing() -> None:
    rng = np.random.default_rng(1)
    cycle = rng.permutation(12)
    clips = [[np.roll(np.tile(cycle, 10), -int(at))] for at in rng.integers(0, 12, 30)]
    model = trained((12,), clips[:20])
    assert cost(model, clips[20:], skip=1) < 0.03
    # The first token of a clip can be any: log2 12, and more for what so few clips make believe.
    assert np.mean([model.bits(clip)[0][0] for clip in clips[20:]]) > 3


def test_a_chain_costs_its_entropy_rate() -> None:
    """Eight states that step on by one with probability 0.8, and jump anywhere otherwise."""
    rng = np.random.default_rng(2)
    jumps = np.where(rng.random((60, 300)) < 0.8, 1, rng.integers(0, 8, (60, 300)))
    clips = [[row] for row in np.cumsum(jumps, axis=1) % 8]
    shares = np.full(8, 0.2 / 8)
    shares[1] += 0.8
    rate = float(-(shares * np.log2(shares)).sum())
    found = cost(trained((8,), clips[:45]), clips[45:], skip=1)
    held_out = np.concatenate([NGram(8, 2, [clip[0] for clip in clips[:45]]).bits(clip[0])[1:] for clip in clips[45:]])
    assert found == pytest.approx(rate, abs=0.06)
    assert found == pytest.approx(held_out.mean(), abs=0.03)


def test_a_codebook_that_repeats_the_one_before_costs_nothing() -> None:
    """By the delay pattern the second codebook knows the frame of the first, and not the other way round."""
    rng = np.random.default_rng(3)
    clips = [[row, row] for row in rng.integers(0, 8, (60, 60))]
    model = trained((8, 8), clips[:50], most_steps=250)
    assert cost(model, clips[50:], 0) == pytest.approx(3.0, abs=0.1)
    assert cost(model, clips[50:], 1) < 0.1


def test_the_future_is_never_seen() -> None:
    """Longer than a context, so that windows overlap; a changed token changes what follows, and nothing before it."""
    rng = np.random.default_rng(4)
    sizes = (8, 5, 3)
    clips = [[rng.integers(0, size, 120) for size in sizes] for _ in range(6)]
    model = trained(sizes, clips, most_steps=30, validate_every=10, learning_rate=2e-2)
    heard = [rng.integers(0, size, 100) for size in sizes]
    before = model.bits(heard)
    changed = [row.copy() for row in heard]
    for codebook, size in enumerate(sizes):
        changed[codebook][60:] = (heard[codebook][60:] + 1) % size
    after = model.bits(changed)
    for codebook in range(3):
        np.testing.assert_allclose(after[codebook][:60], before[codebook][:60], rtol=1e-5)
        assert np.abs(after[codebook][61:] - before[codebook][61:]).max() > 1e-3
    # The token of a frame is known to the finer codebooks of that frame alone, one step later.
    finest = [heard[0], heard[1], changed[2]]
    for codebook in range(2):
        step = 60 + 2 - codebook
        np.testing.assert_allclose(model.bits(finest)[codebook][: step + 1], before[codebook][: step + 1], rtol=1e-5)
    # What a token costs does not depend on how long the clip goes on.
    for row, whole in zip(model.bits([row[:77] for row in heard]), before, strict=True):
        np.testing.assert_allclose(row, whole[:77], rtol=1e-4, atol=1e-5)


def test_probabilities_sum_to_1() -> None:
    rng = np.random.default_rng(5)
    clips = [[rng.integers(0, 6, 50)] for _ in range(6)]
    model = trained((6,), clips, most_steps=30, validate_every=10, learning_rate=2e-2)
    before = rng.integers(0, 6, 45)
    last = [2 ** -model.bits([np.append(before, token)])[0][-1] for token in range(6)]
    assert sum(last) == pytest.approx(1, abs=1e-5)
    assert np.std(last) > 1e-3


def test_one_seed_is_one_result() -> None:
    rng = np.random.default_rng(6)
    clips = [[rng.integers(0, 6, 50).cumsum() % 6] for _ in range(6)]
    torch.manual_seed(11)
    few = {"most_steps": 30, "validate_every": 10}
    first = trained((6,), clips, **few)
    drawn = torch.rand(1)
    again = trained((6,), clips, **few)
    other = trained((6,), clips, **few, seed=1)
    assert (first.steps, first.validation_bits) == (again.steps, again.validation_bits)
    np.testing.assert_array_equal(first.bits(clips[0]), again.bits(clips[0]))
    assert first.validation_bits != other.validation_bits
    # The caller's random numbers are those it would have drawn.
    torch.manual_seed(11)
    assert torch.equal(drawn, torch.rand(1))


def test_where_nothing_can_be_learnt_the_shares_remain() -> None:
    """What is learnt from is the opposite of what is validated with: a 1-gram model is left."""
    learnt = [[np.tile([0, 1], 40)]] * 4
    model = TokenTransformer((4,), learnt, [[np.repeat([0, 1], 50)]], replace(SMALL, validate_every=5))
    assert (model.steps, model.stopped_early) == (0, True)
    heard = np.array([0, 2, 1, 3, 0])
    np.testing.assert_allclose(model.bits([heard])[0], NGram(4, 1, [clip[0] for clip in learnt]).bits(heard), rtol=1e-5)
    assert not trained((4,), learnt, most_steps=20, validate_every=10).stopped_early


def test_the_identity_names_what_changes_the_result() -> None:
    assert SMALL.identity.startswith("transformer|delay|width:32|layers:2|heads:2|context:32|")
    assert SMALL.identity != replace(SMALL, seed=1).identity
    assert f"torch:{torch.__version__.partition('+')[0]}" in SMALL.identity


def test_what_cannot_be_learnt_or_asked() -> None:
    clip = [np.array([1, 2, 3])]
    none = [np.zeros(0, int)]
    with pytest.raises(Undefined, match="no tokens to learn from"):
        TokenTransformer((4,), [none], [clip], SMALL)
    with pytest.raises(Undefined, match="no tokens to validate with"):
        TokenTransformer((4,), [clip], [none], SMALL)
    with pytest.raises(MetricError, match="multiple of twice its heads"):
        TokenTransformer((4,), [clip], [clip], replace(SMALL, width=30, heads=4))
    with pytest.raises(MetricError, match="1 or more"):
        TokenTransformer((4,), [clip], [clip], replace(SMALL, batch=0))
    model = TokenTransformer((4,), [clip], [clip], replace(SMALL, most_steps=1))
    assert model.bits(none)[0].shape == (0,)
    with pytest.raises(MetricError, match="Tokens are 0 to 3; got 4 to 4"):
        model.bits([np.array([4])])
