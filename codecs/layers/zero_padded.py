"""Weight-normed convolutions with zeros beyond the clip, centred or causal: what TAAE has in place of mirrors.

A convolution of stride s has a kernel of 2 s steps (any odd number where s is 1) and turns m s steps into m.

    centred   ceil(s / 2) zeros at either end (half the kernel where s is 1), and the transposed convolution drops as
              many. For odd s the transposed one gives a step less than m s: so do the published models.
    causal    all zeros in front, and the transposed convolution drops at its end alone: m steps are m s steps, and no
              step is made of a later one (Parker et al., 2024, appendix A.4).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import convolve
from .strided import strided
from .weight_norm import WeightNormed


class ZeroPaddedConv1d(WeightNormed):
    """`[B, C_in, m s]` to `[B, C_out, m]`."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, *, causal: bool, bias: bool = True
    ) -> None:
        fresh = nn.Conv1d(channels_in, channels_out, kernel, bias=bias)
        super().__init__(fresh.weight.detach(), None if fresh.bias is None else fresh.bias.detach())
        self.stride = stride
        centred = kernel // 2 if stride == 1 else -(-stride // 2)
        self.zeros = (kernel - stride, 0) if causal else (centred, centred)
        """In front and behind."""

    def forward(self, x: Tensor) -> Tensor:
        return convolve(F.pad(x, self.zeros), self.kernel(), self.bias, stride=self.stride)


class ZeroPaddedConvTranspose1d(WeightNormed):
    """`[B, C_in, m]` to `[B, C_out, m s]`, a step less where s is odd and the convolution centred."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, *, causal: bool) -> None:
        fresh = nn.ConvTranspose1d(channels_in, channels_out, 2 * stride)
        assert fresh.bias is not None
        super().__init__(fresh.weight.detach(), fresh.bias.detach())
        self.stride = stride
        self.dropped = (0, stride) if causal else (-(-stride // 2),) * 2
        """Steps in front and behind."""

    def forward(self, x: Tensor) -> Tensor:
        made = strided(F.conv_transpose1d, x, self.kernel(), self.bias, self.stride)
        front, behind = self.dropped
        return made[..., front : made.shape[-1] - behind]
