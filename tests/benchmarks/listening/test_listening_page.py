"""The page in a real browser: a listener who takes the whole test, and somebody who looks for what is hidden."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codeczoo.benchmarks.listening import answers as answer_files
from codeczoo.benchmarks.listening import page
from codeczoo.benchmarks.listening.key import REFERENCE
from codeczoo.benchmarks.listening.making import Made

HEARD_S = 0.5


class Listener:
    """Somebody at the keyboard, who knows nothing but what is on the screen."""

    def __init__(self, chrome: Any, page_file: Path) -> None:
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.by import By

        self.chrome = chrome
        self.by = By
        self.actions = ActionChains
        self.url = page_file.as_uri()
        chrome.get_log("browser")
        chrome.get_log("performance")
        chrome.get(self.url)

    def find(self, selector: str) -> Any:
        return self.chrome.find_element(self.by.CSS_SELECTOR, selector)

    def press(self, *keys: str) -> None:
        self.actions(self.chrome).send_keys(*keys).perform()

    def until(self, true: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + 15
        while time.monotonic() < end:
            if found := true():
                return found
            time.sleep(0.03)
        raise AssertionError(f"waited in vain for {what}: {self.find('#status').text}")

    def begin(self, name: str) -> None:
        self.find("#listener").send_keys(name)
        self.find("form .primary").click()
        self.until(lambda: self.chrome.find_elements(self.by.ID, "next"), "a trial")

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def hear(self, key: str, selector: str) -> None:
        """Play a signal until the page says that it was heard."""
        self.press(key)
        self.until(lambda: self.chrome.find_elements(self.by.CSS_SELECTOR, selector), f"signal {key} to be heard")

    def hear_reference(self) -> None:
        self.hear("0", ".reference.heard")

    def hear_signal(self, number: int) -> None:
        self.hear(str(number), f".column:nth-child({number + 1}).heard")

    def rate(self, number: int, rating: int) -> None:
        from selenium.webdriver.common.keys import Keys

        self.hear_signal(number)
        self.press(Keys.HOME, *[Keys.PAGE_UP] * (rating // 10), *[Keys.ARROW_UP] * (rating % 10))
        assert self.text(f".column:nth-child({number + 1}) output") == str(rating)

    def next(self) -> None:
        before = self.text("#progress")
        self.press("\ue007")
        self.until(lambda: self.text("#progress") != before, "the next screen")
        self.until(lambda: self.chrome.find_elements(self.by.CSS_SELECTOR, "#next, #download"), "its audio")

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.chrome.get_log("browser")]

    def requests(self) -> list[str]:
        messages = [json.loads(entry["message"])["message"] for entry in self.chrome.get_log("performance")]
        urls = [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith(("data:", "blob:"))]

    def answers(self) -> Path:
        self.find("#download").click()
        return self.until(lambda: next(iter(self.chrome.downloads.glob("*.json")), None), "the file of answers")


@pytest.fixture(scope="module")
def mushra(make_test: Callable[..., Made], tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    out = tmp_path_factory.mktemp("mushra") / "test"
    return make_test("mushra", out), out / "page" / page.PAGE_FILE


@pytest.fixture(scope="module")
def abx(make_test: Callable[..., Made], tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    out = tmp_path_factory.mktemp("abx") / "test"
    return make_test("abx", out, codecs=("opus@6kbps",), most_inside_bytes=1000), out / "page" / page.PAGE_FILE


def emptied(chrome: Any, page_file: Path) -> None:
    """The browser as one that never saw the page."""
    chrome.get(page_file.as_uri())
    chrome.execute_script("localStorage.clear()")
    for file in chrome.downloads.glob("*"):
        file.unlink()


@pytest.mark.slow
def test_ratings_of_a_whole_test_are_recovered(chrome: Any, mushra: tuple[Made, Path]) -> None:
    made, page_file = mushra
    emptied(chrome, page_file)
    listener = Listener(chrome, page_file)
    listener.begin("P-01")
    n = 5
    # Training: nothing can be rated before it is heard, nor left before it is done.
    listener.press("\ue007")
    assert listener.text("#status") == "Listen to the reference."
    listener.chrome.execute_script(
        "const slider = document.querySelector('.column:nth-child(2) input');"
        "slider.value = 70; slider.dispatchEvent(new Event('input'))"
    )
    assert listener.text("#status") == "Listen to signal 1 before you rate it."
    assert listener.text(".column:nth-child(2) output") == "–"
    listener.hear_reference()
    for number in range(1, n + 1):
        listener.rate(number, 10 * number)
    listener.next()
    assert listener.text("#progress") == "Trial 1 of 2"
    scripted = [[93, 7, 100, 0, 61], [15, 88, 42, 100, 29]]
    listener.hear_reference()
    for number in (1, 2, 3):
        listener.rate(number, scripted[0][number - 1])
    # The tab is closed in the middle of a trial.
    chrome.get("about:blank")
    chrome.get(listener.url)
    resume = listener.find(".resume")
    assert resume.text == "Go on as P-01 (0 of 2 trials done)"
    resume.click()
    listener.until(lambda: listener.chrome.find_elements(listener.by.ID, "next"), "the trial")
    assert listener.text("#progress") == "Trial 1 of 2"
    assert [listener.text(f".column:nth-child({at}) output") for at in range(2, 7)] == ["93", "7", "100", "–", "–"]
    listener.press("\ue007")
    assert listener.text("#status") == "Still to be rated: 4, 5."
    for number in (4, 5):
        listener.rate(number, scripted[0][number - 1])
    listener.next()
    listener.hear_reference()
    for number in range(1, n + 1):
        listener.rate(number, scripted[1][number - 1])
    listener.next()
    assert listener.text("#progress") == "Done"
    listener.find("#comment").send_keys("the second was hard")
    path = listener.answers()
    assert path.name == f"answers-{made.key.id}-P-01.json"
    found = answer_files.read(path, made.key)
    assert (found.listener, found.playback, found.comment) == ("P-01", "headphones", "the second was hard")
    for answer, ratings in zip(found.trials, scripted, strict=True):
        stimuli = made.key.trials[answer.trial].stimuli
        expected = {stimuli[name].condition: rating for name, rating in zip(answer.order, ratings, strict=True)}
        assert answer.ratings == expected
        assert 5 * HEARD_S < answer.seconds < 120
    assert {answer.trial for answer in found.trials} == set(made.key.trials)
    assert listener.errors() == []
    assert set(listener.requests()) <= {listener.url, "about:blank"}


def decoded(chrome: Any) -> dict[str, list[int]]:
    """The 16-bit samples of the trial that the page plays, by the names that the page calls them."""
    script = """
        const buffers = listening.player.buffers;
        return Object.fromEntries([...buffers].map(([name, buffer]) =>
            [name, [...buffer.getChannelData(0)].map((value) => Math.round(value * 32768))]));
    """
    return chrome.execute_script(script)


@pytest.mark.slow
def test_answers_of_abx_are_recovered_with_the_audio_beside_the_page(chrome: Any, abx: tuple[Made, Path]) -> None:
    made, page_file = abx
    emptied(chrome, page_file)
    listener = Listener(chrome, page_file)
    listener.begin("p2")
    chosen = {}
    for screen in ("training", "first", "second"):
        listener.press("\ue014")
        assert listener.text("#status") == "Listen to A, B, X before you answer."
        for key, place in (("1", 1), ("b", 2), ("x", 3)):
            listener.hear(key, f".abx:nth-of-type(1) .big:nth-child({place}).heard")
        letter = "b" if screen == "first" else "a"
        listener.press("\ue014" if letter == "b" else "\ue012")
        assert listener.text(".choice[aria-checked=true]").startswith(f"X is {letter.upper()}")
        trial = chrome.execute_script("return listening.now.made.result()")
        chosen[screen] = trial
        samples = decoded(chrome)
        beside = {
            name: (page_file.parent / "audio" / f"{name}.js").read_text(encoding="ascii").split('"')[3]
            for name in samples
        }
        for name, text in beside.items():
            assert samples[name] == np.frombuffer(base64.b64decode(text), "<i2").tolist()
        listener.next()
    found = answer_files.read(listener.answers(), made.key)
    for answer, screen in zip(found.trials, ("first", "second"), strict=True):
        given = chosen[screen]
        stimuli = made.key.trials[answer.trial].stimuli
        assert answer.order == (given["a"], given["b"], given["x"])
        assert answer.condition == "opus@6kbps"
        pick = stimuli[given["b" if screen == "first" else "a"]].condition
        assert answer.correct is (pick == stimuli[given["x"]].condition)
    assert listener.errors() == []
    folder = page_file.parent.as_uri()
    assert all(url.startswith(folder) for url in listener.requests())


def test_switching_goes_on_at_the_same_position(chrome: Any, mushra: tuple[Made, Path]) -> None:
    _, page_file = mushra
    emptied(chrome, page_file)
    listener = Listener(chrome, page_file)
    listener.begin("p3")
    listener.hear_reference()
    before = chrome.execute_script("return [listening.player.startedAt, listening.player.voices.size]")
    assert before[1] == 6
    script = """
        const done = arguments[0], player = listening.player;
        const at = () => [player.context.currentTime, player.position()];
        const [time, position] = at();
        player.select(listening.now.made.order[2]).then(() => setTimeout(() => {
            const [later, moved] = at();
            const gains = Object.fromEntries([...player.voices].map(([name, voice]) => [name, voice.gain.gain.value]));
            done({ elapsed: later - time, moved: (moved - position + player.length) % player.length, gains,
                   active: player.active, started: player.startedAt });
        }, 120));
    """
    found = chrome.execute_async_script(script)
    assert found["started"] == before[0]
    assert found["moved"] == pytest.approx(found["elapsed"] % 1.2, abs=1e-6)
    assert found["gains"].pop(found["active"]) == pytest.approx(1.0, abs=1e-6)
    assert set(found["gains"].values()) == {0.0}


def test_a_region_is_looped(chrome: Any, mushra: tuple[Made, Path]) -> None:
    _, page_file = mushra
    emptied(chrome, page_file)
    listener = Listener(chrome, page_file)
    listener.begin("p4")
    canvas = listener.find("canvas.wave")
    listener.press("0")
    width = canvas.size["width"]
    listener.actions(chrome).move_to_element_with_offset(canvas, -width // 4, 0).click_and_hold().move_by_offset(
        width // 2, 0
    ).release().perform()
    length, (start, end) = chrome.execute_script("return [listening.player.length, listening.player.region]")
    assert start == pytest.approx(0.25 * length, abs=0.02)
    assert end == pytest.approx(0.75 * length, abs=0.02)
    assert listener.text("#status") == f"Looped from {start:.1f} to {end:.1f} seconds."
    seen = []
    for _ in range(12):
        time.sleep(0.1)
        seen.append(chrome.execute_script("return listening.player.position()"))
    assert start <= min(seen) <= max(seen) < end
    assert any(later < earlier for earlier, later in itertools.pairwise(seen))
    listener.press("]")
    listener.find(".transport button:nth-child(4)").click()
    assert chrome.execute_script("return listening.player.whole")
    assert listener.errors() == []


def test_sliders_obey_the_mouse_and_say_what_they_stand_at(chrome: Any, mushra: tuple[Made, Path]) -> None:
    _, page_file = mushra
    emptied(chrome, page_file)
    listener = Listener(chrome, page_file)
    listener.begin("p5")
    slider = listener.find(".column:nth-child(3) input")
    assert slider.get_attribute("aria-label") == "Rating of signal 2"
    assert slider.get_attribute("aria-valuetext") == "not rated yet"
    slider.click()
    assert listener.text("#status") == "Listen to signal 2 before you rate it."
    listener.hear_signal(2)
    height = slider.size["height"]
    listener.actions(chrome).move_to_element_with_offset(slider, 0, -height // 4).click().perform()
    rating = int(listener.text(".column:nth-child(3) output"))
    assert 65 <= rating <= 85
    word = "Good" if rating < 80 else "Excellent"
    assert slider.get_attribute("aria-valuetext") == f"{rating}, {word}"
    # A press at the very foot rates 0, where an untouched slider stands as well.
    listener.actions(chrome).move_to_element_with_offset(slider, 0, height // 2 - 2).click().perform()
    assert listener.text(".column:nth-child(3) output") == "0"
    listener.press("1")
    assert chrome.switch_to.active_element.get_attribute("aria-label") == "Rating of signal 1"
    listener.press("\ue014")
    assert chrome.switch_to.active_element.get_attribute("aria-label") == "Rating of signal 2"


def test_orders_depend_on_the_listener_alone(chrome: Any, mushra: tuple[Made, Path]) -> None:
    made, page_file = mushra
    chrome.get(page_file.as_uri())
    script = """
        const orders = (name) => planFor(listening.test, name).trials.map(({ trial, order }) => [trial.id, order]);
        return arguments[0].map(orders);
    """
    names = ["p1", "P1", *(f"listener-{number}" for number in range(300))]
    one, same, *others = chrome.execute_script(script, names)
    assert one == same
    first = [trials[0][0] for trials in others]
    for trial, definition in made.key.trials.items():
        assert 110 < first.count(trial) < 190
        # Each signal stands at each place as often as at any other: 60 of 300, six standard deviations either way.
        places = [dict(trials)[trial].index(name) for trials in others for name in list(definition.stimuli)[:1]]
        assert all(18 < places.count(place) < 102 for place in range(5))


def test_nothing_in_the_page_names_what_is_heard(mushra: tuple[Made, Path], abx: tuple[Made, Path]) -> None:
    for made, page_file in (mushra, abx):
        files = [path for path in page_file.parent.rglob("*") if path.is_file()]
        assert page_file.parent / "key.json" not in files
        for path in files:
            # Audio is letters at random: names are looked for in the words of the page.
            text = re.sub(r"[A-Za-z0-9+/=]{400,}", "", path.read_text(encoding="utf-8")).lower()
            for name in ("opus", "g722", "kbps", "anchor", "codec2", "clip0", "clip1", "wav\\b", "sounds"):
                assert not re.search(name, text), (name, path.name)
            names = [name for trial in made.key.trials.values() for name in trial.stimuli]
            assert len(set(names)) == len(names)
            assert all(re.fullmatch(r"[0-9a-f]{10}", name) for name in names)


def test_the_hidden_reference_is_another_file_than_the_open_one(mushra: tuple[Made, Path]) -> None:
    made, page_file = mushra
    text = page_file.read_text(encoding="utf-8")
    audio = dict(re.findall(r'<script type="text/plain" id="audio-([0-9a-f]+)">([^<]*)</script>', text))
    match = re.search(r'<script type="application/json" id="test">(.*?)</script>', text)
    assert match is not None
    test = json.loads(match[1])
    assert (test["id"], test["sha256"], len(test["trials"])) == (made.key.id, made.key.sha256, 2)
    for trial in test["trials"]:
        stimuli = made.key.trials[trial["id"]].stimuli
        assert sorted(stimuli) == trial["stimuli"]
        assert len({len(audio[name]) for name in [trial["reference"], *trial["stimuli"]]}) == 1
        signals = {name: np.frombuffer(base64.b64decode(audio[name]), "<i2").astype(int) for name in audio}
        opened = signals[trial["reference"]]
        hidden = next(signals[name] for name in trial["stimuli"] if stimuli[name].condition == REFERENCE)
        apart = opened - hidden
        assert 0.4 < np.mean(apart != 0) < 0.55
        assert np.abs(apart).max() <= 3
        assert len(set(audio.values())) == len(audio)
        digest = page.sha256({key: value for key, value in test.items() if key != "sha256"},
                         {name: base64.b64decode(samples) for name, samples in audio.items()})  # fmt: skip
    assert digest == made.key.sha256


def test_a_page_is_usable_on_a_telephone(chrome: Any, mushra: tuple[Made, Path]) -> None:
    _, page_file = mushra
    emptied(chrome, page_file)
    listener = Listener(chrome, page_file)
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        listener.begin("p6")
        width, needed = chrome.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
        assert needed <= width == 390
        slider = listener.find(".column:nth-child(2) input")
        assert slider.size["width"] > 5 * slider.size["height"]
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
