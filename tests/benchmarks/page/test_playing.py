"""Listening in a real Chromium: audio is decoded, versions change without a break, keys do what the page says."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from codeczoo import codecs
from codeczoo.benchmarks import records as run_records
from codeczoo.benchmarks.page import level, writing
from codeczoo.benchmarks.page.sources import RunAudio, RunSource, owners_of
from codeczoo.benchmarks.report import numbers_of

from .asking import asked, opened, selected, versions_of


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
    path = writing.write(numbers_of(known, resamples=50), tmp_path, audio, made).path
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


def test_a_pause_fades_out_and_goes_on_from_there(real: Any) -> None:
    """A signal that is cut off clicks."""
    asked(real, "watchGains")
    real.click(".play")
    real.wait("codeczooPage.player.position() > 0.1")
    real.click(".play")
    real.wait("gains.every((gain) => gain.gain.value === 0)")
    stood = real.run("codeczooPage.player.position()")
    assert stood > 0.1
    real.click(".play")
    real.wait("codeczooPage.player.position() > 0.02 + " + str(stood))
    assert real.run("gains.length") == 8
    assert real.run("document.querySelector('.play').textContent") == "Pause"


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


def test_a_worst_clip_is_opened_with_its_codec(real: Any) -> None:
    codec = real.run("document.querySelector('.clips button.plain').closest('tr').querySelector('th').textContent")
    name = real.run("document.querySelector('.clips button.plain').textContent").removeprefix("▶ ")
    real.click(".clips button.plain")
    assert real.run("codeczooPage.player.current()") == codec
    assert real.run("document.querySelector('#listen option:checked').textContent").startswith(name)
    assert real.run("document.activeElement.id") == "listen"


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
