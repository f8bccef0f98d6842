"""What the convolutional discriminators share: a stack with leaky rectifiers, projection conditioning, spectra.

The rectifiers (slope 0.1) work in place: the gradient of a convolution needs its input, not its output, so that every
activation is kept once and not twice.

Spectra have a **rectangular** window, frames centred and mirrored at both ends: neither published discriminator gives
`torch.stft` a window. They are computed in float32 under autocast too.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .judgement import Judgements, in_float32

SLOPE = 0.1


def activations(convs: Iterable[nn.Module], inputs: tuple[Tensor, ...]) -> list[tuple[Tensor, ...]]:
    """What every layer of a stack of `WeightNormConv2d` gives, rectified, for each of the inputs."""
    outputs: list[tuple[Tensor, ...]] = []
    for conv in convs:
        inputs = tuple(F.leaky_relu(x, SLOPE, inplace=True) for x in conv(*inputs))
        outputs.append(inputs)
    return outputs


def in_sequences(convs: Iterable[nn.Module]) -> nn.ModuleList:
    """Each layer in a list of its own: the key `0` that DAC's checkpoints have between a layer and its weights."""
    return nn.ModuleList(nn.ModuleList([conv]) for conv in convs)


def firsts(stages: nn.Module) -> list[nn.Module]:
    """The layers of `in_sequences`."""
    return [next(stage.children()) for stage in stages.children()]


def condition_table(conditions: int, channels: int) -> nn.Embedding | None:
    """The vectors of `projection`, zero at first; None where there are no conditions."""
    if not conditions:
        return None
    table = nn.Embedding(conditions, channels)
    nn.init.zeros_(table.weight)
    return table


def projection(table: nn.Embedding, condition: Tensor, x: Tensor) -> Tensor:
    """How well the features `x` `[B, C, H, W]` suit a condition (int64 `[1]` or `[B]`): `[B, 1, H, W]`.

    Projection discriminator: T. Miyato and M. Koyama, "cGANs with Projection Discriminator", ICLR 2018.
    """
    vectors = table(condition)[:, :, None, None]
    return (vectors * x).sum(dim=1, keepdim=True)


def rectangular_spectrum(audio: Tensor, n_fft: int, hop: int) -> Tensor:
    """Audio `[B, 1, T]`, T > n_fft / 2, to complex `[B, 1 + n_fft / 2, 1 + T // hop]`."""
    with torch.autocast(audio.device.type, enabled=False):
        signal = in_float32(audio[:, 0])
        window = torch.ones(n_fft, dtype=signal.dtype, device=signal.device)
        return torch.stft(signal, n_fft, hop, n_fft, window, center=True, pad_mode="reflect", return_complex=True)


class Ensemble(nn.Module):
    """Several discriminators that hear the same audio; keys `discriminators.0.` and so on."""

    def __init__(self, discriminators: Iterable[nn.Module]) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(discriminators)

    def forward(self, *audios: Tensor, condition: Tensor | None = None) -> tuple[Judgements, ...]:
        """Audio `[B, 1, T]`, the judgements of all discriminators a signal; none of an empty ensemble."""
        judged = [discriminator(*audios, condition=condition) for discriminator in self.discriminators]
        return tuple(tuple(judgements[signal] for judgements in judged) for signal in range(len(audios)))
