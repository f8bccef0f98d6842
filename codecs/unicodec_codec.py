"""UniCodec behind the contract of a codec: one checkpoint and one domain, or none, are one operating point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor

from .base import Spec
from .model_cache import of_file, shared
from .one_codebook_codec import OneCodebookCodec, check_model, identity_of
from .unicodec import UniCodec
from .unicodec_long import decode_blocks, encode_blocks

_SOURCES = (
    "unicodec.py",
    "unicodec_long.py",
    "wavtokenizer_long.py",
    "long_audio.py",
    "window_length.py",
    "domains.py",
    "layers/attention.py",
    "layers/convnext.py",
    "layers/convolution.py",
    "layers/expert_transformer.py",
    "layers/experts.py",
    "layers/fourier_head.py",
    "layers/frame_config.py",
    "layers/rotary.py",
    "layers/seanet.py",
    "layers/short_convolution.py",
    "layers/strided.py",
    "layers/tiles.py",
    "layers/vocos.py",
    "layers/weight_norm.py",
    "quantizers/base.py",
    "quantizers/partitioned.py",
    "quantizers/search.py",
    "quantizers/shared_rows.py",
    "quantizers/sim.py",
)
"""What decides codes and audio, beside this file: with all that is imported of layers and quantizers."""


class UniCodecCodec(OneCodebookCodec):
    """One checkpoint, whose tokens are searched in one domain's part of the codebook, or in all of it."""

    def __init__(self, spec: Spec, model: UniCodec, domain: str | None, identity: str) -> None:
        super().__init__(spec, model.config.hop, model.codebook_fingerprint, identity)
        self.model = model
        self.domain = domain

    def _encode_blocks(self, blocks: Iterable[Tensor]) -> tuple[Tensor, int]:
        return encode_blocks(self.model, blocks, self.domain)

    def _decode_blocks(self, codes: Tensor, length: int) -> Iterator[Tensor]:
        return decode_blocks(self.model, codes, length)

    def _features(self, codes: Tensor) -> Tensor:
        return self.model.codes_to_features(codes)


def load(spec: Spec, checkpoint: Path, domain: str, device: str) -> UniCodecCodec:
    """The codec of one checkpoint and domain ("": none). Raises WeightsMissing, WeightsCorrupt."""
    model = shared(
        ("unicodec", of_file(checkpoint), device),
        lambda: UniCodec.from_checkpoint(checkpoint).to(device),
    )
    check_model(checkpoint, model.config, spec)
    identity = identity_of(spec, __file__, _SOURCES, model.weights_digest, model.config, domain)
    return UniCodecCodec(spec, model, domain or None, identity)
