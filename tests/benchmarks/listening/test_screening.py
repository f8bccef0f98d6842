"""Screening: shares at the very edge of each rule, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.listening.answers import Answer, Answers
from codeczoo.benchmarks.listening.key import LOW_ANCHOR, MID_ANCHOR, REFERENCE
from codeczoo.benchmarks.listening.screening import RuleSet, Screened, counts, parse, screen


def listener(name: str, trials: int, **bad: int) -> Answers:
    """Somebody with `bad` ratings of the reference (89), the low anchor (81) and the mid anchor (91) in the first so
    many of `trials`; all others are at the rules' own bounds (90, 80, 90), which are not bad."""
    made = []
    for number in range(trials):
        ratings = {
            REFERENCE: 89 if number < bad.get("reference", 0) else 90,
            LOW_ANCHOR: 81 if number < bad.get("low", 0) else 80,
            MID_ANCHOR: 91 if number < bad.get("mid", 0) else 90,
        }
        made.append(Answer(f"t{number}", number + 1, (), 10.0, ratings))
    return Answers(name, Path(name), tuple(made), "headphones", "", "", "")


def verdicts(screened: tuple[Screened, ...]) -> dict[str, bool]:
    return {one.listener: one.kept for one in screened}


CROWD = [listener(f"good{number}", 20) for number in range(12)]


@pytest.mark.parametrize(
    ("rules", "bad", "kept"),
    [
        ("bs1534", {"reference": 3}, True),  # 3 of 20 is 15 %, and not more
        ("bs1534", {"reference": 4}, False),
        ("bs1534", {"mid": 3}, True),
        ("bs1534", {"mid": 4}, False),
        ("bs1534", {"low": 20}, True),
        ("wavtokenizer", {"reference": 3}, True),
        ("wavtokenizer", {"reference": 4}, False),  # at least 20 %
        ("wavtokenizer", {"low": 10}, True),  # half is not more than half
        ("wavtokenizer", {"low": 11}, False),
        ("wavtokenizer", {"mid": 20}, True),
    ],
)
def test_the_edge_of_each_rule(rules: RuleSet, bad: dict[str, int], kept: bool) -> None:
    found = screen([*CROWD, listener("edge", 20, **bad)], [rules])
    assert verdicts(found) == {**{one.listener: True for one in CROWD}, "edge": kept}


def test_every_rule_is_held_against_everybody_and_only_those_asked_for_exclude() -> None:
    strange = listener("x", 20, reference=20, low=20)
    (found,) = screen([strange], ["wavtokenizer"])
    assert [(one.strange, one.trials, one.excludes) for one in found.findings] == [
        (20, 20, True),
        (0, 20, False),
        (20, 20, True),
        (20, 20, True),
    ]
    assert found.reasons == (
        "hidden reference below 90 in at least 20 % of the trials (20 of 20; wavtokenizer)",
        "3.5 kHz anchor above 80 in more than 50 % of the trials (20 of 20; wavtokenizer)",
    )
    assert counts([found]) == {
        "hidden reference below 90 in at least 20 % of the trials (wavtokenizer)": 1,
        "3.5 kHz anchor above 80 in more than 50 % of the trials (wavtokenizer)": 1,
    }
    assert screen([strange], [])[0].kept


def test_a_mid_anchor_that_too_many_like_does_not_count() -> None:
    """In 5 of 10 trials 3 of 12 listeners (a quarter) rate it above 90: these count, and leave the three out. A fourth
    listener makes that more than a quarter: now they count for nobody."""
    three = [listener(f"bad{number}", 10, mid=5) for number in range(3)]
    good = [listener(f"good{number}", 10) for number in range(9)]
    found = screen([*good, *three], ["bs1534"])
    assert sum(one.kept for one in found) == 9
    four = [*three, listener("bad3", 10, mid=5)]
    found = screen([*good[:8], *four], ["bs1534"])
    assert all(one.kept for one in found)
    assert {one.findings[1].trials for one in found} == {5}


def test_a_rule_about_an_anchor_that_is_not_there_says_nothing() -> None:
    made = Answers("p", Path("p"), (Answer("t", 1, (), 1.0, {REFERENCE: 100}),), "", "", "", "")
    (found,) = screen([made], ["bs1534", "wavtokenizer"])
    assert found.kept
    assert [one.trials for one in found.findings] == [1, 0, 1, 0]


def test_names_of_rules() -> None:
    assert parse(["none"]) == ()
    assert parse(["wavtokenizer", "bs1534", "wavtokenizer"]) == ("wavtokenizer", "bs1534")
    with pytest.raises(BenchmarkError, match="There are no screening rules 'none'; there are bs1534, wavtokenizer"):
        parse(["none", "bs1534"])
