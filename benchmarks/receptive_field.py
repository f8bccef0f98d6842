"""Receptive field and latency of a native model, measured: which input samples change a given output sample.

    decoder   one output sample <- which tokens          both by the gradient, in float64, of what comes out with
    encoder   one token <- which input samples           respect to what goes in

An input counts if the gradient there is not exactly 0. Encoder and decoder are measured apart and put together, since
rounding lies between them. The clip is doubled until what is seen lies inside of it; what still reaches an end of the
longest clip, or fades there below what float64 holds (an LSTM's past), is unlimited.

The output sample is the first of a token's hop, which waits longest: a token has to be complete. Latency is the time
from that sample to the last input sample that it needs, that one included; so a causal model of 25 tokens a second has
40 ms.

Which samples are seen is a matter of the model's geometry (kernels, strides, windows, depth), not of its weights and
widths, so that a narrow, randomly weighted model of the same geometry is measured: `narrow` makes one from a codec's
name, without its weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

Transform = Callable[[Tensor], Tensor]

_FADED = 1e-290
"""Gradients that have become smaller than this have nearly left what float64 holds, and further ones have."""


@dataclass(frozen=True)
class Layer:
    """A layer inside a model, to be measured alone: `[1, D, N]` to `[1, D, N]`."""

    transform: Transform
    channels: int
    rate_hz: float
    """Frames a second."""


@dataclass(frozen=True)
class Parts:
    """A model as two functions of float64 tensors, differentiable."""

    encode: Transform
    """Audio `[1, 1, N hop]` to features `[1, D, N]`, the bottleneck left out."""
    decode: Transform
    """Features `[1, D, N]` to audio `[1, 1, N hop]`."""
    channels: int
    """D."""
    hop: int
    sample_rate: int
    longest_tokens: int
    """Of the longest clip that is tried: what reaches its ends is unlimited."""
    layers: Mapping[str, Layer] = field(default_factory=dict[str, Layer])


@dataclass(frozen=True)
class Reach:
    """What one output sample is made of; infinite where it is not limited."""

    past_s: float
    """From the first input sample that counts to the output sample, that one excluded."""
    future_s: float
    """From the output sample to the last input sample that counts, both included: the latency."""
    tried_s: float
    """The longest clip that was tried, where something is not limited."""
    layer_s: float | None = None
    """The most that one layer sees, where layers were measured."""

    @property
    def total_s(self) -> float:
        return self.past_s + self.future_s


def measure(parts: Parts, first_tokens: int = 64) -> Reach:
    """The reach of a model. Nothing random but the input, which is the same each time."""
    hop, longest_tokens = parts.hop, parts.longest_tokens

    def decoded(tokens: int) -> tuple[float, float]:
        middle = tokens // 2
        seen = seen_steps(parts.decode, (1, parts.channels, tokens), [middle * hop])
        return _relative(seen, middle, tokens)

    def encoded(tokens: int) -> tuple[float, float]:
        middle = tokens // 2
        seen = seen_steps(parts.encode, (1, 1, tokens * hop), [middle])
        return _relative(seen, middle * hop, tokens * hop)

    first_token, last_token = _growing(decoded, first_tokens, longest_tokens)
    first_sample, last_sample = _growing(encoded, first_tokens, longest_tokens)
    past, future = -(first_token * hop + first_sample), last_token * hop + last_sample + 1
    layers = [_layer_s(layer, first_tokens, longest_tokens) for layer in parts.layers.values()]
    return Reach(
        past_s=past / parts.sample_rate,
        future_s=future / parts.sample_rate,
        tried_s=longest_tokens * hop / parts.sample_rate,
        layer_s=max(layers) if layers else None,
    )


def _layer_s(layer: Layer, first_frames: int, longest_frames: int) -> float:
    def seen(frames: int) -> tuple[float, float]:
        middle = frames // 2
        return _relative(seen_steps(layer.transform, (1, layer.channels, frames), [middle]), middle, frames)

    first, last = _growing(seen, first_frames, longest_frames)
    return (last - first + 1) / layer.rate_hz


def _growing(seen: Callable[[int], tuple[float, float]], steps: int, longest: int) -> tuple[float, float]:
    """What is seen, relative, in a clip that is long enough for it."""
    found = seen(steps)
    while math.inf in (-found[0], found[1]) and 2 * steps <= longest:
        steps *= 2
        found = seen(steps)
    return found


def _relative(seen: tuple[int, int, bool, bool], middle: int, steps: int) -> tuple[float, float]:
    first, last, faded_before, faded_behind = seen
    before = -math.inf if first == 0 or faded_before else first - middle
    behind = math.inf if last == steps - 1 or faded_behind else last - middle
    return before, behind


def seen_steps(transform: Transform, shape: Sequence[int], wanted: Sequence[int]) -> tuple[int, int, bool, bool]:
    """The first and the last step of the input, `shape` with time last, that change the output's steps `wanted`; and
    whether the gradient has faded out at either, so that steps beyond may count as well."""
    generator = torch.Generator().manual_seed(0)
    x = (0.1 * torch.randn(*shape, generator=generator, dtype=torch.float64)).requires_grad_()
    made = transform(x)[..., list(wanted)]
    # Weights of its own for each channel: what normalisation takes out must not cancel in the sum.
    weights = torch.randn(made.shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((made * weights).sum(), x)
    size = gradient.abs().amax(dim=tuple(range(gradient.dim() - 1)))
    counted = size.nonzero()[:, 0]
    if not len(counted):
        raise ValueError("The output does not depend on the input at all.")
    first, last = int(counted[0]), int(counted[-1])
    return first, last, float(size[first]) < _FADED, float(size[last]) < _FADED
