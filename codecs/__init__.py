"""Audio tokenizers behind one small contract: audio -> tokens -> audio.

>>> from codeczoo import codecs
>>> codecs.spec("pcm:16").sample_rate
48000

`load(name)` gives a codec, `spec(name)` its facts without loading it, `names()` every operating point. Importing this
package imports no torch; a codec's own packages are imported when it is loaded.
"""

from .base import Codec, EmbeddingCodec, Encoded, Family, Spec, StreamingCodec
from .errors import (
    CodebookMissing,
    CodecError,
    DecodedAudioMissing,
    InvalidAudio,
    InvalidFeatures,
    InvalidTokens,
    MissingDependency,
    UnknownCodec,
    UnknownDomain,
    UnknownRate,
    WeightsCorrupt,
    WeightsMissing,
)
from .names import Name, parse
from .registry import expand, families, family, load, names, spec

__all__ = [
    "CodebookMissing",
    "Codec",
    "CodecError",
    "DecodedAudioMissing",
    "EmbeddingCodec",
    "Encoded",
    "Family",
    "InvalidAudio",
    "InvalidFeatures",
    "InvalidTokens",
    "MissingDependency",
    "Name",
    "Spec",
    "StreamingCodec",
    "UnknownCodec",
    "UnknownDomain",
    "UnknownRate",
    "WeightsCorrupt",
    "WeightsMissing",
    "expand",
    "families",
    "family",
    "load",
    "names",
    "parse",
    "spec",
]
