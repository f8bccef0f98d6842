"""The answers of one listener: a JSON file that the page wrote, read as if an enemy had.

    {"format": "codeczoo-listening-answers", "version": 1,
     "test": {"id": ..., "sha256": ..., "kind": "mushra"},
     "listener": "p07", "seed": 1837562, "started": "2026-11-21T20:00:00.000Z", "finished": ...,
     "playback": "headphones", "comment": "",
     "trials": [{"trial": ..., "place": 1,             in the order in which they were taken
                 "order": [...],                       names of the signals as they stood on the screen
                 "ratings": {name: 0 to 100, ...},     MUSHRA
                 "a": ..., "b": ..., "x": ..., "answer": "a",      ABX, instead of the two
                 "heard_s": {name or "reference": seconds},
                 "switches": 12, "seconds": 41.3}]}

Every file is checked as a whole, and all problems of all files are said at once. Nothing of a damaged, doubled or
incomplete file is used, and nothing of one that answers another test or another version of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeczoo.benchmarks.errors import InvalidAnswers

from .key import Key, Trial

FORMAT = "codeczoo-listening-answers"
VERSION = 1
LISTENER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
WORST, BEST = 0, 100
_MOST_BYTES = 4 << 20
_MOST_COMMENT = 4000
_MOST_SECONDS = 1e9
_SHOWN = 60


@dataclass(frozen=True)
class Answer:
    """What one listener said in one trial."""

    trial: str
    place: int
    """From 1, in the order in which the listener took them."""
    order: tuple[str, ...]
    """MUSHRA: names of the signals from left to right. ABX: A, B, X."""
    seconds: float
    ratings: Mapping[str, int] = field(default_factory=dict[str, int])
    """MUSHRA: by condition."""
    condition: str = ""
    """ABX: what was compared with the reference."""
    correct: bool | None = None
    """ABX: whether X was recognised."""


@dataclass(frozen=True)
class Answers:
    """All that one listener said."""

    listener: str
    path: Path
    trials: tuple[Answer, ...]
    playback: str
    comment: str
    started: str
    finished: str


class _Wrong(Exception):
    """A file is not answers to this test; the text completes `FILE: ...`."""


def find(paths: Sequence[Path]) -> list[Path]:
    """Files, and the JSON files of folders, each once, in order. Raises InvalidAnswers where there is none."""
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise InvalidAnswers(f"{path} does not exist; name files of answers, or a folder of them.")
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            found.setdefault(file.resolve(), file)
    if not found:
        raise InvalidAnswers(
            f"There are no answers in {', '.join(map(str, paths))}: put there the .json files that listeners "
            "download at the end of the page."
        )
    return list(found.values())


def read_all(paths: Sequence[Path], key: Key) -> list[Answers]:
    """The answers of all listeners. Raises InvalidAnswers, which names every file that is wrong and says why."""
    wrong: list[str] = []
    by_listener: dict[str, Answers] = {}
    for path in find(paths):
        try:
            answers = read(path, key)
        except InvalidAnswers as error:
            wrong.append(str(error))
            continue
        # p7 and P7 are one person who typed a name twice, more likely than two.
        known = by_listener.setdefault(answers.listener.casefold(), answers)
        if known is not answers:
            wrong.append(
                f"{path}: listener {answers.listener} has answered in {known.path} already; keep one of the two files."
            )
    if wrong:
        count = f"{len(wrong)} files of answers cannot be used; nothing was analysed.\n" if len(wrong) > 1 else ""
        raise InvalidAnswers(count + "\n".join(wrong))
    return sorted(by_listener.values(), key=lambda answers: answers.listener)


def read(path: Path, key: Key) -> Answers:
    """One file of answers to the test of this key. Raises InvalidAnswers."""
    try:
        return _answers(_load(path), path, key)
    except _Wrong as reason:
        raise InvalidAnswers(f"{path}: {reason}") from None


def _load(path: Path) -> dict[str, Any]:
    def constant(name: str) -> None:
        raise _Wrong(f"holds {name}, which is no number")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) < len(found):
            names = [name for name, _ in found]
            twice = next(name for name in names if names.count(name) > 1)
            raise _Wrong(f"holds {_shown(twice)} twice in one object; it was edited.")
        return made

    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _Wrong(f"is larger than {_MOST_BYTES >> 20} MiB: not what the page writes.")
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=constant, object_pairs_hook=pairs)
    except OSError as error:
        raise _Wrong(f"cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise _Wrong("is not JSON; it was damaged or edited. Ask the listener for the file again.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _Wrong("holds no answers to a listening test; name the .json file that the page downloads.")
    if found.get("version") != VERSION:
        raise _Wrong(f"is of version {_shown(found.get('version'))}; this version reads version {VERSION}.")
    return found


def _answers(found: dict[str, Any], path: Path, key: Key) -> Answers:
    test = _part(found, "test", dict, "the test")
    if test.get("id") != key.id:
        raise _Wrong(
            f"answers the test {_shown(test.get('id'))}, not {key.id}: analyse it with the key of its own test."
        )
    if test.get("sha256") != key.sha256 or test.get("kind") != key.kind:
        raise _Wrong(f"answers another version of the test {key.id}: its signals were not those of this key.")
    listener = _part(found, "listener", str, "the test")
    if not LISTENER.fullmatch(listener):
        raise _Wrong(f"the listener {_shown(listener)} is not 1 to 40 letters, digits, dots, dashes or underscores.")
    comment = _part(found, "comment", str, "the test")
    if len(comment) > _MOST_COMMENT:
        raise _Wrong(f"its comment has {len(comment)} characters, where the page takes {_MOST_COMMENT}.")
    trials = _part(found, "trials", list, "the test")
    if len(trials) != key.per_listener:
        raise _Wrong(f"has answers to {len(trials)} of {key.per_listener} trials: the test was not taken to its end.")
    answers = tuple(_answer(trial, number, key) for number, trial in enumerate(trials, 1))
    names = [answer.trial for answer in answers]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _Wrong(f"answers the trial {twice} twice.")
    texts = [_part(found, name, str, "the test") for name in ("playback", "started", "finished")]
    if any(len(text) > _SHOWN for text in texts):
        raise _Wrong("its facts (playback, started, finished) are longer than the page writes them.")
    return Answers(listener, path, answers, texts[0], comment, texts[1], texts[2])


def _answer(given: object, number: int, key: Key) -> Answer:
    if not isinstance(given, dict):
        raise _Wrong(f"its trial {number} is no object.")
    name = given.get("trial")
    where = f"trial {_shown(name)}"
    if not isinstance(name, str) or name not in key.trials:
        raise _Wrong(f"answers the {where}, which this test does not have.")
    if given.get("place") != number or isinstance(given.get("place"), bool):
        raise _Wrong(
            f"the {where} says that it was number {_shown(given.get('place'))}, and stands as number {number}."
        )
    trial = key.trials[name]
    heard = _part(given, "heard_s", dict, where)
    for signal, seconds in heard.items():
        if signal != "reference" and signal not in trial.stimuli:
            raise _Wrong(f"the {where} has heard {_shown(signal)}, which is none of its signals.")
        _seconds(seconds, f"seconds that {_shown(signal)} was heard in the {where}")
    seconds = _seconds(given.get("seconds"), f"seconds of the {where}")
    if key.kind == "mushra":
        return _mushra(given, name, number, trial, heard, seconds, where)
    return _abx(given, name, number, trial, heard, seconds, where)


def _mushra(
    given: dict[str, Any], name: str, number: int, trial: Trial, heard: dict[str, Any], seconds: float, where: str
) -> Answer:
    order = _names(given, "order", where)
    if len(order) != len(trial.stimuli) or set(order) != set(trial.stimuli):
        raise _Wrong(f"the {where} lists other signals than it has.")
    ratings = _part(given, "ratings", dict, where)
    unknown = sorted(set(ratings) - set(trial.stimuli))
    if unknown:
        raise _Wrong(f"the {where} rates {_shown(unknown[0])}, which is none of its signals.")
    missing = sorted(set(trial.stimuli) - set(ratings))
    if missing:
        raise _Wrong(f"the {where} has no rating of {missing[0]}: {len(ratings)} of {len(trial.stimuli)} are rated.")
    for signal, rating in ratings.items():
        if isinstance(rating, bool) or not isinstance(rating, int) or not WORST <= rating <= BEST:
            raise _Wrong(
                f"the {where} rates {signal} {_shown(rating)}; ratings are whole numbers from {WORST} to {BEST}."
            )
        if not heard.get(signal):
            raise _Wrong(f"the {where} rates {signal}, which was never played: the page does not allow that.")
    by_condition = {trial.stimuli[signal].condition: rating for signal, rating in ratings.items()}
    return Answer(name, number, order, seconds, ratings=by_condition)


def _abx(
    given: dict[str, Any], name: str, number: int, trial: Trial, heard: dict[str, Any], seconds: float, where: str
) -> Answer:
    a, b, x = order = tuple(_part(given, letter, str, where) for letter in "abx")
    unknown = [signal for signal in order if signal not in trial.stimuli]
    if unknown:
        raise _Wrong(f"the {where} played {_shown(unknown[0])}, which is none of its signals.")
    if {a, b} != set(trial.compared) or x in trial.compared:
        raise _Wrong(f"the {where} did not compare its two signals with an X.")
    for signal in order:
        if not heard.get(signal):
            raise _Wrong(f"the {where} was answered before {signal} was played: the page does not allow that.")
    answer = given.get("answer")
    if answer not in ("a", "b"):
        raise _Wrong(f"the answer to the {where} is {_shown(answer)}; it is a or b.")
    chosen = trial.stimuli[a if answer == "a" else b]
    compared = next(trial.stimuli[signal] for signal in (a, b) if trial.stimuli[signal].role == "codec")
    right = chosen.condition == trial.stimuli[x].condition
    return Answer(name, number, order, seconds, condition=compared.condition, correct=right)


def _part(given: Mapping[str, Any], name: str, kind: type[Any], where: str) -> Any:
    value = given.get(name)
    if not isinstance(value, kind):
        words: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
        raise _Wrong(f"{name!r} of {where} is {_shown(value)}, where {words[kind]} should be.")
    return value


def _names(given: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    found = _part(given, name, list, where)
    if not all(isinstance(value, str) for value in found):
        raise _Wrong(f"{name!r} of {where} is no list of names.")
    return tuple(found)


def _seconds(value: object, what: str) -> float:
    # A whole number of a thousand digits is JSON, but no float: it is compared before it is turned into one.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST_SECONDS:
        raise _Wrong(f"the {what} are {_shown(value)}; they are a number, 0 or more.")
    return float(value)


def _shown(value: object) -> str:
    """A value of a stranger's file as a sentence can hold it: short, on one line, without control characters."""
    text = str(value) if isinstance(value, str) else json.dumps(value, default=str)[: 2 * _SHOWN]
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    cut = plain if len(plain) <= _SHOWN else plain[: _SHOWN - 1] + "…"
    return f"'{cut}'" if isinstance(value, str) else cut
