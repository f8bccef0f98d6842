"""TAAE's operating points: the published checkpoints in each preset, and checkpoints of one's own by their path.

`taae:speech-16k@2x15625_700bps` is Stable Codec as its authors recommend it; `taae:speech-16k-base` the weights of the
paper's tables. `taae:PATH.safetensors@PRESET` is a model that this project wrote; its facts are read from the file.

Facts only: nothing here imports torch. Sources: the paper (arXiv 2411.19842, section 4, Tables 2 and 11) and the
published repository (README: the base model, and the one trained on for 500 000 steps with phonemes as a further aim).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .base import Codec, Family, Spec
from .errors import CodecError, UnknownCodec, WeightsCorrupt
from .file_facts import metadata_of, stated_facts, stated_table
from .taae_config import LOUDNESS_LUFS, NATIVE, PRESETS, TAAEConfig
from .weights import WeightFile, Weights

FORMAT = "codeczoo-taae"
"""`format` in the metadata of the safetensors files that this project writes; `config` holds the hyper-parameters."""

_PAPER = "https://arxiv.org/abs/2411.19842"
_SOURCE = "https://github.com/Stability-AI/stable-codec"
_LICENCE = "MIT"
_WEIGHTS_LICENCE = (
    "Stability AI Community License (not MIT; commercial use above its revenue limit needs an agreement); gated: "
    "accept it on the hub's page of the model and log in (`hf auth login`) before you fetch"
)
PUBLISHED = TAAEConfig()
"""The published files do not state their configuration: this one gives the paper's count of weights, to the last."""

_PARAMETERS = 953_319_756
_NOTES = (
    f"Clips are brought to {LOUDNESS_LUFS:g} LUFS (BS.1770) before encoding, the level it was trained at; the gain, "
    "sent as one float32 a clip, is undone after decoding; clips below -60 dB keep their level. "
    "The presets re-quantize one model. Tokens carry the fingerprint of the model's weights."
)


@dataclass(frozen=True)
class _Variant:
    name: str
    repository: str
    notes: str


_DATA = "Libri-Light (60 000 h) and the English part of Multilingual LibriSpeech (45 000 h)"
_VARIANTS = (
    _Variant(
        name="speech-16k",
        repository="stabilityai/stable-codec-speech-16k",
        notes="The base model trained on for 500 000 steps with phonemes as a further aim (CTC); recommended by its "
        "authors.",
    ),
    _Variant(
        name="speech-16k-base",
        repository="stabilityai/stable-codec-speech-16k-base",
        notes="The weights of the paper's tables.",
    ),
)


def rates(config: TAAEConfig) -> dict[str, str]:
    """Rate of an operating point -> preset of the model, in rising order of bits."""
    entries = {preset.name: (preset.entries, len(preset.scales)) for preset in PRESETS}
    found = {name: name for name in config.presets if name != NATIVE}
    entries[NATIVE] = (config.entries, 1)
    bits = {name: stages * (count - 1).bit_length() for name, (count, stages) in entries.items()}
    native = f"1x{config.entries}_{config.frame_rate_hz * bits[NATIVE] + 1e-9:.0f}bps"
    return dict(sorted({**found, native: NATIVE}.items(), key=lambda item: bits[item[1]]))


def latency_s(config: TAAEConfig) -> float:
    """Seconds of audio that must be there before a token's first sample can be given, by the layers' geometry.

    Attention waits for `sliding_window[1]` frames in each layer, at its block's rate; a causal model waits for the
    token alone. `codeczoo info --measure` measures it on the weights.
    """
    if config.causal:
        return config.hop / config.sample_rate
    rate = config.sample_rate / config.patch
    # Convolutions of 7 patches at both ends, of 3 tokens around the bottleneck, and a strided one a block.
    ahead = 2 * 3 / rate + 2 / config.frame_rate_hz
    for stride, depth in zip(config.strides, config.transformer_depths, strict=True):
        if stride > 1:
            ahead += 2 * (-(-stride // 2)) / rate
        rate /= stride
        ahead += 2 * depth * config.sliding_window[1] / rate
    return ahead + 1 / config.frame_rate_hz


def spec_of(name: str, preset: str, config: TAAEConfig, facts: Mapping[str, Any]) -> Spec:
    """Facts of one operating point, from those that depend on the checkpoint."""
    levels, scales = config.quantization(preset)
    entries = math.prod(levels)
    return Spec(
        name=name,
        sample_rate=config.sample_rate,
        frame_rates=(config.frame_rate_hz,) * len(scales),
        codebook_sizes=(entries,) * len(scales),
        domain=facts.get("domain", "speech"),
        causal=config.causal,
        latency_s=latency_s(config),
        parameters=facts.get("parameters"),
        paper=_PAPER,
        source=facts.get("source", _SOURCE),
        licence=_LICENCE,
        weights_licence=facts.get("weights_licence", "none stated"),
        training_data=facts.get("training_data", ""),
        notes=(facts.get("notes", "") + " " + _NOTES).strip(),
    )


def _describe(variant: _Variant, rate: str) -> Spec:
    facts = {
        "parameters": _PARAMETERS,
        "weights_licence": _WEIGHTS_LICENCE,
        "training_data": _DATA,
        "notes": variant.notes,
    }
    return spec_of(f"taae:{variant.name}@{rate}", rates(PUBLISHED)[rate], PUBLISHED, facts)


def _build(variant: _Variant, weights: Weights, rate: str, device: str) -> Codec:
    from . import taae_codec
    from .weights import find, paths

    checkpoint = paths(weights, find(weights))[0]
    return taae_codec.load(_describe(variant, rate), rates(PUBLISHED)[rate], PUBLISHED, checkpoint, device)


def _family(variant: _Variant) -> Family:
    weights = Weights(
        name=f"taae-{variant.name}",
        codec=f"taae:{variant.name}",
        # No checksum of these files is published: pinned at the first fetch.
        files=(WeightFile("model.safetensors"),),
        repository=variant.repository,
        licence=_WEIGHTS_LICENCE,
        source=f"https://huggingface.co/{variant.repository}",
    )
    presets = rates(PUBLISHED)
    return Family(
        name=f"taae:{variant.name}",
        rates=tuple(presets),
        describe=partial(_describe, variant),
        build=partial(_build, variant, weights),
        aliases={NATIVE: next(rate for rate, preset in presets.items() if preset == NATIVE)},
        weights=weights,
    )


SPEECH_16K, SPEECH_16K_BASE = (_family(variant) for variant in _VARIANTS)


def family(variant: str) -> Family:
    """The family of `taae:PATH.safetensors`, a file of one's own.

    Raises UnknownCodec, WeightsMissing, WeightsCorrupt.
    """
    path = Path(variant).expanduser()
    name = f"taae:{variant}"
    if path.suffix != ".safetensors":
        published = ", ".join(known.name for known in _VARIANTS)
        raise UnknownCodec(
            f"There is no codec named {name!r}. TAAE is there as {published}, or as the path of a .safetensors "
            "file that this project wrote."
        )
    config, facts = facts_of_file(path)
    presets = rates(config)

    def describe(rate: str) -> Spec:
        return spec_of(f"{name}@{rate}", presets[rate], config, facts)

    def build(rate: str, device: str) -> Codec:
        from . import taae_codec

        return taae_codec.load(describe(rate), presets[rate], config, path, device)

    native = next(rate for rate, preset in presets.items() if preset == NATIVE)
    return Family(name=name, rates=tuple(presets), describe=describe, build=build, aliases={NATIVE: native})


def facts_of_file(path: Path) -> tuple[TAAEConfig, dict[str, Any]]:
    """Configuration and facts from the header of a file that this project wrote; no tensor is read. Raises
    WeightsMissing, WeightsCorrupt."""
    metadata = metadata_of(path, FORMAT, f"{path} does not state that it is a TAAE of this project.")
    facts = stated_facts(path, metadata, ("parameters",))
    try:
        return TAAEConfig.from_table(stated_table(path, metadata, "config")), facts
    except (KeyError, TypeError, ValueError, CodecError) as error:
        raise WeightsCorrupt(f"{path} is damaged, or not a TAAE of this project: {error}.") from error
