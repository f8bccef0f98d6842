"""UniCodec's operating points: the published checkpoint, and any checkpoint of one's own by its path.

    unicodec:base                  tokens from the whole codebook: what the paper evaluates
    unicodec:base@speech           tokens from the part of one domain (`@music`, `@sound`)
    unicodec:PATH.safetensors      a model that this project trained or converted, with the same rates

A codec object is one operating point and is given audio alone, so a domain is a point of its own, as a bitrate is: who
knows that a corpus is of speech measures `unicodec:base@speech` over it. All points share one model in memory, and
decode each other's tokens, which count through the whole codebook.

One checkpoint was published (twice: a mirror holds the same file). No licence is stated, neither for the code nor for
the weights.

Facts only: nothing here imports torch. Sources: the paper (arXiv 2502.20067, section 4, Tables 5 and 9), the published
repository and its issues.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .base import Codec, Family, Spec
from .domains import DOMAINS, parts
from .errors import UnknownCodec
from .file_facts import metadata_of, stated_facts
from .weights import WeightFile, Weights
from .window_length import WINDOW_S

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "codeczoo-unicodec"
"""`format` in the metadata of the safetensors files that this project writes; `config` holds the hyper-parameters."""

RATES = ("", *DOMAINS)
"""The whole codebook, and the part of each domain."""

_PAPER = "https://arxiv.org/abs/2502.20067"
_SOURCE = "https://github.com/Jiang-Yidi/UniCodec"
_HUB = "https://huggingface.co/Yidiii/UniCodec_ckpt"
_FILE = "unicode.ckpt"
_LICENCE = "none stated"
_NOTES = (
    "Non-causal: every token depends on the whole clip. Clips above {window_s:g} s are encoded and decoded in windows "
    "of {window_s:g} s. Tokens of a domain are from its part of the codebook (speech and music a quarter each, sound "
    "half): to who knows the domain they are worth 2, 2 and 1 bits less than the nominal bitrate counts."
)

_BASE = {
    "sample_rate": 24_000,
    "hop": 320,
    "entries": 16_384,
    # Encoder 130 466 304, codebook and map 8 651 264, backbone 61 961 472, head 985 858, less 16 781 312 dead weights.
    "parameters": 185_283_586,
    "weights_licence": _LICENCE,
    "licence": _LICENCE,
    "training_data": "80 000 h: Libri-Light, LibriTTS, VCTK, Common Voice (speech), Jamendo, MusicDB (music), AudioSet "
    "(sound); then fine-tuned on LibriTTS train-clean, VCTK and LJSpeech",
}


def spec_of(name: str, facts: Mapping[str, Any]) -> Spec:
    """Facts of one operating point, from those that depend on the checkpoint."""
    return Spec(
        name=name,
        sample_rate=facts["sample_rate"],
        frame_rates=(facts["sample_rate"] / facts["hop"],),
        codebook_sizes=(facts["entries"],),
        partitions=tuple((name, part.start, part.stop) for name, part in parts(facts["entries"]).items()),
        domain=facts.get("domain", "general"),
        causal=False,
        latency_s=math.inf,
        parameters=facts["parameters"],
        paper=_PAPER,
        source=facts.get("source", _SOURCE),
        licence=facts.get("licence", "MIT (this implementation)"),
        weights_licence=facts.get("weights_licence", _LICENCE),
        training_data=facts.get("training_data", ""),
        notes=(facts.get("notes", "") + " " + _NOTES.format(window_s=WINDOW_S)).strip(),
    )


def _at(family: str, rate: str) -> str:
    return f"{family}@{rate}" if rate else family


def _describe(rate: str) -> Spec:
    return spec_of(_at("unicodec:base", rate), _BASE)


def _build(rate: str, device: str) -> Codec:
    from . import unicodec_codec
    from .weights import find, paths

    return unicodec_codec.load(_describe(rate), paths(_WEIGHTS, find(_WEIGHTS))[0], rate, device)


def _convert(checkpoint: Path, converted: Path) -> None:
    from . import unicodec_checkpoint

    unicodec_checkpoint.convert(checkpoint, converted)


_WEIGHTS = Weights(
    name="unicodec-base",
    codec="unicodec:base",
    # No checksum of this file is published: pinned at the first fetch.
    files=(WeightFile(_FILE, url=f"{_HUB}/resolve/main/{_FILE}"),),
    converted=str(Path(_FILE).with_suffix(".safetensors")),
    convert=_convert,
    licence=_LICENCE,
    source=_HUB,
)

BASE = Family(name="unicodec:base", rates=RATES, describe=_describe, build=_build, weights=_WEIGHTS)


def family(variant: str) -> Family:
    """The family of `unicodec:PATH.safetensors`, a file of one's own. Raises UnknownCodec."""
    path = Path(variant).expanduser()
    name = f"unicodec:{variant}"
    if path.suffix != ".safetensors":
        raise UnknownCodec(
            f"There is no codec named {name!r}. UniCodec is there as unicodec:base, or as the path of a .safetensors "
            "file, which training and `codeczoo convert --model unicodec` write."
        )
    return Family(
        name=name, rates=RATES, describe=partial(_describe_file, name, path), build=partial(_load, name, path)
    )


def _describe_file(name: str, path: Path, rate: str) -> Spec:
    return spec_of(_at(name, rate), facts_of_file(path))


def _load(name: str, path: Path, rate: str, device: str) -> Codec:
    from . import unicodec_codec

    return unicodec_codec.load(_describe_file(name, path, rate), path, rate, device)


def facts_of_file(path: Path) -> dict[str, Any]:
    """Facts from the header of a file that this project wrote; no tensor is read. Raises WeightsMissing,
    WeightsCorrupt."""
    metadata = metadata_of(path, FORMAT, f"{path} does not state that it is a UniCodec of this project.")
    return stated_facts(path, metadata, ("sample_rate", "hop", "entries", "parameters"))
