"""Token counts, entropies, Huffman codes, bitrates: known answers, laws, simulations of known truth."""

from __future__ import annotations

import heapq
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from codeczoo.metrics import MetricError, Undefined
from codeczoo.metrics.huffman import HuffmanCode
from codeczoo.metrics.token_bitrate import bitrates
from codeczoo.metrics.token_counts import TokenCounts
from codeczoo.metrics.token_entropy import (
    entropy_bits,
    entropy_corrected_bits,
    partition_utilisation,
    statistics,
)

CLIPS = st.lists(st.lists(st.integers(0, 6), max_size=30), max_size=12)


def counted(clips: list[list[int]], entries: int = 7) -> TokenCounts:
    counts = TokenCounts(entries)
    for clip in clips:
        counts.add(np.array(clip, np.int64))
    return counts


def same(a: TokenCounts, b: TokenCounts) -> bool:
    return all(np.array_equal(x, b.arrays()[name]) for name, x in a.arrays().items())


def zipf(entries: int, exponent: float) -> NDArray[np.float64]:
    shares = 1.0 / np.arange(1, entries + 1) ** exponent
    return shares / shares.sum()


@given(CLIPS)
def test_counts_are_those_of_a_plain_loop(clips: list[list[int]]) -> None:
    counts = counted(clips)
    pairs: dict[tuple[int, int], int] = {}
    for clip in clips:
        for pair in itertools.pairwise(clip):
            pairs[pair] = pairs.get(pair, 0) + 1
    assert counts.counts.tolist() == [sum(clip.count(entry) for clip in clips) for entry in range(7)]
    assert (counts.clips, counts.tokens) == (len(clips), sum(map(len, clips)))
    first, second, numbers = (array.tolist() for array in counts.pairs())
    assert dict(zip(zip(first, second, strict=True), numbers, strict=True)) == pairs


@given(CLIPS, st.integers(0, 12))
def test_parts_add_up(clips: list[list[int]], cut: int) -> None:
    parts = counted(clips[:cut])
    parts.merge(counted(clips[cut:]))
    assert same(parts, counted(clips))
    other_way = counted(clips[cut:])
    other_way.merge(counted(clips[:cut]))
    assert same(other_way, counted(clips))
    assert same(TokenCounts.of(parts.arrays()), parts)


def test_many_pairs_are_settled_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = np.random.default_rng(0).integers(0, 7, (40, 25)).tolist()
    whole = counted(clips)
    monkeypatch.setattr("codeczoo.metrics.token_counts._PENDING", 60)
    assert same(counted(clips), whole)


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        (np.array([0, 7]), "tokens 0 to 6; got 0 to 7"),
        (np.array([-1]), "got -1 to -1"),
        (np.array([0.0]), r"integers \[N\]; got float64"),
        (np.array([[0]]), r"got int64 \[1, 1\]"),
    ],
)
def test_what_are_no_tokens_of_the_codebook(codes: NDArray[np.generic], said: str) -> None:
    counts = TokenCounts(7)
    with pytest.raises(MetricError, match=said):
        counts.add(codes)  # type: ignore[arg-type]
    assert counts.tokens == 0


def test_damaged_counts_are_refused() -> None:
    arrays = counted([[1, 2, 3]]).arrays()
    with pytest.raises(MetricError, match="not token counts: 'pairs'"):
        TokenCounts.of({name: array for name, array in arrays.items() if name != "pairs"})
    for changed in ({"pairs": np.array([49, 50])}, {"pair_counts": np.array([1])}, {"counts": np.array([0.5])}):
        with pytest.raises(MetricError, match="damaged"):
            TokenCounts.of({**arrays, **changed})
    with pytest.raises(MetricError, match="7 and 8 entries cannot be added"):
        TokenCounts(7).merge(TokenCounts(8))
    with pytest.raises(MetricError, match="at least one entry"):
        TokenCounts(0)


def test_known_entropies() -> None:
    found = statistics(counted([[0, 1, 2, 3], [0, 1, 2, 3]], 8))
    assert (found.entropy_bits, found.perplexity, found.utilisation) == (2.0, 4.0, 0.5)
    assert found.normalised_entropy == pytest.approx(2 / 3)
    assert entropy_bits(np.array([8, 4, 2, 1, 1])) == pytest.approx(1.875)
    # Each token has one successor: what comes next is known.
    assert found.conditional_entropy_bits == pytest.approx(0.0, abs=1e-12)
    alone = statistics(counted([[3, 3, 3]], 4))
    assert (alone.entropy_bits, alone.conditional_entropy_bits, alone.perplexity) == (0.0, 0.0, 1.0)
    assert statistics(counted([[1], [2]])).conditional_entropy_bits is None
    assert statistics(counted([[0, 0]], 1)).normalised_entropy == 1.0


def test_the_conditional_entropy_of_a_chain() -> None:
    """Two states that are left with probability 0.1: H(0.1) bits a token, whatever the 1 bit of each alone."""
    rng = np.random.default_rng(1)
    clips = np.cumsum(rng.random((50, 4000)) < 0.1, axis=1) % 2
    found = statistics(counted(clips.tolist(), 2))
    truth = -(0.1 * math.log2(0.1) + 0.9 * math.log2(0.9))
    assert found.conditional_entropy_bits == pytest.approx(truth, abs=0.01)
    assert found.entropy_bits > 0.99
    assert found.pair_coverage == 1.0


@given(st.lists(st.integers(0, 40), min_size=1, max_size=20).filter(any))
def test_the_correction_is_chao_and_shens(numbers: list[int]) -> None:
    """Against their formula in exact arithmetic."""
    tokens, once = sum(numbers), numbers.count(1)
    coverage = 1 - Fraction(min(once, tokens - 1), tokens) if tokens > 1 else Fraction(1)
    total = 0.0
    for number in filter(None, numbers):
        share = coverage * Fraction(number, tokens)
        total -= float(share) * math.log2(share) / float(1 - (1 - share) ** tokens)
    assert entropy_corrected_bits(np.array(numbers)) == pytest.approx(max(0.0, total), abs=1e-9)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("tokens_an_entry", [0.5, 2])
def test_the_correction_takes_most_of_the_bias_away(exponent: float, tokens_an_entry: float) -> None:
    shares = zipf(1024, exponent)
    truth = float(-(shares * np.log2(shares)).sum())
    rng = np.random.default_rng(2)
    samples = rng.multinomial(round(1024 * tokens_an_entry), shares, size=40)
    bias = np.mean([entropy_bits(sample) for sample in samples]) - truth
    corrected = np.mean([entropy_corrected_bits(sample) for sample in samples]) - truth
    assert bias < -0.2
    assert abs(corrected) < 0.45 * abs(bias)


def test_the_correction_of_a_conditional_entropy() -> None:
    """64 states that step on by 0 to 7, evenly: 3 bits, with four tokens a possible pair."""
    rng = np.random.default_rng(5)
    found = [
        statistics(counted((np.cumsum(rng.integers(0, 8, (8, 256)), axis=1) % 64).tolist(), 64)) for _ in range(20)
    ]
    counted_bias = np.mean([of.conditional_entropy_bits for of in found]) - 3
    corrected_bias = np.mean([of.conditional_entropy_corrected_bits for of in found]) - 3
    assert counted_bias < -0.1
    assert abs(corrected_bias) < 0.45 * abs(counted_bias)
    # Even where all pairs are new, what came before tells nothing but less.
    few = statistics(counted([list(range(64))], 64))
    assert few.conditional_entropy_bits == 0.0
    assert few.conditional_entropy_corrected_bits is not None
    assert few.conditional_entropy_corrected_bits <= few.entropy_corrected_bits == 6.0
    assert few.perplexity_corrected == 64.0


def test_the_bound_that_is_warned_at() -> None:
    """Ten tokens an entry: an evenly used codebook comes out 0.07 bits low."""
    rng = np.random.default_rng(3)
    counts = TokenCounts(1024)
    counts.add(rng.integers(0, 1024, 10_240))
    found = statistics(counts)
    assert found.enough
    assert 10 - found.entropy_bits == pytest.approx(0.072, abs=0.01)
    assert found.utilisation_corrected == pytest.approx(1.0, abs=1e-3)
    fewer = TokenCounts(1024)
    fewer.add(rng.integers(0, 1024, 10_000))
    assert not statistics(fewer).enough
    few = TokenCounts(1024)
    few.add(rng.integers(0, 1024, 700))
    found = statistics(few)
    assert found.utilisation < 0.55
    assert found.utilisation_corrected == pytest.approx(1.0, abs=0.15)


def test_parts_of_a_codebook() -> None:
    counts = np.array([1, 0, 2, 0, 0, 0])
    parts = {"speech": range(3), "music": range(3, 6)}
    assert partition_utilisation(counts, parts) == {"speech": pytest.approx(2 / 3), "music": 0.0}
    with pytest.raises(MetricError, match="The part sound of a codebook of 6 entries"):
        partition_utilisation(counts, {"sound": range(4, 7)})


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60).filter(any), st.randoms(use_true_random=False))
def test_huffman_codes_are_optimal_and_carry_every_token(numbers: list[int], random) -> None:
    counts = np.array(numbers)
    code = HuffmanCode.of(counts)
    # The optimum: the sum of all joined weights.
    heap = [number for number in numbers if number]
    heapq.heapify(heap)
    joined = sum(heap) if len(heap) == 1 else 0
    while len(heap) > 1:
        heapq.heappush(heap, pair := heapq.heappop(heap) + heapq.heappop(heap))
        joined += pair
    assert code.bits(counts) == joined
    used = [entry for entry, number in enumerate(numbers) if number]
    if len(used) > 1:
        assert sum(Fraction(1, 2 ** int(code.lengths[entry])) for entry in used) == 1
        mean = joined / sum(numbers)
        assert entropy_bits(counts) - 1e-9 <= mean < entropy_bits(counts) + 1
    tokens = [random.choice(used) for _ in range(random.randrange(50))]
    stream, bits = code.encode(np.array(tokens, np.int64))
    assert bits == code.bits(np.bincount(tokens, minlength=len(numbers)) if tokens else np.zeros(len(numbers), int))
    assert len(stream) == -(-bits // 8)
    assert code.decode(stream, len(tokens)).tolist() == tokens


def test_a_known_huffman_code() -> None:
    code = HuffmanCode.of(np.array([8, 4, 0, 2, 1, 1]))
    assert code.lengths.tolist() == [1, 2, 0, 3, 4, 4]
    assert [format(code.words[entry], f"0{code.lengths[entry]}b") for entry in (0, 1, 3, 4, 5)] == [
        "0",
        "10",
        "110",
        "1110",
        "1111",
    ]
    assert code.encode(np.array([0, 3, 5])) == (bytes([0b01101111]), 8)


def test_huffman_refuses_what_it_does_not_know() -> None:
    code = HuffmanCode.of(np.array([3, 1, 0, 1]))
    for tokens in ([2], [4], [-1]):
        with pytest.raises(MetricError, match="was not made for"):
            code.encode(np.array(tokens))
    with pytest.raises(MetricError, match="was not made for"):
        code.bits(np.array([1, 0, 1, 0]))
    with pytest.raises(MetricError, match="ends, or is damaged, after 8 of 9"):
        code.decode(bytes(1), 9)
    with pytest.raises(Undefined, match="no tokens"):
        HuffmanCode.of(np.zeros(4, int))


def test_bitrates() -> None:
    """5 entries, shares 1/2, 1/4, 1/8, 1/16, 1/16: Huffman reaches the entropy of 1.875 bits."""
    counts = TokenCounts(5)
    counts.add(np.repeat([0, 1, 2, 3, 4], [8, 4, 2, 1, 1]))
    found = bitrates(counts, 0.5)
    assert found.nominal_bps == pytest.approx(32 * math.log2(5))
    assert found.packed_bps == 32 * 3
    assert found.entropy_bps == pytest.approx(60.0)
    assert found.huffman_bps == 60.0
    both = found + found
    assert (both.packed_bps, both.huffman_bps) == (192, 120.0)
    with pytest.raises(MetricError, match="positive time"):
        bitrates(counts, 0.0)
    with pytest.raises(Undefined):
        bitrates(TokenCounts(5), 1.0)
