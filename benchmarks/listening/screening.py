"""Post-screening of a MUSHRA test: listeners whose answers do not count, by rules that were fixed before.

`bs1534`       Rec. ITU-R BS.1534-3, section 4.1.2: the hidden reference rated below 90 in more than 15 % of the
               trials, or the mid-range anchor (7 kHz) above 90 in more than 15 % of them; trials in which more than a
               quarter of all listeners rate that anchor above 90 do not count for the second rule, because it was
               hardly degraded.
`wavtokenizer` Ji et al. 2024 (arXiv 2408.16532), appendix C: the reference rated below 90 in at least 20 % of the
               trials, or the low anchor (3.5 kHz) above 80 in more than 50 % of them.

Shares are of the trials that a listener took, in whole numbers: 3 of 20 is exactly 15 %, and not more. A rule about an
anchor that the test does not have says nothing. Rules look at all listeners before anyone is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from codeczoo.benchmarks.errors import BenchmarkError

from .answers import Answers
from .key import LOW_ANCHOR, MID_ANCHOR, REFERENCE

RuleSet = Literal["bs1534", "wavtokenizer"]
RULE_SETS: tuple[RuleSet, ...] = get_args(RuleSet)

_BAD_REFERENCE = 90
_GOOD_MID_ANCHOR = 90
_GOOD_LOW_ANCHOR = 80
_ANCHOR_NOT_BAD = Fraction(1, 4)
"""Share of the listeners above which a trial's mid-range anchor is taken for hardly degraded."""


@dataclass(frozen=True)
class Rule:
    """One reason to leave a listener out."""

    rule_set: RuleSet
    text: str
    condition: str
    strange: Callable[[int], bool]
    """Whether a rating of that condition counts against the listener."""
    too_many: Callable[[Fraction], bool]


RULES = (
    Rule(
        "bs1534",
        "hidden reference below 90 in more than 15 % of the trials",
        REFERENCE,
        lambda rating: rating < _BAD_REFERENCE,
        lambda share: share > Fraction(15, 100),
    ),
    Rule(
        "bs1534",
        "7 kHz anchor above 90 in more than 15 % of the trials",
        MID_ANCHOR,
        lambda rating: rating > _GOOD_MID_ANCHOR,
        lambda share: share > Fraction(15, 100),
    ),
    Rule(
        "wavtokenizer",
        "hidden reference below 90 in at least 20 % of the trials",
        REFERENCE,
        lambda rating: rating < _BAD_REFERENCE,
        lambda share: share >= Fraction(20, 100),
    ),
    Rule(
        "wavtokenizer",
        "3.5 kHz anchor above 80 in more than 50 % of the trials",
        LOW_ANCHOR,
        lambda rating: rating > _GOOD_LOW_ANCHOR,
        lambda share: share > Fraction(1, 2),
    ),
)


@dataclass(frozen=True)
class Finding:
    """One rule held against one listener."""

    rule: Rule
    strange: int
    trials: int
    """That count for the rule."""

    @property
    def excludes(self) -> bool:
        return self.trials > 0 and self.rule.too_many(Fraction(self.strange, self.trials))


@dataclass(frozen=True)
class Screened:
    """One listener after all rules, applied or not."""

    listener: str
    findings: tuple[Finding, ...]
    against: tuple[Finding, ...]
    """Those of the rules that were applied which leave the listener out."""

    @property
    def kept(self) -> bool:
        return not self.against

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the listener is left out, in words."""
        return tuple(f"{one.rule.text} ({one.strange} of {one.trials}; {one.rule.rule_set})" for one in self.against)


def parse(names: Sequence[str]) -> tuple[RuleSet, ...]:
    """Rule sets by name; `none` alone stands for no rule. Raises BenchmarkError."""
    if list(names) == ["none"]:
        return ()
    known: dict[str, RuleSet] = {name: name for name in RULE_SETS}
    for name in names:
        if name not in known:
            raise BenchmarkError(
                f"There are no screening rules {name!r}; there are {', '.join(RULE_SETS)}, and none by itself."
            )
    return tuple(dict.fromkeys(known[name] for name in names))


def screen(answers: Sequence[Answers], applied: Sequence[RuleSet]) -> tuple[Screened, ...]:
    """Every listener held against every rule; those of `applied` decide."""
    not_counted = _hardly_degraded(answers)
    screened = []
    for given in answers:
        findings = tuple(_finding(rule, given, not_counted) for rule in RULES)
        against = tuple(one for one in findings if one.excludes and one.rule.rule_set in applied)
        screened.append(Screened(given.listener, findings, against))
    return tuple(screened)


def _finding(rule: Rule, given: Answers, not_counted: frozenset[str]) -> Finding:
    ratings = [
        answer.ratings[rule.condition]
        for answer in given.trials
        if rule.condition in answer.ratings and not (rule.condition == MID_ANCHOR and answer.trial in not_counted)
    ]
    return Finding(rule, sum(map(rule.strange, ratings)), len(ratings))


def _hardly_degraded(answers: Sequence[Answers]) -> frozenset[str]:
    """Trials in which too many listeners find nothing wrong with the mid-range anchor."""
    by_trial: dict[str, list[int]] = {}
    for given in answers:
        for answer in given.trials:
            if MID_ANCHOR in answer.ratings:
                by_trial.setdefault(answer.trial, []).append(answer.ratings[MID_ANCHOR])
    return frozenset(
        trial
        for trial, ratings in by_trial.items()
        if Fraction(sum(rating > _GOOD_MID_ANCHOR for rating in ratings), len(ratings)) > _ANCHOR_NOT_BAD
    )


def counts(screened: Sequence[Screened]) -> Mapping[str, int]:
    """How many listeners each rule left out, of those that left out any; one listener may count for several."""
    return Counter(f"{one.rule.text} ({one.rule.rule_set})" for listener in screened for one in listener.against)
