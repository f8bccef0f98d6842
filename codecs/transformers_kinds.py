"""How each codec class of transformers is asked for codes and audio: one small class a `model_type`.

Conventions. A kind works on one clip: audio `[1, C, T]`, codes `[1, K, N]`. It pads what its model needs padded, so
that N frames cover T samples, and states the law of N; cutting the decoded audio to T is the caller's.

    encodec            ceil(T / hop) frames; with chunks, that of every chunk, and one scale a chunk
    dac, mimi          ceil(T / hop)
    xcodec, higgs      ceil(T / hop), padded with zeros as DacFeatureExtractor does: alone, HuBERT hears one frame less
                       of a clip that is up to 79 samples longer than a multiple of 320
    xcodec2            floor(T / hop) + 1: its feature extractor adds one sample, then pads; an aligned clip costs one
                       frame more
    neucodec           ceil(T / hop), padded with zeros first: its feature extractor alone gives floor(T / hop), which
                       drops up to 319 samples at the end

Source: https://github.com/huggingface/transformers, models/{encodec,dac,mimi,xcodec,xcodec2,neucodec,
higgs_audio_v2_tokenizer}, version 5.23.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .encodec import Chunks
from .frames import ceil_div

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Facts:
    """What a configuration says about the operating points of its model."""

    sample_rate: int
    hop: int
    entries: int
    rates: dict[str, int]
    """Canonical rate -> codebooks, rising; `""` where there is one point."""
    output_sample_rate: int | None = None
    channels: int = 1
    frames_share: float = 1.0
    """Of a frame's samples, how many are not heard twice (chunks that overlap)."""
    causal: bool = False
    latency_s: float | None = None
    aliases: dict[str, str] = field(default_factory=dict)

    @property
    def frame_rate_hz(self) -> float:
        return self.sample_rate / self.hop / self.frames_share


class Kind(ABC):
    """The model classes that take `[B, 1, T]` and need nothing but padding."""

    model_class = ""
    extractor_class = ""

    @abstractmethod
    def facts(self, config: Any) -> Facts:
        """What the configuration says."""

    def frames(self, facts: Facts, config: Any, length: int) -> list[int]:
        """Frames of every chunk of a clip of `length` samples."""
        return [ceil_div(length, facts.hop)]

    def scales(self, config: Any) -> bool:
        """Whether a scale is sent beside the codes of every chunk."""
        return False

    @abstractmethod
    def encode(self, model: Any, facts: Facts, audio: Tensor, count: int) -> tuple[Tensor, Tensor | None]:
        """Codes `[1, K, N]` of the first `count` codebooks, and scales `[1, chunks]` where there are any."""

    def decode(self, model: Any, codes: Tensor, chunks: list[int], scale: Tensor | None) -> Tensor:
        """Audio `[1, C, T']`, T' about the frames times the hop."""
        return model.decode(codes).audio_values

    def latent(self, model: Any, codes: Tensor) -> Tensor:
        """Quantised latent `[1, D, N]`."""
        return model.quantizer.decode(codes.transpose(0, 1))


def padded(audio: Tensor, hop: int) -> Tensor:
    """Audio with zeros on the right up to a multiple of `hop`."""
    import torch

    length = audio.shape[-1]
    return torch.nn.functional.pad(audio, (0, ceil_div(length, hop) * hop - length))


def _by_bandwidth(config: Any, frame_rate_hz: int) -> tuple[dict[str, int], dict[str, str]]:
    """Rates and aliases of a model that is asked for kbit/s: as many codebooks as fit, by its rounded frame rate."""
    per_codebook_kbps = math.log2(config.codebook_size) * frame_rate_hz / 1000
    rates = {f"{kbps:g}kbps": max(1, math.floor(kbps / per_codebook_kbps)) for kbps in config.target_bandwidths}
    return rates, {f"{count}q": rate for rate, count in rates.items()}


def _by_count(first: int, last: int) -> dict[str, int]:
    return {f"{count}q": count for count in range(first, last + 1)}


def _bandwidth(facts: Facts, count: int) -> float:
    rate = next(rate for rate, codebooks in facts.rates.items() if codebooks == count)
    return float(rate.removesuffix("kbps"))


class EncodecKind(Kind):
    model_class = "EncodecModel"

    def facts(self, config: Any) -> Facts:
        rates, aliases = _by_bandwidth(config, config.frame_rate)
        hop, segment = int(math.prod(config.upsampling_ratios)), config.chunk_length
        chunk_s = config.chunk_length_s
        return Facts(
            sample_rate=config.sampling_rate,
            hop=hop,
            entries=config.codebook_size,
            rates=rates,
            channels=config.audio_channels,
            frames_share=config.chunk_stride / segment if segment else 1.0,
            causal=config.use_causal_conv and not segment,
            latency_s=float(chunk_s) if chunk_s else hop / config.sampling_rate if config.use_causal_conv else None,
            aliases=aliases,
        )

    def _chunks(self, config: Any) -> Chunks:
        return Chunks(config.chunk_length or 0, config.chunk_stride or 0)

    def frames(self, facts: Facts, config: Any, length: int) -> list[int]:
        return self._chunks(config).frames(length, facts.hop)

    def scales(self, config: Any) -> bool:
        return bool(config.normalize)

    def encode(self, model: Any, facts: Facts, audio: Tensor, count: int) -> tuple[Tensor, Tensor | None]:
        import torch

        # Chunk by chunk, of each the first of the model's own chunks: over a whole clip the model stacks its chunks
        # and cannot where the last but one is short too.
        codes, scales = [], []
        for start, stop in self._chunks(model.config).spans(audio.shape[-1]):
            answer = model.encode(audio[:, :, start:stop], bandwidth=_bandwidth(facts, count))
            codes.append(answer.audio_codes[0][:, :, : ceil_div(stop - start, facts.hop)])
            scales.append(answer.audio_scales[0])
        return torch.cat(codes, dim=2), torch.cat(scales, dim=1) if model.config.normalize else None

    def decode(self, model: Any, codes: Tensor, chunks: list[int], scale: Tensor | None) -> Tensor:
        scales = [None] * len(chunks) if scale is None else list(scale.view(-1, 1, 1).unbind())
        return model.decode(list(codes.split(chunks, dim=2)), scales).audio_values


class DacKind(Kind):
    model_class = "DacModel"

    def facts(self, config: Any) -> Facts:
        # The hub's files say hop_length 512 for models of hop 320: only the ratios are right.
        hop = int(math.prod(config.downsampling_ratios))
        return Facts(config.sampling_rate, hop, config.codebook_size, _by_count(1, config.n_codebooks))

    def encode(self, model: Any, facts: Facts, audio: Tensor, count: int) -> tuple[Tensor, Tensor | None]:
        return model.encode(padded(audio, facts.hop), n_quantizers=count).audio_codes, None

    def decode(self, model: Any, codes: Tensor, chunks: list[int], scale: Tensor | None) -> Tensor:
        return model.decode(audio_codes=codes).audio_values[:, None]

    def latent(self, model: Any, codes: Tensor) -> Tensor:
        return model.quantizer.from_codes(codes)[0]


class MimiKind(Kind):
    model_class = "MimiModel"

    def facts(self, config: Any) -> Facts:
        hop = round(config.sampling_rate / config.frame_rate)
        rates = _by_count(config.num_semantic_quantizers, config.num_quantizers)
        latency_s = hop / config.sampling_rate
        return Facts(config.sampling_rate, hop, config.codebook_size, rates, causal=True, latency_s=latency_s)

    def encode(self, model: Any, facts: Facts, audio: Tensor, count: int) -> tuple[Tensor, Tensor | None]:
        return model.encode(audio, num_quantizers=count).audio_codes, None

    def latent(self, model: Any, codes: Tensor) -> Tensor:
        return model.quantizer.decode(codes)


class XcodecKind(Kind):
    model_class = "XcodecModel"

    def facts(self, config: Any) -> Facts:
        rates, aliases = _by_bandwidth(config, config.frame_rate)
        return Facts(
            sample_rate=config.sample_rate,
            hop=config.hop_length,
            entries=config.codebook_size,
            rates=rates,
            latency_s=math.inf,  # the semantic model attends to the whole clip
            aliases=aliases,
        )

    def encode(self, model: Any, facts: Facts, audio: Tensor, count: int) -> tuple[Tensor, Tensor | None]:
        answer = model.encode(padded(audio, facts.hop), bandwidth=_bandwidth(facts, count))
        return answer.audio_codes, None


class HiggsKind(XcodecKind):
    model_class = "HiggsAudioV2TokenizerModel"


class Xcodec2Kind(Kind):
    model_class = "Xcodec2Model"
    extractor_class = "Xcodec2FeatureExtractor"

    def facts(self, config: Any) -> Facts:
        hop = int(math.prod(config.downsampling_ratios))
        return Facts(
            sample_rate=config.sampling_rate,
            hop=hop,
            entries=math.prod(config.quantization_levels),
            rates={"": 1},
            latency_s=math.inf,  # as of xcodec
            aliases={"1q": ""},
        )

    def frames(self, facts: Facts, config: Any, length: int) -> list[int]:
        return [length // facts.hop + 1]

    def encode(self, model: Any, facts: Facts, audio: Tensor, count: int) -> tuple[Tensor, Tensor | None]:
        features = model.codeczoo_extractor(
            [audio[0, 0].cpu().numpy()], sampling_rate=facts.sample_rate, return_tensors="pt"
        )
        values = {name: features[name].to(audio.device) for name in ("input_values", "input_features")}
        mask = features["input_features_mask"].to(audio.device)
        return model.encode(**values, input_features_mask=mask).audio_codes, None

    def latent(self, model: Any, codes: Tensor) -> Tensor:
        return model.quantizer.from_codes(codes.transpose(1, 2)).transpose(1, 2)


class NeuCodecKind(Xcodec2Kind):
    model_class = "NeuCodecModel"
    extractor_class = "NeuCodecFeatureExtractor"

    def facts(self, config: Any) -> Facts:
        return Facts(
            sample_rate=config.input_sampling_rate,
            hop=config.encoder_hop_length,
            entries=math.prod(config.quantization_levels),
            rates={"": 1},
            output_sample_rate=config.output_sampling_rate,
            latency_s=math.inf,
            aliases={"1q": ""},
        )

    def frames(self, facts: Facts, config: Any, length: int) -> list[int]:
        return [ceil_div(length, facts.hop)]

    def encode(self, model: Any, facts: Facts, audio: Tensor, count: int) -> tuple[Tensor, Tensor | None]:
        return super().encode(model, facts, padded(audio, facts.hop), count)


KINDS: dict[str, Kind] = {
    "encodec": EncodecKind(),
    "dac": DacKind(),
    "mimi": MimiKind(),
    "xcodec": XcodecKind(),
    "xcodec2": Xcodec2Kind(),
    "neucodec": NeuCodecKind(),
    "higgs_audio_v2_tokenizer": HiggsKind(),
}
"""`model_type` of a config.json -> how its model is used."""


def extractor(kind: Kind, folder: Path, facts: Facts) -> Any:
    """The feature extractor of a kind, with the settings of the checkpoint's folder; None where it needs none."""
    if not kind.extractor_class:
        return None
    import transformers

    make = getattr(transformers, kind.extractor_class)
    if (folder / "preprocessor_config.json").is_file():
        return make.from_pretrained(folder, local_files_only=True)
    return make(sampling_rate=facts.sample_rate, hop_length=facts.hop)
