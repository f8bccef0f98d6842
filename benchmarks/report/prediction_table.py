"""The table of predictability: what a token costs models that know those before it, beside what it costs without."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from codeczoo.metrics.token_entropy import TOKENS_AN_ENTRY

from .table import NOTHING, Section, Table, TextCell
from .token_table import FEW

if TYPE_CHECKING:
    from codeczoo.benchmarks.token_corpus import CodecTokens
    from codeczoo.benchmarks.token_prediction import Prediction

Key = tuple[str, str]
"""(group, codec)."""

_BITS, _RATE = "(bits/token)", "(bps)"


def predictions(
    found: Sequence[Prediction], counted: Sequence[CodecTokens], left_out: Mapping[Key, str] | None = None
) -> Table:
    """A row a codec; `counted` gives the bitrates beside them, `left_out` why there are no predictions of a codec."""
    models = sorted({of.model for of in found})
    head = (
        "Model",
        f"log2 of entries {_BITS}",
        *(f"{label(model)} {_BITS}" for model in models),
        f"Nominal {_RATE}",
        f"Entropy coded {_RATE}",
        *(f"{label(model)} {_RATE}" for model in models),
        "Learnt from",
        "Held out",
    )
    rates = {(codec.group, codec.codec): codec.bitrates for codec in counted}
    by_key: dict[Key, dict[str, Prediction]] = {}
    for of in found:
        by_key.setdefault((of.group, of.codec), {})[of.model] = of
    sections: list[Section] = []
    for group in dict.fromkeys(codec.group for codec in counted):
        rows: list[tuple[TextCell, ...]] = []
        for key, by_model in by_key.items():
            if key[0] != group:
                continue
            any_of = next(iter(by_model.values()))
            bits = (_bits(by_model[model]) if model in by_model else NOTHING for model in models)
            seconds = (f"{by_model[model].bits_a_second:.0f}" if model in by_model else NOTHING for model in models)
            rows.append(
                (
                    TextCell(key[1], is_name=True),
                    TextCell(f"{any_of.nominal_bits_a_token:.2f}"),
                    *map(TextCell, bits),
                    TextCell(f"{rates[key].nominal_bps:.0f}"),
                    TextCell(f"{rates[key].entropy_bps:.0f}"),
                    *map(TextCell, seconds),
                    TextCell(str(any_of.learnt_tokens), mark="" if any_of.enough else FEW),
                    TextCell(str(any_of.held_out_tokens)),
                )
            )
        notes = tuple(f"`{codec}`: {why}." for (of, codec), why in (left_out or {}).items() if of == group)
        if rows or notes:
            sections.append(Section(group, tuple(rows), notes))
    return Table("How well tokens are predicted", head, 1, tuple(sections), tuple(_notes(found)))


def label(model: str) -> str:
    """`ngram_2` as 2-gram."""
    return f"{model.removeprefix('ngram_')}-gram" if model.startswith("ngram_") else model.capitalize()


def json_text(found: Sequence[Prediction]) -> str:
    """Everything that is known of each prediction, its identity included."""
    return json.dumps([asdict(of) for of in found], indent=1) + "\n"


def _notes(found: Sequence[Prediction]) -> list[str]:
    notes = [
        "What a token of speakers (or clips) never learnt from costs a model that knows the tokens before it: bits, "
        "with half the 95 % interval over speakers or clips. 1-gram: how often tokens occur, alone. n-gram models take "
        "codebooks as one stream, frame by frame; the transformer by the delay pattern.",
        "Nominal and entropy coded are of all clips together: the code of the latter is made for these very clips, the "
        "models for others than those they are tried on.",
        "With more tokens to learn from all numbers fall, those of long contexts and large codebooks most.",
    ]
    trained = [of for of in found if of.steps is not None]
    if trained:
        steps = sorted({of.steps for of in trained if of.steps is not None})
        notes.append(
            f"Transformer: {trained[0].identity.removeprefix('transformer|').replace('|', ', ')}; steps of training, "
            f"by validation: {steps[0]} to {steps[-1]}."
        )
    if any(not of.enough for of in found):
        notes.append(
            f"{FEW} fewer than {TOKENS_AN_ENTRY} tokens an entry to learn from: such a number says more of the size of "
            "the corpus than of the codec."
        )
    return notes


def _bits(of: Prediction) -> str:
    half = "" if of.interval is None else f" ± {(of.interval[1] - of.interval[0]) / 2:.2f}"
    return f"{of.bits_a_token:.2f}{half}"
