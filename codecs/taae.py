"""TAAE (Parker et al., 2024, arXiv 2411.19842), published as Stable Codec: speech at 400 to 1000 bits a second.

    audio -> patches -> transformer encoder -> FSQ -> transformer decoder -> patches -> audio
             (B.4)      (section 3.1)          (3.2)

Notation of shapes: `codeczoo.codecs.base`. A clip of T samples is ceil(T / hop) tokens a stage: it is completed by
zeros to whole tokens, as the published `encode` of a file does (that of a tensor drops what is left over).

Tokens are made by a preset (`codeczoo.codecs.taae_config`): the native one, 17^6 entries in one token, or residual
stages of few levels, which are no other model. `encode_continuous` leaves the rounding out.

Source: the paper, https://github.com/Stability-AI/stable-codec (MIT) at commit 8535544 and the library it stands on,
https://github.com/Stability-AI/stable-audio-tools (MIT) at 50049e3. What differs: attention keeps to its window on any
device (the published code does so with FlashAttention alone, and attends to everything without); tokens are computed in
integers (the published ones went through float32, which made up to a quarter of native tokens wrong).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import model_input
from .errors import CodecError, InvalidTokens
from .layers.patches import from_patches, to_patches
from .layers.weight_norm import fold_weight_norm
from .quantizers.base import Quantizer
from .quantizers.finite_scalar import FiniteScalarQuantizer
from .taae_config import NATIVE, TAAEConfig
from .taae_networks import Decoder, Encoder


@dataclass(frozen=True)
class Reconstruction:
    """What a training forward gives."""

    audio: Tensor
    """Float32 `[B, 1, T]`, as long as what was given."""
    codes: Tensor
    """int64 `[B, K, N]`."""
    latents: Tensor
    """Float `[B, D, N]`, before the bottleneck."""
    statistics: Mapping[str, Tensor]
    """Of the codebook's use by this batch."""


class TAAE(nn.Module):
    """One model: `encoder`, `quantizer`, `decoder`."""

    def __init__(self, config: TAAEConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TAAEConfig()
        self.encoder = Encoder(config)
        self.quantizer: Quantizer = FiniteScalarQuantizer(config.levels)
        """What `forward` goes through; training puts its own here."""
        self.decoder = Decoder(config)
        self._quantizers = {name: FiniteScalarQuantizer(*config.quantization(name)) for name in config.presets}
        self.weights_digest = ""
        """Of a model from a checkpoint: SHA-256 of its tensors as they were read."""

    @classmethod
    def from_checkpoint(
        cls, path: str | Path, config: TAAEConfig | Mapping[str, Any] | None = None, *, trainable: bool = False
    ) -> TAAE:
        """The model of a `.safetensors`, or of a `.ckpt` of PyTorch, under the published tensor names, in eval mode.

        `config` is what the tensors do not say (heads, window, strides), as a table such as `TAAEConfig.from_table`
        reads; None: what the file states of itself, else the published model. `trainable` keeps the weight norm, which
        is folded otherwise. Raises WeightsMissing, WeightsCorrupt, CodecError.
        """
        from .checkpoint_layout import digest
        from .taae_checkpoint import read

        if isinstance(config, Mapping):
            config = TAAEConfig.from_table(config)
        config, tensors = read(Path(path), config)
        # Made without memory first: drawing a thousand million initial weights would take longer than reading them.
        with torch.device("meta"):
            model = cls(config)
        model.load_state_dict(tensors, assign=True)
        model.weights_digest = digest(tensors)
        return model.eval() if trainable else model.for_inference()

    def for_inference(self) -> TAAE:
        """This model in eval mode, without gradients and with weight norm folded into the kernels; not to train on."""
        fold_weight_norm(self)
        return self.eval().requires_grad_(False)

    def forward(self, audio: Tensor) -> Reconstruction:
        """Audio float `[B, 1, T]` through the whole model, with gradients: what training calls."""
        latents = self.latents(audio)
        found = self.quantizer(latents)
        estimate = self.synthesise(found.quantized, audio.shape[-1])
        return Reconstruction(estimate, found.codes, latents, found.statistics)

    @torch.no_grad()
    def encode(self, audio: Tensor, lengths: Sequence[int] | None = None, preset: str = NATIVE) -> Tensor:
        """Audio float `[B, 1, T]` to codes int64 `[B, K, ceil(T / hop)]`, one row a stage of the preset.

        With `lengths`, the samples of each clip of a padded batch, every clip gets the codes that it gets alone, and
        zeros behind its ceil(length / hop) codes. Raises InvalidAudio, CodecError.
        """
        quantizer = self._quantizer(preset)
        latents = self._latents_apart(audio, lengths)
        codes = quantizer.encode(latents)
        return codes if lengths is None else self._ended(codes, lengths)

    @torch.no_grad()
    def encode_continuous(self, audio: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """The same without rounding: latents float32 `[B, D, N]` in [-1, 1], zeros behind a clip's end. `synthesise`
        makes audio of them. Raises InvalidAudio."""
        latents = self._latents_apart(audio, lengths).float().tanh()
        return latents if lengths is None else self._ended(latents, lengths)

    def _latents_apart(self, audio: Tensor, lengths: Sequence[int] | None) -> Tensor:
        self.check_audio(audio, lengths)
        if audio.device.type != "cpu":
            return self.latents(audio, lengths)
        # A batch gains a CPU nothing, and a latent near the middle of two levels may not hang on who else is in it.
        frames = self.frames(audio.shape[-1])
        clips = zip(audio.split(1), lengths or [audio.shape[-1]] * len(audio), strict=True)
        alone = [self.latents(clip[..., :length]) for clip, length in clips]
        return torch.cat([F.pad(latents, (0, frames - latents.shape[-1])) for latents in alone])

    def _ended(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        ends = torch.tensor([self.frames(length) for length in lengths], device=x.device)[:, None, None]
        return x.masked_fill(torch.arange(x.shape[-1], device=x.device) >= ends, 0)

    def latents(self, audio: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """Audio `[B, 1, T]` to what the bottleneck is given, float `[B, D, ceil(T / hop)]`, with gradients."""
        audio = audio.to(_dtype(self.encoder))
        patches = to_patches(audio, self.config.patch, self.config.ratio)
        if lengths is None:
            return self.encoder(patches)
        ends = torch.tensor(lengths, device=audio.device)[:, None, None]
        audio = audio.masked_fill(torch.arange(audio.shape[-1], device=audio.device) >= ends, 0)
        patches = to_patches(audio, self.config.patch, self.config.ratio)
        return self.encoder(patches, [self.frames(length) * self.config.ratio for length in lengths])

    @torch.no_grad()
    def decode(self, codes: Tensor, length: int | None = None, preset: str = NATIVE) -> Tensor:
        """Codes int64 `[B, K, N]` of a preset to audio float32 `[B, 1, length]`; None: all that the decoder gives, N
        hop samples (less at odd strides). Raises InvalidTokens, CodecError."""
        self.check_codes(codes, length, preset)
        return self.synthesise(self.codes_to_latents(codes, preset), length)

    @torch.no_grad()
    def codes_to_latents(self, codes: Tensor, preset: str = NATIVE) -> Tensor:
        """What the decoder is given: codes `[B, K, N]` to float32 `[B, D, N]`. Raises InvalidTokens, CodecError."""
        self.check_codes(codes, None, preset)
        return self._quantizer(preset).decode(codes)

    def synthesise(self, latents: Tensor, length: int | None = None) -> Tensor:
        """Latents `[B, D, N]` to audio float32 `[B, 1, length]`, with gradients; zeros complete what the decoder does
        not give of it (odd strides)."""
        audio = from_patches(self.decoder(latents.to(_dtype(self.decoder)))).float()
        if length is None:
            return audio
        return F.pad(audio[..., :length], (0, max(0, length - audio.shape[-1])))

    def frames(self, samples: int) -> int:
        """Tokens a stage for so many samples."""
        return -(-samples // self.config.hop)

    def _quantizer(self, preset: str) -> FiniteScalarQuantizer:
        if preset not in self._quantizers:
            self.config.quantization(preset)
        return self._quantizers[preset]

    @property
    def codebook_fingerprint(self) -> str:
        """16 hexadecimal digits that tell this model's tokens from any other's: FSQ's levels are the same everywhere,
        what they mean is in the weights. Empty for a model that was not read from a file."""
        return self.weights_digest[:16]

    def check_audio(self, audio: Tensor, lengths: Sequence[int] | None = None) -> None:
        """Raise InvalidAudio unless this is finite float `[B, 1, T]`, and `lengths` are B numbers of 1 to T."""
        model_input.check_audio("TAAE", audio, lengths)

    def check_codes(self, codes: Tensor, length: int | None = None, preset: str = NATIVE) -> None:
        """Raise InvalidTokens unless these are int64 `[B, K, N]` of the preset, and N codes for `length` samples."""
        sizes = self._quantizer(preset).codebook_sizes
        shape = tuple(codes.shape)
        if codes.dim() != 3 or shape[1] != len(sizes) or codes.dtype != torch.int64 or 0 in shape:
            raise InvalidTokens(
                f"TAAE's preset {preset} has int64 codes [B, {len(sizes)}, N]; got {codes.dtype} {shape}."
            )
        low, high = int(codes.min()), int(codes.max())
        if low < 0 or high >= sizes[0]:
            raise InvalidTokens(f"A stage of the preset {preset} has {sizes[0]} entries; got codes {low} to {high}.")
        samples = shape[2] * self.config.hop
        if length is not None and not samples - self.config.hop < length <= samples:
            least = samples - self.config.hop + 1
            raise InvalidTokens(f"{shape[2]} codes stand for {least} to {samples} samples; got a length of {length}.")


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype


__all__ = ["NATIVE", "TAAE", "CodecError", "Reconstruction", "TAAEConfig"]
