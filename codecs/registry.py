"""The registry: one literal table from names to where their families are defined, imported when asked for.

A codec of another installed package joins through the entry-point group `codeczoo.codecs`: the entry's name is the
codec's name without its rate, its object a `Family` (or, for open variants such as `hf:ORG/REPO`, a function from the
variant to a `Family`).
"""

from __future__ import annotations

import difflib
import fnmatch
import importlib
from functools import cache
from importlib.metadata import entry_points

from .base import Codec, Family, Spec
from .errors import CodecError, UnknownCodec, UnknownRate
from .names import Name, parse

TABLE: dict[str, str] = {
    "pcm:8": "codeczoo.codecs.pcm:BITS8",
    "pcm:12": "codeczoo.codecs.pcm:BITS12",
    "pcm:16": "codeczoo.codecs.pcm:BITS16",
    "opus": "codeczoo.codecs.classical:OPUS",
    "opus:audio": "codeczoo.codecs.classical:OPUS_AUDIO",
    "mp3:16khz": "codeczoo.codecs.classical:MP3_16KHZ",
    "mp3:44khz": "codeczoo.codecs.classical:MP3_44KHZ",
    "aac:16khz": "codeczoo.codecs.classical:AAC_16KHZ",
    "aac:44khz": "codeczoo.codecs.classical:AAC_44KHZ",
    "amr-nb": "codeczoo.codecs.classical:AMR_NB",
    "g722": "codeczoo.codecs.classical:G722",
    "g726": "codeczoo.codecs.classical:G726",
    "codec2": "codeczoo.codecs.codec2:CODEC2",
    "lyra:v2": "codeczoo.codecs.lyra:V2",
    "encodec:24khz": "codeczoo.codecs.encodec:KHZ24",
    "encodec:48khz": "codeczoo.codecs.encodec:KHZ48",
    "dac:16khz": "codeczoo.codecs.dac:KHZ16",
    "dac:24khz": "codeczoo.codecs.dac:KHZ24",
    "dac:44khz": "codeczoo.codecs.dac:KHZ44",
    "dac:44khz-16kbps": "codeczoo.codecs.dac:KHZ44_16KBPS",
    "wavtokenizer:tiny-speech-216": "codeczoo.codecs.wavtokenizer_shipped:TINY_SPEECH_216",
    "wavtokenizer:small-600": "codeczoo.codecs.wavtokenizer_names:SMALL_600",
    "wavtokenizer:small-320": "codeczoo.codecs.wavtokenizer_names:SMALL_320",
    "wavtokenizer:medium-speech-320": "codeczoo.codecs.wavtokenizer_names:MEDIUM_SPEECH_320",
    "wavtokenizer:medium-speech-320-v2": "codeczoo.codecs.wavtokenizer_names:MEDIUM_SPEECH_320_V2",
    "wavtokenizer:medium-music-audio-320": "codeczoo.codecs.wavtokenizer_names:MEDIUM_MUSIC_AUDIO_320",
    "wavtokenizer:medium-music-audio-320-v2": "codeczoo.codecs.wavtokenizer_names:MEDIUM_MUSIC_AUDIO_320_V2",
    "wavtokenizer:large-unify-600": "codeczoo.codecs.wavtokenizer_names:LARGE_UNIFY_600",
    "wavtokenizer:large-speech-320": "codeczoo.codecs.wavtokenizer_names:LARGE_SPEECH_320",
    "taae:speech-16k": "codeczoo.codecs.taae_names:SPEECH_16K",
    "taae:speech-16k-base": "codeczoo.codecs.taae_names:SPEECH_16K_BASE",
    "unicodec:base": "codeczoo.codecs.unicodec_names:BASE",
    "mimi:24khz": "codeczoo.codecs.transformers_names:MIMI",
    "xcodec:hubert-librispeech": "codeczoo.codecs.transformers_names:XCODEC_HUBERT_LIBRISPEECH",
    "xcodec:wavlm-mls": "codeczoo.codecs.transformers_names:XCODEC_WAVLM_MLS",
    "xcodec:wavlm-more-data": "codeczoo.codecs.transformers_names:XCODEC_WAVLM_MORE_DATA",
    "xcodec:hubert-general": "codeczoo.codecs.transformers_names:XCODEC_HUBERT_GENERAL",
    "xcodec:hubert-general-balanced": "codeczoo.codecs.transformers_names:XCODEC_HUBERT_GENERAL_BALANCED",
    "xcodec2:16khz": "codeczoo.codecs.transformers_names:XCODEC2",
    "neucodec:24khz": "codeczoo.codecs.transformers_names:NEUCODEC",
    "higgs:v2": "codeczoo.codecs.transformers_names:HIGGS",
}
"""Name without rate -> `module:attribute` of its `Family`."""

OPEN_TABLE: dict[str, str] = {
    "hf": "codeczoo.codecs.transformers_hub:family",
    "decoded": "codeczoo.codecs.decoded:family",
    "wavtokenizer": "codeczoo.codecs.wavtokenizer_names:family",
    "taae": "codeczoo.codecs.taae_names:family",
    "unicodec": "codeczoo.codecs.unicodec_names:family",
}
"""Family -> `module:function` from a variant to its `Family`, for names that cannot be listed."""

ENTRY_POINT_GROUP = "codeczoo.codecs"


@cache
def _plugins() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}


def _resolve(target: str) -> object:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def families() -> tuple[str, ...]:
    """Names without rates of every listed codec, in the table's order, plug-ins last."""
    return tuple(TABLE) + tuple(name for name in _plugins() if name not in TABLE)


def family(name: str) -> Family:
    """The family of a name; its rate, if any, is ignored. Raises UnknownCodec with the nearest names."""
    parsed = parse(name)
    target = TABLE.get(parsed.base) or _plugins().get(parsed.base)
    if target is not None:
        found = _resolve(target)
        if not isinstance(found, Family):
            raise CodecError(f"{target}, registered for {parsed.base}, is not a codeczoo.codecs.Family.")
        return found
    maker = OPEN_TABLE.get(parsed.family) or _plugins().get(parsed.family)
    if maker is not None and parsed.variant:
        make = _resolve(maker)
        if callable(make):
            made = make(parsed.variant)
            if isinstance(made, Family):
                return made
        raise CodecError(f"{maker}, registered for {parsed.family}:..., does not make a codeczoo.codecs.Family.")
    raise UnknownCodec(_unknown(parsed))


def _unknown(parsed: Name) -> str:
    known = [*families(), *(f"{name}:..." for name in OPEN_TABLE)]
    near = [name for name in known if parsed.family == name.partition(":")[0]]
    near = near or difflib.get_close_matches(parsed.base, known, n=4, cutoff=0.5)
    if not near:
        # A misspelt family is far from its full names, whose variants are longer than it (mini, mimi:24khz).
        near_families = difflib.get_close_matches(parsed.family, {name.partition(":")[0] for name in known}, cutoff=0.6)
        near = [name for name in known if name.partition(":")[0] in near_families]
    of_zoo = dict.fromkeys(name.partition(":")[0] for name in known)
    hint = f"Nearest: {', '.join(near)}." if near else f"There are: {', '.join(of_zoo)}."
    return f"There is no codec named {parsed.base!r}. {hint} `codeczoo list codecs` shows all."


def _point(name: str) -> tuple[Family, str]:
    parsed = parse(name)
    found = family(name)
    rate = found.aliases.get(parsed.rate, parsed.rate)
    if rate in found.rates or (rate and found.open_rates is not None and found.open_rates(rate)):
        return found, rate
    choices = ", ".join(f"{found.name}@{rate}" if rate else found.name for rate in found.rates)
    if not found.rates:
        raise UnknownRate(f"{name!r} does not state a rate that {parsed.family} can use; write {found.name}@6kbps.")
    if not parsed.rate:
        raise UnknownRate(f"{found.name} has several rates and no silent default; name one of: {choices}.")
    raise UnknownRate(f"{found.name} has no rate {parsed.rate!r}; it has: {choices}.")


def spec(name: str) -> Spec:
    """Facts of one operating point, without loading it. Raises UnknownCodec, UnknownRate."""
    found, rate = _point(name)
    return found.describe(rate)


def load(name: str, device: str = "cpu") -> Codec:
    """The codec of one operating point, ready to use on `device`.

    Raises UnknownCodec, UnknownRate, MissingDependency, WeightsMissing, WeightsCorrupt.
    """
    found, rate = _point(name)
    return found.build(rate, device)


def names() -> tuple[str, ...]:
    """Every listed operating point, rates resolved."""
    return tuple(f"{name}@{rate}" if rate else name for name in families() for rate in family(name).rates)


def expand(pattern: str) -> tuple[str, ...]:
    """Operating points that a name or a shell pattern stands for: `opus@*`, `encodec:24khz@6kbps`, `dac:*@9q`."""
    if not any(character in pattern for character in "*?["):
        found, rate = _point(pattern)
        return (f"{found.name}@{rate}" if rate else found.name,)
    matched = tuple(fnmatch.filter(names(), pattern))
    if not matched:
        raise UnknownCodec(f"No codec matches {pattern!r}. `codeczoo list codecs` shows all.")
    return matched
