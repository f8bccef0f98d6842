"""Convolutions on a CPU are PyTorch's, and round no more coarsely than a matrix product of one tap does."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from codeczoo.codecs.layers.convolution import MANY_CHANNELS, convolve


def relative_rms(found: Tensor, exact: Tensor) -> float:
    return float((found.double() - exact).square().mean().sqrt() / exact.square().mean().sqrt())


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize(
    ("channels", "taps", "stride", "padding", "dilation", "biased"),
    [
        *itertools.product([MANY_CHANNELS - 1, MANY_CHANNELS, 96], [2, 3], [1, 2, 5], [0], [1], [True]),
        (96, 3, 1, 2, 2, True), (96, 1, 1, 0, 1, True), (96, 4, 2, 3, 1, False), (96, 7, 1, 3, 3, False),
    ],
)  # fmt: skip
def test_the_convolution_of_pytorch(
    channels: int, taps: int, stride: int, padding: int, dilation: int, biased: bool, learns: bool
) -> None:
    made = torch.Generator().manual_seed(channels + taps)
    x = torch.randn(2, 40, channels, generator=made).transpose(1, 2)
    kernel = torch.randn(24, channels, taps, generator=made)
    bias = torch.randn(24, generator=made) if biased else None
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    exact = F.conv1d(x.double(), kernel.double(), None if bias is None else bias.double(), **how)
    with torch.set_grad_enabled(learns):
        for laid_out in (x, x.contiguous()):
            found = convolve(laid_out, kernel, bias, **how)
            assert found.shape == exact.shape
            assert relative_rms(found, exact) < 1e-6


@pytest.mark.parametrize(("channels_in", "channels_out", "taps", "stride"), [(512, 512, 7, 1), (256, 512, 16, 8)])
def test_rounding_of_wide_layers(channels_in: int, channels_out: int, taps: int, stride: int) -> None:
    """Near ties tokens hang on it. Summed up in one go, taps and channels, the first is 1.1e-6 and the second 7e-7."""
    made = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1600, channels_in, generator=made).transpose(1, 2)
    kernel = torch.randn(channels_out, channels_in, taps, generator=made)
    bias = torch.randn(channels_out, generator=made)
    exact = F.conv1d(x.double(), kernel.double(), bias.double(), stride)
    with torch.no_grad():
        assert relative_rms(convolve(x, kernel, bias, stride=stride), exact) < 4.5e-7
