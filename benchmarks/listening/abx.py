"""Answers of an ABX test: was X recognised more often than by guessing?

Guessing is right half of the time, whoever listens and however often, because X is drawn anew for every listener and
trial. So the exact binomial test of all answers against one half, one-sided, holds at any number of listeners; it is
corrected (Holm 1979) for the number of codecs. Intervals are Clopper & Pearson's (1934), two-sided 95 %, for these
listeners: those of different ears spread less than the binomial says, other listeners may spread more.

d' is the distance between reference and codec in units of a listener's own noise, by the differencing model of ABX
(Macmillan & Creelman 2005, chapter 9: X is taken for the one it is nearer to), in which, with clips that change from
trial to trial, listeners are:

    p(right) = F(d'/sqrt 2) F(d'/sqrt 6) + F(-d'/sqrt 2) F(-d'/sqrt 6),    F the normal distribution

It is 0 for guessing or worse; where every answer is right it has no finite value, only the lower bound that the
interval gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from codeczoo.benchmarks.statistics.bootstrap import LEVEL
from codeczoo.benchmarks.statistics.corrections import holm

from .answers import Answer, Answers
from .key import Key

_LARGEST_D = 40.0
"""Beyond it the chance of a wrong answer is no float."""


@dataclass(frozen=True)
class Proportion:
    """How often X was recognised."""

    right: int
    n: int
    interval: tuple[float, float]
    p: float
    """Exact, one-sided: more often than one half."""
    p_corrected: float
    d_prime: float | None
    """None where every answer is right."""
    d_interval: tuple[float, float | None]
    """Its upper end is None where the data set no bound."""

    @property
    def share(self) -> float:
        return self.right / self.n


@dataclass(frozen=True)
class Abx:
    """An ABX test, analysed."""

    by_condition: dict[str, Proportion]
    by_listener: dict[tuple[str, str], Proportion]
    """By (condition, listener)."""
    by_trial: dict[tuple[str, str], Proportion]
    """By (condition, clip)."""
    n_listeners: int


def analyse(key: Key, answers: Sequence[Answers]) -> Abx:
    """Count and test. p-values are corrected within each of the three tables."""
    given = [(one.listener, answer) for one in answers for answer in one.trials]
    listeners = _table(given, lambda listener, answer: (answer.condition, listener))
    clips = _table(given, lambda _, answer: (answer.condition, key.trials[answer.trial].clip))
    conditions = _table(given, lambda _, answer: (answer.condition, ""))
    return Abx({name: found for (name, _), found in conditions.items()}, listeners, clips, len(answers))


def _table(
    given: Sequence[tuple[str, Answer]], row: Callable[[str, Answer], tuple[str, str]]
) -> dict[tuple[str, str], Proportion]:
    counted: dict[tuple[str, str], list[bool]] = {}
    for listener, answer in given:
        counted.setdefault(row(listener, answer), []).append(bool(answer.correct))
    names = sorted(counted)
    p = [binomial_p(sum(counted[name]), len(counted[name])) for name in names]
    return {
        name: _proportion(sum(counted[name]), len(counted[name]), raw, corrected)
        for name, raw, corrected in zip(names, p, holm(p), strict=True)
    }


def _proportion(right: int, n: int, p: float, p_corrected: float) -> Proportion:
    low, high = clopper_pearson(right, n)
    bounds = (d_prime(low) or 0.0, d_prime(high))
    return Proportion(right, n, (low, high), p, p_corrected, d_prime(right / n), bounds)


def binomial_p(right: int, n: int) -> float:
    """Probability that guessing gets at least `right` of `n`, in whole numbers.

    >>> binomial_p(12, 16)
    0.0384063720703125
    """
    return sum(math.comb(n, k) for k in range(right, n + 1)) / 2**n


def clopper_pearson(right: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Exact interval of a proportion."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if right == 0 else float(betaincinv(right, n - right + 1, tail))
    high = 1.0 if right == n else float(betaincinv(right + 1, n - right, 1 - tail))
    return low, high


def share_right(d: float) -> float:
    """Proportion of right answers of an unbiased listener with this d'."""
    from scipy.special import ndtr

    near, far = d / math.sqrt(2), d / math.sqrt(6)
    return float(ndtr(near) * ndtr(far) + ndtr(-near) * ndtr(-far))


def d_prime(share: float) -> float | None:
    """d' of a proportion of right answers: 0 for one half or less, None for 1."""
    from scipy.optimize import root_scalar

    if share <= 0.5:
        return 0.0
    if share >= share_right(_LARGEST_D):
        return None
    return float(root_scalar(lambda d: share_right(d) - share, bracket=(0.0, _LARGEST_D), xtol=1e-12).root)
