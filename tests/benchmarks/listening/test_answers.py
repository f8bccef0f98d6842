"""Files of answers from outside: what the page would not have written costs one clear sentence, never a traceback."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeczoo.benchmarks.errors import InvalidAnswers, InvalidListeningTest
from codeczoo.benchmarks.listening import answers
from codeczoo.benchmarks.listening import key as keys
from codeczoo.benchmarks.listening.key import REFERENCE

from .conftest import abx_file, mushra_file, plain_key, put

KEY = plain_key("mushra", 2)
ABX = plain_key("abx", 2)
GOOD = mushra_file(KEY, "p1", lambda number, condition: 100 if condition == REFERENCE else 10 + number)
FIRST = "0-a@1kbps"


def changed(change: Callable[[dict[str, Any]], object], of: dict[str, Any] = GOOD) -> dict[str, Any]:
    """Good answers with one thing changed."""
    copied = copy.deepcopy(of)
    change(copied)
    return copied


def in_first(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    return changed(lambda file: change(file["trials"][0]))


WRONG = {
    "another test": (changed(lambda f: f["test"].update(id="other")), "answers the test 'other', not test1"),
    "another version": (changed(lambda f: f["test"].update(sha256="00")), "another version of the test test1"),
    "another format": (changed(lambda f: f.update(format="x")), "holds no answers to a listening test"),
    "another version of the format": (changed(lambda f: f.update(version=9)), "is of version 9; this version reads"),
    "no test": (changed(lambda f: f.update(test=[])), "'test' of the test is []"),
    "a listener that is a path": (changed(lambda f: f.update(listener="../../x")), "the listener '../../x' is not"),
    "a listener of control characters": (changed(lambda f: f.update(listener="a\x1b[2Jb")), "'a?[2Jb' is not"),
    "a listener that is a number": (changed(lambda f: f.update(listener=3)), "'listener' of the test is 3"),
    "a long comment": (changed(lambda f: f.update(comment="x" * 5000)), "its comment has 5000 characters"),
    "an incomplete test": (changed(lambda f: f["trials"].pop()), "has answers to 1 of 2 trials"),
    "trials that are no list": (changed(lambda f: f.update(trials={})), "'trials' of the test is {}"),
    "a trial that is no object": (changed(lambda f: f["trials"].__setitem__(0, 4)), "its trial 1 is no object"),
    "an unknown trial": (in_first(lambda t: t.update(trial="t9")), "answers the trial 't9', which this test"),
    "a trial that is an object": (in_first(lambda t: t.update(trial={})), "answers the trial {}, which this test"),
    "a trial twice": (
        changed(lambda f: f["trials"].__setitem__(1, {**f["trials"][0], "place": 2})),
        "answers the trial t0 twice",
    ),
    "a wrong place": (in_first(lambda t: t.update(place=7)), "says that it was number 7, and stands as number 1"),
    "too good": (in_first(lambda t: t["ratings"].update({FIRST: 101})), "rates 0-a@1kbps 101; ratings are whole"),
    "too bad": (in_first(lambda t: t["ratings"].update({FIRST: -1})), "rates 0-a@1kbps -1; ratings are whole"),
    "half a point": (in_first(lambda t: t["ratings"].update({FIRST: 50.5})), "rates 0-a@1kbps 50.5"),
    "true": (in_first(lambda t: t["ratings"].update({FIRST: True})), "rates 0-a@1kbps true"),
    "a text": (in_first(lambda t: t["ratings"].update({FIRST: "50"})), "rates 0-a@1kbps '50'"),
    "nothing": (in_first(lambda t: t["ratings"].pop(FIRST)), "has no rating of 0-a@1kbps: 4 of 5 are rated"),
    "an unknown signal": (in_first(lambda t: t["ratings"].update(x=5)), "rates 'x', which is none of its signals"),
    "another order": (in_first(lambda t: t["order"].pop()), "lists other signals than it has"),
    "an order with a signal twice": (
        in_first(lambda t: t["order"].__setitem__(0, t["order"][1])),
        "lists other signals than it has",
    ),
    "an order of lists": (
        in_first(lambda t: t["order"].__setitem__(0, [])),
        "'order' of trial 't0' is no list of names",
    ),
    "unheard": (in_first(lambda t: t["heard_s"].update({FIRST: 0})), "rates 0-a@1kbps, which was never played"),
    "heard for less than no time": (in_first(lambda t: t["heard_s"].update({FIRST: -1})), "they are a number, 0 or"),
    "heard for a text": (in_first(lambda t: t["heard_s"].update({FIRST: "9"})), "they are a number, 0 or more"),
    "heard an unknown signal": (in_first(lambda t: t["heard_s"].update(y=1)), "has heard 'y', which is none"),
    "endless": (in_first(lambda t: t.update(seconds=10**400)), "they are a number, 0 or more"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(what: str, tmp_path: Path) -> None:
    file, sentence = WRONG[what]
    path = put(tmp_path, file, "answers")
    with pytest.raises(InvalidAnswers) as caught:
        answers.read_all([path], KEY)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\udcff", "is not JSON"),
        ("[]", "holds no answers"),
        ("null", "holds no answers"),
        ('{"a": NaN}', "holds NaN, which is no number"),
        ('{"a": 1, "a": 2}', "holds 'a' twice in one object; it was edited."),
        ("1" * 6000, "is not JSON"),
    ],
    ids=lambda text: text[:12],
)
def test_files_that_are_no_answers(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidAnswers, match=r"p\.json") as caught:
        answers.read(path, KEY)
    assert sentence in str(caught.value)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(InvalidAnswers, match="is larger than 4 MiB"):
        answers.read(path, KEY)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), value=VALUES)
def test_any_value_anywhere_is_read_or_refused(data: st.DataObject, value: object, tmp_path: Path) -> None:
    file = copy.deepcopy(GOOD)
    at: Any = file
    while True:
        places = list(at) if isinstance(at, dict) else list(range(len(at)))
        place = data.draw(st.sampled_from(places))
        if isinstance(at[place], dict | list) and at[place] and data.draw(st.booleans()):
            at = at[place]
            continue
        at[place] = value
        break
    path = put(tmp_path, file, "p")
    # Whatever else is raised fails the test.
    with contextlib.suppress(InvalidAnswers):
        found = answers.read(path, KEY)
        assert all(0 <= rating <= 100 for answer in found.trials for rating in answer.ratings.values())


def test_a_listener_counts_once(tmp_path: Path) -> None:
    put(tmp_path, GOOD)
    again = put(tmp_path, {**GOOD, "listener": "P1"}, "zz")
    with pytest.raises(InvalidAnswers) as caught:
        answers.read_all([tmp_path], KEY)
    assert str(caught.value) == (
        f"{again}: listener P1 has answered in {tmp_path / 'p1.json'} already; keep one of the two files."
    )


def test_one_file_named_twice_is_one(tmp_path: Path) -> None:
    path = put(tmp_path, GOOD)
    assert [found.listener for found in answers.read_all([path, tmp_path, path], KEY)] == ["p1"]


def test_all_wrong_files_are_named_at_once(tmp_path: Path) -> None:
    put(tmp_path, GOOD)
    put(tmp_path, WRONG["too good"][0], "q")
    put(tmp_path, WRONG["unheard"][0], "r")
    with pytest.raises(InvalidAnswers) as caught:
        answers.read_all([tmp_path], KEY)
    lines = str(caught.value).splitlines()
    assert lines[0] == "2 files of answers cannot be used; nothing was analysed."
    assert [line.partition(":")[0] for line in lines[1:]] == [str(tmp_path / "q.json"), str(tmp_path / "r.json")]


def test_no_answers_at_all(tmp_path: Path) -> None:
    with pytest.raises(InvalidAnswers, match="There are no answers in"):
        answers.read_all([tmp_path], KEY)
    with pytest.raises(InvalidAnswers, match="does not exist"):
        answers.read_all([tmp_path / "nowhere"], KEY)


def test_abx_is_scored_by_the_key(tmp_path: Path) -> None:
    pattern = {1: True, 2: False, 3: False, 4: True}
    path = put(tmp_path, abx_file(ABX, "p1", lambda place, _: pattern[place]))
    found = answers.read(path, ABX)
    assert [answer.correct for answer in found.trials] == [True, False, False, True]
    assert [answer.condition for answer in found.trials] == ["a@1kbps", "b@2kbps"] * 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"answer": "c"}, "the answer to the trial 't0-a@1kbps' is 'c'; it is a or b."),
        ({"answer": None}, "is null; it is a or b"),
        ({"x": "0-a@1kbps-codec"}, "did not compare its two signals with an X"),
        ({"b": "0-a@1kbps-codec"}, "did not compare its two signals with an X"),
        ({"a": "nobody"}, "played 'nobody', which is none of its signals"),
        ({"heard_s": {}}, "was answered before 0-a@1kbps-codec was played"),
    ],
)
def test_wrong_abx_answers(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    good = abx_file(ABX, "p1", lambda *_: True)
    path = put(tmp_path, changed(lambda file: file["trials"][0].update(change), good))
    with pytest.raises(InvalidAnswers) as caught:
        answers.read(path, ABX)
    assert sentence in str(caught.value)


def test_a_key_is_read_as_it_was_written(tmp_path: Path) -> None:
    for key in (KEY, ABX):
        keys.write(key, tmp_path)
        assert keys.read(tmp_path) == keys.read(tmp_path / "key.json") == key


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "codeczoo-listening-key", "version": 2}', "[" * 99_999])
def test_what_is_no_key(text: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidListeningTest, match=r"holds no key\.json"):
        keys.read(tmp_path)
    (tmp_path / "key.json").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidListeningTest, match=r"key\.json is"):
        keys.read(tmp_path)
