"""How well a codec's tokens are predicted from those before them, on clips that the predictor has not learnt from.

Clips of a run have three sides, by speaker where speakers are known (all clips of one on one side), the same for every
codec: a fifth is held out, an eighth of the rest is for validation, the others are learnt from, and of three speakers
or more no side is empty. What the held-out tokens cost a model is the number:

    n-gram         of rising order (`codeczoo.metrics.token_ngram`). Order 1 knows how often each token occurs, and
                   nothing of what came before. Nothing has to be chosen, so it learns from the validation clips too.
    transformer    small, causal, several codebooks by the delay pattern (`codeczoo.metrics.token_language_model`). How
                   long it trains is chosen on the validation clips.

It depends on how much there was to learn from: compare codecs over the same clips, and mind the number of tokens.
Below TOKENS_AN_ENTRY tokens an entry to learn from (`Prediction.enough`) it is the corpus rather than the codec that
is measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeczoo.metrics import Undefined
from codeczoo.metrics.token_entropy import TOKENS_AN_ENTRY
from codeczoo.metrics.token_language_model import TokenTransformer, TransformerRecipe
from codeczoo.metrics.token_ngram import NGram, interleaved

from .errors import BenchmarkError
from .statistics.bootstrap import mean_interval
from .token_corpus import CodecSources

ORDERS = (1, 2, 3)
HELD_OUT = 0.2
VALIDATION = 0.125
"""Of what is not held out."""
MODELS = ("ngram", "transformer")


@dataclass(frozen=True)
class Prediction:
    """One model of one codec's tokens."""

    codec: str
    group: str
    model: str
    """`ngram_1`, `transformer`."""
    bits_a_token: float
    """Mean over the held-out tokens."""
    interval: tuple[float, float] | None
    """95 %, over speakers or clips."""
    bits_a_second: float
    nominal_bits_a_token: float
    """log2 of the entries, mean over codebooks: what a token of which nothing is known costs."""
    learnt_tokens: int
    """Validation included."""
    validation_tokens: int
    """Of these; 0 where nothing is chosen."""
    held_out_tokens: int
    steps: int | None
    """Of training; None for what counts."""
    parameters: int | None
    enough: bool
    """Whether every codebook had TOKENS_AN_ENTRY tokens an entry to learn from."""
    identity: str
    """Of model, its settings and the split."""


@dataclass(frozen=True)
class _Clip:
    cluster: str
    seconds: float
    codes: list[NDArray[np.int64]]


@dataclass(frozen=True)
class _Sides:
    learnt: list[_Clip]
    validation: list[_Clip]
    held_out: list[_Clip]


def held_out_of(clusters: Iterable[str], share: float = HELD_OUT) -> frozenset[str]:
    """The speakers whose clips are held out: a matter of names alone, so the same for every codec. At least one, and
    never so many that a side has none of three speakers; none of one."""
    return _share_of(clusters, share, byte=0, others=2)


def validation_of(clusters: Iterable[str], share: float = VALIDATION) -> frozenset[str]:
    """Of the speakers that are not held out, those whose clips are for validation: at least one of two, never all."""
    return _share_of(clusters, share, byte=8, others=1)


def predict(of: CodecSources, models: Sequence[str] = MODELS, orders: Sequence[int] = ORDERS) -> tuple[Prediction, ...]:
    """Of one codec and group, a prediction an n-gram order and one by the transformer.

    Raises Undefined where a side of the split has no tokens, or codebooks have several frame rates; BenchmarkError
    where there is no such model.
    """
    unknown = [model for model in models if model not in MODELS]
    if unknown:
        raise BenchmarkError(f"Models that predict tokens are {' and '.join(MODELS)}; got {', '.join(unknown)}.")
    sides = _sides(of)
    made: list[Prediction] = []
    if "ngram" in models:
        learnt = [interleaved(clip.codes, of.sizes) for clip in (*sides.learnt, *sides.validation)]
        for order in orders:
            model = NGram(of.sizes, order, learnt)
            costs = [model.bits(interleaved(clip.codes, of.sizes)) for clip in sides.held_out]
            made.append(_prediction(of, sides, costs, f"ngram_{order}", f"ngram|witten_bell|order:{order}"))
    if "transformer" in models:
        if not sides.validation:
            raise Undefined("no clips to validate the transformer with")
        recipe = TransformerRecipe()
        model = TokenTransformer(of.sizes, _codes(sides.learnt), _codes(sides.validation), recipe)
        costs = [np.concatenate(model.bits(clip.codes)) for clip in sides.held_out]
        made.append(_prediction(of, sides, costs, "transformer", recipe.identity, model))
    return tuple(made)


def predict_all(
    found: Sequence[CodecSources], models: Sequence[str], jobs: int = 1, done: Callable[[str], None] = lambda name: None
) -> tuple[tuple[Prediction, ...], dict[tuple[str, str], str]]:
    """Predictions of many, in as many processes, in their order; and why some or all of a (group, codec) are missing.
    `done` is told of each codec. Raises BenchmarkError."""
    predicted: list[Prediction] = []
    left_out: dict[tuple[str, str], str] = {}
    for of, (made, reason) in zip(found, _each(found, models, jobs), strict=True):
        predicted += made
        if reason:
            left_out[of.group, of.codec] = reason
        done(of.codec)
    return tuple(predicted), left_out


def _each(
    found: Sequence[CodecSources], models: Sequence[str], jobs: int
) -> Iterable[tuple[tuple[Prediction, ...], str]]:
    if jobs == 1 or len(found) == 1:
        return (_predict_or_reason(of, models) for of in found)
    from joblib import Parallel, delayed

    made: Any = Parallel(n_jobs=jobs, return_as="generator")(delayed(_predict_or_reason)(of, models) for of in found)
    return made


def _predict_or_reason(of: CodecSources, models: Sequence[str]) -> tuple[tuple[Prediction, ...], str]:
    """What could be predicted, and why the rest could not."""
    made: list[Prediction] = []
    reasons: dict[str, list[str]] = {}
    for model in models:
        try:
            made += predict(of, [model])
        except Undefined as reason:
            reasons.setdefault(str(reason), []).append(model)
    if not made:
        return (), "; ".join(f"not predicted: {reason}" for reason in reasons)
    return tuple(made), "; ".join(f"not predicted by {' or '.join(names)}: {why}" for why, names in reasons.items())


def _prediction(
    of: CodecSources,
    sides: _Sides,
    costs: Sequence[NDArray[np.float64]],
    name: str,
    identity: str,
    trained: TokenTransformer | None = None,
) -> Prediction:
    tokens = np.concatenate(costs)
    speakers = [clip.cluster for clip, cost in zip(sides.held_out, costs, strict=True) for _ in cost]
    learnt = _tokens((*sides.learnt, *sides.validation))
    return Prediction(
        codec=of.codec,
        group=of.group,
        model=name,
        bits_a_token=float(tokens.mean()),
        interval=mean_interval(tokens.tolist(), speakers),
        bits_a_second=float(tokens.sum()) / sum(clip.seconds for clip in sides.held_out),
        nominal_bits_a_token=float(np.log2(of.sizes).mean()),
        learnt_tokens=learnt,
        validation_tokens=_tokens(sides.validation) if trained else 0,
        held_out_tokens=len(tokens),
        steps=trained.steps if trained else None,
        parameters=trained.parameters if trained else None,
        enough=learnt / len(of.sizes) >= TOKENS_AN_ENTRY * max(of.sizes),
        identity=f"{identity}|held_out:{HELD_OUT:g}|validation:{VALIDATION:g}|split:sha256_of_speaker_or_clip",
    )


def _sides(of: CodecSources) -> _Sides:
    clips = list(_read(of))
    clusters = {clip.cluster for clip in clips}
    held_out = held_out_of(clusters)
    validation = validation_of(clusters - held_out)
    sides = _Sides(
        learnt=[clip for clip in clips if clip.cluster not in held_out | validation],
        validation=[clip for clip in clips if clip.cluster in validation],
        held_out=[clip for clip in clips if clip.cluster in held_out],
    )
    for name, found in (("learn from", sides.learnt), ("hold out", sides.held_out)):
        if not found:
            raise Undefined(f"no clips to {name}: too few speakers or clips")
    return sides


def _read(of: CodecSources) -> Iterator[_Clip]:
    for source in of.clips:
        codes = source.codes()
        if codes is None or len(codes) != len(of.sizes) or not len(codes[0]):
            continue
        if len({len(row) for row in codes}) > 1:
            raise Undefined("codebooks of several frame rates are neither one stream nor one delay pattern")
        yield _Clip(source.cluster, source.seconds, codes)


def _codes(clips: Iterable[_Clip]) -> list[list[NDArray[np.int64]]]:
    return [clip.codes for clip in clips]


def _tokens(clips: Iterable[_Clip]) -> int:
    return sum(len(row) for clip in clips for row in clip.codes)


def _share_of(clusters: Iterable[str], share: float, byte: int, others: int) -> frozenset[str]:
    fractions = {name: _fraction(name, byte) for name in clusters}
    most = len(fractions) - max(min(others, len(fractions) - 1), 1)
    wanted = sum(fraction < share for fraction in fractions.values())
    number = max(min(max(wanted, 1), most), 0)
    return frozenset(sorted(fractions, key=fractions.__getitem__)[:number])


def _fraction(name: str, byte: int) -> float:
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[byte : byte + 8], "big") / 2**64
