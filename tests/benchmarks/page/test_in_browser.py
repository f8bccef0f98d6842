"""The page in a real Chromium: what a reader clicks, sees and hears."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from codeczoo import codecs
from codeczoo.benchmarks import records as run_records
from codeczoo.benchmarks.page import level, writing
from codeczoo.benchmarks.page.sources import RunAudio, RunSource, owners_of
from codeczoo.benchmarks.report.frontier import frontier
from codeczoo.benchmarks.report.summary import Group, summarise

HELPERS = (Path(__file__).parent / "helpers.js").read_text(encoding="utf-8")

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
    return writing.write(records, folder, audio, made, facts_of=facts, resamples=100).path


@pytest.fixture(scope="module")
def records(made: SimpleNamespace) -> list:
    rows = made.run(clips=8, families=("opus", "mp3", "mimi:24khz", "wavtokenizer:small"))
    pcm = [made.record("pcm:16", row["clip"], {"stoi": 0.999}, kbps=256, tokens_per_second=None, domain=row["domain"])
           for row in rows if row["codec"] == "opus@6kbps"]  # fmt: skip
    return [*rows, *pcm]


@pytest.fixture(scope="module")
def synthetic_file(records: list, made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(records, tmp_path_factory.mktemp("synthetic"), made.facts, clips=2)


@contextmanager
def opened(browser: Any, path: Path, **how: Any) -> Iterator[Any]:
    """A page with what the tests ask of it."""
    with browser.page(path, **how) as page:
        page.run(HELPERS)
        yield page


@pytest.fixture
def synthetic(browser: Any, synthetic_file: Path) -> Iterator[Any]:
    with opened(browser, synthetic_file) as page:
        yield page


@pytest.fixture
def real(browser: Any, page_file: Path) -> Iterator[Any]:
    with opened(browser, page_file) as page:
        yield page


def asked(page: Any, function: str, *arguments: object) -> Any:
    """What a function of helpers.js gives."""
    return page.run(f"asked.{function}({', '.join(map(json.dumps, arguments))})")


def speech(records: list, facts: Any) -> Group:
    summary = summarise(records, facts=facts, resamples=100)
    return next(group for group in summary.groups if group.name == "speech")


def show_speech(page: Any) -> None:
    asked(page, "choose", "#quality select", 0, "speech")


def selected(page: Any) -> str | None:
    return page.run("document.querySelector('.quality tr.selected')?.dataset.codec ?? null")


def versions_of(page: Any) -> list[str]:
    return page.run("[...document.querySelectorAll('tr[data-version]')].map((row) => row.dataset.version)")


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


def file_of(page: Any, version: str) -> tuple[np.ndarray, int]:
    """The embedded audio of a version of the first clip, as another decoder reads it."""
    data = json.loads(page.run("document.getElementById('data').textContent"))
    number = next(each["file"] for each in data["clips"][0]["versions"] if each["name"] == version)
    return soundfile.read(io.BytesIO(b64decode(page.run(f"document.getElementById('file-{number}').textContent"))))


def test_every_version_is_decoded_at_one_loudness(real: Any) -> None:
    real.click(".play")
    real.wait("codeczooPage.player.isPlaying()")
    versions = versions_of(real)
    assert len(versions) == 4
    loud = []
    for version in versions:
        samples, rate_hz = file_of(real, version)
        found = asked(real, "decoded", version)
        assert found[0] == pytest.approx(len(samples) / rate_hz, abs=1e-3)
        assert found[1] == pytest.approx(np.sqrt(np.mean(samples**2)), rel=0.01)
        loud.append(level.loudness(samples.astype(np.float32), rate_hz))
    assert loud == pytest.approx([loud[0]] * 4, abs=0.05)


def test_opus_versions_stay_together_too(browser: Any, run_folder: Path, corpus: Any, tmp_path: Path) -> None:
    """What Opus adds before and after a clip is cut off by the browser: lengths are those of the clip."""
    known = run_records.load(run_folder)
    audio = RunAudio(owners_of([(RunSource(run_folder, (corpus,), codecs.load), known)]), tmp_path)
    made = writing.Wanted("opus", clips=1, kind="opus")
    path = writing.write(known, tmp_path, audio, made, resamples=50).path
    with opened(browser, path) as page:
        page.run("codeczooPage.player.play()")
        page.wait("codeczooPage.player.isPlaying()")
        clip = json.loads(page.run("document.getElementById('data').textContent"))["clips"][0]
        durations = [asked(page, "decoded", version)[0] for version in versions_of(page)]
        assert durations == pytest.approx([clip["seconds"]] * 4, abs=1e-3)


def test_another_version_goes_on_where_the_first_was(real: Any) -> None:
    asked(real, "watchGains")
    real.click(".play")
    real.wait("codeczooPage.player.position() > 0.15")
    passed, moved, playing = asked(real, "switchTo", "g722@64kbps")
    assert playing
    # It went on, by no more than time passed: it did not begin again, nor jump. A busy machine's audio clock may lag.
    assert -0.005 <= moved <= passed + 0.1
    real.wait("gains.filter((gain) => gain.gain.value > 0.99).length === 1")
    real.wait("gains.filter((gain) => gain.gain.value < 0.01).length === 3")
    assert real.run("gains.length") == 4, "nothing was started again"
    assert real.run("document.querySelector('tr[data-version].selected').dataset.version") == "g722@64kbps"
    assert selected(real) == "g722@64kbps"
    real.press("0")
    assert real.run("codeczooPage.player.current()") == "Reference"
    real.press("b")
    assert real.run("codeczooPage.player.current()") == "g722@64kbps"
    assert real.run("codeczooPage.player.isPlaying()")
    assert real.complaints == []
    assert {url.partition(":")[0] for url in real.requests} == {"file", "data"}


def test_keys_play_pause_seek_and_choose(real: Any) -> None:
    real.run("document.getElementById('listen').focus()")
    real.press(" ")
    real.wait("codeczooPage.player.isPlaying()")
    real.press(" ")
    real.wait("!codeczooPage.player.isPlaying()")
    stood = real.run("codeczooPage.player.position()")
    real.press("2")
    assert real.run("codeczooPage.player.position()") == stood
    versions = versions_of(real)
    assert real.run("codeczooPage.player.current()") == versions[2]
    real.press("ArrowDown")
    assert real.run("codeczooPage.player.current()") == versions[3]
    real.run("codeczooPage.player.seek(0.4)")
    real.press("ArrowLeft")
    assert real.run("codeczooPage.player.position()") == 0
    real.press("n")
    assert real.run("document.querySelector('#listen select').selectedIndex") == 1
    assert real.run("codeczooPage.player.current()") == selected(real)


def test_it_ends_at_its_end_and_loops_where_asked(real: Any) -> None:
    real.run("codeczooPage.player.play()")
    length = real.run("codeczooPage.player.duration()")
    real.run(f"codeczooPage.player.seek({length - 0.1})")
    real.wait("!codeczooPage.player.isPlaying()")
    assert real.run("codeczooPage.player.position()") == 0
    assert real.run("document.querySelector('.play').textContent") == "Play"
    real.run("codeczooPage.player.setLoop(true)")
    real.run(f"(async () => {{ await codeczooPage.player.play(); codeczooPage.player.seek({length - 0.1}); }})()")
    real.wait("codeczooPage.player.position() > 0.1 && codeczooPage.player.position() < 0.6")
    assert real.run("codeczooPage.player.isPlaying()")
    real.run("codeczooPage.player.setLoop(false)")
    real.wait("!codeczooPage.player.isPlaying()")


def test_a_click_on_a_spectrogram_seeks(real: Any) -> None:
    real.click(".pictures .frame")
    assert real.run("codeczooPage.player.position() / codeczooPage.player.duration()") == pytest.approx(0.5, abs=0.01)


def test_a_page_without_any_score_stands(browser: Any, made: SimpleNamespace, tmp_path: Path) -> None:
    failed = [made.record("opus@6kbps", f"{clip}.wav", failed={"encode": "no memory"}, bits={}) for clip in range(3)]
    path = write(failed, tmp_path, made.facts, clips=1)
    with opened(browser, path) as page:
        assert asked(page, "codecs", ".quality tr[data-codec]") == ["opus@6kbps"]
        assert page.run("document.querySelector('#pareto .empty').textContent") == "Nothing was scored here."
        page.run("asked.row('opus@6kbps').click()")
        assert "nothing was encoded" in page.run("document.querySelector('#codec dl').textContent")
        assert page.complaints == []


def test_a_worst_clip_is_opened_with_its_codec(real: Any) -> None:
    codec = real.run("document.querySelector('.clips button.plain').closest('tr').querySelector('th').textContent")
    name = real.run("document.querySelector('.clips button.plain').textContent").removeprefix("▶ ")
    real.click(".clips button.plain")
    assert real.run("codeczooPage.player.current()") == codec
    assert real.run("document.querySelector('#listen option:checked').textContent").startswith(name)
    assert real.run("document.activeElement.id") == "listen"


def test_without_audio_the_reason_is_read(synthetic: Any) -> None:
    assert "there is no audio" in synthetic.run("document.querySelector('#listen .empty').textContent")
    assert synthetic.run("document.querySelector('.play').disabled")


def test_gain_delay_and_origin_are_said(real: Any, run_folder: Path) -> None:
    data = json.loads(real.run("document.getElementById('data').textContent"))
    clip = data["clips"][0]
    delays = {r["codec"]: r["delay_ms"] for r in run_records.load(run_folder) if r["clip"] == clip["name"]}
    shown = real.run(
        "[...document.querySelectorAll('tr[data-version]')].map((r) => [...r.cells].map((c) => c.textContent))"
    )
    for row, version in zip(shown, clip["versions"], strict=True):
        assert row[1] == version["name"]
        assert float(row[2].removesuffix(" dB").replace("−", "-")) == pytest.approx(version["gainDb"], abs=0.051)
        if version["name"] in delays:
            assert float(row[3].removesuffix(" ms").replace("−", "-")) == pytest.approx(
                delays[version["name"]], rel=0.01
            )
    notes = real.run("document.querySelector('#listen .notes').textContent")
    assert "Every codec: decoded from the tokens that the run kept; si_sdr_aligned and mel_distance came out" in notes
    assert "equal integrated loudness (ITU-R BS.1770-4, -23 LUFS)" in notes


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


def test_the_run_of_the_page_is_the_run_of_the_records(real: Any, run_folder: Path) -> None:
    """A clip's scores beside its audio are those of its records."""
    known = run_records.load(run_folder)
    rows = "[...document.querySelectorAll('tr[data-version]')].slice(1)"
    shown = real.run(f"{rows}.map((r) => [r.dataset.version, [...r.cells].slice(4).map((td) => td.textContent)])")
    clip = json.loads(real.run("document.getElementById('data').textContent"))["clips"][0]["name"]
    for codec, texts in shown:
        scores = next(r["scores"] for r in known if (r["codec"], r["clip"]) == (codec, clip))
        printed = [f"{scores['stoi']:.4f}", f"{scores['si_sdr_aligned']:.2f}", f"{scores['mel_distance']:.3f}"]
        assert texts == printed
