"""The page in a real Chromium: what a reader clicks, sees and hears."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks import records as run_records
from codeczoo.benchmarks.page import level, writing
from codeczoo.benchmarks.page.sources import RunAudio, RunSource, owners_of
from codeczoo.benchmarks.report.frontier import frontier
from codeczoo.benchmarks.report.summary import Group, summarise

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


@pytest.fixture
def synthetic(browser: Any, synthetic_file: Path) -> Iterator[Any]:
    with browser.page(synthetic_file) as page:
        yield page


@pytest.fixture
def real(browser: Any, page_file: Path) -> Iterator[Any]:
    with browser.page(page_file) as page:
        yield page


def speech(records: list, facts: Any) -> Group:
    summary = summarise(records, facts=facts, resamples=100)
    return next(group for group in summary.groups if group.name == "speech")


def show_speech(page: Any) -> None:
    page.run(
        "(() => { const s = document.querySelector('#quality select');"
        "s.value = [...s.options].find((o) => o.textContent.startsWith('speech')).value;"
        "s.dispatchEvent(new Event('change')); })()"
    )


def column(page: Any, key: str) -> list[float | None]:
    """Values of a column from the top, the reference left out."""
    return page.run(
        f"(() => {{ const at = [...document.querySelectorAll('.quality thead th')].findIndex((th) => th.dataset.key === "
        f"{json.dumps(key)}); return [...document.querySelectorAll('.quality tbody tr:not(.reference)')].map((tr) => "
        "{ const v = tr.children[at].dataset.value; return v === undefined ? null : Number(v); }); })()"
    )


@pytest.mark.parametrize(
    ("key", "best_is_low"),
    [("metric:stoi", False), ("metric:mel_distance", True), ("metric:pesq_wb", False), ("kbps", True), ("tokens", True)],
)
def test_a_head_sorts_by_its_numbers_and_again_the_other_way(synthetic: Any, key: str, best_is_low: bool) -> None:
    show_speech(synthetic)
    selector = f'.quality th[data-key="{key}"] button'
    for descending, said in ((not best_is_low, "first"), (best_is_low, "second")):
        synthetic.click(selector)
        found = column(synthetic, key)
        numbers = [value for value in found if value is not None]
        assert len(numbers) >= 6
        assert numbers == sorted(numbers, reverse=descending), said
        assert found == numbers + [None] * (len(found) - len(numbers))
        aria = synthetic.run(f'document.querySelector(\'th[data-key="{key}"]\').getAttribute("aria-sort")')
        assert aria == ("descending" if descending else "ascending")
        assert synthetic.run("document.querySelectorAll('th[aria-sort]').length") == 1
        assert synthetic.run("document.activeElement.closest('th').dataset.key") == key


def test_the_table_says_what_is_undefined_and_what_is_tied(synthetic: Any, records: list, made: SimpleNamespace) -> None:
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
    synthetic.run(f"[...document.querySelectorAll('tr[data-codec]')].find((r) => r.dataset.codec === {json.dumps(chosen)}).click()")
    shown = synthetic.run(
        "(() => { const heads = [...document.querySelectorAll('.quality thead th')].map((th) => th.dataset.key);"
        "return [...document.querySelectorAll('.quality tbody tr')].flatMap((tr) => [...tr.children].flatMap((td, at) =>"
        " td.classList.contains('tied') ? [[heads[at].replace('metric:', ''), tr.dataset.codec]] : [])); })()"
    )
    expected = {
        (name, codec)
        for name, ties in group.ties.items()
        if chosen in ties.codecs
        for codec in ties.codecs
        if codec != chosen and ties.tied(codec, chosen)
    }
    assert {tuple(pair) for pair in shown} == expected
    assert expected


@pytest.mark.parametrize("axis", ["kbps", "tokens"])
def test_the_plot_shows_every_codec_once_and_the_front_of_the_report(
    synthetic: Any, records: list, made: SimpleNamespace, axis: str
) -> None:
    show_speech(synthetic)
    synthetic.run(
        f"(() => {{ const [metric, x] = document.querySelectorAll('#pareto select'); metric.value = 'mel_distance';"
        f"metric.dispatchEvent(new Event('change')); const again = document.querySelectorAll('#pareto select')[1];"
        f"again.value = '{axis}'; again.dispatchEvent(new Event('change')); }})()"
    )
    group = speech(records, made.facts)
    rates = {row.codec: row.bitrate.kbps if axis == "kbps" else row.tokens_per_second for row in group.rows}
    drawn = [row for row in group.rows if rates[row.codec] and "mel_distance" in row.cells and row.family != "pcm:16"]
    shown = synthetic.run("[...document.querySelectorAll('#pareto .point')].map((p) => p.dataset.codec)")
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
    assert synthetic.run("document.querySelector('.quality tr.selected').dataset.codec") == codec
    assert synthetic.run("document.querySelector('#pareto .point.selected').dataset.codec") == codec
    assert synthetic.run("document.activeElement.dataset.codec") == codec
    assert codec in synthetic.run("document.querySelector('#codec h2').textContent")
    synthetic.click("#pareto .point.selected .reach")
    assert synthetic.run("document.querySelector('.quality tr.selected')") is None


def test_the_logarithmic_axis_can_be_left(synthetic: Any) -> None:
    where = "[...document.querySelectorAll('#pareto .point')].map((p) => p.getBoundingClientRect().x)"
    before = synthetic.run(where)
    synthetic.click("#pareto input[type=checkbox]")
    assert synthetic.run(where) != before


def test_no_text_of_a_record_does_anything(browser: Any, made: SimpleNamespace, tmp_path: Path) -> None:
    hostile = [
        {
            **made.record("x", "x", {"stoi": 0.5 + 0.01 * clip + 0.001 * rate}, undefined={"pesq_wb": text}, kbps=rate),
            **{"codec": f"{text}@{rate:g}kbps", "clip": f"{HOSTILE[clip]}{clip}.wav", "corpus": HOSTILE[0]},
            **{"speaker": f"{text}{clip}", "clip_sha256": str(clip)},
        }
        for text in HOSTILE
        for rate in (6.0, 12.0)
        for clip in range(7)
    ]
    path = write(hostile, tmp_path, made.facts, clips=3)
    with browser.page(path) as page:
        shown = page.run("[...document.querySelectorAll('.quality tr[data-codec]')].map((r) => r.dataset.codec)")
        expected = {f"{text}@{rate:g}kbps" for text in HOSTILE for rate in (6.0, 12.0)}
        assert set(shown) == expected
        for place in range(len(shown)):
            page.run(f"document.querySelectorAll('.quality tr[data-codec]')[{place}].click()")
            page.run(f"document.querySelectorAll('#pareto .point')[{place}].focus()")
        page.run("document.querySelectorAll('#listen select option').forEach((o) => { o.parentElement.value = o.value;"
                 "o.parentElement.dispatchEvent(new Event('change')); })")  # fmt: skip
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
    versions = real.run("[...document.querySelectorAll('tr[data-version]')].map((r) => r.dataset.version)")
    assert len(versions) == 4
    loud = []
    for version in versions:
        samples, rate_hz = file_of(real, version)
        found = real.run(
            f"(() => {{ const b = codeczooPage.player.buffer({json.dumps(version)}); const d = b.getChannelData(0);"
            "let s = 0; for (const v of d) s += v * v; return [b.duration, Math.sqrt(s / d.length)]; })()"
        )
        assert found[0] == pytest.approx(len(samples) / rate_hz, abs=1e-3)
        assert found[1] == pytest.approx(np.sqrt(np.mean(samples**2)), rel=0.01)
        loud.append(level.loudness(samples.astype(np.float32), rate_hz))
    assert loud == pytest.approx([loud[0]] * 4, abs=0.05)


def test_another_version_goes_on_where_the_first_was(real: Any) -> None:
    real.run(
        "(() => { window.gains = []; const make = AudioContext.prototype.createGain; AudioContext.prototype.createGain ="
        "function () { const gain = make.call(this); gains.push(gain); return gain; }; })()"
    )
    real.click(".play")
    real.wait("codeczooPage.player.position() > 0.15")
    passed, moved, playing = real.run(
        "(() => { const p = codeczooPage.player; const [clock, before] = [performance.now(), p.position()];"
        "document.querySelector('tr[data-version=\"g722@64kbps\"] input').click();"
        "return [(performance.now() - clock) / 1000, p.position() - before, p.isPlaying()]; })()"
    )
    assert playing
    # It went on by as much as time passed: it did not jump, nor begin again.
    assert moved == pytest.approx(passed, abs=0.06)
    real.wait("gains.filter((gain) => gain.gain.value > 0.99).length === 1")
    real.wait("gains.filter((gain) => gain.gain.value < 0.01).length === 3")
    assert real.run("gains.length") == 4, "nothing was started again"
    assert real.run("document.querySelector('tr[data-version].selected').dataset.version") == "g722@64kbps"
    assert real.run("document.querySelector('.quality tr.selected').dataset.codec") == "g722@64kbps"
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
    second = real.run("[...document.querySelectorAll('tr[data-version]')][2].dataset.version")
    assert real.run("codeczooPage.player.current()") == second
    real.press("ArrowDown")
    assert real.run("codeczooPage.player.current()") == real.run("[...document.querySelectorAll('tr[data-version]')][3].dataset.version")
    real.run("codeczooPage.player.seek(0.4)")
    real.press("ArrowLeft")
    assert real.run("codeczooPage.player.position()") == 0
    real.press("n")
    assert real.run("document.querySelector('#listen select').selectedIndex") == 1
    assert real.run("codeczooPage.player.current()") == real.run("document.querySelector('.quality tr.selected').dataset.codec")


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


CONTRAST = """
(() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (css) => { const [r, g, b] = css.match(/[\\d.]+/g).map(Number); return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
  const under = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
  const found = [];
  for (const e of document.querySelectorAll('h1, h2, p, td, th, li, button, span.mean, span.range, label, kbd, dt, dd, a, output, figcaption')) {
    if (!e.textContent.trim() || !e.checkVisibility() || e.disabled || e.closest('.frame')) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(under(e))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 30)]);
  }
  return found.sort((x, y) => x[0] - y[0])[0];
})()
"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(browser: Any, page_file: Path, synthetic_file: Path, dark: bool) -> None:
    """WCAG 2, contrast of normal text: 4.5."""
    grounds = []
    for path in (page_file, synthetic_file):
        with browser.page(path, dark=dark) as page:
            page.run("document.querySelectorAll('.quality tr[data-codec]:not(.reference)')[1].click()")
            least, where = page.run(CONTRAST)
            assert least >= 4.5, where
            grounds.append(page.run("getComputedStyle(document.body).backgroundColor"))
    brightness = [int(re.search(r"\d+", ground)[0]) for ground in grounds]
    assert all(value < 60 for value in brightness) if dark else all(value > 200 for value in brightness)


def test_everything_that_can_be_used_has_a_name(real: Any) -> None:
    nameless = real.run(
        "[...document.querySelectorAll('button, select, input, img, [role=button], [role=region]')].filter((e) =>"
        "!(e.textContent.trim() && e.tagName === 'BUTTON') && !e.getAttribute('aria-label') && !e.alt &&"
        "!e.getAttribute('aria-labelledby') && !(e.labels && [...e.labels].some((l) => l.textContent.trim())))"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    assert nameless == []


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
    shown = real.run(
        "(() => { const rows = [...document.querySelectorAll('tr[data-version]')].slice(1);"
        "return rows.map((r) => [r.dataset.version, [...r.querySelectorAll('td.number')].map((td) => td.textContent)]); })()"
    )
    clip = json.loads(real.run("document.getElementById('data').textContent"))["clips"][0]["name"]
    for codec, texts in shown:
        scores = next(r["scores"] for r in known if (r["codec"], r["clip"]) == (codec, clip))
        assert texts[1:] == [f"{scores['stoi']:.4f}", f"{scores['si_sdr_aligned']:.2f}", f"{scores['mel_distance']:.3f}"]
