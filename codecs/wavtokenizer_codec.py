"""WavTokenizer behind the contract of a codec: one checkpoint, one operating point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor

from .base import Spec
from .model_cache import of_file, shared
from .one_codebook_codec import OneCodebookCodec, check_model, identity_of
from .wavtokenizer import WavTokenizer
from .wavtokenizer_long import decode_blocks, encode_blocks
from .window_length import WINDOW_S

_SOURCES = (
    "wavtokenizer.py",
    "wavtokenizer_long.py",
    "long_audio.py",
    "window_length.py",
    "layers/attention.py",
    "layers/convnext.py",
    "layers/convolution.py",
    "layers/fourier_head.py",
    "layers/frame_config.py",
    "layers/seanet.py",
    "layers/short_convolution.py",
    "layers/strided.py",
    "layers/tiles.py",
    "layers/vocos.py",
    "layers/weight_norm.py",
    "quantizers/base.py",
    "quantizers/k_means.py",
    "quantizers/search.py",
    "quantizers/shared_rows.py",
    "quantizers/vector.py",
)
"""What decides codes and audio, beside this file: with all that is imported of layers and quantizers."""


class WavTokenizerCodec(OneCodebookCodec):
    """One checkpoint."""

    def __init__(self, spec: Spec, model: WavTokenizer, identity: str) -> None:
        super().__init__(spec, model.config.hop, model.codebook_fingerprint, identity)
        self.model = model

    def _encode_blocks(self, blocks: Iterable[Tensor]) -> tuple[Tensor, int]:
        return encode_blocks(self.model, blocks, WINDOW_S)

    def _decode_blocks(self, codes: Tensor, length: int) -> Iterator[Tensor]:
        return decode_blocks(self.model, codes, length)

    def _features(self, codes: Tensor) -> Tensor:
        return self.model.codes_to_features(codes)


def load(spec: Spec, checkpoint: Path, device: str) -> WavTokenizerCodec:
    """The codec of one checkpoint. Raises WeightsMissing, WeightsCorrupt."""
    model = shared(
        ("wavtokenizer", of_file(checkpoint), device),
        lambda: WavTokenizer.from_checkpoint(checkpoint).to(device),
    )
    check_model(checkpoint, model.config, spec)
    return WavTokenizerCodec(spec, model, identity_of(spec, __file__, _SOURCES, model.weights_digest, model.config))
