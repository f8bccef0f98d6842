"""Convolutions of SEANet as EnCodec pads them (Défossez et al., 2022, section 3.2; encodec/modules/conv.py).

Conventions. A convolution of stride s turns L steps into ceil(L / s). Its input is mirrored at both ends by
(kernel span - s) steps in all, the odd one on the left; steps that complete the last window come from the mirror too.
A transposed convolution of stride s turns N steps into N s.

A clip inside a batch may be shorter than the batch: with `lengths` each clip is mirrored at its own end, so that it
gets the features that it gets alone; what lies behind its end is without meaning.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .strided import strided
from .weight_norm import WeightNormed

MANY_CHANNELS = 64
"""From here on a convolution of several taps is a sum of products over channels: fewer are no matrix worth the name."""


def convolve(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """`F.conv1d`. On a CPU the result lies in memory frame by frame, `[B, L, C]`, though its shape is `[B, C, L]`."""
    if x.device.type != "cpu":
        return F.conv1d(x, kernel, bias, stride, padding, dilation, groups)
    plain = x.dtype != torch.float32 or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu")
    if groups == 1 and kernel.shape[1] >= MANY_CHANNELS and kernel.shape[2] > 1 and not plain:
        return _by_taps(x, kernel, bias, stride, padding, dilation)
    # Frame by frame a convolution is a matrix product of what lies there; channel by channel, conv1d's own layout, it
    # copies its input and its output into another order first. Only images have a layout with channels last: hence one
    # of height 1.
    images = x.unsqueeze(2), kernel.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    how = (1, stride), (0, padding), (1, dilation), groups
    made = F.conv2d(*images, bias, *how) if stride == 1 else strided(F.conv2d, *images, bias, *how)
    return made.squeeze(2)


def _by_taps(x: Tensor, kernel: Tensor, bias: Tensor | None, stride: int, padding: int, dilation: int) -> Tensor:
    """The convolution as a sum of matrix products, one a tap, without copies: frames `stride` apart are its rows.

    A product over the channels of one tap rounds to a half to a fifth of what oneDNN's convolution does, which adds up
    taps and channels in one go, and takes as long; tokens near a tie hang on it.
    """
    frames = (F.pad(x, (padding, padding)) if padding else x).transpose(1, 2).contiguous()
    count = (frames.shape[1] - (kernel.shape[2] - 1) * dilation - 1) // stride + 1
    made = frames.new_empty(len(frames), count, len(kernel))
    for clip, sums in zip(frames, made, strict=True):
        so_far = clip.new_zeros(()) if bias is None else bias
        for tap in range(kernel.shape[2]):
            first = tap * dilation
            rows = clip[first : first + (count - 1) * stride + 1 : stride]
            so_far = torch.addmm(so_far, rows, kernel[:, :, tap].t(), out=sums)
    return made.transpose(1, 2)


def conv_init(module: nn.Conv1d | nn.ConvTranspose1d) -> tuple[Tensor, Tensor]:
    """Weight and bias as PyTorch initialises them."""
    assert module.bias is not None
    return module.weight.detach(), module.bias.detach()


class Conv1d(WeightNormed):
    """Weight-normed, mirror-padded convolution: `[B, C_in, L]` to `[B, C_out, ceil(L / stride)]`."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(*conv_init(nn.Conv1d(channels_in, channels_out, kernel)))
        self.stride = stride
        self.dilation = dilation
        self.span = (kernel - 1) * dilation + 1
        """Input steps that one output step is made of."""
        padding = self.span - stride
        self.right = padding // 2
        self.left = padding - self.right

    def out_lengths(self, lengths: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """Steps out for steps in."""
        return None if lengths is None else tuple(-(-length // self.stride) for length in lengths)

    def forward(self, x: Tensor, lengths: tuple[int, ...] | None = None) -> Tensor:
        padded = self._padded(x, lengths)
        return convolve(padded, self.kernel(), self.bias, stride=self.stride, dilation=self.dilation)

    def _padded(self, x: Tensor, lengths: tuple[int, ...] | None) -> Tensor:
        if lengths is None:
            return self._mirrored(x)
        longest = self.left + math.ceil(x.shape[-1] / self.stride) * self.stride + self.right
        padded = x.new_zeros(x.shape[0], longest, x.shape[1]).transpose(1, 2)
        for index, length in enumerate(lengths):
            clip = self._mirrored(x[index : index + 1, :, :length])
            padded[index, :, : clip.shape[-1]] = clip[0]
        return padded

    def _mirrored(self, x: Tensor) -> Tensor:
        right = self.right + -x.shape[-1] % self.stride
        if self.left == right == 0:
            return x
        # A clip no longer than its mirror image is lengthened by zeros first, as the reference does.
        missing = max(0, max(self.left, right) - x.shape[-1] + 1)
        frames = F.pad(x, (0, missing)).transpose(1, 2) if missing else x.transpose(1, 2)
        first, last = frames[:, 1 : self.left + 1].flip(1), frames[:, frames.shape[1] - 1 - right : -1].flip(1)
        return torch.cat([first, frames, last], dim=1).transpose(1, 2)[..., : self.left + x.shape[-1] + right]


class ConvTranspose1d(WeightNormed):
    """Weight-normed transposed convolution: `[B, C_in, N]` to `[B, C_out, N stride]`."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int) -> None:
        super().__init__(*conv_init(nn.ConvTranspose1d(channels_in, channels_out, kernel)))
        self.stride = stride
        surplus = kernel - stride
        self.right = surplus // 2
        self.left = surplus - self.right

    def forward(self, x: Tensor) -> Tensor:
        y = strided(F.conv_transpose1d, x, self.kernel(), self.bias, self.stride)
        return y[..., self.left : y.shape[-1] - self.right]


class Residual(nn.Module):
    """The residual unit of SEANet: ELU, conv k, ELU, conv 1, beside a 1 x 1 convolution: `[B, C, L]` to `[B, C, L]`."""

    def __init__(self, channels: int, kernel: int, dilation: int, compress: int) -> None:
        super().__init__()
        hidden = channels // compress
        self.block = nn.ModuleList(
            [
                nn.ELU(),
                Conv1d(channels, hidden, kernel, dilation=dilation),
                nn.ELU(inplace=True),
                Conv1d(hidden, channels, 1),
            ]
        )
        self.shortcut = Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, lengths: tuple[int, ...] | None = None) -> Tensor:
        first, conv, second, project = self.block
        return project(second(conv(first(x), lengths)), lengths).add_(self.shortcut(x, lengths))


class Lstm(nn.Module):
    """A unidirectional LSTM with a skip connection around it: `[B, D, N]` to `[B, D, N]`."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.resume(x, None)[0]

    def resume(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The same with the state after the steps before `x` (None: from the start), and the state after it."""
        steps = x.permute(2, 0, 1).contiguous()
        y, last = self.lstm(steps, state)
        return (y + steps).permute(1, 2, 0), last
