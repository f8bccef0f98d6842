"""Weight normalisation (Salimans & Kingma, 2016): a kernel stored as direction `weight_v` and length `weight_g`.

    weight = weight_g * weight_v / |weight_v|,  the norm taken over all axes but the first

The two tensors have the names that published checkpoints use. A model that only infers folds them into one kernel.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .strided import strided


def normalised_weight(weight_v: Tensor, weight_g: Tensor) -> Tensor:
    """The kernel of a direction `[O, ...]` and a length `[O, 1, ...]`."""
    return weight_v * (weight_g / norm(weight_v))


def norm(weight: Tensor) -> Tensor:
    """Euclidean norm of each slice along the first axis, `[O, 1, ...]`."""
    return torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.dim())), keepdim=True)


class WeightNormed(nn.Module):
    """Holds one kernel, as direction and length, or folded. Sub-classes convolve with `kernel()`."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight_g: nn.Parameter | None = nn.Parameter(norm(weight))
        self.weight_v: nn.Parameter | None = nn.Parameter(weight)
        self.weight: nn.Parameter | None = None
        self.bias = None if bias is None else nn.Parameter(bias)

    def kernel(self) -> Tensor:
        """The kernel to convolve with."""
        if self.weight is not None:
            return self.weight
        assert self.weight_v is not None
        assert self.weight_g is not None
        return normalised_weight(self.weight_v, self.weight_g)

    def fold(self) -> None:
        """Keep the kernel alone: what inference needs. Training from it on would train another parametrisation."""
        if self.weight is None:
            # In memory channels last, as convolutions on a CPU read it; otherwise each call would reorder it first.
            kernel = self.kernel().detach().transpose(1, 2).contiguous().transpose(1, 2)
            self.weight = nn.Parameter(kernel, requires_grad=False)
            self.weight_g = self.weight_v = None


class WeightNormConv2d(WeightNormed):
    """A 2-d convolution over `[B, C, H, W]` with a normalised weight. Fresh weights are those of `torch.nn.Conv2d`.

    A layer that is to work on several inputs takes all of them in one call, so that its weight is computed once,
    forwards and backwards.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
    ) -> None:
        bound = 1 / math.sqrt(in_channels * kernel[0] * kernel[1])
        weight = torch.empty(out_channels, in_channels, *kernel).uniform_(-bound, bound)
        super().__init__(weight, torch.empty(out_channels).uniform_(-bound, bound))
        self.stride = stride
        self.padding = padding
        self.dilation = dilation

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The convolution of each of the inputs."""
        weight, how = self.kernel(), (self.stride, self.padding, self.dilation)
        if self.stride == (1, 1):
            return tuple(F.conv2d(x, weight, self.bias, *how) for x in inputs)
        return tuple(strided(F.conv2d, x, weight, self.bias, *how) for x in inputs)


def fold_weight_norm(module: nn.Module) -> None:
    """Fold every weight-normed kernel inside `module`."""
    for part in module.modules():
        if isinstance(part, WeightNormed):
            part.fold()
