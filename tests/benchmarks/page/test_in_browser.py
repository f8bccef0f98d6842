"""The page in a real Chromium: what a reader clicks, sees and hears."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codeczoo.benchmarks.page import writing
from codeczoo.benchmarks.page.sources import RunAudio, RunSource, owners_of
from codeczoo.benchmarks.report import numbers_of
from codeczoo.benchmarks.report.frontier import frontier
from codeczoo.benchmarks.report.summary import Group, summarise

from .asking import asked, opened, selected

HOSTILE = (
    "</script><script>window.harmed = 1</script>",
    '"><img src=x onerror="window.harmed = 2">',
    "<svg onload=window.harmed=3>",
    "javascript:window.harmed=4",
    "${window.harmed = 5}",
    "\u202egnp.exe\u2028\u2029\x00",
    "\udcff",
    "__proto__",
    "constructor",
)


def write(records: list, folder: Path, facts: Any, **wanted: Any) -> Path:
    """The page of synthetic records, whose audio nobody has."""
    audio = RunAudio(owners_of([(RunSource(folder, (), lambda name: 1 / 0, "there is no audio"), records)]), folder)
    made = writing.Wanted("synthetic", **wanted)
    return writing.write(numbers_of(records, facts=facts, resamples=100), folder, audio, made).path


@pytest.fixture(scope="module")
def records(made: SimpleNamespace) -> list:
    rows = made.run(clips=8, families=("opus", "mp3", "mimi:24khz", "wavtokenizer:small"))
    pcm = [made.record("pcm:16", row["clip"], {"stoi": 0.999}, kbps=256, tokens_per_second=None, domain=row["domain"])
           for row in rows if row["codec"] == "opus@6kbps"]  # fmt: skip
    return [*rows, *pcm]


@pytest.fixture(scope="module")
def synthetic_file(records: list, made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(records, tmp_path_factory.mktemp("synthetic"), made.facts, clips=2)


@pytest.fixture
def synthetic(browser: Any, synthetic_file: Path) -> Iterator[Any]:
    with opened(browser, synthetic_file) as page:
        yield page


def speech(records: list, facts: Any) -> Group:
    summary = summarise(records, facts=facts, resamples=100)
    return next(group for group in summary.groups if group.name == "speech")


def show_speech(page: Any) -> None:
    asked(page, "choose", "#quality select", 0, "speech")


@pytest.mark.parametrize(
    ("key", "best_is_low"),
    [
        ("metric:stoi", False),
        ("metric:mel_distance", True),
        ("metric:pesq_wb", False),
        ("kbps", True),
        ("tokens", True),
    ],
)
def test_a_head_sorts_by_its_numbers_and_again_the_other_way(synthetic: Any, key: str, best_is_low: bool) -> None:
    show_speech(synthetic)
    selector = f'.quality th[data-key="{key}"] button'
    for descending, said in ((not best_is_low, "first"), (best_is_low, "second")):
        synthetic.click(selector)
        found = asked(synthetic, "column", key)
        numbers = [value for value in found if value is not None]
        assert len(numbers) >= 6
        assert numbers == sorted(numbers, reverse=descending), said
        assert found == numbers + [None] * (len(found) - len(numbers))
        aria = synthetic.run(f'document.querySelector(\'th[data-key="{key}"]\').getAttribute("aria-sort")')
        assert aria == ("descending" if descending else "ascending")
        assert synthetic.run("document.querySelectorAll('th[aria-sort]').length") == 1
        assert synthetic.run("document.activeElement.closest('th').dataset.key") == key


def test_the_table_says_what_is_undefined_and_what_is_tied(
    synthetic: Any, records: list, made: SimpleNamespace
) -> None:
    show_speech(synthetic)
    group = speech(records, made.facts)
    lost = synthetic.run(
        "[...document.querySelectorAll('td.none')].map((td) => [td.textContent, td.getAttribute('aria-label')])"
    )
    assert all(text in ("–", "undefined", "failed", "not measured") for text, _ in lost)
    titles = synthetic.run("[...document.querySelectorAll('.quality td[title]')].map((td) => td.title).join('|')")
    assert "1 undefined: the reference holds no utterance" in titles
    # Every pair of codecs that the table calls tied with a selected one is so by the report's test, and no other.
    chosen = group.rows[3].codec
    synthetic.run(f"asked.row({json.dumps(chosen)}).click()")
    expected = {
        (name, codec)
        for name, ties in group.ties.items()
        if chosen in ties.codecs
        for codec in ties.codecs
        if codec != chosen and ties.tied(codec, chosen)
    }
    assert {tuple(pair) for pair in asked(synthetic, "tied")} == expected
    assert expected


@pytest.mark.parametrize("axis", ["kbps", "tokens"])
def test_the_plot_shows_every_codec_once_and_the_front_of_the_report(
    synthetic: Any, records: list, made: SimpleNamespace, axis: str
) -> None:
    show_speech(synthetic)
    asked(synthetic, "choose", "#pareto select", 0, "Mel distance")
    asked(synthetic, "choose", "#pareto select", 1, "tokens" if axis == "tokens" else "kbps")
    group = speech(records, made.facts)
    rates = {row.codec: row.bitrate.kbps if axis == "kbps" else row.tokens_per_second for row in group.rows}
    drawn = [row for row in group.rows if rates[row.codec] and "mel_distance" in row.cells and row.family != "pcm:16"]
    shown = asked(synthetic, "codecs", "#pareto .point")
    assert sorted(shown) == sorted(row.codec for row in drawn)
    points = [(rates[row.codec], row.cells["mel_distance"].mean) for row in drawn]
    expected = [drawn[index].codec for index in frontier(points, higher_is_better=False)]
    data = json.loads(synthetic.run("document.getElementById('data').textContent"))
    own = next(each for each in data["groups"] if each["name"] == "speech")
    assert own["fronts"]["mel_distance"][axis] == expected
    corners = synthetic.run("document.querySelector('#pareto polyline.front').getAttribute('points')").split()
    assert len(corners) == 2 * len(expected)
    # Better is up: the best point of a metric of which less is better is the highest on the screen.
    heights = synthetic.run(
        "[...document.querySelectorAll('#pareto .point')].map((p) => [p.dataset.codec, p.getBoundingClientRect().y])"
    )
    best = min(drawn, key=lambda row: row.cells["mel_distance"].mean).codec
    assert min(heights, key=lambda pair: pair[1])[0] == best


def test_a_point_tells_its_numbers_and_selects_its_row(synthetic: Any) -> None:
    show_speech(synthetic)
    synthetic.run("document.querySelectorAll('#pareto .point')[4].focus()")
    codec = synthetic.run("document.activeElement.dataset.codec")
    tip = synthetic.run("document.querySelector('.tip.shown').textContent")
    assert tip.startswith(codec)
    assert re.search(r"kbps.*95 % interval [\d.]+ to [\d.]+", tip)
    synthetic.press("Enter")
    assert selected(synthetic) == codec
    assert synthetic.run("document.querySelector('#pareto .point.selected').dataset.codec") == codec
    assert synthetic.run("document.activeElement.dataset.codec") == codec
    assert codec in synthetic.run("document.querySelector('#codec h2').textContent")
    synthetic.click("#pareto .point.selected .reach")
    assert selected(synthetic) is None


def test_the_logarithmic_axis_can_be_left(synthetic: Any) -> None:
    where = "[...document.querySelectorAll('#pareto .point')].map((p) => p.getBoundingClientRect().x)"
    before = synthetic.run(where)
    synthetic.click("#pareto input[type=checkbox]")
    assert synthetic.run(where) != before


def test_no_text_of_a_record_does_anything(browser: Any, made: SimpleNamespace, tmp_path: Path) -> None:
    hostile = [
        {
            **made.record("x", "x", {"stoi": 0.5 + 0.01 * clip + 0.001 * rate}, undefined={"pesq_wb": text}, kbps=rate),
            "codec": f"{text}@{rate:g}kbps",
            "clip": f"{HOSTILE[clip]}{clip}.wav",
            "corpus": HOSTILE[0],
            "speaker": f"{text}{clip}",
            "clip_sha256": str(clip),
        }
        for text in HOSTILE
        for rate in (6.0, 12.0)
        for clip in range(7)
    ]
    path = write(hostile, tmp_path, made.facts, clips=3)
    with opened(browser, path) as page:
        shown = asked(page, "codecs", ".quality tr[data-codec]")
        expected = {f"{text}@{rate:g}kbps" for text in HOSTILE for rate in (6.0, 12.0)}
        assert set(shown) == expected
        for place in range(len(shown)):
            page.run(f"document.querySelectorAll('.quality tr[data-codec]')[{place}].click()")
            page.run(f"document.querySelectorAll('#pareto .point')[{place}].focus()")
        for place in range(3):
            page.run(f"document.querySelector('#listen select').value = '{place}'")
            page.run("document.querySelector('#listen select').dispatchEvent(new Event('change'))")
        assert page.run("window.harmed === undefined")
        assert page.run("document.querySelectorAll('main script, main img, main iframe, main a').length") == 0
        assert page.complaints == []
        assert [url for url in page.requests if not url.startswith("data:")] == [path.resolve().as_uri()]


def test_a_page_without_any_score_stands(browser: Any, made: SimpleNamespace, tmp_path: Path) -> None:
    failed = [made.record("opus@6kbps", f"{clip}.wav", failed={"encode": "no memory"}, bits={}) for clip in range(3)]
    path = write(failed, tmp_path, made.facts, clips=1)
    with opened(browser, path) as page:
        assert asked(page, "codecs", ".quality tr[data-codec]") == ["opus@6kbps"]
        assert page.run("document.querySelector('#pareto .empty').textContent") == "Nothing was scored here."
        page.run("asked.row('opus@6kbps').click()")
        assert "nothing was encoded" in page.run("document.querySelector('#codec dl').textContent")
        assert page.complaints == []


def test_without_audio_the_reason_is_read(synthetic: Any) -> None:
    assert "there is no audio" in synthetic.run("document.querySelector('#listen .empty').textContent")
    assert synthetic.run("document.querySelector('.play').disabled")


@pytest.mark.parametrize("width", [1280, 700, 390, 320])
def test_no_width_scrolls_the_page_sideways(browser: Any, page_file: Path, synthetic_file: Path, width: int) -> None:
    for path in (page_file, synthetic_file):
        with browser.page(path, width=width) as page:
            page.run("document.querySelectorAll('.quality tr[data-codec]:not(.reference)')[1].click()")
            page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            assert page.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(browser: Any, page_file: Path, synthetic_file: Path, dark: bool) -> None:
    """WCAG 2, contrast of normal text: 4.5."""
    grounds = []
    for path in (page_file, synthetic_file):
        with opened(browser, path, dark=dark) as page:
            page.run("document.querySelectorAll('.quality tr[data-codec]:not(.reference)')[1].click()")
            least, where = asked(page, "contrast")
            assert least >= 4.5, where
            grounds.append(page.run("getComputedStyle(document.body).backgroundColor"))
    brightness = [int(re.search(r"\d+", ground)[0]) for ground in grounds]
    assert all(value < 60 for value in brightness) if dark else all(value > 200 for value in brightness)


def test_everything_that_can_be_used_has_a_name(real: Any) -> None:
    assert asked(real, "nameless") == []


def test_the_tab_key_reaches_every_part(real: Any) -> None:
    real.run("document.body.focus()")
    reached = set()
    for _ in range(60):
        real.press("Tab")
        reached.add(real.run("document.activeElement.closest('section')?.id ?? 'top'"))
    assert {"quality", "pareto", "codec", "listen"} <= reached
