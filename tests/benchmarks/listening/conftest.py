"""A small listening test of made-up sounds, and answers to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks import corpora, request
from codeczoo.benchmarks.listening import key as keys
from codeczoo.benchmarks.listening.key import LOW_ANCHOR, MID_ANCHOR, REFERENCE, Key, Kind, Stimulus, Trial
from codeczoo.benchmarks.listening.making import Made, Plan, make
from codeczoo.benchmarks.listening.page import PAGE_FILE
from codeczoo.benchmarks.listening.sources import Fresh

CODECS = ("opus@6kbps", "g722@64kbps")
RATE_HZ = 16_000


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of 1.2 s with energy up to 8 kHz, each of its own length and level."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(7)
    for number in range(4):
        t = np.arange(round((1.2 + 0.01 * number) * RATE_HZ)) / RATE_HZ
        wave = (0.05 + 0.02 * number) * (
            np.sin(2 * np.pi * (180 + 30 * number) * t) + 0.4 * rng.standard_normal(len(t))
        )
        soundfile.write(folder / f"clip{number}.wav", wave.astype(np.float32), RATE_HZ, "PCM_16")
    return folder


Maker = Callable[..., Made]


@pytest.fixture(scope="session")
def make_test(sounds: Path) -> Maker:
    """`make_test(kind, out, ...)`: a test of two clips through two codecs."""

    def made(kind: Kind, out: Path, **changes: Any) -> Made:
        settings: dict[str, Any] = {"clips": 2, "anchors": (LOW_ANCHOR, MID_ANCHOR), "command": "codeczoo listen make"}
        codecs = changes.pop("codecs", CODECS)
        source = Fresh(request.points(codecs), corpora.resolve(str(changes.pop("corpus", sounds))), out)
        return make(Plan(kind, source, out=out, **{**settings, **changes}))

    return made


def plain_key(kind: Kind, trials: int, codecs: tuple[str, ...] = ("a@1kbps", "b@2kbps")) -> Key:
    """A key without audio: signal names say what they are, as those of a real test never do."""
    named: dict[str, Trial] = {}
    for number in range(trials):
        if kind == "mushra":
            conditions = {REFERENCE: "reference", LOW_ANCHOR: "anchor", MID_ANCHOR: "anchor"}
            conditions |= dict.fromkeys(codecs, "codec")
            stimuli = {f"{number}-{name}": Stimulus(name, role) for name, role in conditions.items()}  # type: ignore[arg-type]
            named[f"t{number}"] = Trial(f"clip{number}", "made", "0" * 64, 2.0, stimuli)
            continue
        for codec in codecs:
            name = f"{number}-{codec}"
            stimuli = {
                f"{name}-reference": Stimulus(REFERENCE, "reference"),
                f"{name}-codec": Stimulus(codec, "codec"),
                f"{name}-x-reference": Stimulus(REFERENCE, "reference"),
                f"{name}-x-codec": Stimulus(codec, "codec"),
            }
            compared = (f"{name}-codec", f"{name}-reference")
            named[f"t{name}"] = Trial(f"clip{number}", "made", "0" * 64, 2.0, stimuli, compared)
    return Key("test1", "ab" * 32, kind, named, len(named))


def mushra_file(key: Key, listener: str, ratings: Callable[[int, str], int]) -> dict[str, Any]:
    """What the page would write for a listener who rates condition C of trial number N `ratings(N, C)`."""
    trials = []
    for place, (name, trial) in enumerate(key.trials.items(), 1):
        trials.append({
            "trial": name,
            "place": place,
            "order": list(trial.stimuli),
            "ratings": {one: ratings(place - 1, stimulus.condition) for one, stimulus in trial.stimuli.items()},
            "heard_s": {"reference": 2.0, **dict.fromkeys(trial.stimuli, 1.5)},
            "switches": 5,
            "seconds": 30.0,
        })  # fmt: skip
    return _file(key, listener, trials)


def abx_file(key: Key, listener: str, right: Callable[[int, str], bool]) -> dict[str, Any]:
    """The same of ABX: `right(place, codec)` says whether X is recognised."""
    trials = []
    for place, (name, trial) in enumerate(key.trials.items(), 1):
        codec = next(s.condition for s in trial.stimuli.values() if s.role == "codec")
        x = next(one for one in trial.stimuli if one not in trial.compared)
        a, b = trial.compared
        truth = "a" if trial.stimuli[a].condition == trial.stimuli[x].condition else "b"
        wrong = "b" if truth == "a" else "a"
        answer = truth if right(place, codec) else wrong
        trials.append({
            "trial": name, "place": place, "a": a, "b": b, "x": x, "answer": answer,
            "heard_s": {a: 1.0, b: 1.0, x: 1.0}, "switches": 3, "seconds": 12.0,
        })  # fmt: skip
    return _file(key, listener, trials)


def _file(key: Key, listener: str, trials: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": "codeczoo-listening-answers",
        "version": 1,
        "test": {"id": key.id, "sha256": key.sha256, "kind": key.kind},
        "listener": listener,
        "seed": 1,
        "started": "2026-01-01T10:00:00.000Z",
        "finished": "2026-01-01T10:20:00.000Z",
        "playback": "headphones",
        "comment": "",
        "trials": trials,
    }


def put(folder: Path, answers: Mapping[str, Any], name: str = "") -> Path:
    """Write answers as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name or answers['listener']}.json"
    path.write_text(json.dumps(answers), encoding="utf-8")
    return path


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[Key], Path]:
    """A test's folder with a key."""

    def made(key: Key) -> Path:
        folder = tmp_path / "test"
        folder.mkdir()
        keys.write(key, folder)
        return folder

    return made


@pytest.fixture(scope="session")
def mushra(make_test: Callable[..., Made], tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    out = tmp_path_factory.mktemp("mushra") / "test"
    return make_test("mushra", out), out / "page" / PAGE_FILE


@pytest.fixture(scope="session")
def abx(make_test: Callable[..., Made], tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    out = tmp_path_factory.mktemp("abx") / "test"
    return make_test("abx", out, codecs=("opus@6kbps",), most_inside_bytes=1000), out / "page" / PAGE_FILE
