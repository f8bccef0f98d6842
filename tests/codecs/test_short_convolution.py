"""A convolution by fewer products is the convolution, and follows its weight wherever that goes."""

from __future__ import annotations

import pytest
import torch

from codeczoo.codecs.layers import short_convolution
from codeczoo.codecs.layers.short_convolution import FEWEST_FRAMES, ShortConv1d


@pytest.fixture
def layer() -> ShortConv1d:
    """Frozen, as in a model that infers."""
    torch.manual_seed(0)
    return ShortConv1d(48, 40).requires_grad_(False)


def exact(layer: ShortConv1d, x: torch.Tensor) -> torch.Tensor:
    assert layer.bias is not None
    return torch.conv1d(x.double(), layer.weight.double(), layer.bias.double(), padding=1).detach()


def test_matrices_make_a_convolution() -> None:
    """In float64, on whole numbers: A [(G kernel) * (B inputs)] is the sum of products."""
    a, b, g = (torch.tensor(getattr(short_convolution, name), dtype=torch.float64) for name in "ABG")
    kernel, inputs = torch.tensor([3.0, -5.0, 7.0]).double(), torch.tensor([2.0, 9.0, -4.0, 1.0, 8.0, -6.0]).double()
    outputs = a @ ((g @ kernel) * (b @ inputs))
    torch.testing.assert_close(outputs, inputs.unfold(0, 3, 1) @ kernel, rtol=0, atol=1e-12)


@pytest.mark.parametrize("frames", [1, 63, 64, 65, 66, 67, 131, 2_500])
@pytest.mark.parametrize("layout", ["channels first", "channels last"])
def test_it_is_the_convolution(layer: ShortConv1d, frames: int, layout: str) -> None:
    x = torch.randn(3, 48, frames)
    if layout == "channels last":
        x = x.transpose(1, 2).contiguous().transpose(1, 2)
    with torch.no_grad():
        found = layer(x)
    wanted = exact(layer, x)
    assert found.shape == wanted.shape
    assert float((found - wanted).norm() / wanted.norm()) < 2e-6
    assert bool(layer._kernels.numel()) == (frames >= FEWEST_FRAMES)


def test_it_follows_its_weight(layer: ShortConv1d) -> None:
    x = torch.randn(1, 48, 80)
    other = ShortConv1d(48, 40)
    with torch.no_grad():
        layer(x)
        layer.weight.mul_(2)
        torch.testing.assert_close(layer(x).double(), exact(layer, x), rtol=0, atol=1e-4)
        layer.load_state_dict(other.state_dict())
        torch.testing.assert_close(layer(x).double(), exact(other, x), rtol=0, atol=1e-4)
        layer.weight.data = torch.randn(40, 48, 3)
        torch.testing.assert_close(layer(x).double(), exact(layer, x), rtol=0, atol=1e-4)
        lower = layer.to(torch.bfloat16)
        assert lower(x.to(torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("fused", [False, True])
def test_one_that_learns_is_never_behind(layer: ShortConv1d, fused: bool) -> None:
    """A fused optimiser changes weights without a trace; validation between its steps must hear them all the same."""
    layer.requires_grad_()
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=fused)
    x = torch.randn(1, 48, 80)
    for _ in range(3):
        layer(x).square().sum().backward()
        optimiser.step()
        with torch.no_grad():
            torch.testing.assert_close(layer(x).double(), exact(layer, x), rtol=0, atol=1e-4)


def test_gradients_are_those_of_the_convolution(layer: ShortConv1d) -> None:
    layer.requires_grad_()
    x = torch.randn(1, 48, 80, requires_grad=True)
    layer(x).square().sum().backward()
    found = layer.weight.grad
    layer.weight.grad = None
    torch.nn.functional.conv1d(x, layer.weight, layer.bias, padding=1).square().sum().backward()
    assert found is not None
    torch.testing.assert_close(found, layer.weight.grad)
