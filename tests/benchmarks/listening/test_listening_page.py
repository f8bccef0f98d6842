"""The page in a real browser: a listener who takes the whole test, and somebody who looks for what is hidden."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.listening import answers as answer_files
from codeczoo.benchmarks.listening.making import Made

from ..browser import Browser, Page

HEARD_S = 0.5
N = 5
"""Signals of a trial: reference, two anchors, two codecs."""


class Listener:
    """Somebody at the keyboard, who knows nothing but what is on the screen."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def text(self, selector: str) -> str:
        return self.page.run(f"document.querySelector({json.dumps(selector)}).textContent")

    def exists(self, selector: str) -> str:
        return f"document.querySelector({json.dumps(selector)})"

    def begin(self, name: str) -> None:
        self.page.click("#listener")
        self.page.call("Input.insertText", text=name)
        self.page.click("form .primary")
        self.page.wait(self.exists("#next"))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.press(key)

    def hear(self, key: str, selector: str) -> None:
        """Play a signal until the page says that it was heard."""
        self.press(key)
        self.page.wait(self.exists(selector))

    def hear_reference(self) -> None:
        self.hear("0", ".reference.heard")

    def hear_signal(self, number: int) -> None:
        self.hear(str(number), f".column:nth-child({number + 1}).heard")

    def rating(self, number: int) -> str:
        return self.text(f".column:nth-child({number + 1}) output")

    def rate(self, number: int, rating: int) -> None:
        self.hear_signal(number)
        self.press("Home", *["PageUp"] * (rating // 10), *["ArrowUp"] * (rating % 10))
        assert self.rating(number) == str(rating)

    def next(self) -> None:
        before = self.text("#progress")
        self.press("Enter")
        self.page.wait(f"document.getElementById('progress').textContent !== {json.dumps(before)}")
        self.page.wait(self.exists("#next, #download"))

    def close_and_open_again(self) -> None:
        self.page.call("Page.reload")
        self.page.wait(self.exists(".resume"))

    def save(self, folder: Path) -> Path:
        self.page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.page.click("#download")
        for _ in range(200):
            found = list(folder.glob("*.json"))
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError("no file of answers was saved")


@pytest.fixture
def sat_at(browser: Browser) -> Iterator[Callable[..., Listener]]:
    """Opens a page in a browser that never saw it."""
    with ExitStack() as stack:

        def open_page(page_file: Path, **window: Any) -> Listener:
            page = stack.enter_context(browser.page(page_file, **window))
            page.run("localStorage.clear()")
            return Listener(page)

        yield open_page


@pytest.mark.slow
def test_ratings_of_a_whole_test_are_recovered(
    sat_at: Callable[..., Listener], mushra: tuple[Made, Path], tmp_path: Path
) -> None:
    made, page_file = mushra
    listener = sat_at(page_file)
    listener.begin("P-01")
    # Training: nothing can be rated before it is heard, nor left before it is done.
    listener.press("Enter")
    assert listener.text("#status") == "Listen to the reference."
    listener.page.run(
        "(slider => { slider.value = 70; slider.dispatchEvent(new Event('input')); })"
        "(document.querySelector('.column:nth-child(2) input'))"
    )
    assert listener.text("#status") == "Listen to signal 1 before you rate it."
    assert listener.rating(1) == "–"
    listener.hear_reference()
    for number in range(1, N + 1):
        listener.rate(number, 10 * number)
    listener.press("Enter")
    reminder = "No signal is rated 100, though one of them is the reference itself."
    assert listener.text("#status") == f"{reminder} Go on once more if that is what you mean."
    listener.next()
    assert listener.text("#progress") == "Trial 1 of 2"
    scripted = [[93, 7, 100, 0, 61], [15, 88, 42, 100, 29]]
    listener.hear_reference()
    for number in (1, 2, 3):
        listener.rate(number, scripted[0][number - 1])
    listener.close_and_open_again()
    assert listener.text(".resume") == "Go on as P-01 (0 of 2 trials done)"
    listener.page.click(".resume")
    listener.page.wait(listener.exists("#next"))
    assert listener.text("#progress") == "Trial 1 of 2"
    assert [listener.rating(number) for number in range(1, N + 1)] == ["93", "7", "100", "–", "–"]
    listener.press("Enter")
    assert listener.text("#status") == "Still to be rated: 4, 5."
    for number in (4, 5):
        listener.rate(number, scripted[0][number - 1])
    listener.next()
    listener.hear_reference()
    for number in range(1, N + 1):
        listener.rate(number, scripted[1][number - 1])
    listener.next()
    assert listener.text("#progress") == "Done"
    listener.page.click("#comment")
    listener.page.call("Input.insertText", text="the second was hard")
    path = listener.save(tmp_path)
    assert path.name == f"answers-{made.key.id}-P-01.json"
    found = answer_files.read(path, made.key)
    assert (found.listener, found.playback, found.comment) == ("P-01", "headphones", "the second was hard")
    for answer, ratings in zip(found.trials, scripted, strict=True):
        stimuli = made.key.trials[answer.trial].stimuli
        expected = {stimuli[name].condition: rating for name, rating in zip(answer.order, ratings, strict=True)}
        assert answer.ratings == expected
        assert N * HEARD_S < answer.seconds < 300
    assert {answer.trial for answer in found.trials} == set(made.key.trials)
    test = page_file.parent.parent
    assert main(["listen", "analyse", str(test), str(path), "--screening", "none", "--out", str(tmp_path / "out")]) == 0
    facts = json.loads((tmp_path / "out" / "listening.json").read_text(encoding="utf-8"))
    assert facts["listeners"][0]["comment"] == "the second was hard"
    analysed = {
        one["trial"]: {mean["condition"]: mean["mean"] for mean in one["conditions"]} for one in facts["trials"]
    }
    assert analysed == {answer.trial: answer.ratings for answer in found.trials}
    assert listener.page.complaints == []
    assert {url for url in listener.page.requests if not url.startswith("blob:")} <= {page_file.as_uri(), "data:,"}


def decoded(listener: Listener) -> dict[str, list[int]]:
    """The 16-bit samples of the trial that the page plays, by the names that the page calls them."""
    return listener.page.run(
        "Object.fromEntries([...listening.player.buffers].map(([name, buffer]) =>"
        "[name, [...buffer.getChannelData(0)].map((value) => Math.round(value * 32768))]))"
    )


@pytest.mark.slow
def test_answers_of_abx_are_recovered_with_the_audio_beside_the_page(
    sat_at: Callable[..., Listener], abx: tuple[Made, Path], tmp_path: Path
) -> None:
    made, page_file = abx
    listener = sat_at(page_file)
    listener.begin("p2")
    chosen = {}
    for screen in ("training", "first", "second"):
        listener.press("ArrowRight")
        assert listener.text("#status") == "Listen to A, B, X before you answer."
        for key, place in (("1", 1), ("b", 2), ("x", 3)):
            listener.hear(key, f".abx:nth-of-type(1) .big:nth-child({place}).heard")
        letter = "b" if screen == "first" else "a"
        listener.press("ArrowRight" if letter == "b" else "ArrowLeft")
        assert listener.text(".choice[aria-checked=true]").startswith(f"X is {letter.upper()}")
        chosen[screen] = listener.page.run("listening.now.made.result()")
        for name, samples in decoded(listener).items():
            text = (page_file.parent / "audio" / f"{name}.js").read_text(encoding="ascii").split('"')[3]
            assert samples == np.frombuffer(base64.b64decode(text), "<i2").tolist()
        listener.next()
    found = answer_files.read(listener.save(tmp_path), made.key)
    for answer, screen in zip(found.trials, ("first", "second"), strict=True):
        given = chosen[screen]
        stimuli = made.key.trials[answer.trial].stimuli
        assert answer.order == (given["a"], given["b"], given["x"])
        assert answer.condition == "opus@6kbps"
        pick = stimuli[given["b" if screen == "first" else "a"]].condition
        assert answer.correct is (pick == stimuli[given["x"]].condition)
    assert listener.page.complaints == []
    folder = page_file.parent.as_uri()
    assert all(url.startswith((folder, "data:,", "blob:")) for url in listener.page.requests)
    assert sum("/audio/" in url for url in listener.page.requests) == 9


def test_switching_goes_on_at_the_same_position(sat_at: Callable[..., Listener], mushra: tuple[Made, Path]) -> None:
    listener = sat_at(mushra[1])
    listener.begin("p3")
    listener.hear_reference()
    before = listener.page.run("[listening.player.startedAt, Object.keys(listening.player.voices.gains()).length]")
    assert before[1] == 1 + N
    found = listener.page.run("""(async () => {
        const player = listening.player;
        const at = () => [player.context.currentTime, player.position()];
        const [time, position] = at();
        await player.select(listening.now.made.order[2]);
        await new Promise((resolve) => setTimeout(resolve, 120));
        const [later, moved] = at();
        return { elapsed: later - time, moved: (moved - position + player.length) % player.length,
                 gains: player.voices.gains(), length: player.length, active: player.active,
                 started: player.startedAt };
    })()""")
    assert found["started"] == before[0]
    assert found["moved"] == pytest.approx(found["elapsed"] % found["length"], abs=1e-6)
    assert found["gains"].pop(found["active"]) == pytest.approx(1.0, abs=1e-6)
    assert set(found["gains"].values()) == {0.0}


def test_one_fades_out_before_the_other_fades_in(sat_at: Callable[..., Listener], mushra: tuple[Made, Path]) -> None:
    """BS.1534-3, section 5.3: 5 ms out, 5 ms in, of a raised cosine, and at no time a cross-fade."""
    heard = sat_at(mushra[1]).page.run("""(async () => {
        const context = new OfflineAudioContext(1, 1440, 48000);
        const steady = (level) => {
            const buffer = context.createBuffer(1, 1440, 48000);
            buffer.getChannelData(0).fill(level);
            return buffer;
        };
        const buffers = new Map([["a", steady(1)], ["b", steady(-1)], ["c", steady(0.5)]]);
        const voices = makeVoices(buffers, "a", context.destination, { when: 0, offset: 0 });
        voices.hear("b");
        voices.hear("c");
        return [...(await context.startRendering()).getChannelData(0)];
    })()""")
    fade = (1 + np.cos(np.pi * np.arange(240) / 240)) / 2
    expected = np.concatenate([fade, fade[::-1] * -1, fade * -1, fade[::-1] * 0.5, np.full(480, 0.5)])
    assert np.abs(np.array(heard) - expected).max() < 0.03


def test_what_is_heard_is_the_signal_that_was_chosen(
    sat_at: Callable[..., Listener], mushra: tuple[Made, Path]
) -> None:
    """Behind all gains there are, sample by sample, those of the signal that was chosen."""
    listener = sat_at(mushra[1])
    listener.begin("p8")
    listener.hear_reference()
    found = listener.page.run("""(async () => {
        const player = listening.player, heard = {};
        const ear = new AnalyserNode(player.context, { fftSize: 8192 });
        player.envelope.connect(ear);
        const sound = new Float32Array(8192);
        for (const name of ["reference", ...listening.now.made.order]) {
            await player.select(name);
            const since = player.context.currentTime;
            const settled = () => player.context.currentTime - since > 0.6 && Math.abs(player.position() - 0.85) < 0.15;
            while (!settled()) await new Promise((resolve) => setTimeout(resolve, 10));
            ear.getFloatTimeDomainData(sound);
            const own = player.buffers.get(name).getChannelData(0);
            let best = 0;
            for (let shift = 0; shift + sound.length < own.length; shift++) {
                let same = 0;
                for (let at = 0; at < 64; at++) same += sound[at * 16 + 2000] === own[shift + at * 16 + 2000] ? 1 : 0;
                best = Math.max(best, same);
            }
            heard[name] = best;
        }
        return heard;
    })()""")
    assert len(found) == 1 + N
    assert set(found.values()) == {64}


def test_a_region_is_looped(sat_at: Callable[..., Listener], mushra: tuple[Made, Path]) -> None:
    listener = sat_at(mushra[1])
    listener.begin("p4")
    listener.press("0")
    left, top, width = listener.page.run(
        "(box => [box.x, box.y + box.height / 2, box.width])(document.querySelector('.wave').getBoundingClientRect())"
    )
    for kind, at in (("mousePressed", 0.25), ("mouseMoved", 0.5), ("mouseReleased", 0.75)):
        listener.page.call(
            "Input.dispatchMouseEvent", type=kind, x=left + at * width, y=top, button="left", buttons=1, clickCount=1
        )
    length, (start, end) = listener.page.run("[listening.player.length, listening.player.region]")
    assert start == pytest.approx(0.25 * length, abs=0.02)
    assert end == pytest.approx(0.75 * length, abs=0.02)
    assert listener.text("#status") == f"Looped from {start:.1f} to {end:.1f} seconds."
    seen = []
    for _ in range(12):
        time.sleep(0.1)
        seen.append(listener.page.run("listening.player.position()"))
    assert start <= min(seen) <= max(seen) < end
    assert any(later < earlier for earlier, later in itertools.pairwise(seen))
    listener.press("[")
    from_here, to = listener.page.run("listening.player.region")
    assert start < from_here < to
    assert to - from_here >= 0.5 - 1e-9
    listener.page.click(".transport button", 3)
    assert listener.page.run("listening.player.whole")
    assert listener.page.complaints == []


def test_sliders_obey_the_mouse_and_say_what_they_stand_at(
    sat_at: Callable[..., Listener], mushra: tuple[Made, Path]
) -> None:
    listener = sat_at(mushra[1])
    listener.begin("p5")
    slider = ".column:nth-child(3) input"

    def says() -> str:
        return listener.page.run(f"document.querySelector('{slider}').getAttribute('aria-valuetext')")

    def press_at(share: float) -> None:
        """The mouse on the slider, `share` of its height above its foot."""
        x, y = listener.page.run(
            f"(box => [box.x + box.width / 2, box.bottom - 1 - {share} * (box.height - 2)])"
            f"(document.querySelector('{slider}').getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            listener.page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    assert listener.page.run(f"document.querySelector('{slider}').ariaLabel") == "Rating of signal 2"
    assert says() == "not rated yet"
    listener.page.run(f"document.querySelector('{slider}').scrollIntoView()")
    press_at(0.5)
    assert listener.text("#status") == "Listen to signal 2 before you rate it."
    listener.hear_signal(2)
    press_at(0.75)
    rating = int(listener.rating(2))
    assert 70 <= rating <= 82
    assert says() == f"{rating}, {'Good' if rating < 80 else 'Excellent'}"
    # A press at the very foot rates 0, where an untouched slider stands as well.
    press_at(0.0)
    assert (listener.rating(2), says()) == ("0", "0, Bad")
    listener.press("1")
    assert listener.page.run("document.activeElement.ariaLabel") == "Rating of signal 1"
    listener.press("ArrowRight")
    assert listener.page.run("document.activeElement.ariaLabel") == "Rating of signal 2"


def test_orders_depend_on_the_listener_alone(sat_at: Callable[..., Listener], mushra: tuple[Made, Path]) -> None:
    made, page_file = mushra
    listener = sat_at(page_file)
    names = ["p1", "P1", *(f"listener-{number}" for number in range(300))]
    one, same, *others = listener.page.run(
        f"{json.dumps(names)}.map((name) => planFor(listening.test, name).trials.map(({{ trial, order }}) => "
        "[trial.id, order]))"
    )
    assert one == same
    first = [trials[0][0] for trials in others]
    for trial, definition in made.key.trials.items():
        assert 110 < first.count(trial) < 190
        # A signal stands at each place as often as at any other: 60 of 300, six standard deviations either way.
        name = next(iter(definition.stimuli))
        places = [dict(trials)[trial].index(name) for trials in others]
        assert all(18 < places.count(place) < 102 for place in range(N))


def test_a_page_is_usable_on_a_telephone(sat_at: Callable[..., Listener], mushra: tuple[Made, Path]) -> None:
    listener = sat_at(mushra[1], width=390, height=844)
    listener.begin("p6")
    assert listener.page.run("document.documentElement.scrollWidth") <= 390
    wide, tall = listener.page.run(
        "(box => [box.width, box.height])(document.querySelector('.column:nth-child(2) input').getBoundingClientRect())"
    )
    assert wide > 5 * tall
