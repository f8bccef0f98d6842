"""UniCodec behind the contract of a codec: one checkpoint and one domain, or none, are one operating point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from .base import Encoded, Spec, check_audio, check_codebook
from .errors import WeightsCorrupt
from .fingerprint import fingerprint, sha256_of
from .frames import ceil_div, check_frames
from .model_cache import shared
from .unicodec import UniCodec
from .unicodec_long import decode_blocks, encode_blocks

_PACKAGE = Path(__file__).parent
_SOURCES = (
    "unicodec.py",
    "unicodec_long.py",
    "unicodec_names.py",
    "wavtokenizer_long.py",
    "long_audio.py",
    "domains.py",
    "layers/*.py",
    "quantizers/*.py",
)
"""What decides codes and audio, beside this file."""


class UniCodecCodec:
    """One checkpoint, whose tokens are searched in one domain's part of the codebook, or in all of it."""

    def __init__(self, spec: Spec, model: UniCodec, domain: str | None, identity: str) -> None:
        self.spec = spec
        self.fingerprint = identity
        self.codebook = model.codebook_fingerprint
        self.model = model
        self.domain = domain

    def _frames(self, length: int) -> int:
        return ceil_div(length, self.model.config.hop)

    def encode(self, audio: Tensor) -> Encoded:
        check_audio(audio, self.spec)
        # One by one, as every adapter: what a clip becomes must not depend on the batch it is in.
        codes = torch.cat([self._encode_blocks([clip])[0] for clip in audio.split(1)])
        return Encoded((codes[:, 0],), audio.shape[-1], codebook=self.codebook)

    def encode_blocks(self, blocks: Iterable[Tensor]) -> Encoded:
        """Blocks `[1, 1, T_i]` of one clip to the tokens of the clip, in memory that does not grow with it."""
        codes, length = self._encode_blocks(blocks)
        return Encoded((codes[:, 0],), length, codebook=self.codebook)

    def _encode_blocks(self, blocks: Iterable[Tensor]) -> tuple[Tensor, int]:
        return encode_blocks(self.model, blocks, self.domain)

    def decode(self, encoded: Encoded) -> Tensor:
        codes = self._codes(encoded)
        clips = [torch.cat([*decode_blocks(self.model, clip, encoded.length)], -1) for clip in codes.split(1)]
        return torch.cat(clips)

    def decode_blocks(self, encoded: Encoded) -> Iterator[Tensor]:
        """Blocks `[1, 1, T_i]` of the audio of one clip: `decode`, in memory that does not grow with it."""
        return decode_blocks(self.model, self._codes(encoded), encoded.length)

    def embed(self, encoded: Encoded) -> Tensor:
        """The codebook's entries, float32 `[B, D, N]`: what the decoder is given."""
        return self.model.codes_to_features(self._codes(encoded))

    def _codes(self, encoded: Encoded) -> Tensor:
        check_codebook(encoded, self.spec.name, self.codebook)
        check_frames(encoded, self.spec, self._frames)
        return encoded.codes[0][:, None]


def load(spec: Spec, checkpoint: Path, domain: str, device: str) -> UniCodecCodec:
    """The codec of one checkpoint and domain ("": none). Raises WeightsMissing, WeightsCorrupt."""
    model = shared(
        ("unicodec", str(checkpoint.resolve()), checkpoint.stat().st_mtime_ns, device),
        lambda: UniCodec.from_checkpoint(checkpoint).to(device),
    )
    config = model.config
    if (config.sample_rate, (config.frame_rate_hz,), (config.entries,)) != (
        spec.sample_rate,
        spec.frame_rates,
        spec.codebook_sizes,
    ):
        raise WeightsCorrupt(
            f"{checkpoint} is not {spec.name}: it has {config.entries} entries at {config.frame_rate_hz:g} Hz, "
            f"{config.sample_rate} Hz audio."
        )
    return UniCodecCodec(spec, model, domain or None, _identity(spec, model))


def _identity(spec: Spec, model: UniCodec) -> str:
    sources = sorted(path for pattern in _SOURCES for path in _PACKAGE.glob(pattern))
    # The tensors, not the file: a checkpoint and what it was converted to are one codec.
    identities = (model.weights_digest, *(sha256_of(path) for path in sources))
    return fingerprint(spec.name, adapter=__file__, packages=("torch",), parts=identities)
