"""The frontier against brute force, and figures that are complete, readable and the same from run to run."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.legend import Legend

from codeczoo.benchmarks import report
from codeczoo.benchmarks.report import canvas, labels, panel, pareto, style
from codeczoo.benchmarks.report.frontier import frontier
from codeczoo.benchmarks.report.summary import summarise

coarse = st.integers(0, 6).map(float)


@given(st.lists(st.tuples(coarse, coarse), max_size=12), st.booleans())
def test_frontier_is_what_no_other_point_beats(points, higher_is_better):
    sign = 1 if higher_is_better else -1

    def beats(one, two):
        at_least = one[0] <= two[0] and sign * one[1] >= sign * two[1]
        return at_least and (one[0] < two[0] or sign * one[1] > sign * two[1])

    brute = {index for index, point in enumerate(points) if not any(beats(other, point) for other in points)}
    found = frontier(points, higher_is_better)
    assert set(found) == brute
    assert len(found) == len(brute)
    assert [points[index][0] for index in found] == sorted(points[index][0] for index in found)


def group_of(records, made, name="speech"):
    summary = summarise(records, "domain", facts=made.facts, resamples=100)
    return next(group for group in summary.groups if group.name == name), summary


def drawn(records, made, metric, name="speech"):
    group, _ = group_of(records, made, name)
    with canvas.settings():
        return pareto.figure(group, made.facts[metric], style.styles(row.family for row in group.rows))


def texts(figure):
    return " ".join(text.get_text() for text in (*figure.texts, *figure.axes[0].texts)).replace("\n", " ")


def test_styles_tell_families_apart_without_colour():
    found = style.styles(f"family{number}" for number in range(12))
    assert len({each.marker for each in found.values()}) == 12
    assert len({(each.colour, each.marker) for each in style.styles(map(str, range(84))).values()}) == 84


def test_bubble_area_is_proportional_to_tokens_a_second():
    quarter, whole = style.bubble_diameter(225, 900), style.bubble_diameter(900, 900)
    assert quarter**2 * 4 == pytest.approx(whole**2)


def test_the_frontier_that_is_drawn_leaves_out_what_is_not_comparable(made):
    records = [
        made.record(codec, clip, {"stoi": value}, kbps=kbps)
        for codec, kbps, value in (("a@1", 1.0, 0.5), ("b@2", 2.0, 0.7), ("c@3", 3.0, 0.6))
        for clip in "12"
    ]
    records.append(made.record("d@1", "1", {"stoi": 0.99}, kbps=1.0))
    figure = drawn(records, made, "stoi")
    steps = [line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post"]
    assert [list(line.get_xdata())[:2] for line in steps] == [[1.0, 2.0]]
    assert list(steps[0].get_ydata()) == [0.5, 0.7, 0.7]
    assert "under another metric identity: d@1" in texts(figure)


def test_lower_is_better_turns_the_axis_over(made):
    records = made.run(clips=2, families=("opus",))
    axes = drawn(records, made, "mel_distance").axes[0]
    assert axes.yaxis_inverted()
    assert "lower is better" in axes.get_ylabel()
    assert axes.get_xscale() == "log"
    assert not drawn(records, made, "stoi").axes[0].yaxis_inverted()


def test_one_point(made):
    figure = drawn([made.record("only@6kbps", "1", {"stoi": 0.5})], made, "stoi")
    low, high = figure.axes[0].get_xlim()
    assert low < 6.0 < high
    assert "only" in texts(figure)


def test_nothing_to_draw_is_said(made, tmp_path):
    records = [made.record("a", clip, undefined={"stoi": "silence"}) for clip in "12"]
    figure = drawn(records, made, "stoi")
    assert "No codec has a value of STOI here. 2 times undefined or failed, 2 of them because: silence" in texts(figure)
    group, summary = group_of(records, made)
    assert len(pareto.write(group, summary.metrics, style.styles(["a"]), tmp_path, ("png",))) == 2


def test_the_overview_says_what_it_leaves_out(made):
    records = [made.record("a", clip, {"stoi": 0.5}, undefined={"pesq_wb": "silence"}) for clip in "12"]
    group, summary = group_of(records, made)
    with canvas.settings():
        figure = pareto.overview(group, summary.metrics, style.styles(["a"]))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["STOI ↑"]
    assert "No codec has a value of PESQ." in texts(figure)


def test_codecs_without_a_value_are_named(made):
    records = [made.record("a", "1", {"stoi": 0.5}), made.record("b", "1", undefined={"stoi": "silence"})]
    assert "Without a value or bitrate: b." in texts(drawn(records, made, "stoi"))


def test_forty_points_are_named_without_overlap(made):
    records = made.run(clips=3)
    group, _ = group_of(records, made)
    assert len(group.rows) >= 39
    for metric in ("pesq_wb", "mel_distance"):
        figure = drawn(records, made, metric)
        figure.draw_without_rendering()
        names = [text for text in figure.axes[0].texts if text.get_text()]
        assert {text.get_text() for text in names} == {row.family for row in group.rows}
        inside = figure.axes[0].get_window_extent()
        boxes = [matplotlib.text.Text.get_window_extent(text) for text in names]
        for number, box in enumerate(boxes):
            assert inside.x0 <= box.x0
            assert box.x1 <= inside.x1
            assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_legends_stay_inside_their_figure(made):
    records = made.run(clips=3)
    records.append(made.record("decoded:outputs/a/very/long/path/of/some/system", "x", {"utmos": 3.0}))
    group, summary = group_of(records, made)
    looks = style.styles(row.family for row in group.rows)
    with canvas.settings():
        for figure in (pareto.figure(group, summary.metrics[0], looks), pareto.overview(group, summary.metrics, looks)):
            figure.draw_without_rendering()
            boxes = [artist.get_window_extent() for artist in figure.artists if isinstance(artist, Legend)]
            assert boxes
            for number, box in enumerate(boxes):
                assert figure.bbox.x0 <= box.x0
                assert box.x1 <= figure.bbox.x1
                assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes if axes.get_visible())
                assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_labels_avoid_markers_where_there_is_room():
    label = labels.Label(30.0, 8.0, ((50.0, 50.0, 2.0),))
    markers = [(48.0, 48.0, 52.0, 52.0), (60.0, 46.0, 70.0, 54.0)]
    (place,) = labels.arrange([label], markers, [], (0.0, 0.0, 100.0, 100.0))
    box = (place.x - 15, place.y - 4, place.x + 15, place.y + 4)
    for left, bottom, right, top in markers:
        assert box[2] <= left or box[0] >= right or box[3] <= bottom or box[1] >= top


def digests(paths):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_same_records_give_the_same_files(made, tmp_path):
    records = made.run(clips=3, families=("opus", "unicodec"))
    records = [record for record in records if record["domain"] == "speech"]
    options = {"facts": made.facts, "metrics": ["stoi"], "resamples": 100}
    before = dict(matplotlib.rcParams)
    first = report.write(report.numbers_of(records, **options), tmp_path / "a")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        second = report.write(report.numbers_of(records[::-1], **options), tmp_path / "b")
    assert digests(first) == digests(second)
    assert dict(matplotlib.rcParams) == before
    names = [path.relative_to(tmp_path / "a").as_posix() for path in first]
    assert names == [
        *("quality.md", "quality.tex", "quality.csv", "harness.md", "harness.tex", "harness.csv"),
        *(f"pareto/demo/{stem}.{form}" for stem in ("stoi", "overview") for form in ("png", "pdf", "svg")),
    ]
    svg = (tmp_path / "a/pareto/demo/stoi.svg").read_text(encoding="utf-8")
    assert ">unicodec</text>" in svg  # text is text
    assert not re.search(r"\d{4}-\d\d-\d\dT", svg)
    pdf = (tmp_path / "a/pareto/demo/stoi.pdf").read_bytes()
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf


def test_groups_whose_names_differ_in_signs_get_their_own_folders(made, tmp_path):
    records = [made.record("a", "1", {"stoi": 0.5}, corpus=corpus) for corpus in ("x y", "x/y")]
    numbers = report.numbers_of(records, facts=made.facts, group_by="corpus", resamples=100)
    paths = report.write(numbers, tmp_path)
    assert {path.parent.name for path in paths if path.suffix == ".png"} == {"x-y", "x-y-2"}


def test_tables_need_no_matplotlib():
    code = "import sys, codeczoo.benchmarks.report; sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_points_are_by_family_and_rising_bitrate(made):
    group, _ = group_of(made.run(clips=2, families=("opus", "mp3")), made)
    found = panel.points(group, made.facts["stoi"])
    assert [(point.family, point.kbps) for point in found] == sorted((point.family, point.kbps) for point in found)


@pytest.mark.parametrize(
    ("largest", "examples"), [(2400, [100, 500, 2000]), (900, [20, 200, 500]), (600, [20, 100, 500])]
)
def test_bubbles_of_the_legend_are_round_rates(largest, examples):
    assert style.bubble_examples(largest) == examples


def test_the_harness_zero_is_in_the_tables_and_not_in_the_plots(made):
    records = [made.record(codec, "a.wav", {"pesq_wb": 4.0}) for codec in ("pcm:16", "opus@12kbps")]
    group, summary = group_of(records, made)
    assert {row.codec for row in group.rows} == {"pcm:16", "opus@12kbps"}
    assert [point.codec for point in panel.points(group, summary.metrics[0])] == ["opus@12kbps"]
    assert "In the table alone: pcm:16." in texts(drawn(records, made, "pesq_wb"))
    alone, summary = group_of(records[:1], made)
    assert [point.codec for point in panel.points(alone, summary.metrics[0])] == ["pcm:16"]


def test_the_name_of_the_shipped_codec_is_not_cut():
    assert style.shortened("wavtokenizer:tiny-speech-216") == "wavtokenizer:tiny-speech-216"
    long = style.shortened("decoded:/data/somebody/experiments/of/last/week")
    assert (len(long), long[:8], long[-5:]) == (29, "decoded:", "/week")
