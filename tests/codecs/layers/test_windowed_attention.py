"""Attention through a window: equal to dense attention under a mask, and linear in the clip's length."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from codeczoo.codecs.layers.rotary import RotaryHalves
from codeczoo.codecs.layers.windowed_attention import WindowedAttention, windowed_attention

WINDOWS = [(0, 0), (3, 4), (5, 0), (0, 2), (63, 64), (7, 31)]


def dense(q: Tensor, k: Tensor, v: Tensor, window: tuple[int, int], lengths: list[int] | None = None) -> Tensor:
    left, right = window
    query, key = torch.arange(q.shape[2])[:, None], torch.arange(q.shape[2])
    visible = ((key >= query - left) & (key <= query + right))[None, None]
    if lengths is not None:
        visible = visible & (key < torch.tensor(lengths)[:, None, None, None])
    scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~visible, -torch.inf)
    return scores.softmax(-1) @ v


def heads(frames: int, batch: int = 2) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(frames)
    return tuple(torch.randn(batch, 3, frames, 8, generator=generator) for _ in range(3))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("frames", [1, 2, 15, 16, 17, 128, 300])
def test_equal_to_a_dense_mask(window: tuple[int, int], frames: int) -> None:
    q, k, v = heads(frames)
    torch.testing.assert_close(windowed_attention(q, k, v, window), dense(q, k, v, window), rtol=0, atol=2e-6)


@pytest.mark.parametrize("window", WINDOWS)
def test_lengths_end_what_is_seen(window: tuple[int, int]) -> None:
    q, k, v = heads(150, batch=3)
    lengths = [150, 1, 97]
    ours, known = windowed_attention(q, k, v, window, lengths), dense(q, k, v, window, lengths)
    assert torch.isfinite(ours).all()
    for index, length in enumerate(lengths):
        torch.testing.assert_close(ours[index, :, :length], known[index, :, :length], rtol=0, atol=2e-6)


def test_gradients_are_those_of_a_dense_mask() -> None:
    ours, known = ([x.clone().requires_grad_() for x in heads(70)] for _ in range(2))
    windowed_attention(*ours, (6, 9)).square().sum().backward()
    dense(*known, (6, 9)).square().sum().backward()
    for x, y in zip(ours, known, strict=True):
        torch.testing.assert_close(x.grad, y.grad, rtol=0, atol=1e-5)


class Elements(TorchDispatchMode):
    """Counts the elements that operations make, views among them, and remembers the largest tensor."""

    total = 0
    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(tensor, Tensor):
                self.total += tensor.numel()
                self.largest = max(self.largest, tensor.numel())
        return made


def elements(frames: int, with_gradients: bool) -> tuple[int, int]:
    q, k, v = heads(frames, batch=1)
    with Elements() as counted, torch.set_grad_enabled(with_gradients):
        windowed_attention(q.requires_grad_(with_gradients), k, v, (7, 8))
    return counted.total, counted.largest


@pytest.mark.parametrize("with_gradients", [False, True])
def test_memory_grows_linearly(with_gradients: bool) -> None:
    """Twice the frames are twice the elements, in all and in the largest tensor, where dense attention has four times
    as many."""
    (total, largest), (total_of_double, largest_of_double) = (elements(n, with_gradients) for n in (4_096, 8_192))
    assert total_of_double == pytest.approx(2 * total, rel=0.01)
    assert largest_of_double <= 2.01 * largest
    assert largest_of_double < 8_192**2 / 20
    q, k, v = heads(1_024, batch=1)
    with Elements() as counted:
        dense(q, k, v, (7, 8))
    assert counted.largest > largest_of_double


def test_rotation_turns_the_first_channels_alone() -> None:
    rotary = RotaryHalves(4)
    x = torch.randn(1, 1, 6, 10)
    turned = rotary(x, rotary.angles(6))
    assert torch.equal(turned[..., 4:], x[..., 4:])
    for frame in range(6):
        for pair, rate in enumerate((1.0, 10_000**-0.5)):
            here = complex(float(x[0, 0, frame, pair]), float(x[0, 0, frame, pair + 2]))
            there = here * complex(math.cos(frame * rate), math.sin(frame * rate))
            assert turned[0, 0, frame, pair].item() == pytest.approx(there.real, abs=1e-5)
            assert turned[0, 0, frame, pair + 2].item() == pytest.approx(there.imag, abs=1e-5)


def test_what_a_frame_becomes_depends_on_distances_alone() -> None:
    attention = WindowedAttention(32, 16, 8, (2, 3)).eval()
    x = torch.randn(1, 40, 32)
    with torch.no_grad():
        whole, later = attention(x), attention(x[:, 10:])
    torch.testing.assert_close(later[:, 2:], whole[:, 12:], rtol=0, atol=2e-6)
    assert float((later[:, :2] - whole[:, 10:12]).abs().max()) > 1e-4


def test_heads_are_those_of_fused_attention() -> None:
    """A window as wide as the clip is torch's own attention."""
    q, k, v = heads(50)
    known = F.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(windowed_attention(q, k, v, (49, 49)), known)
    torch.testing.assert_close(windowed_attention(q, k, v, (50, 49), [50, 50]), known)
