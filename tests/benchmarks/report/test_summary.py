"""Means, counts, bitrates and clip sets against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from codeczoo.benchmarks.errors import BenchmarkError, InvalidRun
from codeczoo.benchmarks.report.summary import summarise
from codeczoo.benchmarks.statistics.bootstrap import mean_interval
from codeczoo.metrics import UnknownMetric


def only(records, made, **options):
    summary = summarise(records, facts=made.facts, resamples=200, **options)
    (group,) = summary.groups
    return group


def test_every_clip_is_scored_undefined_failed_or_missing(made):
    records = [
        made.record("a@1kbps", "1", {"pesq_wb": 2.0, "stoi": 0.5}),
        made.record("a@1kbps", "2", {"pesq_wb": 3.0, "stoi": 0.7}),
        made.record("a@1kbps", "3", {"stoi": 0.9}, undefined={"pesq_wb": "silence"}),
        made.record("a@1kbps", "4", {"stoi": 0.9}, failed={"pesq_wb": "ValueError: no"}),
        made.record("a@1kbps", "5", failed={"decode": "out of memory"}),
        made.record("a@1kbps", "6", {"stoi": 0.5}),
        made.record("a@1kbps", "7", {"stoi": 0.5, "pesq_wb": math.inf}),
    ]
    cells = only(records, made).rows[0].cells
    pesq, stoi = cells["pesq_wb"], cells["stoi"]
    assert pesq.mean == 2.5
    assert pesq.n == 2
    assert dict(pesq.undefined) == {"silence": 1}
    assert dict(pesq.failed) == {
        "ValueError: no": 1,
        "decode: out of memory": 1,
        "the record holds inf, which is not a finite number": 1,
    }
    assert pesq.missing == 1
    assert stoi.mean == pytest.approx(4.0 / 6, abs=1e-15)
    assert (stoi.n, dict(stoi.failed), stoi.missing) == (6, {"decode: out of memory": 1}, 0)


def test_a_codec_that_failed_on_every_clip_failed_what_others_were_asked(made):
    records = [
        made.record("good", "1", {"stoi": 0.5}),
        made.record("bad", "1", failed={"encode": "no"}, bits={}, tokens=None),
    ]
    bad = next(row for row in only(records, made).rows if row.codec == "bad")
    assert bad.cells["stoi"].mean is None
    assert dict(bad.cells["stoi"].failed) == {"encode: no": 1}
    assert bad.bitrate.kbps is None


def test_bitrate_is_total_bits_over_total_seconds(made):
    short = made.record("t", "1", {"stoi": 1.0}, seconds=1.0)
    long = made.record("t", "2", {"stoi": 1.0}, seconds=9.0)
    short["bits"] = {"nominal": 6000, "packed": 7000, "payload": None, "side": 0}
    long["bits"] = {"nominal": 54000, "packed": 54000, "payload": None, "side": 0}
    failed = made.record("t", "3", failed={"encode": "no"}, seconds=90.0, bits={}, tokens=None)
    rate = only([short, long, failed], made).rows[0].bitrate
    assert rate.kbps == pytest.approx(6.1)  # not the mean of 7 and 6, and without the clip that was not encoded
    assert (rate.kind, rate.nominal_kbps) == ("packed", 6.0)
    assert rate.nominal_differs


@pytest.mark.parametrize(
    ("bits", "tokens", "kind", "kbps"),
    [
        ({"nominal": 4000, "packed": 4004, "payload": None}, 400, "packed", 1.001),
        ({"nominal": 4000, "payload": 8000}, None, "payload", 2.0),
        ({"nominal": 4000, "packed": 0, "payload": 8000}, None, "payload", 2.0),
        ({"stated": 12000}, None, "stated", 3.0),
    ],
)
def test_the_bits_that_count(made, bits, tokens, kind, kbps):
    row = only([made.record("c", "1", {"stoi": 1.0}, bits=bits, tokens=tokens)], made).rows[0]
    assert (row.bitrate.kind, row.bitrate.kbps) == (kind, pytest.approx(kbps))
    assert not row.bitrate.nominal_differs or kind == "packed"


def test_bits_of_two_kinds_are_refused(made):
    records = [made.record("c", "1"), made.record("c", "2", bits={"stated": 10}, tokens=None)]
    with pytest.raises(InvalidRun, match="packed and stated"):
        summarise(records, facts=made.facts)


def test_means_are_compared_over_the_same_clips_only(made):
    records = [made.record(codec, clip, {"stoi": 0.5}) for codec in "ab" for clip in "123"]
    records += [made.record("c", clip, {"stoi": 0.9}) for clip in "12"]
    records += [made.record("d", clip, {"stoi": 0.9}) for clip in "12"]
    records.append(made.record("d", "3", undefined={"stoi": "silence"}))
    group = only(records, made)
    assert group.comparable("stoi") == {"a", "b"}
    assert {row.codec for row in group.rows if row.clips == group.common_clips} == {"a", "b", "d"}


def test_the_same_name_with_another_content_is_another_clip(made):
    records = [made.record("a", "1", {"stoi": 0.5}), made.record("b", "1", {"stoi": 0.5}, clip_sha256="other")]
    group = only(records, made)
    assert len(group.comparable("stoi")) == 1


def test_identities_split_what_may_be_compared(made):
    records = [made.record(codec, "1", {"stoi": 0.5}) for codec in "abc"]
    records[2]["identities"] = {"stoi": "ffffffff"}
    assert only(records, made).comparable("stoi") == {"a", "b"}


def test_no_mean_is_made_of_two_definitions(made):
    """A run that was resumed with another version of a metric, and not to its end: alike for every codec."""
    records = [made.record(codec, clip, {"stoi": 0.5, "pesq_wb": 3.0}) for codec in "ab" for clip in "123"]
    for record in records:
        if record["clip"] == "1":
            record["identities"] = {**record["identities"], "stoi": "ffffffff"}
    group = only(records, made)
    cell = group.rows[0].cells["stoi"]
    assert (cell.mean, cell.n, cell.interval) == (None, 0, None)
    ((reason, count),) = cell.failed.items()
    assert reason.startswith("measured under different definitions (")
    assert "ffffffff" in reason
    assert count == 3
    assert group.comparable("stoi") == frozenset()
    assert group.rows[0].cells["pesq_wb"].mean == 3.0


def test_what_could_not_be_read_is_of_no_version(made):
    records = [made.record("a", clip, {"stoi": 0.5}) for clip in "12"]
    broken = made.record("a", "3", bits={}, failed={"read": "InvalidClip: not audio"}, codec_fingerprint="")
    assert only([*records, broken], made).rows[0].fingerprints == 1
    records[0]["codec_fingerprint"] = "older"
    assert only([*records, broken], made).rows[0].fingerprints == 2


def test_reference_scores_of_two_definitions_have_no_mean(made):
    records = [
        made.record("a", "1", {"utmos": 3.0}, reference_scores={"utmos": 4.0}),
        made.record("a", "2", {}, undefined={"utmos": "too short"}),
        made.record("b", "1", {"utmos": 3.0}, reference_scores={"utmos": 4.0}, identities={"utmos": "ffffffff"}),
        made.record("b", "2", {"utmos": 3.0}, reference_scores={"utmos": 4.0}, identities={"utmos": "ffffffff"}),
    ]
    assert only(records, made).reference is None


def test_grouping(made):
    records = made.run(clips=3, families=("opus", "unicodec"))
    assert [group.name for group in summarise(records, facts=made.facts).groups] == ["music", "speech"]
    speech = [record for record in records if record["domain"] == "speech"]
    assert summarise(speech, facts=made.facts).group_by == "corpus"
    nameless = [{**record, "dataset": None} for record in speech]
    assert only(nameless, made, group_by="dataset").name == "dataset unknown"
    with pytest.raises(BenchmarkError, match="corpus, domain, dataset; got 'speaker'"):
        summarise(records, "speaker", facts=made.facts)  # type: ignore[arg-type]


def test_reference_scores_once_a_clip(made):
    records = [
        made.record(codec, clip, {"utmos": 3.0, "stoi": 0.9}, reference_scores={"utmos": value})
        for codec in "ab"
        for clip, value in (("1", 4.0), ("2", 4.5))
    ]
    reference = only(records, made).reference
    assert reference is not None
    assert set(reference.cells) == {"utmos"}
    assert (reference.cells["utmos"].mean, reference.cells["utmos"].n) == (4.25, 2)


def test_order_of_records_does_not_matter(made):
    records = made.run(clips=4, families=("opus", "unicodec"))
    forward = summarise(records, facts=made.facts, resamples=200)
    assert forward == summarise(records[::-1], facts=made.facts, resamples=200)


def test_what_cannot_be_reported_is_said(made):
    with pytest.raises(InvalidRun, match="no records"):
        summarise([], facts=made.facts)
    one = made.record("a", "1", {"stoi": 0.5})
    with pytest.raises(InvalidRun, match="given twice"):
        summarise([one, one], facts=made.facts)
    with pytest.raises(UnknownMetric, match="score warmth, of which"):
        summarise([made.record("a", "1", {"warmth": 0.5})], facts=made.facts)
    with pytest.raises(UnknownMetric, match="no metric named 'warmth'"):
        summarise([made.record("a", "1", {"warmth": 0.5})])
    with pytest.raises(BenchmarkError, match="No record scores pesq_wb; the records score: stoi"):
        summarise([one], facts=made.facts, metrics=["pesq_wb"])


def test_interval_against_the_normal_approximation():
    rng = np.random.default_rng(1)
    values = rng.normal(3.0, 0.5, size=400)
    interval = mean_interval(list(values), range(400), resamples=4000)
    assert interval is not None
    half = 1.96 * values.std() / math.sqrt(400)
    assert interval[0] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval[1] == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_interval_draws_speakers_together():
    # Ten speakers whose clips are all alike: twenty clips of each say no more than one.
    means = np.linspace(1.0, 2.0, 10)
    once = mean_interval(list(means), range(10))
    repeated = mean_interval(list(np.repeat(means, 20)), list(np.repeat(np.arange(10), 20)))
    apart = mean_interval(list(np.repeat(means, 20)), range(200))
    assert once is not None
    assert repeated is not None
    assert apart is not None
    assert repeated == pytest.approx(once, abs=1e-12)
    assert apart[1] - apart[0] < 0.5 * (once[1] - once[0])


def test_interval_without_spread():
    assert mean_interval([0.1] * 7, range(7)) == (0.1, 0.1)
    assert mean_interval([0.1, 0.2], ["p1", "p1"]) is None


def test_interval_weights_clusters_by_their_size():
    values, speakers = [1.0] * 30 + [2.0], ["a"] * 30 + ["b"]
    # Three possible samples: all a, all b, one of each.
    assert mean_interval(values, speakers) == (1.0, 2.0)
