"""The delay pattern: what it looks like, and that it is undone exactly."""

from __future__ import annotations

import numpy as np
import pytest

from codeczoo.metrics import MetricError
from codeczoo.metrics.token_delay import delayed, undelayed


def test_the_pattern() -> None:
    grid = delayed([np.array([0, 1, 2]), np.array([3, 4, 5]), np.array([6, 7, 8])], (10, 20, 30))
    assert grid.tolist() == [[0, 20, 30], [1, 3, 30], [2, 4, 6], [10, 5, 7], [10, 20, 8]]


@pytest.mark.parametrize("codebooks", range(1, 7))
@pytest.mark.parametrize("frames", [0, 1, 2, 5, 9])
def test_it_is_undone_exactly(codebooks: int, frames: int) -> None:
    rng = np.random.default_rng(10 * codebooks + frames)
    sizes = rng.integers(1, 40, codebooks).tolist()
    codes = [rng.integers(0, size, frames) for size in sizes]
    grid = delayed(codes, sizes)
    assert grid.shape == ((frames + codebooks - 1 if frames else 0), codebooks)
    # What is no token is the codebook's size, and there are as many tokens as before.
    assert (grid < sizes).sum() == frames * codebooks
    for row, found in zip(codes, undelayed(grid), strict=True):
        np.testing.assert_array_equal(row, found)


def test_what_has_no_pattern() -> None:
    with pytest.raises(MetricError, match=r"one frame rate; got \[1, 2\] tokens for 2"):
        delayed([np.array([0]), np.array([0, 1])], (4, 3))
    with pytest.raises(MetricError, match=r"got \[1\] tokens for 2"):
        delayed([np.array([0])], (4, 3))
    with pytest.raises(MetricError, match="Tokens are 0 to 2; got 3 to 3"):
        delayed([np.array([0]), np.array([3])], (4, 3))
    with pytest.raises(MetricError, match=r"integers \[N\]"):
        delayed([np.array([0.5])], (4,))
    with pytest.raises(MetricError, match="3 steps or more; got 2"):
        undelayed(np.zeros((2, 3), int))
