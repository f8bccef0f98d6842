"""EnCodec (Défossez et al., 2022, arXiv 2210.13438) through its own package, encodec 0.1.1.

Conventions. `encodec:24khz` is mono and causal: 320 samples a frame, 75 frames a second, ceil(T / 320) frames.
`encodec:48khz` is stereo: the clip is cut into chunks of 48 000 samples that start every 47 520 (1 % overlap); each
chunk is divided by the RMS of its mono mix, which is sent beside its codes as one float32, and coded at 150 frames a
second on its own. So 150 frames stand for 0.99 s: the real rate is the nominal one divided by 0.99, and that is what
`Spec` declares. A rate's name is the nominal one, as in the paper: `6kbps`; `8q` names the same point by its codebooks.

The package keeps the bandwidth as a state of the model. Operating points share one model here, so the state is never
set: the number of codebooks is given to the quantizer at each call.

Items of a batch are coded one by one: a convolution over a batch may round otherwise than over one item, and one
rounding can flip a code and all codes of the residual after it.

Source: https://github.com/facebookresearch/encodec (model.py, quantization/core_vq.py), the wheel encodec 0.1.1.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .base import Codec, Encoded, Family, Spec, check_audio
from .errors import InvalidTokens, WeightsCorrupt
from .fingerprint import fingerprint
from .frames import ceil_div, check_frames
from .model_cache import shared
from .weights import WeightFile, Weights, find, fingerprint_parts

if TYPE_CHECKING:
    from encodec.model import EncodecModel
    from torch import Tensor

HOP = 320
ENTRIES = 1024
_BASE_URL = "https://dl.fbaipublicfiles.com/encodec/v0/"


@dataclass(frozen=True)
class _Variant:
    name: str
    sample_rate: int
    channels: int
    nominal_frame_rate_hz: int
    codebooks: dict[str, int]
    """Rate -> codebooks."""
    parameters: int
    causal: bool
    latency_s: float
    domain: str
    training_data: str
    notes: str
    weights: Weights
    segment: int = 0
    """Samples of a chunk; 0: the clip is one chunk."""
    stride: int = 0


@dataclass(frozen=True)
class Chunks:
    """How a clip is cut: chunks of `segment` samples, one every `stride`; a last one may hold a single sample."""

    segment: int
    stride: int

    def spans(self, length: int) -> list[tuple[int, int]]:
        """First and one-past-last sample of every chunk of a clip of `length` samples."""
        if not self.segment:
            return [(0, length)]
        return [(start, min(start + self.segment, length)) for start in range(0, length, self.stride)]

    def frames(self, length: int, hop: int) -> list[int]:
        """Frames of every chunk."""
        return [ceil_div(stop - start, hop) for start, stop in self.spans(length)]


class EncodecCodec:
    """One rate of one EnCodec model."""

    def __init__(self, spec: Spec, model: EncodecModel, chunks: Chunks, identity: str) -> None:
        self.spec = spec
        self.fingerprint = identity
        self._model = model
        self._chunks = chunks

    def encode(self, audio: Tensor) -> Encoded:
        import torch

        check_audio(audio, self.spec)
        with torch.no_grad():
            items = [self._encode_item(item) for item in audio.split(1)]
        codes = torch.cat([codes for codes, _ in items])
        side = {"scale": torch.cat([scale for _, scale in items])} if self._model.normalize else {}
        return Encoded(tuple(codes.unbind(1)), audio.shape[-1], side=side)

    def _encode_item(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """[1, C, T] to codes [1, K, N] of all chunks, and their scales [1, chunks]."""
        import torch

        codes, scales = [], []
        for start, stop in self._chunks.spans(audio.shape[-1]):
            chunk = audio[:, :, start:stop]
            scale = torch.ones(1, 1, device=audio.device)
            if self._model.normalize:
                scale = 1e-8 + chunk.mean(dim=1).pow(2).mean(dim=1, keepdim=True).sqrt()
                chunk = chunk / scale.view(-1, 1, 1)
            latent = self._model.encoder(chunk)
            codes.append(self._model.quantizer.vq.encode(latent, n_q=self.spec.n_codebooks).transpose(0, 1))
            scales.append(scale)
        return torch.cat(codes, dim=2), torch.cat(scales, dim=1)

    def decode(self, encoded: Encoded) -> Tensor:
        import torch

        codes = self._codes(encoded)
        scales = self._scales(encoded)
        frames = self._chunks.frames(encoded.length, HOP)
        with torch.no_grad():
            decoded = []
            for item in range(encoded.batch_size):
                chunks = codes[item : item + 1].split(frames, dim=2)
                scale = [None] * len(chunks) if scales is None else scales[item].view(-1, 1, 1).unbind()
                decoded.append(self._model.decode(list(zip(chunks, scale, strict=True)))[:, :, : encoded.length])
        return torch.cat(decoded)

    def embed(self, encoded: Encoded) -> Tensor:
        """The sum of codebook vectors, float32 `[B, 128, N]`: what the decoder is given (scales are applied after)."""
        import torch

        with torch.no_grad():
            return self._model.quantizer.decode(self._codes(encoded).transpose(0, 1))

    def _codes(self, encoded: Encoded) -> Tensor:
        import torch

        check_frames(encoded, self.spec, lambda length: sum(self._chunks.frames(length, HOP)))
        return torch.stack(encoded.codes, dim=1)

    def _scales(self, encoded: Encoded) -> Tensor | None:
        if not self._model.normalize:
            return None
        scale = encoded.side.get("scale")
        expected = (encoded.batch_size, len(self._chunks.spans(encoded.length)))
        if scale is None or tuple(scale.shape) != expected:
            got = None if scale is None else tuple(scale.shape)
            raise InvalidTokens(f"{self.spec.name} needs side['scale'], float32 {expected} [B, chunks]; got {got}.")
        return scale


def _describe(variant: _Variant, rate: str) -> Spec:
    chunk_share = variant.stride / variant.segment if variant.segment else 1.0
    count = variant.codebooks[rate]
    return Spec(
        name=f"encodec:{variant.name}@{rate}",
        sample_rate=variant.sample_rate,
        channels=variant.channels,
        frame_rates=(variant.nominal_frame_rate_hz / chunk_share,) * count,
        codebook_sizes=(ENTRIES,) * count,
        domain=variant.domain,
        causal=variant.causal,
        latency_s=variant.latency_s,
        parameters=variant.parameters,
        paper="https://arxiv.org/abs/2210.13438",
        source="https://github.com/facebookresearch/encodec",
        licence="CC-BY-NC-4.0 (wheel encodec 0.1.1; the repository is MIT since April 2023)",
        weights_licence="none stated",
        training_data=variant.training_data,
        notes=variant.notes,
    )


def _build(variant: _Variant, rate: str, device: str) -> Codec:
    return load(_describe(variant, rate), variant.weights, device)


def load(spec: Spec, weights: Weights, device: str) -> EncodecCodec:
    """The operating point `spec` of the checkpoint `weights`. Raises WeightsMissing, WeightsCorrupt."""
    folder = find(weights)
    parts = fingerprint_parts(weights, folder)
    stereo = spec.channels == 2
    path = folder / weights.files[0].path
    model = shared(("encodec", stereo, parts, device), lambda: _load_model(path, stereo, device))
    identity = fingerprint(spec.name, adapter=__file__, packages=("encodec", "torch"), parts=parts)
    chunks = Chunks(model.segment_length or 0, model.segment_stride or 0)
    return EncodecCodec(spec, model, chunks, identity)


def _load_model(path: Path, stereo: bool, device: str) -> EncodecModel:
    import torch
    from encodec.model import EncodecModel

    build: Callable[..., EncodecModel] = (
        EncodecModel.encodec_model_48khz if stereo else EncodecModel.encodec_model_24khz
    )
    with warnings.catch_warnings():
        # The package uses torch.nn.utils.weight_norm, whose successor stores other keys.
        warnings.simplefilter("ignore", FutureWarning)
        model = build(pretrained=False)
    try:
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsCorrupt(f"{path} does not hold the state of this EnCodec model: {reason}") from error
    return model.eval().to(device)


_KHZ24 = _Variant(
    name="24khz",
    sample_rate=24_000,
    channels=1,
    nominal_frame_rate_hz=75,
    codebooks={"1.5kbps": 2, "3kbps": 4, "6kbps": 8, "12kbps": 16, "24kbps": 32},
    parameters=14_851_810,
    causal=True,
    latency_s=HOP / 24_000,
    domain="general",
    training_data="as recalled, not verified: DNS Challenge 4, Common Voice, AudioSet, FSD50K, Jamendo",
    notes="ceil(T / 320) frames; decoded audio is cut to the length of the input.",
    weights=Weights(
        name="encodec-24khz",
        codec="encodec:24khz",
        files=(
            WeightFile(
                "encodec_24khz-d7cc33bc.th",
                sha256="d7cc33bcf1aad7f2dad9836f36431530744abeace3ca033005e3290ed4fa47bf",
                size_bytes=93_171_529,
                url=_BASE_URL + "encodec_24khz-d7cc33bc.th",
            ),
        ),
        licence="none stated",
        source="https://github.com/facebookresearch/encodec",
    ),
)

_KHZ48 = _Variant(
    name="48khz",
    sample_rate=48_000,
    channels=2,
    nominal_frame_rate_hz=150,
    codebooks={"3kbps": 2, "6kbps": 4, "12kbps": 8, "24kbps": 16},
    parameters=14_856_294,
    causal=False,
    latency_s=1.0,
    domain="music",
    training_data="music only (readme)",
    notes="Chunks of 1 s every 0.99 s, 150 frames each: the real rate is the named one / 0.99. Side information beside "
    "the codes: one float32 scale a chunk (32 bits every 0.99 s), which the nominal bitrate leaves out.",
    weights=Weights(
        name="encodec-48khz",
        codec="encodec:48khz",
        # The leading digits are the publisher's, in the file's name; the full checksum is recorded at the first fetch.
        files=(
            WeightFile("encodec_48khz-7e698e3e.th", sha256="7e698e3e", url=_BASE_URL + "encodec_48khz-7e698e3e.th"),
        ),
        licence="none stated",
        source="https://github.com/facebookresearch/encodec",
    ),
    segment=48_000,
    stride=47_520,
)


def _family(variant: _Variant) -> Family:
    return Family(
        name=f"encodec:{variant.name}",
        rates=tuple(variant.codebooks),
        describe=partial(_describe, variant),
        build=partial(_build, variant),
        aliases={f"{count}q": rate for rate, count in variant.codebooks.items()},
        weights=variant.weights,
    )


KHZ24 = _family(_KHZ24)
KHZ48 = _family(_KHZ48)
