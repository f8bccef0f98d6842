"""WavTokenizer's operating points: the published checkpoints, and any checkpoint of one's own by its path.

`wavtokenizer:small-320` and its like are the checkpoints that the authors published; they differ in hop (320 or 600
samples) and training data only: the architecture is one. `wavtokenizer:PATH.safetensors` is a model that this project
trained or converted (`codeczoo train`, `codeczoo convert`); its facts are read from the file.

Facts only: nothing here imports torch. Sources: the paper (arXiv 2408.16532, Tables 1 and 4), the published repository
and its issues (#23, #45, #72, #88: what each checkpoint was trained on).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .base import Codec, Family, Spec
from .errors import UnknownCodec
from .file_facts import metadata_of, stated_facts, stated_table
from .weights import WeightFile, Weights
from .window_length import WINDOW_S

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "codeczoo-wavtokenizer"
"""`format` in the metadata of the safetensors files that this project writes; `config` holds the hyper-parameters."""

_HUB = "https://huggingface.co/novateur/"
_PAPER = "https://arxiv.org/abs/2408.16532"
_SOURCE = "https://github.com/jishengpeng/WavTokenizer"
_LICENCE = "MIT"
_SAMPLE_RATE_HZ = 24_000
_ENTRIES = 4096
_DIMENSION = 512
_PARAMETERS = {320: 71_750_146, 600: 72_111_714}
"""Hop -> weights of encoder and decoder, without the codebook."""
_NOTES = (
    "Non-causal: attention and group normalisation see the whole clip. Clips above {window_s:g} s are decoded in "
    "windows of {window_s:g} s, cross-faded; tokens do not depend on it. "
    "Checkpoints of one hop have the same shapes and different codebooks; tokens carry their codebook's fingerprint."
)
_MIRRORED = "Decoded by transposed convolutions, the encoder's mirror image: no sample hangs on the whole clip."


@dataclass(frozen=True)
class _Variant:
    name: str
    hop: int
    repository: str
    file: str
    domain: str
    training_data: str
    notes: str = ""


_LIBRITTS = "LibriTTS, 585 h (all three training sets)"
_TEN_THOUSAND = "speech, part of the 10 000 h of the paper's medium set"
_MUSIC_AUDIO = "music and AudioSet without speech, part of the 10 000 h of the paper's medium set"
_V2 = "Second release of this checkpoint, under the same name in the paper's tables."

_VARIANTS = (
    _Variant(
        name="small-600",
        hop=600,
        repository="WavTokenizer",
        file="WavTokenizer_small_600_24k_4096.ckpt",
        domain="speech",
        training_data=_LIBRITTS,
    ),
    _Variant(
        name="small-320",
        hop=320,
        repository="WavTokenizer",
        file="WavTokenizer_small_320_24k_4096.ckpt",
        domain="speech",
        training_data=_LIBRITTS,
    ),
    _Variant(
        name="medium-speech-320",
        hop=320,
        repository="WavTokenizer-medium-speech-75token",
        file="wavtokenizer_medium_speech_320_24k.ckpt",
        domain="speech",
        training_data=_TEN_THOUSAND,
    ),
    _Variant(
        name="medium-speech-320-v2",
        hop=320,
        repository="WavTokenizer-medium-speech-75token",
        file="wavtokenizer_medium_speech_320_24k_v2.ckpt",
        domain="speech",
        training_data=_TEN_THOUSAND,
        notes=_V2,
    ),
    _Variant(
        name="medium-music-audio-320",
        hop=320,
        repository="WavTokenizer-medium-music-audio-75token",
        file="wavtokenizer_medium_music_audio_320_24k.ckpt",
        domain="general",
        training_data=_MUSIC_AUDIO,
    ),
    _Variant(
        name="medium-music-audio-320-v2",
        hop=320,
        repository="WavTokenizer-medium-music-audio-75token",
        file="wavtokenizer_medium_music_audio_320_24k_v2.ckpt",
        domain="general",
        training_data=_MUSIC_AUDIO,
        notes=_V2,
    ),
    _Variant(
        name="large-unify-600",
        hop=600,
        repository="WavTokenizer-large-unify-40token",
        file="wavtokenizer_large_unify_600_24k.ckpt",
        domain="general",
        training_data="80 000 h of speech, music and sound",
    ),
    _Variant(
        name="large-speech-320",
        hop=320,
        repository="WavTokenizer-large-speech-75token",
        file="wavtokenizer_large_speech_320_v2.ckpt",
        domain="speech",
        training_data="speech, part of 80 000 h",
        notes="Speech only, by its author's word, though the repository's table says otherwise. Tokens of the first "
        "release, which was withdrawn and lives on beside OuteTTS, belong to another codebook.",
    ),
)


def spec_of(name: str, facts: Mapping[str, Any]) -> Spec:
    """Facts of one model, from those that depend on the checkpoint."""
    mirrored = facts.get("mirrored", False)
    notes = _MIRRORED if mirrored else _NOTES.format(window_s=WINDOW_S)
    return Spec(
        name=name,
        sample_rate=facts["sample_rate"],
        frame_rates=(facts["sample_rate"] / facts["hop"],),
        codebook_sizes=(facts["entries"],),
        domain=facts.get("domain", "general"),
        causal=False,
        # A mirrored decoder sees a few frames to either side.
        latency_s=None if mirrored else math.inf,
        parameters=facts["parameters"],
        paper=_PAPER,
        source=facts.get("source", _SOURCE),
        licence=_LICENCE,
        weights_licence=facts.get("weights_licence", "none stated"),
        training_data=facts.get("training_data", ""),
        notes=(facts.get("notes", "") + " " + notes).strip(),
    )


def _describe(variant: _Variant, rate: str) -> Spec:
    return spec_of(
        f"wavtokenizer:{variant.name}",
        {
            "sample_rate": _SAMPLE_RATE_HZ,
            "hop": variant.hop,
            "entries": _ENTRIES,
            "parameters": _PARAMETERS[variant.hop] + _ENTRIES * _DIMENSION,
            "domain": variant.domain,
            "weights_licence": "MIT (of the repository that publishes them)",
            "training_data": variant.training_data,
            "notes": variant.notes,
        },
    )


def _build(variant: _Variant, weights: Weights, rate: str, device: str) -> Codec:
    from . import wavtokenizer_codec
    from .weights import find, paths

    return wavtokenizer_codec.load(_describe(variant, rate), paths(weights, find(weights))[0], device)


def _convert(checkpoint: Path, converted: Path) -> None:
    from . import wavtokenizer_checkpoint

    wavtokenizer_checkpoint.convert(checkpoint, converted)


def _family(variant: _Variant) -> Family:
    weights = Weights(
        name=f"wavtokenizer-{variant.name}",
        codec=f"wavtokenizer:{variant.name}",
        # No checksum of these files is published: pinned at the first fetch.
        files=(WeightFile(variant.file, url=f"{_HUB}{variant.repository}/resolve/main/{variant.file}"),),
        converted=str(Path(variant.file).with_suffix(".safetensors")),
        convert=_convert,
        licence="MIT (of the repository that publishes them)",
        source=_HUB + variant.repository,
    )
    return Family(
        name=f"wavtokenizer:{variant.name}",
        rates=("",),
        describe=partial(_describe, variant),
        build=partial(_build, variant, weights),
        weights=weights,
    )


(
    SMALL_600,
    SMALL_320,
    MEDIUM_SPEECH_320,
    MEDIUM_SPEECH_320_V2,
    MEDIUM_MUSIC_AUDIO_320,
    MEDIUM_MUSIC_AUDIO_320_V2,
    LARGE_UNIFY_600,
    LARGE_SPEECH_320,
) = (_family(variant) for variant in _VARIANTS)


def family(variant: str) -> Family:
    """The family of `wavtokenizer:PATH.safetensors`, a file of one's own. Raises UnknownCodec."""
    path = Path(variant).expanduser()
    name = f"wavtokenizer:{variant}"
    if path.suffix != ".safetensors":
        published = ", ".join(known.name for known in _VARIANTS)
        raise UnknownCodec(
            f"There is no codec named {name!r}. WavTokenizer is there as {published}, or as the path of a .safetensors "
            "file, which `codeczoo convert` makes of a .ckpt."
        )

    def describe(rate: str) -> Spec:
        return spec_of(name, facts_of_file(path))

    def build(rate: str, device: str) -> Codec:
        from . import wavtokenizer_codec

        return wavtokenizer_codec.load(describe(rate), path, device)

    return Family(name=name, rates=("",), describe=describe, build=build)


def facts_of_file(path: Path) -> dict[str, Any]:
    """Facts from the header of a file that this project wrote; no tensor is read. Raises WeightsMissing,
    WeightsCorrupt."""
    refusal = (
        f"{path} does not state that it is a WavTokenizer of this project; `codeczoo convert {path}` makes one of any "
        "checkpoint with WavTokenizer's tensors."
    )
    metadata = metadata_of(path, FORMAT, refusal)
    facts = stated_facts(path, metadata, ("sample_rate", "hop", "entries", "parameters"))
    mirrored = "config" in metadata and stated_table(path, metadata, "config").get("decoder", {}) is None
    return {**facts, "mirrored": mirrored}
