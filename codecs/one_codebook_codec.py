"""What native models of one codebook have in common behind the contract of a codec."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from .base import Encoded, Spec, check_audio, check_codebook
from .errors import WeightsCorrupt
from .fingerprint import fingerprint, sha256_of
from .frames import ceil_div, check_frames

_PACKAGE = Path(__file__).parent


class Config(Protocol):
    """What a model's hyper-parameters say of its tokens."""

    @property
    def sample_rate(self) -> int: ...
    @property
    def entries(self) -> int: ...
    @property
    def frame_rate_hz(self) -> float: ...


class OneCodebookCodec(ABC):
    """One operating point; how a model encodes and decodes a clip in blocks is its family's (`_encode_blocks`,
    `_decode_blocks`, `_features`)."""

    def __init__(self, spec: Spec, hop: int, codebook: str, identity: str) -> None:
        self.spec = spec
        self.fingerprint = identity
        self.codebook = codebook
        self._hop = hop

    @abstractmethod
    def _encode_blocks(self, blocks: Iterable[Tensor]) -> tuple[Tensor, int]:
        """Blocks `[1, 1, T_i]` of one clip to codes int64 `[1, 1, N]`, and the samples that there were."""

    @abstractmethod
    def _decode_blocks(self, codes: Tensor, length: int) -> Iterator[Tensor]:
        """Codes `[1, 1, N]` of one clip to blocks of its audio."""

    @abstractmethod
    def _features(self, codes: Tensor) -> Tensor:
        """Codes `[B, 1, N]` to the codebook's entries, float32 `[B, D, N]`."""

    def _frames(self, length: int) -> int:
        return ceil_div(length, self._hop)

    def encode(self, audio: Tensor) -> Encoded:
        check_audio(audio, self.spec)
        # One by one, as every adapter: what a clip becomes must not depend on the batch it is in.
        codes = torch.cat([self._encode_blocks([clip])[0] for clip in audio.split(1)])
        return Encoded((codes[:, 0],), audio.shape[-1], codebook=self.codebook)

    def encode_blocks(self, blocks: Iterable[Tensor]) -> Encoded:
        """Blocks `[1, 1, T_i]` of one clip to the tokens of the clip, in memory that does not grow with it."""
        codes, length = self._encode_blocks(blocks)
        return Encoded((codes[:, 0],), length, codebook=self.codebook)

    def decode(self, encoded: Encoded) -> Tensor:
        codes = self._codes(encoded)
        return torch.cat([torch.cat([*self._decode_blocks(clip, encoded.length)], -1) for clip in codes.split(1)])

    def decode_blocks(self, encoded: Encoded) -> Iterator[Tensor]:
        """Blocks `[1, 1, T_i]` of the audio of one clip: `decode`, in memory that does not grow with it."""
        return self._decode_blocks(self._codes(encoded), encoded.length)

    def embed(self, encoded: Encoded) -> Tensor:
        """The codebook's entries, float32 `[B, D, N]`: what the decoder is given."""
        return self._features(self._codes(encoded))

    def _codes(self, encoded: Encoded) -> Tensor:
        check_codebook(encoded, self.spec.name, self.codebook)
        check_frames(encoded, self.spec, self._frames)
        return encoded.codes[0][:, None]


def check_model(checkpoint: Path, config: Config, spec: Spec) -> None:
    """Raise WeightsCorrupt unless the model of a checkpoint is what the spec declares."""
    found = (config.sample_rate, (config.frame_rate_hz,), (config.entries,))
    if found != (spec.sample_rate, spec.frame_rates, spec.codebook_sizes):
        raise WeightsCorrupt(
            f"{checkpoint} is not {spec.name}: it has {config.entries} entries at {config.frame_rate_hz:g} Hz, "
            f"{config.sample_rate} Hz audio."
        )


def identity_of(spec: Spec, adapter: str, sources: Sequence[str], weights_digest: str, *settings: object) -> str:
    """The fingerprint of a codec whose codes and audio hang on the files `sources` (patterns in this folder), and on
    `settings`: hyper-parameters, of which not all show in the weights, and what the name of the codec chooses."""
    paths = sorted(path for pattern in (Path(__file__).name, *sources) for path in _PACKAGE.glob(pattern))
    # The tensors, not the file: a checkpoint and what it was converted to are one codec.
    parts = (weights_digest, *map(repr, settings), *(sha256_of(path) for path in paths))
    return fingerprint(spec.name, adapter=adapter, packages=("torch",), parts=parts)
