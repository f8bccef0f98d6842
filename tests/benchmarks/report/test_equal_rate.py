"""Tables at equal rate against curves worked out by scipy, and the marks of what cannot be told apart."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.report import equal_rate, table, tidy, writers
from codeczoo.benchmarks.report.summary import summarise


@pytest.fixture
def summary(made):
    """Speech of two families of several points, one of one point, and a byte codec."""
    records = made.run(clips=12, families=("encodec:24khz", "mimi:24khz", "unicodec", "opus"))
    return summarise([record for record in records if record["domain"] == "speech"], facts=made.facts, resamples=200)


def means(summary, family: str, metric: str) -> tuple[list[float], list[float]]:
    rows = sorted((row for row in summary.groups[0].rows if row.family == family), key=lambda row: row.bitrate.kbps)
    return [row.bitrate.kbps for row in rows], [row.cells[metric].mean for row in rows]


def test_between_points_it_is_pchip_and_beyond_them_nothing(summary):
    found = equal_rate.at_rates(summary, [0.3, 1.3, 2.0, 4.4], "kbps", 200)
    families = [{row.codec for row in each.found.rows} for each in found]
    assert families == [
        set(),
        {"mimi:24khz", "unicodec"},
        {"encodec:24khz", "mimi:24khz"},
        {"encodec:24khz", "mimi:24khz"},
    ]
    for family in ("encodec:24khz", "mimi:24khz"):
        row = next(row for row in found[2].found.rows if row.codec == family)
        kbps, quality = means(summary, family, "stoi")
        wanted = PchipInterpolator(np.log(kbps), quality)(np.log(2.0))
        assert row.cells["stoi"].mean == pytest.approx(float(wanted), abs=1e-9)
        low, high = row.cells["stoi"].interval
        assert low < row.cells["stoi"].mean < high
    at_point = next(row for row in found[3].found.rows if row.codec == "mimi:24khz")
    assert found[3].between["mimi:24khz"] == ("mimi:24khz@4.4kbps",)
    assert at_point.cells["stoi"].mean == pytest.approx(means(summary, "mimi:24khz", "stoi")[1][-1])


def test_at_equal_tokens_a_second(summary):
    (found,) = equal_rate.at_rates(summary, [198.0], "tokens_per_second", 200)
    # 100 tokens a second for a kbit/s of encodec, 90 of mimi.
    assert found.between == {
        "encodec:24khz": ("encodec:24khz@1.5kbps", "encodec:24khz@3kbps"),
        "mimi:24khz": ("mimi:24khz@2.2kbps",),
    }
    text = writers.markdown(equal_rate.table(summary, [found]))
    assert "### demo, at 198 tokens/s" in text
    assert "Without tokens/s, of demo: `opus`." in text


def test_the_table(summary):
    found = equal_rate.at_rates(summary, [0.3, 2.0], "kbps", 200)
    text = writers.markdown(equal_rate.table(summary, found, intervals=True))
    assert "no family has points on both sides of 0.3 kbps" in text
    assert "| `mimi:24khz` | 1.10 and 2.20 |" in text
    assert "`unicodec` 1.30" in text
    assert " ± " in text
    lines = list(csv.DictReader(io.StringIO(equal_rate.csv_text(summary, found))))
    assert {line["rate"] for line in lines} == {"2"}
    line = next(line for line in lines if (line["family"], line["metric"]) == ("mimi:24khz", "stoi"))
    assert line["from"] == "mimi:24khz@1.1kbps mimi:24khz@2.2kbps"
    assert float(line["ci_low"]) < float(line["mean"]) < float(line["ci_high"])


@pytest.mark.parametrize("rates", [[0.0], [-1.0], [float("nan")], [3.0, 3.0], []])
def test_wrong_rates(rates):
    with pytest.raises(BenchmarkError, match="positive numbers, each once"):
        equal_rate.check_rates(rates)


def of_three(made, clips: int, speakers: int | None = None):
    """a and b alike, c far worse."""
    rng = np.random.default_rng(0)
    records = []
    for clip in range(clips):
        ease = rng.normal(0, 0.05)
        for codec, level in (("a", 0.9), ("b", 0.9), ("c", 0.7)):
            speaker = None if speakers is None else f"p{clip % speakers}"
            value = float(level + ease + 0.01 * rng.normal())
            records.append(made.record(codec, f"{clip:03}", {"stoi": value}, speaker=speaker))
    return summarise(records, facts=made.facts, resamples=200)


def test_what_cannot_be_told_apart_from_the_best_is_marked(made):
    summary = of_three(made, 30)
    group, fact = summary.groups[0], made.facts["stoi"]
    first = table.best(group, fact)
    assert table.tied_with_best(group, fact) == {"a", "b"} - {first}
    text = writers.markdown(table.quality(summary))
    assert text.count(" ≈ |") == 1
    assert "≈ cannot be told apart from the best of its column" in text
    letters = {line["codec"]: line["told_apart_group"] for line in csv.DictReader(io.StringIO(tidy.text(summary)))}
    assert letters == {"a": "a", "b": "a", "c": "b"}
    assert r"$\approx$" in writers.latex(table.quality(summary))


@pytest.mark.parametrize(("clips", "speakers", "said"), [(1, None, "1 clip:"), (5, None, "5 clips:"),
                                                        (30, 4, "30 clips of 4 speakers:")])  # fmt: skip
def test_too_few_clips_are_said_once(made, clips, speakers, said):
    text = writers.markdown(table.quality(of_three(made, clips, speakers)))
    assert " ≈ |" not in text
    assert f"No two codecs can be told apart with {said} the paired test takes 6 at least." in text


def test_clips_without_a_score_and_pieces_of_passages_are_no_speakers(made):
    def said(records):
        return writers.markdown(table.quality(summarise(records, facts=made.facts, resamples=200)))

    short = {"undefined": {"stoi": "too short"}}
    records = [made.record(codec, f"{clip}", {"stoi": 0.5}) for codec in "ab" for clip in range(4)]
    records += [made.record(codec, f"{clip}", **short) for codec in "ab" for clip in range(4, 7)]
    assert "told apart with 4 clips: the paired test" in said(records)
    piece = {"length_s": 3.0, "parts": []}
    pieces = [
        {
            **made.record(codec, f"{clip}", {"stoi": 0.5}),
            "piece": {**piece, "passage": f"p{clip % 2}", "offset_s": 3.0 * (clip // 2)},
        }
        for codec in "ab"
        for clip in range(4)
    ]
    cells = {row.codec: row for row in summarise(pieces, facts=made.facts, resamples=200).groups[0].rows}
    assert len(set(cells["a"].cells["stoi"].clusters)) == 2
    assert "told apart with 4 clips of 2 passages: the paired test" in said(pieces)
