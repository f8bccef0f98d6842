"""Registered names of checkpoints that transformers runs: Mimi, X-Codec, X-Codec-2, NeuCodec, Higgs.

The facts are literal, so that they are read without weights and without transformers; `load` compares them with the
checkpoint's configuration. `parameters` counts all parameters of the class at the released configuration, codebooks
that are stored as buffers excluded. A revision or a checksum that is not stated here is pinned at the first fetch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from .base import Codec, Family, Spec
from .weights import WeightFile, Weights

_TRANSFORMERS = "https://github.com/huggingface/transformers"


@dataclass(frozen=True)
class _Checkpoint:
    name: str
    sample_rate: int
    frame_rate_hz: float
    entries: int
    rates: dict[str, int]
    """Rate -> codebooks."""
    repository: str
    paper: str
    weights_licence: str
    training_data: str
    parameters: int | None
    domain: str = "speech"
    output_sample_rate: int | None = None
    causal: bool = False
    latency_s: float | None = math.inf
    """All but Mimi attend to the whole clip."""
    licence: str = "Apache-2.0 (transformers)"
    revision: str = ""
    files: tuple[WeightFile, ...] = (WeightFile("config.json"),)
    notes: str = ""


def _describe(checkpoint: _Checkpoint, rate: str) -> Spec:
    count = checkpoint.rates[rate]
    return Spec(
        name=f"{checkpoint.name}@{rate}" if rate else checkpoint.name,
        sample_rate=checkpoint.sample_rate,
        output_sample_rate=checkpoint.output_sample_rate,
        frame_rates=(checkpoint.frame_rate_hz,) * count,
        codebook_sizes=(checkpoint.entries,) * count,
        domain=checkpoint.domain,
        causal=checkpoint.causal,
        latency_s=checkpoint.latency_s,
        parameters=checkpoint.parameters,
        paper=checkpoint.paper,
        source=f"https://huggingface.co/{checkpoint.repository}",
        licence=checkpoint.licence,
        weights_licence=checkpoint.weights_licence,
        training_data=checkpoint.training_data,
        notes=checkpoint.notes,
    )


def _build(checkpoint: _Checkpoint, weights: Weights, rate: str, device: str) -> Codec:
    from .transformers_hub import load

    return load(_describe(checkpoint, rate), weights, device)


def _family(checkpoint: _Checkpoint) -> Family:
    weights = Weights(
        name=checkpoint.repository.replace("/", "--"),
        codec=checkpoint.name,
        files=checkpoint.files,
        repository=checkpoint.repository,
        revision=checkpoint.revision,
        licence=checkpoint.weights_licence,
        source=f"https://huggingface.co/{checkpoint.repository}",
    )
    return Family(
        name=checkpoint.name,
        rates=tuple(checkpoint.rates),
        describe=partial(_describe, checkpoint),
        build=partial(_build, checkpoint, weights),
        aliases=_aliases(checkpoint),
        weights=weights,
    )


def _aliases(checkpoint: _Checkpoint) -> dict[str, str]:
    """The other way to name a rate: `1.1kbps` for `8q`, `8q` for `4kbps`."""
    bits = (checkpoint.entries - 1).bit_length()
    aliases = {}
    for rate, count in checkpoint.rates.items():
        aliases[f"{count}q"] = rate
        aliases[f"{checkpoint.frame_rate_hz * bits * count / 1000:g}kbps"] = rate
    return {alias: rate for alias, rate in aliases.items() if alias != rate}


MIMI = _family(
    _Checkpoint(
        name="mimi:24khz",
        sample_rate=24_000,
        frame_rate_hz=12.5,
        entries=2048,
        rates={f"{count}q": count for count in range(1, 33)},
        repository="kyutai/mimi",
        revision="89091b3e466eb6a9d11e537bf26b144f194978f7",
        files=(
            WeightFile("config.json", "aca6f44b04f7bc2e7466b71597d2d51e463ed1cf3cd7025d8848595580546c36", 1_117),
            WeightFile(
                "model.safetensors",
                "bac7e85083dcded655d24eaadde7e6eea34c0da1b35fa2d284e641bd2b942a5e",
                384_649_828,
            ),
        ),
        paper="https://arxiv.org/abs/2410.00037",
        weights_licence="CC-BY-4.0",
        training_data="undisclosed",
        parameters=79_308_609,
        causal=True,
        latency_s=0.08,
        notes="The first codebook is semantic (distilled). Libraries differ in their default: 8 or 32 codebooks.",
    )
)


def _xcodec(variant: str, domain: str, training_data: str, parameters: int, revision: str = "") -> Family:
    return _family(
        _Checkpoint(
            name=f"xcodec:{variant}",
            sample_rate=16_000,
            frame_rate_hz=50.0,
            entries=1024,
            rates={"0.5kbps": 1, "1kbps": 2, "1.5kbps": 3, "2kbps": 4, "4kbps": 8},
            repository=f"hf-audio/xcodec-{variant}",
            revision=revision,
            paper="https://arxiv.org/abs/2408.17175",
            weights_licence="CC-BY-4.0" if variant == "wavlm-more-data" else "none stated",
            training_data=training_data,
            parameters=parameters,
            domain=domain,
            licence="Apache-2.0 (transformers; the original repository has no licence file)",
            notes="The original scripts scale the audio by 0.95; transformers and codeczoo do not.",
        )
    )


_HUBERT_PARAMETERS = 160_698_625
_WAVLM_PARAMETERS = 160_708_849

XCODEC_HUBERT_LIBRISPEECH = _xcodec("hubert-librispeech", "speech", "LibriSpeech", _HUBERT_PARAMETERS)
XCODEC_WAVLM_MLS = _xcodec("wavlm-mls", "speech", "MLS (English)", _WAVLM_PARAMETERS)
XCODEC_WAVLM_MORE_DATA = _xcodec("wavlm-more-data", "speech", "none stated", _WAVLM_PARAMETERS)
XCODEC_HUBERT_GENERAL = _xcodec(
    "hubert-general", "general", "none stated", _HUBERT_PARAMETERS, "240735a1ade315cb9b22604fe898e7df03d67378"
)
XCODEC_HUBERT_GENERAL_BALANCED = _xcodec("hubert-general-balanced", "general", "none stated", _HUBERT_PARAMETERS)

XCODEC2 = _family(
    _Checkpoint(
        name="xcodec2:16khz",
        sample_rate=16_000,
        frame_rate_hz=50.0,
        entries=65_536,
        rates={"": 1},
        repository="HKUSTAudio/xcodec2-hf",
        revision="64bd034d12d441299cdd535b15c33efd6ccdf252",
        files=(
            WeightFile("config.json"),
            WeightFile(
                "model.safetensors",
                "611a63e4dff70c19bd4718d701bb7bc522acf6293a109ab62f5db2f7ff395114",
                2_517_231_448,
            ),
        ),
        paper="https://arxiv.org/abs/2502.04128",
        weights_licence="CC-BY-NC-4.0",
        training_data="Emilia, MLS (150 000 h)",
        parameters=629_281_706,
        notes="An aligned clip costs one frame more: floor(T / 320) + 1 frames.",
    )
)

NEUCODEC = _family(
    _Checkpoint(
        name="neucodec:24khz",
        sample_rate=16_000,
        output_sample_rate=24_000,
        frame_rate_hz=50.0,
        entries=65_536,
        rates={"": 1},
        repository="neuphonic/neucodec",
        paper="https://arxiv.org/abs/2509.09550",
        weights_licence="Apache-2.0",
        training_data="Emilia-YODAS, MLS, LibriTTS, Fleurs, Common Voice, HUI, proprietary",
        parameters=629_937_706,
        notes="Takes 16 kHz, gives 24 kHz. The clip is padded to whole frames first, so that its end is not dropped.",
    )
)

HIGGS = _family(
    _Checkpoint(
        name="higgs:v2",
        sample_rate=24_000,
        frame_rate_hz=25.0,
        entries=1024,
        rates={"0.5kbps": 2, "1kbps": 4, "1.5kbps": 6, "2kbps": 8},
        repository="bosonai/higgs-audio-v2-tokenizer",
        revision="403fbacf2f60caaa102f893fdfabb694619b2417",
        files=(WeightFile("config.json"), WeightFile("model.safetensors", size_bytes=805_665_628)),
        paper="https://github.com/boson-ai/higgs-audio",
        weights_licence="Boson community licence",
        training_data="undisclosed",
        parameters=200_343_777,
        domain="general",
    )
)
