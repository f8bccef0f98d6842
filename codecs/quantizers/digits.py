"""One token for several digits: mixed-radix numbers in int64, the first digit least significant.

All in integers: float32 holds no integer beyond 2^24 exactly, and 17 levels in six dimensions are 24,137,569 tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

MOST_ENTRIES = torch.iinfo(torch.int64).max


def from_digits(digits: Tensor, radices: tuple[int, ...]) -> Tensor:
    """Digits int64 `[B, len(radices), N]` to numbers `[B, 1, N]`."""
    number = torch.zeros_like(digits[:, :1])
    for place in reversed(range(len(radices))):
        number = number * radices[place] + digits[:, place : place + 1]
    return number


def to_digits(numbers: Tensor, radices: tuple[int, ...]) -> Tensor:
    """Numbers int64 `[B, 1, N]` to digits `[B, len(radices), N]`."""
    digits: list[Tensor] = []
    for radix in radices:
        digits.append(numbers % radix)
        numbers = numbers // radix
    return torch.cat(digits, dim=1)
