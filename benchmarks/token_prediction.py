"""How well a codec's tokens are predicted from those before them, on clips that the predictor has not learnt from.

Of the clips of a run a fifth is held out, by speaker where speakers are known (all clips of one on one side), the same
ones for every codec. N-gram models of rising order learn from the rest (`codeczoo.metrics.token_ngram`); what the
held-out tokens cost them is the number. Order 1 knows how often each token occurs, and nothing of what came before.

It depends on how much there was to learn from: compare codecs over the same clips, and mind the number of tokens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codeczoo.metrics.token_ngram import NGram, interleaved

from .statistics.bootstrap import mean_interval
from .token_corpus import CodecSources, TokenSource

ORDERS = (1, 2, 3)
HELD_OUT = 0.2


@dataclass(frozen=True)
class Prediction:
    """One model of one codec's tokens."""

    codec: str
    group: str
    order: int
    bits_a_token: float
    """Mean over the held-out tokens."""
    interval: tuple[float, float] | None
    """95 %, over speakers or clips."""
    bits_a_second: float
    learnt_tokens: int
    held_out_tokens: int


@dataclass(frozen=True)
class _Clip:
    cluster: str
    seconds: float
    stream: NDArray[np.int64]


def is_held_out(cluster: str, share: float = HELD_OUT) -> bool:
    """Whether clips of this speaker are held out: a matter of the name alone, so the same for every codec and run."""
    digest = hashlib.sha256(cluster.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def predict(of: CodecSources, orders: Sequence[int] = ORDERS) -> tuple[Prediction, ...]:
    """Of one codec and group, a prediction an order; none where codebooks have several frame rates, or where either
    side has no tokens."""
    clips = [clip for source in of.clips if (clip := _read(source, of.sizes)) is not None]
    learnt = [clip for clip in clips if not is_held_out(clip.cluster)]
    held_out = [clip for clip in clips if is_held_out(clip.cluster)]
    if not learnt or not held_out:
        return ()
    seconds = sum(clip.seconds for clip in held_out)
    made: list[Prediction] = []
    for order in orders:
        model = NGram(sum(of.sizes), order, [clip.stream for clip in learnt])
        costs = [model.bits(clip.stream) for clip in held_out]
        tokens = np.concatenate(costs)
        speakers = [clip.cluster for clip, cost in zip(held_out, costs, strict=True) for _ in cost]
        made.append(
            Prediction(
                codec=of.codec,
                group=of.group,
                order=order,
                bits_a_token=float(tokens.mean()),
                interval=mean_interval(tokens.tolist(), speakers),
                bits_a_second=float(tokens.sum()) / seconds,
                learnt_tokens=sum(len(clip.stream) for clip in learnt),
                held_out_tokens=len(tokens),
            )
        )
    return tuple(made)


def _read(source: TokenSource, sizes: Sequence[int]) -> _Clip | None:
    codes = source.codes()
    if codes is None or len(codes) != len(sizes) or len({len(row) for row in codes}) > 1 or not len(codes[0]):
        return None
    return _Clip(source.cluster, source.seconds, interleaved(codes, sizes))
