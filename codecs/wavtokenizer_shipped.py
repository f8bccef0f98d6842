"""The WavTokenizer that comes with the package: a real trained codec for demos, tests and CI, without a download.

It is small and was trained for 90 minutes on two CPU cores. Its card, `shipped/wavtokenizer-tiny-speech-216.md`, says
on what, how, how good it is, and what it is not good for. Its facts are here once more, so that listing codecs reads
no file.
"""

from __future__ import annotations

from pathlib import Path

from .base import Codec, Family, Spec
from .errors import WeightsCorrupt, WeightsMissing
from .fingerprint import sha256_of
from .wavtokenizer_names import spec_of

NAME = "wavtokenizer:tiny-speech-216"
FILE = Path(__file__).parent / "shipped" / "wavtokenizer-tiny-speech-216.safetensors"
SHA256 = "243e62de71031d1ae2825714e4f7f428d9536ccaf087c86c4ce6838c7d288087"
TRAINING_DATA = (
    "4.3 h of speech of over 1000 speakers: speechocean762 (Apache-2.0), Common Voice 6.1 in 57 languages (CC0), "
    "LibriSpeech (CC BY 4.0), Kathleen and Nathalie (CC0), LJSpeech (public domain)"
)
LICENCE = "MIT; trained on LibriSpeech (CC BY 4.0) and speechocean762 (Apache-2.0) among others: name them"


def _describe(rate: str) -> Spec:
    return spec_of(
        NAME,
        {
            "sample_rate": 16_000,
            "hop": 216,
            "entries": 4096,
            "parameters": 6_540_002,
            "domain": "speech",
            "source": "codeczoo",
            "weights_licence": LICENCE,
            "training_data": TRAINING_DATA,
            "notes": "Comes with codeczoo: recipe `tiny`, for demos, tests and CI; no match for a published model.",
        },
    )


def _build(rate: str, device: str) -> Codec:
    from . import wavtokenizer_codec

    if not FILE.is_file():
        raise WeightsMissing(f"{FILE}, which is part of codeczoo, is not there; install codeczoo anew.")
    if (found := sha256_of(FILE)) != SHA256:
        raise WeightsCorrupt(f"{FILE} has the SHA-256 {found}, not {SHA256}; install codeczoo anew.")
    return wavtokenizer_codec.load(_describe(rate), FILE, device)


TINY_SPEECH_216 = Family(name=NAME, rates=("",), describe=_describe, build=_build)
