"""Rotary positions: against complex numbers, and the law that products depend on the distance alone."""

from __future__ import annotations

import pytest
import torch

from codeczoo.codecs.layers.rotary import Pairs, rotate


def test_neighbouring_pairs_are_complex_numbers() -> None:
    x = torch.randn(2, 3, 7, 8, dtype=torch.float64)
    rates = 10_000.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    turn = torch.polar(torch.ones(7, 4, dtype=torch.float64), torch.arange(7.0, dtype=torch.float64)[:, None] * rates)
    expected = torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (4, 2))) * turn).flatten(-2)
    torch.testing.assert_close(rotate(x), expected, rtol=0, atol=1e-5)


def test_halves_are_the_same_with_channels_in_another_order() -> None:
    x = torch.randn(1, 2, 5, 8)
    order = torch.arange(8).reshape(4, 2).T.flatten()
    torch.testing.assert_close(rotate(x[..., order], pairs="halves"), rotate(x)[..., order])


@pytest.mark.parametrize("pairs", ["interleaved", "halves"])
@pytest.mark.parametrize("dims", [None, 4])
def test_products_depend_on_the_distance(pairs: Pairs, dims: int | None) -> None:
    q, k = torch.randn(1, 1, 1, 8).expand(1, 1, 9, 8), torch.randn(1, 1, 1, 8).expand(1, 1, 9, 8)
    products = rotate(q, dims, pairs=pairs)[0, 0] @ rotate(k, dims, pairs=pairs)[0, 0].T
    for distance in range(-8, 9):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        rotate(q, dims, pairs=pairs, first=40)[0, 0] @ rotate(k, dims, pairs=pairs, first=40)[0, 0].T,
        products,
        rtol=1e-4,
        atol=1e-4,
    )


def test_channels_behind_stay_as_they_are() -> None:
    x = torch.randn(1, 1, 6, 10)
    turned = rotate(x, 4, pairs="halves")
    assert torch.equal(turned[..., 4:], x[..., 4:])
    assert torch.equal(turned[..., :4], rotate(x[..., :4], pairs="halves"))
    assert torch.equal(turned[..., 0, :], x[..., 0, :])
    assert rotate(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("dims", [3, 12, 0])
def test_channels_that_cannot_be_turned_are_told(dims: int) -> None:
    with pytest.raises(ValueError, match="An even number of a head's 8 channels"):
        rotate(torch.zeros(1, 1, 2, 8), dims)
