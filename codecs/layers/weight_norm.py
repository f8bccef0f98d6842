"""Weight normalisation: a convolution's weight as a direction and a length a filter (Salimans and Kingma, 2016).

    w = g v / |v|, the norm over all dimensions of v but the first

The parameters are stored as `weight_g` (`[out, 1, ...]`) and `weight_v`, the names of all published checkpoints of this
family. `torch.nn.utils.weight_norm` stores these names too but is deprecated; its successor stores others.

The weight is computed anew at every call of a layer. A layer that is to work on several inputs takes all of them in one
call, so that it is computed once, forwards and backwards.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def normalised_weight(weight_v: Tensor, weight_g: Tensor) -> Tensor:
    """The weight of direction `weight_v` `[out, ...]` whose filters have the norms `weight_g` `[out, 1, ...]`."""
    norm = torch.linalg.vector_norm(weight_v, dim=tuple(range(1, weight_v.dim())), keepdim=True)
    return weight_v * (weight_g / norm)


class WeightNormConv2d(nn.Module):
    """A 2-d convolution over `[B, C, H, W]` with a normalised weight; keys `weight_g`, `weight_v`, `bias`.

    Fresh weights are those of `torch.nn.Conv2d`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding = padding
        fan_in = in_channels * kernel[0] * kernel[1]
        bound = 1 / math.sqrt(fan_in)
        self.weight_v = nn.Parameter(torch.empty(out_channels, in_channels, *kernel).uniform_(-bound, bound))
        norm = torch.linalg.vector_norm(self.weight_v.detach(), dim=(1, 2, 3), keepdim=True)
        self.weight_g = nn.Parameter(norm)
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The convolution of each of the inputs."""
        weight = normalised_weight(self.weight_v, self.weight_g)
        return tuple(F.conv2d(x, weight, self.bias, self.stride, self.padding) for x in inputs)
