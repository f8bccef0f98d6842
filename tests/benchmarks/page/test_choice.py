"""Which clips are offered: the extremes that the scores say."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.page.choice import choose, extremes, of_codec
from codeczoo.benchmarks.report.summary import summarise

STOI = {"a": [0.9, 0.2, 0.5, 0.7], "b": [0.8, 0.4, 0.6, 0.95]}
MEL = {"a": [0.3, 1.0, 0.1, 0.5], "b": [0.3, 1.0, 0.2, 0.5]}


@pytest.fixture
def summary(made: SimpleNamespace):
    records = [
        made.record(codec, f"{clip}.wav", {"stoi": STOI[codec][clip], "mel_distance": MEL[codec][clip]})
        for codec in "ab"
        for clip in range(4)
    ]
    return summarise(records, facts=made.facts, resamples=50)


def names(pairs: list) -> list[tuple[str, float]]:
    return [(key[1], value) for key, value in pairs]


def test_a_codec_s_worst_and_best_follow_the_metric_s_direction(summary, made: SimpleNamespace) -> None:
    cells = summary.groups[0].rows[0].cells
    worst, best = of_codec(cells["stoi"], made.facts["stoi"], 2)
    assert names(worst) == [("1.wav", 0.2), ("2.wav", 0.5)]
    assert names(best) == [("0.wav", 0.9), ("3.wav", 0.7)]
    worst, best = of_codec(cells["mel_distance"], made.facts["mel_distance"], 1)
    assert names(worst) == [("1.wav", 1.0)]
    assert names(best) == [("2.wav", 0.1)]


def test_the_extremes_are_those_of_the_mean_over_codecs(summary, made: SimpleNamespace) -> None:
    """Clip 0 is the best of codec a; clip 3 of codec b; 0.85 > 0.825 makes it clip 0."""
    worst, best = extremes(summary.groups[0], made.facts["stoi"])
    assert (worst[1], best[1]) == ("1.wav", "0.wav")
    worst, best = extremes(summary.groups[0], made.facts["mel_distance"])
    assert (worst[1], best[1]) == ("1.wav", "2.wav")


def test_choices_are_distinct_and_say_why(summary) -> None:
    chosen = choose(summary, 3)
    assert [choice.clip[1] for choice in chosen] == ["1.wav", "0.wav", "2.wav"]
    assert chosen[0].reasons == (("worst", "stoi"), ("worst", "mel_distance"))
    assert chosen[1].reasons == (("best", "stoi"),)
    assert [choice.clip[1] for choice in choose(summary, 9)] == ["1.wav", "0.wav", "2.wav", "3.wav"]


def test_clips_by_name(summary) -> None:
    assert [choice.clip[1] for choice in choose(summary, 6, ["[23].*"])] == ["2.wav", "3.wav"]
    with pytest.raises(BenchmarkError, match=r"No clip of the records matches nothing\*"):
        choose(summary, 6, ["nothing*"])


def test_records_without_scores_offer_their_first_clips(made: SimpleNamespace) -> None:
    records = [made.record("a", f"{clip}.wav", failed={"encode": "no"}) for clip in range(3)]
    chosen = choose(summarise(records, facts=made.facts, resamples=50), 2)
    assert [(choice.clip[1], choice.reasons) for choice in chosen] == [("0.wav", ()), ("1.wav", ())]
