"""Verdicts on synthetic records: what fails, what passes, what is not judged, and the sentence for it."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree

import numpy as np
import pytest

from codeczoo.benchmarks.errors import BenchmarkError, InvalidRun
from codeczoo.benchmarks.gate import tolerance, writers
from codeczoo.benchmarks.gate.verdict import judge


@pytest.fixture
def runs(made):
    """Makes (baseline, run): STOI of `clips` clips, lower by `drop` on average, with noise on every clip."""

    def make(clips=24, drop=0.0, noise=0.0, codec="mine@6kbps", seed=0):
        rng = np.random.default_rng(seed)
        moved = drop + noise * rng.normal(size=clips)
        levels = rng.uniform(0.7, 0.95, size=clips)
        before = [made.record(codec, f"{n:03}", {"stoi": float(level)}) for n, level in enumerate(levels)]
        after = [
            made.record(codec, f"{n:03}", {"stoi": float(level - change)})
            for n, (level, change) in enumerate(zip(levels, moved, strict=True))
        ]
        return before, after

    return make


def only(found):
    (verdict,) = found.verdicts
    return verdict


def test_a_real_drop_fails(made, runs):
    before, after = runs(drop=0.01, noise=0.004)
    found = judge(after, before, facts=made.facts)
    verdict = only(found)
    assert (verdict.status, found.exit_status) == ("failed", 1)
    assert verdict.drop == pytest.approx(0.01, abs=0.003)
    assert verdict.p <= 0.001
    assert (verdict.tolerance, verdict.n_clips) == (0.002, 24)


@pytest.mark.parametrize(("drop", "noise"), [(0.0, 0.0), (0.0019, 0.0), (-0.05, 0.0), (0.0, 1e-5)])
def test_what_is_tolerated_passes(made, runs, drop, noise):
    before, after = runs(drop=drop, noise=noise)
    found = judge(after, before, facts=made.facts)
    assert (only(found).status, found.exit_status, only(found).reason) == ("passed", 0, "")


def test_a_drop_that_may_be_chance_passes_with_a_remark(made, runs):
    before, after = runs(clips=30, drop=0.004, noise=0.03, seed=3)
    verdict = only(judge(after, before, facts=made.facts))
    assert verdict.drop > verdict.tolerance
    assert (verdict.status, verdict.reason) == (
        "passed",
        "above the tolerance, but not more than chance on these clips",
    )
    assert verdict.detectable > verdict.drop


def test_a_metric_of_which_less_is_better(made):
    before = [made.record("a", str(clip), {"mel_distance": 0.5}) for clip in range(20)]
    worse = [made.record("a", str(clip), {"mel_distance": 0.6}) for clip in range(20)]
    assert only(judge(worse, before, facts=made.facts)).status == "failed"
    assert only(judge(before, worse, facts=made.facts)).status == "passed"


def test_too_few_clips_are_not_judged(made, runs):
    before, after = runs(clips=4, drop=0.05)
    found = judge(after, before, facts=made.facts)
    assert (only(found).status, found.exit_status) == ("unjudged", 2)
    assert only(found).reason.endswith("4 independent clips or speakers cannot show it in 1 tests; 5 could")
    before, after = runs(clips=1, drop=0.05)
    assert "one clip says nothing" in only(judge(after, before, facts=made.facts)).reason
    # The clips of two speakers are two, however many they are.
    before, after = runs(clips=24, drop=0.05)
    for number, record in enumerate([*before, *after]):
        record["speaker"] = f"p{number % 2}"
    assert only(judge(after, before, facts=made.facts)).status == "unjudged"


def test_what_is_missing_is_not_judged(made, runs):
    before, after = runs()
    found = judge(after[:-3], before, facts=made.facts)
    assert (only(found).status, only(found).reason) == ("unjudged", "the run lacks 3 clips of the baseline")
    assert judge(after[:-3], before, facts=made.facts, allow_missing=True).exit_status == 0
    others = [{**record, "codec": "other"} for record in after]
    assert "has no record of mine@6kbps" in only(judge(others, before, facts=made.facts)).reason
    exchanged = [{**record, "clip_sha256": f"x{record['clip_sha256']}"} for record in after]
    assert "no clip with a value of stoi in common" in only(judge(exchanged, before, facts=made.facts)).reason
    redefined = [{**record, "identities": {"stoi": "ffffffff"}} for record in after]
    assert "different definitions" in only(judge(redefined, before, facts=made.facts)).reason


def test_missing_clips_do_not_hide_a_drop(made, runs):
    before, after = runs(drop=0.05)
    assert judge(after[:-3], before, facts=made.facts).exit_status == 1


def test_clips_that_lost_their_value_fail(made, runs):
    before, after = runs()
    after[3] |= {"scores": {}, "failed": {"decode": "RuntimeError: no"}}
    after[4] |= {"scores": {}, "failed": {"decode": "RuntimeError: no"}}
    after[5] |= {"scores": {}, "undefined": {"stoi": "the estimate is silent"}}
    after[6]["scores"] = {"stoi": math.nan}
    verdict = only(judge(after, before, facts=made.facts))
    assert verdict.status == "failed"
    assert verdict.reason == "4 clips that had a value have none now (mostly decode failed: RuntimeError: no)"
    # What the baseline has no value of either is nobody's loss.
    before[3] |= {"scores": {}, "failed": {"decode": "RuntimeError: no"}}
    before[4]["scores"] = {"stoi": math.nan}
    assert only(judge(after, before, facts=made.facts)).reason.startswith("2 clips")


def test_many_comparisons_are_corrected(made):
    rng = np.random.default_rng(0)
    names = [f"codec{number}" for number in range(60)]
    before = [made.record(name, str(clip), {"stoi": 0.8}) for name in names for clip in range(20)]
    # Only noise, so large that a mean is above its tolerance half the time.
    after = [made.record(name, str(clip), {"stoi": 0.8 + 0.05 * rng.normal()}) for name in names for clip in range(20)]
    found = judge(after, before, facts=made.facts)
    assert sum(each.drop > each.tolerance for each in found.verdicts) > 15
    assert found.exit_status == 0


def test_the_noise_of_repeats_is_tolerated(made, runs):
    before, after = runs(drop=0.01)
    _, again = runs(drop=0.012)
    verdict = only(judge(after, before, repeats=[again], facts=made.facts))
    assert verdict.noise == pytest.approx(0.012)
    assert (verdict.tolerance, verdict.status) == (verdict.noise, "passed")
    # Noise of single clips, whose mean is none: three standard errors of the mean of 24 clips.
    quiet, noisy = runs(noise=0.01, seed=5)
    changes = [a["scores"]["stoi"] - b["scores"]["stoi"] for a, b in zip(quiet, noisy, strict=True)]
    noise = only(judge(quiet, quiet, repeats=[noisy], facts=made.facts)).noise
    assert noise == pytest.approx(3 * np.sqrt(np.mean(np.square(changes)) / 24))
    redefined = [{**record, "identities": {"stoi": "ffffffff"}} for record in again]
    verdict = only(judge(after, before, repeats=[redefined], facts=made.facts))
    assert verdict.reason == "the repeats score stoi under another definition than the baseline"


def test_tolerances():
    assert tolerance.parse(["stoi=0.5", "pesq_wb=0"], ["stoi", "pesq_wb"]) == {"stoi": 0.5, "pesq_wb": 0.0}
    for wrong in ("stoi", "stoi=", "stoi=-1", "stoi=nan", "stoi=inf", "stoi=x"):
        with pytest.raises(BenchmarkError, match="reads NAME=VALUE"):
            tolerance.parse([wrong], ["stoi"])
    with pytest.raises(BenchmarkError, match="warmth, which the baseline does not score: stoi"):
        tolerance.parse(["warmth=1"], ["stoi"])


def test_every_metric_has_a_tolerance_of_its_own_unit():
    from codeczoo import metrics

    for name in metrics.names():
        if name == "utmos":  # its facts name its weights
            continue
        assert metrics.metric(name).unit in tolerance.BY_UNIT, name


def test_what_cannot_be_checked_at_all(made, runs):
    before, after = runs()
    with pytest.raises(InvalidRun, match="The run holds no records"):
        judge([], before, facts=made.facts)
    with pytest.raises(InvalidRun, match="The baseline holds no records"):
        judge(after, [], facts=made.facts)
    with pytest.raises(BenchmarkError, match="does not score pesq_wb; it scores: stoi"):
        judge(after, before, metrics=["pesq_wb"], facts=made.facts)
    with pytest.raises(InvalidRun, match="holds no score"):
        judge(after, [{**record, "scores": {}, "failed": {"stoi": "no"}} for record in before], facts=made.facts)
    with pytest.raises(BenchmarkError, match="alpha is between"):
        judge(after, before, alpha=0.0, facts=made.facts)


@pytest.fixture
def mixed(made, runs):
    """A judgement with every status."""
    before, after = runs(drop=0.05)
    fine, same = runs(codec="fine@1kbps")
    gone, _ = runs(codec="we|ird<&>\x00")
    return judge([*after, *same], [*before, *fine, *gone], facts=made.facts)


def test_for_people(mixed):
    lines = writers.text(mixed).splitlines()
    assert lines[0] == "3 comparisons with the baseline: 1 passed, 1 failed, 1 not judged."
    assert len(lines) == 4
    assert lines[2].split()[:2] == ["mine@6kbps", "STOI"]
    assert lines[2].endswith("24  FAILED")
    assert lines[3].endswith("measure it")
    assert len(writers.text(mixed, everything=True).splitlines()) == 5


def test_for_ci(mixed):
    root = ElementTree.fromstring(writers.junit(mixed))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    assert {case.get("classname"): [child.tag for child in case] for case in root.iter("testcase")} == {
        "mine@6kbps": ["failure"],
        "fine@1kbps": ["system-out"],
        "we|ird<&>\ufffd": ["error"],
    }
    failure = root.find(".//failure")
    assert failure is not None
    assert "worse by +0.0500, tolerated 0.0020" in (failure.get("message") or "")
    text = writers.markdown(mixed)
    assert "### 3 comparisons with the baseline: 1 passed, 1 failed, 1 not judged." in text
    assert "| `mine@6kbps` | STOI |" in text
    assert "**FAILED**" in text


def test_for_programs(mixed):
    found = json.loads(writers.as_json(mixed))
    assert (found["exit_status"], found["counts"]) == (1, {"passed": 1, "failed": 1, "unjudged": 1})
    statuses = {each["codec"]: each["status"] for each in found["verdicts"]}
    assert statuses == {"mine@6kbps": "failed", "fine@1kbps": "passed", "we|ird<&>\x00": "unjudged"}
    assert [each["drop"] for each in found["verdicts"] if each["status"] == "unjudged"] == [None]


def moved(records, corpus, rename=str):
    return [{**record, "corpus": corpus, "clip": rename(record["clip"])} for record in records]


def test_a_corpus_of_another_name_is_known_by_its_content(made, runs):
    before, after = runs(drop=0.01, noise=0.004)
    verdict = only(judge(after, before, facts=made.facts))
    elsewhere = moved(after, "copied", lambda name: f"sub/{name}")
    assert only(judge(elsewhere, before, facts=made.facts)) == verdict
    assert verdict.status == "failed"
    changed = [{**record, "clip_sha256": f"{record['clip_sha256']}0"} for record in elsewhere]
    refused = only(judge(changed, before, facts=made.facts))
    assert (refused.status, refused.reason) == (
        "unjudged",
        "the run has no record of mine@6kbps on these clips; measure it",
    )


def test_content_under_two_names_is_two_clips(made):
    """As many are paired as the baseline has; none of its values is used twice."""
    levels = {"x": 0.9, "y": 0.9, "z": 0.8}
    content = {"x": "same", "y": "same", "z": "other"}

    def run(names):
        found = [made.record("a", clip, {"stoi": levels[clip]}) for clip in names]
        return [{**record, "clip_sha256": content[record["clip"]]} for record in found]

    both = only(judge(moved(run("xyz"), "copied"), run("xyz"), facts=made.facts))
    assert (both.n_clips, both.status) == (3, "passed")
    once = only(judge(moved(run("xz"), "copied"), run("xyz"), facts=made.facts))
    assert (once.n_clips, once.reason) == (2, "the run lacks 1 clip of the baseline")
    more = only(judge(moved(run("xyz"), "copied"), run("xz"), facts=made.facts))
    assert (more.n_clips, more.status) == (2, "passed")


def test_a_clip_that_is_there_by_name_is_not_taken_for_another(made):
    """Equal content under another name changes nothing where the baseline's own name is there."""
    before = [made.record("a", clip, {"stoi": 0.9}) for clip in ("x", "z")]
    after = [made.record("a", clip, {"stoi": 0.9}) for clip in ("x", "z")]
    copy = {**after[0], "clip": "copy of x", "scores": {"stoi": 0.1}}
    verdict = only(judge([copy, *after], before, facts=made.facts))
    assert (verdict.n_clips, verdict.run, verdict.status) == (2, 0.9, "passed")


def test_clips_without_a_checksum_are_known_by_name_alone(made):
    before = [{**made.record("a", clip, {"stoi": 0.9}), "clip_sha256": ""} for clip in ("x", "z")]
    verdict = only(judge(moved(before, "copied"), before, facts=made.facts))
    assert verdict.status == "unjudged"


def test_a_repeat_that_says_nothing_is_named(made, runs):
    """Its noise is not known from one clip: that it was passed over must not look like no noise."""
    before, after = runs()
    _, noisy = runs(noise=0.01)
    unscored = [{**record, "scores": {}, "undefined": {"stoi": "silent"}} for record in noisy]
    others = [{**record, "codec": "another@6kbps"} for record in before]
    repeats = [noisy[:1], noisy, unscored, [*noisy[:2], *others]]
    found = judge(after, before, repeats=repeats, facts=made.facts)
    assert (only(found).status, found.exit_status) == ("passed", 0)
    assert only(found).noise > 0
    named = (
        "repeat 1 has a value of one of these clips alone, which says nothing of their noise; "
        "repeat 3 has a value of none of these clips, which says nothing of their noise"
    )
    assert only(found).reason == named
    assert named in writers.text(found)
    assert named in writers.markdown(found)
    assert named in writers.junit(found)
    # Beside what is wrong, and not instead of it; a repeat without the codec is a repeat of others.
    _, worse = runs(drop=0.05)
    verdict = only(judge(worse[:-1], before, repeats=[noisy[:1]], facts=made.facts))
    assert (verdict.status, verdict.noise) == ("failed", 0.0)
    lacking = only(judge(after[:-1], before, repeats=[noisy[:1]], facts=made.facts))
    assert lacking.reason == f"the run lacks 1 clip of the baseline; {named.partition(';')[0]}"
    both = judge([*after, *others], [*before, *others], repeats=[noisy], facts=made.facts)
    assert [verdict.reason for verdict in both.verdicts] == ["", ""]


def test_a_repeat_of_something_else_is_refused(made, runs):
    """It would be taken for a baseline without any noise."""
    before, after = runs(drop=0.01)
    others = [{**record, "codec": "other"} for record in before]
    with pytest.raises(InvalidRun, match="Repeat 2 holds no clip and codec of the baseline"):
        judge(after, before, repeats=[moved(before, "copied"), others], facts=made.facts)


def test_two_clips_and_many_metrics_are_judged(made):
    """A strict level on two clips: no drop that could ever be shown is an answer, and no crash."""
    names = [f"codec{number}" for number in range(150)]
    run = [made.record(name, clip, {"stoi": level}) for name in names for clip, level in (("x", 0.8), ("y", 0.9))]
    worse = [
        {**record, "scores": {"stoi": record["scores"]["stoi"] - shift}}
        for record, shift in zip(run, [0.1, 0.2] * 150, strict=True)
    ]
    found = judge(worse, run, facts=made.facts)
    assert found.counts == {"passed": 0, "failed": 0, "unjudged": 150}
    assert all(1 < verdict.detectable < math.inf for verdict in found.verdicts)
