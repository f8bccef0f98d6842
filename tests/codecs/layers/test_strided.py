"""Strided convolutions in bfloat16 are those of float32, rounded: where oneDNN's own are wrong as well."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from codeczoo.codecs.layers.convolution import Conv1d, ConvTranspose1d
from codeczoo.codecs.layers.weight_norm import WeightNormConv2d

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "stride 6 of 16 channels": (lambda: Conv1d(16, 32, 12, 6), (2, 16, 500)),
    "stride 8 of 16 channels": (lambda: Conv1d(16, 32, 16, 8), (2, 16, 501)),
    "stride 2 of 64 channels": (lambda: Conv1d(64, 128, 4, 2), (2, 64, 300)),
    "transposed, stride 4": (lambda: ConvTranspose1d(1, 16, 8, 4), (2, 1, 300)),
    "transposed, stride 8": (lambda: ConvTranspose1d(32, 16, 16, 8), (2, 32, 150)),
    "image, stride 3": (lambda: WeightNormConv2d(1, 8, (5, 1), (3, 1), (2, 0)), (2, 1, 400, 2)),
    "image, stride 2": (lambda: WeightNormConv2d(16, 16, (3, 9), (1, 2), (1, 4)), (2, 16, 20, 90)),
}


def results(layer: nn.Module, x: Tensor, *, low: bool) -> list[Tensor]:
    """Output and all gradients, float32."""
    layer.zero_grad()
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        y = layer(x)
    y = y[0] if isinstance(y, tuple) else y
    assert y.dtype == (torch.bfloat16 if low else torch.float32)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    (y.float() * weights).sum().backward()
    assert x.grad is not None
    return [
        y.detach().float(),
        x.grad,
        *(parameter.grad for parameter in layer.parameters() if parameter.grad is not None),
    ]


@pytest.mark.parametrize("name", LAYERS)
def test_bfloat16_is_float32_rounded(name: str) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    layer, x = make(), torch.randn(shape)
    for exact, rounded in zip(results(layer, x, low=False), results(layer, x, low=True), strict=True):
        assert (exact - rounded).norm() < 0.01 * exact.norm()


def test_a_layer_of_bfloat16_weights_gives_bfloat16() -> None:
    torch.manual_seed(0)
    layer, x = Conv1d(16, 32, 12, 6), torch.randn(1, 16, 90)
    with torch.no_grad():
        exact = layer(x)
        rounded = layer.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert rounded.dtype == torch.bfloat16
    assert (exact - rounded.float()).norm() < 0.02 * exact.norm()
