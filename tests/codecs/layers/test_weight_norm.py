"""Weight normalisation: against its formula in numpy, against torch's convolution, and its laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from codeczoo.codecs.layers.weight_norm import WeightNormConv2d, normalised_weight


@pytest.mark.parametrize("shape", [(5, 3), (4, 2, 7), (3, 2, 5, 1)])
def test_the_weight_is_the_direction_at_its_length(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(1)
    v = generator.standard_normal(shape)
    g = generator.uniform(0.5, 2.0, (shape[0],) + (1,) * (len(shape) - 1))
    expected = np.stack([g[i] * v[i] / np.sqrt(np.sum(v[i] ** 2)) for i in range(shape[0])])
    got = normalised_weight(torch.from_numpy(v), torch.from_numpy(g))
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12)


def test_scaling_the_direction_changes_nothing() -> None:
    v, g = torch.randn(4, 3, 5, dtype=torch.float64), torch.rand(4, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(normalised_weight(7 * v, g), normalised_weight(v, g))


def test_gradient() -> None:
    v = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    g = torch.rand(3, 1, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(normalised_weight, (v, g))


def test_a_fresh_layer_is_torchs_convolution() -> None:
    """`weight_g` starts as the norm of `weight_v`: the weight is `weight_v`, drawn as torch draws it."""
    torch.manual_seed(0)
    layer = WeightNormConv2d(3, 200, (5, 3), (2, 1), (2, 1))
    x = torch.randn(2, 3, 20, 11)
    (got,) = layer(x)
    torch.testing.assert_close(got, F.conv2d(x, layer.weight_v, layer.bias, (2, 1), (2, 1)), rtol=1e-5, atol=1e-6)
    bound = (3 * 5 * 3) ** -0.5
    assert 0.98 * bound < float(layer.weight_v.detach().abs().max()) <= bound
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {
        "weight_v": (200, 3, 5, 3),
        "weight_g": (200, 1, 1, 1),
        "bias": (200,),
    }


def test_several_inputs_are_the_same_as_one_by_one() -> None:
    layer = WeightNormConv2d(2, 4, (3, 3))
    inputs = [torch.randn(1, 2, size, 6) for size in (5, 8, 13)]
    for x, got in zip(inputs, layer(*inputs), strict=True):
        torch.testing.assert_close(got, layer(x)[0], rtol=0, atol=0)
