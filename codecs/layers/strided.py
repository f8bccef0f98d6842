"""Strided convolutions in lower precisions on CPUs: computed in float32.

Where a CPU multiplies bfloat16 matrices in hardware (AMX), PyTorch's convolutions of stride 4 and more with up to 16
channels give wrong results, as far from the right ones as these are from zero, and the transposed ones wrong gradients
(measured with torch 2.11; https://github.com/pytorch/pytorch/issues/169688 is of the kind). There are few strided
convolutions and they are small, so all of them are computed in float32, whatever the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def strided(convolution: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> Tensor:
    """`convolution(x, weight, bias, *rest)`, in the dtype that it would have, by float32 arithmetic on a CPU."""
    if x.device.type != "cpu":
        return convolution(x, weight, bias, *rest)
    automatic = torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu") if automatic else x.dtype
    if dtype not in (torch.bfloat16, torch.float16):
        return convolution(x, weight, bias, *rest)
    with torch.autocast("cpu", enabled=False):
        y = convolution(x.float(), weight.float(), None if bias is None else bias.float(), *rest)
    return y.to(dtype)
