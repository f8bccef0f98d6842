"""TAAE behind the contract of a codec: one checkpoint in one preset.

The level. The model hears speech at -20 LUFS, as its published interface gives it a file: the adapter brings each clip
there, sends the gain beside the tokens (`Encoded.side["gain"]`, one float32 a clip), and undoes it after decoding, so
that what comes back has the level of what was given.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from .base import Encoded, Spec, check_audio, check_codebook
from .errors import InvalidTokens, WeightsCorrupt
from .fingerprint import fingerprint, sha256_of
from .frames import ceil_div, check_frames
from .loudness import gain_to
from .model_cache import of_file, shared
from .taae import TAAE, TAAEConfig
from .taae_config import LOUDNESS_LUFS

_PACKAGE = Path(__file__).parent
_SOURCES = (
    "taae.py",
    "taae_config.py",
    "taae_networks.py",
    "loudness.py",
    "layers/convolution.py",
    "layers/gated_mlp.py",
    "layers/patches.py",
    "layers/rotary.py",
    "layers/strided.py",
    "layers/weight_norm.py",
    "layers/windowed_attention.py",
    "layers/windowed_transformer.py",
    "layers/zero_padded.py",
    "quantizers/base.py",
    "quantizers/digits.py",
    "quantizers/finite_scalar.py",
)
"""What decides codes and audio, beside this file: with all that is imported of layers and quantizers."""


class TAAECodec:
    """One checkpoint in one preset."""

    def __init__(self, spec: Spec, preset: str, model: TAAE, identity: str) -> None:
        self.spec = spec
        self.preset = preset
        self.fingerprint = identity
        self.codebook = model.codebook_fingerprint
        self.model = model

    def encode(self, audio: Tensor) -> Encoded:
        check_audio(audio, self.spec)
        gains = [gain_to(LOUDNESS_LUFS, clip[0].cpu().numpy(), self.spec.sample_rate) for clip in audio]
        # One by one, as every adapter: what a clip becomes must not depend on the batch it is in.
        clips = zip(audio.split(1), gains, strict=True)
        codes = torch.cat([self.model.encode(clip * gain, preset=self.preset) for clip, gain in clips])
        side = {"gain": torch.tensor(gains, dtype=torch.float32, device=audio.device)}
        return Encoded(tuple(codes.unbind(1)), audio.shape[-1], side=side, codebook=self.codebook)

    def decode(self, encoded: Encoded) -> Tensor:
        codes = self._codes(encoded)
        gain = encoded.side.get("gain")
        if gain is None or gain.shape != (len(codes),) or not bool((gain.isfinite() & (gain > 0)).all()):
            raise InvalidTokens(f"Tokens of {self.spec.name} have beside them a `gain` above 0 for each clip, `[B]`.")
        clips = [self.model.decode(clip, encoded.length, self.preset) for clip in codes.split(1)]
        return torch.cat(clips) / gain.to(codes.device)[:, None, None]

    def embed(self, encoded: Encoded) -> Tensor:
        """Latents, float32 `[B, D, N]`: what the decoder is given."""
        return self.model.codes_to_latents(self._codes(encoded), self.preset)

    def _codes(self, encoded: Encoded) -> Tensor:
        check_codebook(encoded, self.spec.name, self.codebook)
        check_frames(encoded, self.spec, lambda length: ceil_div(length, self.model.config.hop))
        return torch.stack(encoded.codes, dim=1)


def load(spec: Spec, preset: str, config: TAAEConfig, checkpoint: Path, device: str) -> TAAECodec:
    """The codec of one checkpoint. Raises WeightsMissing, WeightsCorrupt."""
    if not checkpoint.is_file():
        raise WeightsCorrupt(f"{checkpoint} is not there any more.")
    model = shared(
        ("taae", of_file(checkpoint), device),
        lambda: TAAE.from_checkpoint(checkpoint, config).to(device),
    )
    sources = sorted(path for pattern in _SOURCES for path in _PACKAGE.glob(pattern))
    parts = (model.weights_digest, repr(model.config), *(sha256_of(path) for path in sources))
    identity = fingerprint(spec.name, adapter=__file__, packages=("torch", "scipy"), parts=parts)
    return TAAECodec(spec, preset, model, identity)
