"""Means, intervals and tests of ratings against numbers from elsewhere: by hand, scipy, statsmodels."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.errors import InvalidAnswers
from codeczoo.benchmarks.listening import answers, mushra
from codeczoo.benchmarks.listening.key import LOW_ANCHOR, MID_ANCHOR, REFERENCE, Key
from codeczoo.benchmarks.listening.key import write as write_key

from .conftest import mushra_file, plain_key, put

A, B = "a@1kbps", "b@2kbps"
CONDITIONS = (REFERENCE, LOW_ANCHOR, MID_ANCHOR, A, B)


def ratings(listeners: int, trials: int, seed: int = 3) -> np.ndarray:
    """[listeners, trials, conditions]: listeners differ in how strict they are, so that their ratings are alike."""
    rng = np.random.default_rng(seed)
    strict = rng.normal(0, 8, (listeners, 1, 1))
    level = np.array([98, 20, 50, 62, 70])
    spread = np.array([1, 8, 8, 8, 8])
    made = (
        level
        + (strict + rng.normal(0, 6, (listeners, trials, 5))) * (spread > 1)
        + rng.normal(0, 1, (listeners, trials, 5))
    )
    return np.clip(np.rint(made), 0, 100).astype(int)


def collected(folder: Path, key: Key, values: np.ndarray) -> list[answers.Answers]:
    for number, own in enumerate(values):
        file = mushra_file(key, f"p{number:02}", lambda trial, name, own=own: int(own[trial, CONDITIONS.index(name)]))
        put(folder, file)
    return answers.read_all([folder], key)


def test_means_medians_and_counts(tmp_path: Path) -> None:
    key = plain_key("mushra", 4)
    values = ratings(8, 4)
    found = mushra.analyse(key, collected(tmp_path, key, values), ["bs1534"])
    assert found.n_listeners == 8
    assert found.means[0].condition == REFERENCE
    for mean in found.means:
        own = values[:, :, CONDITIONS.index(mean.condition)]
        assert mean.mean == pytest.approx(own.mean(), abs=1e-12)
        assert mean.median == np.median(own)
        assert (mean.n_ratings, mean.n_listeners) == (32, 8)
        assert sorted(mean.ratings) == sorted(own.ravel().tolist())
    assert [mean.mean for mean in found.means] == sorted((mean.mean for mean in found.means), reverse=True)
    for number, means in enumerate(found.by_trial.values()):
        for mean in means:
            assert mean.mean == pytest.approx(values[:, number, CONDITIONS.index(mean.condition)].mean(), abs=1e-12)
            assert (mean.n_ratings, mean.n_listeners) == (8, 8)


def test_intervals_are_students_over_listeners(tmp_path: Path) -> None:
    """Expanded percentiles of 20 listeners' means: Student's interval, but for the bootstrap's own noise and skew."""
    from scipy import stats

    key = plain_key("mushra", 6)
    values = ratings(20, 6)
    found = mushra.analyse(key, collected(tmp_path, key, values), [])
    for means, own in [
        (found.means, values.mean(axis=1)),
        *zip(found.by_trial.values(), values.swapaxes(0, 1), strict=True),
    ]:
        for mean in means:
            if mean.condition == REFERENCE:
                continue
            column = own[:, CONDITIONS.index(mean.condition)]
            low, high = stats.t.interval(0.95, 19, loc=column.mean(), scale=stats.sem(column))
            assert mean.interval == pytest.approx((low, high), abs=0.13 * (high - low))
    # As if all ratings were independent, the interval would be far too narrow.
    naive = stats.sem(values[:, :, 3].ravel()) * 2 * stats.t.ppf(0.975, 119)
    honest = next(mean.interval for mean in found.means if mean.condition == A)
    assert honest is not None
    assert honest[1] - honest[0] > 1.5 * naive


def test_pairs_are_exact_sign_flips_by_listener(tmp_path: Path) -> None:
    """With two conditions apart, of eight listeners: all 2^8 patterns of signs, gone through by hand."""
    key = plain_key("mushra", 3)
    values = ratings(8, 3, seed=5)
    found = mushra.analyse(key, collected(tmp_path, key, values), [])
    sums = (values - values.mean(axis=2, keepdims=True)).sum(axis=1)
    pairs = list(itertools.combinations(range(5), 2))
    apart = np.stack([sums[:, i] - sums[:, j] for i, j in pairs], axis=1)
    scale = np.sqrt((apart**2).sum(axis=0))
    signs = np.array(list(itertools.product([1, -1], repeat=8)))
    chance = np.abs(signs @ apart) / scale
    observed = np.abs(apart.sum(axis=0)) / scale
    order = np.argsort(-observed)
    expected, worst = {}, 0.0
    for at, pair in enumerate(order):
        largest = chance[:, order[at:]].max(axis=1)
        worst = max(worst, float(np.mean(largest >= observed[pair] * (1 - 1e-9))))
        expected[frozenset(CONDITIONS[one] for one in pairs[pair])] = worst
    for pair in found.pairs:
        i, j = CONDITIONS.index(pair.first), CONDITIONS.index(pair.second)
        assert pair.difference == pytest.approx((values[:, :, i] - values[:, :, j]).mean(), abs=1e-12)
        assert pair.difference >= 0
        assert pair.p == pytest.approx(expected[frozenset((pair.first, pair.second))], abs=1e-12)
    assert len(found.pairs) == 10
    assert not found.too_few


def test_five_listeners_can_show_nothing_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = plain_key("mushra", 3)
    write_key(key, tmp_path)
    collected(tmp_path / "answers", key, ratings(5, 3))
    assert main(["listen", "analyse", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "5 listeners cannot show any difference at 5 %" in text
    assert "| yes |" not in text.partition("Screening")[0]


def test_one_listener_has_no_interval(tmp_path: Path) -> None:
    key = plain_key("mushra", 2)
    found = mushra.analyse(key, collected(tmp_path, key, ratings(1, 2)), [])
    assert {mean.interval for mean in found.means} == {None}
    assert {pair.p for pair in found.pairs} == {1.0}


def test_a_listener_who_is_left_out_does_not_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = plain_key("mushra", 5)
    values = ratings(9, 5)
    values[4, :, 0] = 40
    folder = tmp_path / "test"
    folder.mkdir()
    write_key(key, folder)
    given = collected(folder / "answers", key, values)
    kept = np.delete(values, 4, axis=0)
    found = mushra.analyse(key, given, ["bs1534"])
    assert [one.listener for one in found.screened if not one.kept] == ["p04"]
    by_name = {mean.condition: mean.mean for mean in found.means}
    assert by_name == pytest.approx(dict(zip(CONDITIONS, kept.mean(axis=(0, 1)), strict=True)))
    assert main(["listen", "analyse", str(folder), "--out", str(tmp_path / "out")]) == 0
    out, _ = capsys.readouterr()
    assert "8 listeners of 9 after screening (bs1534)" in out
    reason = "hidden reference below 90 in more than 15 % of the trials (5 of 5; bs1534)"
    assert f"p04 was left out: {reason}." in out
    facts = json.loads((tmp_path / "out" / "listening.json").read_text(encoding="utf-8"))
    assert facts["screening"]["kept"] == 8
    assert [one["reasons"] for one in facts["screening"]["listeners"] if not one["kept"]] == [[reason]]
    assert {one["condition"]: one["mean"] for one in facts["conditions"]} == by_name
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"listening.{suffix}" for suffix in ("md", "tex", "csv", "json", "png", "pdf", "svg")
    }
    rows = (tmp_path / "out" / "listening.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 5 * (1 + 5)


def test_where_nobody_is_left_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = plain_key("mushra", 2)
    write_key(key, tmp_path)
    values = ratings(2, 2)
    values[:, :, 0] = 10
    given = collected(tmp_path / "answers", key, values)
    with pytest.raises(InvalidAnswers, match="Screening leaves none of 2 listeners"):
        mushra.analyse(key, given, ["wavtokenizer"])
    assert main(["listen", "analyse", str(tmp_path), "--screening", "wavtokenizer"]) == 2
    assert capsys.readouterr().err.startswith("codeczoo: Screening leaves none of 2 listeners (p00: hidden reference")
    assert not (tmp_path / "analysis").exists()


def test_the_same_answers_give_the_same_files(tmp_path: Path) -> None:
    key = plain_key("mushra", 2)
    write_key(key, tmp_path)
    collected(tmp_path / "answers", key, ratings(6, 2))
    for out in ("one", "two"):
        assert main(["listen", "analyse", str(tmp_path), "--out", str(tmp_path / out)]) == 0
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_listeners_may_be_given_different_trials(tmp_path: Path) -> None:
    """Three of six trials each, as the page draws them: every trial has the mean of those who heard it."""
    key = plain_key("mushra", 6)
    subset = replace(key, per_listener=3)
    values = ratings(10, 6)
    rng = np.random.default_rng(2)
    taken = [sorted(rng.choice(6, 3, replace=False).tolist()) for _ in range(10)]
    for number, own in enumerate(values):
        file = mushra_file(key, f"p{number}", lambda trial, name, own=own: int(own[trial, CONDITIONS.index(name)]))
        file["trials"] = [{**file["trials"][trial], "place": at} for at, trial in enumerate(taken[number], 1)]
        put(tmp_path, file)
    found = mushra.analyse(subset, answers.read_all([tmp_path], subset), [])
    heard = np.zeros((10, 6), bool)
    for number, trials in enumerate(taken):
        heard[number, trials] = True
    for mean in found.means:
        assert mean.mean == pytest.approx(values[heard][:, CONDITIONS.index(mean.condition)].mean(), abs=1e-12)
        assert (mean.n_ratings, mean.n_listeners) == (30, 10)
    for trial, means in found.by_trial.items():
        number = int(trial[1:])
        for mean in means:
            own = values[heard[:, number], number, CONDITIONS.index(mean.condition)]
            assert (mean.mean, mean.n_listeners) == (pytest.approx(own.mean(), abs=1e-12), len(own))


@pytest.mark.slow
def test_coverage_and_false_alarms_with_listeners_of_known_truth() -> None:
    """Listeners who differ in strictness and taste: 95 % intervals hold the true mean about as often, those of all
    ratings as if independent far less often; of two equal conditions, few are told apart."""
    from scipy import stats

    level = np.array([97.0, 15.0, 60.0, 60.0, 60.0])
    rng = np.random.default_rng(1)

    def sample(listeners: int) -> np.ndarray:
        strict, taste = rng.normal(0, 8, (listeners, 1, 1)), rng.normal(0, 4, (listeners, 1, 5))
        return np.clip(np.rint(level + strict + taste + rng.normal(0, 10, (listeners, 8, 5))), 0, 100).astype(int)

    true = sample(20_000).mean(axis=(0, 1))
    key = plain_key("mushra", 8)
    tests = 100
    held, naive, alarms = np.zeros(5), np.zeros(5), 0
    for _ in range(tests):
        values = sample(10)
        given = [
            answers.Answers(
                f"p{number}",
                Path("p"),
                tuple(
                    answers.Answer(trial, at + 1, (), 1.0, dict(zip(CONDITIONS, map(int, own[at]), strict=True)))
                    for at, trial in enumerate(key.trials)
                ),
                *("",) * 4,
            )
            for number, own in enumerate(values)
        ]
        found = mushra.analyse(key, given, [])
        for mean in found.means:
            column = CONDITIONS.index(mean.condition)
            assert mean.interval is not None
            held[column] += mean.interval[0] <= true[column] <= mean.interval[1]
            ratings_of = values[:, :, column].ravel()
            reach = stats.sem(ratings_of) * stats.t.ppf(0.975, len(ratings_of) - 1)
            naive[column] += abs(ratings_of.mean() - true[column]) <= reach
        alarms += any(not found.ties.tied(one, other) for one, other in ((MID_ANCHOR, A), (MID_ANCHOR, B), (A, B)))
    # Within about four standard deviations of what 600 tests gave; ratings near the scale's end are skewed.
    assert held.min() / tests > 0.82
    assert 0.90 < held.mean() / tests < 0.985
    assert naive.max() / tests < 0.82
    assert alarms / tests < 0.14
