"""The layers of DistillMOS as features of the perceptual loss, where WavLM cannot be had: its weights are in a package.

    audio 16 kHz, at its own peak -> compressed spectra -> 6 convolutions -> normalised, linear -> 7 transformer layers
                                                           each rectified                           each one a layer

It is a small model (4 million weights) that was taught to judge speech as a large one does that stands on XLS-R; WavLM
has learnt to predict speech itself, and says more of words. What comes of a TAAE finetuned in these features is not
what the paper has.

The convolutions are the package's. Behind them the package pads every clip to 7.68 s, 384 frames; here a crop is as
long as it is, with the first of their positions, so that nothing is paid for silence.

Source: B. Stahl and H. Gamper, "Distillation and Pruning for Scalable Self-Supervised Representation-Based Speech
Quality Assessment", ICASSP 2025; package distillmos (MIT), variant 7.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codeczoo.codecs.errors import InvalidAudio

from .judgement import in_float32

_FRAME, _HOP = 320, 160
_COMPRESSION = 0.3
_LEAST_MAGNITUDE = 1e-12
_LEAST_PEAK = 1e-8
_LONGEST_FRAMES = 384


class DistillMosFeatures(nn.Module):
    """A `codeczoo.codecs.training.perceptual.FeatureModel`: `features = "codeczoo....:DistillMosFeatures"`."""

    sample_rate = 16_000

    def __init__(self) -> None:
        super().__init__()
        from distillmos import ConvTransformerSQAModel

        # The constructor prints where the weights lie.
        with contextlib.redirect_stdout(io.StringIO()):
            whole: Any = ConvTransformerSQAModel()
        self.convolutions: Any = whole.cnn.cnn
        self.normalise: Any = whole.transformer_pool_attn.norm_input
        self.transformer: Any = whole.transformer_pool_attn.transformer
        self.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode: batch normalisation would follow the crops."""
        return super().train(False)

    def forward(self, audio: Tensor) -> Sequence[Tensor]:
        """Audio `[B, 1, T]` to the six maps `[B, C, F, N]` and the seven layers `[B, N / 2, 200]`.

        Raises InvalidAudio where audio is longer than what the model was trained on.
        """
        longest = _LONGEST_FRAMES * 2 * _HOP
        if not _FRAME <= audio.shape[-1] <= longest:
            raise InvalidAudio(f"DistillMOS sees crops of {_FRAME} to {longest} samples; got {audio.shape[-1]}.")
        maps: list[Tensor] = []
        x = self._spectrum(audio)
        for layer in self.convolutions:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                maps.append(x)
        frames = x.flatten(1, 2)
        x = self.transformer.norm(self.normalise(frames)).transpose(1, 2)
        x = self.transformer.linear_proj(x)
        x = x + self.transformer.position_encoding.pe[:, : x.shape[1]]
        for layer in self.transformer.transformer_encoder.layers:
            x = layer(x)
            maps.append(x)
        return maps

    def _spectrum(self, audio: Tensor) -> Tensor:
        """`[B, 2, 161, N]`: real and imaginary part at the magnitude's power of 0.3."""
        with torch.autocast(audio.device.type, enabled=False):
            signal = in_float32(audio[:, 0])
            signal = signal / (signal.abs().amax(dim=1, keepdim=True) + _LEAST_PEAK)
            margin = (_FRAME - _HOP) // 2
            signal = F.pad(signal, (margin, margin), mode="reflect")
            window = torch.hann_window(_FRAME, device=signal.device)
            bins = torch.stft(signal, _FRAME, _HOP, window=window, center=False, return_complex=True)
            parts = torch.view_as_real(bins)
            # Held up before the root, whose slope at 0 is infinite: the package's has no gradient for silence.
            power = parts.square().sum(dim=-1, keepdim=True).clamp_min(_LEAST_MAGNITUDE**2)
            return (parts * power ** ((_COMPRESSION - 1) / 2)).permute(0, 3, 1, 2)
