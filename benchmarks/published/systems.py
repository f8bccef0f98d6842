"""A printed system and the operating points of codeczoo that it is, or is near to.

`same`: the very operating point, as far as the paper tells. `near`: points of the same codec that are shown beside the
printed ones and not compared, with the reason. Neither: why codeczoo has nothing to show. Names are patterns, since a
paper that prints no rate prints of a codec at any of its rates.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from .rows import PublishedRow
from .sets import SETS

NATIVE_SPEED = "native_speed:"
"""Begins the names of models that codeczoo.benchmarks.native_speed timed: random weights, no operating point."""
REFERENCE = "Reference"
"""Stands for the clips themselves, which the papers call ground truth."""


@dataclass(frozen=True)
class Points:
    """What a row's system is here."""

    same: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    why: str = ""
    """Where `same` is empty: what `near` differs in, or why there is nothing."""

    @property
    def patterns(self) -> tuple[str, ...]:
        return self.same + self.near

    def covers(self, codec: str) -> bool:
        """Whether an operating point is one of these."""
        return any(fnmatch.fnmatchcase(codec, pattern) for pattern in self.patterns)

    def is_same(self, codec: str) -> bool:
        return any(fnmatch.fnmatchcase(codec, pattern) for pattern in self.same)


def points(row: PublishedRow) -> Points:
    """What the system of a row is here."""
    if row.variant.startswith("downstream"):
        return Points(why="a synthesizer trained on its tokens, not the codec itself")
    if row.system in _ABSENT:
        return Points(why=_ABSENT[row.system])
    found = _OF.get(row.system)
    return found(row) if found is not None else Points(why=f"codeczoo does not know {row.system}")


_ABSENT = {
    name: f"codeczoo has no adapter of {name}; what it decoded can be measured as decoded:DIR@RATE"
    for name in ("SpeechTokenizer", "SemantiCodec", "BigCodec", "HiFi-Codec", "Vocos", "unitHiFi-GAN")
}


def _encodec(row: PublishedRow) -> Points:
    kbps = row.kbps
    if kbps is None and row.tokens_per_second is not None:
        kbps = row.tokens_per_second / 100
    return Points(("encodec:24khz@*" if kbps is None else f"encodec:24khz@{kbps:g}kbps",))


def _dac(row: PublishedRow) -> Points:
    rate, books = row.tokens_per_second, row.codebooks
    if row.paper == "taae" and row.kbps is not None:
        # 50 frames a second and 10 bits: the 16 kHz model.
        return Points((f"dac:16khz@{round(row.kbps / 0.5)}q",))
    if row.paper == "unicodec" and rate is not None and rate % 75 == 0 and rate < 900:
        return Points((f"dac:24khz@{round(rate / 75)}q",))
    if rate is None and books is None:
        return Points(near=("dac:*",), why="the paper does not say which DAC; there are three sample rates of it")
    books = books or round((rate or 0) / 100)
    return Points(
        near=(f"dac:44khz@{books}q",),
        why="the paper prints 100 tokens a second a codebook, which no published DAC has: the one at 44.1 kHz has 86.1",
    )


def _mimi(row: PublishedRow) -> Points:
    rate = row.tokens_per_second
    if rate is None and row.kbps is not None:
        rate = row.kbps / 0.011
    return Points(("mimi:24khz@*" if rate is None else f"mimi:24khz@{round(rate / 12.5)}q",))


_TAAE_RATES = {0.4: "1x46656_400bps", 0.7: "2x15625_700bps"}


def _taae(row: PublishedRow) -> Points:
    if row.paper == "unicodec":
        rate = _TAAE_RATES[0.7]
        return Points(
            near=(f"taae:speech-16k@{rate}", f"taae:speech-16k-base@{rate}"),
            why="the paper does not say which of the two published checkpoints it measured, nor at which level",
        )
    if row.variant.startswith("no quant"):
        return Points(why="the latent is not quantized in this row; a codec of codeczoo always gives tokens")
    if row.variant == "causal":
        return Points(why="no causal checkpoint is published; `codeczoo train taae-causal` trains one")
    if row.table == 4 or row.variant.startswith("w.o."):
        return Points(why="no checkpoint of this stage is published; `codeczoo train taae-pretrain` trains it")
    if row.variant.startswith("latent 12.5 Hz"):
        return Points(why="no checkpoint with a latent of 12.5 Hz is published")
    if row.kbps is None:
        return Points(("taae:speech-16k@*", "taae:speech-16k-base@*", f"{NATIVE_SPEED}taae"))
    return Points((f"taae:speech-16k-base@{_TAAE_RATES[row.kbps]}",))


_NO_UNIFIED = "the published unified checkpoint has 40 tokens a second (wavtokenizer:large-unify-600), this one 75"
_WHICH = "the paper does not say which of the published checkpoints it is"
_SPEECH = ("wavtokenizer:small-320", "wavtokenizer:medium-speech-320*", "wavtokenizer:large-speech-320")
_MUSIC = ("wavtokenizer:medium-music-audio-320*",)
_ABLATIONS = {
    "codebook 16384, 4000 hours training data": "codebook-16384",
    "codebook 16384": "codebook-16384",
    "codebook 8192": "codebook-8192",
    "codebook 1024": "codebook-1024",
    "codebook 4096, window 1 s": "window-1s",
    "codebook 4096, window 5 s": "window-5s",
    "w/ mirror decoder": "mirrored-decoder",
    "w/o attention module": "no-attention",
    "w/o MSTFTD": "no-band-discriminator",
    "w/o attention w/o extended windows": "no-attention",
}
"""Variant -> the recipe that trains it."""


def _wavtokenizer(row: PublishedRow) -> Points:
    if row.paper == "unicodec":
        return _wavtokenizer_of_unicodec(row)
    recipe = _ABLATIONS.get(row.variant) or _ABLATIONS.get(row.variant.partition(", 585")[0])
    if recipe and not row.variant.startswith("codebook 4096, window 3"):
        extra = " (with crops of 1 s)" if row.variant.endswith("windows") else ""
        return Points(
            why=f"no checkpoint is published; `codeczoo train {recipe}`{extra} trains it, --match names it here"
        )
    if row.metric == "accuracy":
        speech = SETS[row.dataset].domain == "speech"
        return Points(near=_SPEECH if speech else _MUSIC, why=_WHICH)
    return Points(("wavtokenizer:small-600" if row.tokens_per_second == 40 else "wavtokenizer:small-320",))


def _wavtokenizer_of_unicodec(row: PublishedRow) -> Points:
    if row.variant == "unified":
        return Points(why=_NO_UNIFIED)
    if row.variant == "speech" and row.table in (3, 7):
        # These rows repeat those of WavTokenizer's own table.
        return Points(("wavtokenizer:small-320",))
    timed = (*_SPEECH, *_MUSIC, f"{NATIVE_SPEED}wavtokenizer")
    near = {"speech": _SPEECH, "music/audio": _MUSIC}.get(row.variant, timed)
    return Points(near=near, why=_WHICH)


_TOLD = ("speech", "music", "sound", "speech+music+sound")
"""What UniCodec may be told of its clips; the last is of three points, each on its own set."""


def _unicodec(row: PublishedRow) -> Points:
    if row.variant.startswith("w. domain id"):
        domain = SETS[row.dataset].domain
        return Points(tuple(f"unicodec:base@{name}" for name in ((domain,) if domain else _TOLD)))
    if row.variant and not row.variant.startswith("w/o domain id"):
        return Points(why="no checkpoint of this ablation is published")
    if not row.variant and row.table == 8:
        return Points(("unicodec:base", "unicodec:base@*", f"{NATIVE_SPEED}unicodec"))
    return Points(("unicodec:base",))


_OF = {
    "Ground Truth": lambda row: Points((REFERENCE,)),
    "Encodec": _encodec,
    "DAC": _dac,
    "Mimi": _mimi,
    "TAAE": _taae,
    "WavTokenizer": _wavtokenizer,
    "UniCodec": _unicodec,
}
