"""The key of a listening test: which signal is which. It stays with the experimenter.

    TEST/
      page/        what listeners are given
      key.json     this
      answers/     where the files that listeners bring back are put

Signals, trials and the test have random names, so that nothing but this file ties a signal to what made it. The
`sha256` covers the page's definition and its audio: answers to another version of a test are not taken for this one's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from codeczoo.benchmarks.errors import InvalidListeningTest

FORMAT = "codeczoo-listening-key"
VERSION = 1
KEY_FILE = "key.json"
ANSWERS_FOLDER = "answers"
PAGE_FOLDER = "page"

Kind = Literal["mushra", "abx"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Role = Literal["reference", "anchor", "codec"]

REFERENCE = "reference"
"""Condition of the hidden reference."""
LOW_ANCHOR = "anchor 3.5 kHz"
MID_ANCHOR = "anchor 7 kHz"


@dataclass(frozen=True)
class Stimulus:
    """One signal of a trial."""

    condition: str
    """A codec's name, `reference`, or an anchor."""
    role: Role
    gain_db: float = 0.0
    """What it was changed by to be as loud as the others."""
    note: str = ""
    """Why it is not as loud as the others; empty where it is."""
    codec_fingerprint: str = ""


@dataclass(frozen=True)
class Trial:
    """One screen of the test."""

    clip: str
    corpus: str
    clip_sha256: str
    seconds: float
    stimuli: Mapping[str, Stimulus]
    """By name. MUSHRA: what is rated. ABX: A and B in some order, and both that X may be."""
    compared: tuple[str, ...] = ()
    """ABX: the names of A and B in some order; the others may be X."""


@dataclass(frozen=True)
class Key:
    """One listening test."""

    id: str
    sha256: str
    kind: Kind
    trials: Mapping[str, Trial]
    per_listener: int
    """Trials that one listener is given."""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """How it was made: command, versions, settings."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """Reference, anchors, codecs; of a kind by name."""
        found = {s.condition: s.role for trial in self.trials.values() for s in trial.stimuli.values()}
        order = {"reference": 0, "anchor": 1, "codec": 2}
        return tuple(sorted(found, key=lambda name: (order[found[name]], name)))


def write(key: Key, folder: Path) -> Path:
    """Write the key of a test into its folder."""
    path = folder / KEY_FILE
    text = {
        "format": FORMAT,
        "version": VERSION,
        "id": key.id,
        "sha256": key.sha256,
        "kind": key.kind,
        "per_listener": key.per_listener,
        "trials": {
            name: {
                "clip": trial.clip,
                "corpus": trial.corpus,
                "clip_sha256": trial.clip_sha256,
                "seconds": trial.seconds,
                "compared": list(trial.compared),
                "stimuli": {name: vars(stimulus) for name, stimulus in trial.stimuli.items()},
            }
            for name, trial in key.trials.items()
        },
        "facts": dict(key.facts),
    }
    path.write_text(json.dumps(text, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def read(folder: Path) -> Key:
    """The key of a test that `codeczoo listen make` wrote. Raises InvalidListeningTest."""
    path = folder / KEY_FILE if folder.is_dir() else folder
    if not path.is_file():
        raise InvalidListeningTest(
            f"{folder} holds no {KEY_FILE}: name the folder that `codeczoo listen make` wrote, with its key."
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if (found["format"], found["version"]) != (FORMAT, VERSION):
            raise InvalidListeningTest(
                f"{path} is of format {found['format']!r} version {found['version']!r}; this version reads "
                f"{FORMAT!r} version {VERSION}."
            )
        key = Key(
            found["id"],
            found["sha256"],
            found["kind"],
            {
                name: Trial(
                    trial["clip"],
                    trial["corpus"],
                    trial["clip_sha256"],
                    float(trial["seconds"]),
                    {name: Stimulus(**stimulus) for name, stimulus in trial["stimuli"].items()},
                    tuple(trial["compared"]),
                )
                for name, trial in found["trials"].items()
            },
            int(found["per_listener"]),
            found["facts"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidListeningTest(
            f"{path} is not the key of a listening test ({type(error).__name__}); restore it, or make the test again."
        ) from error
    if key.kind not in KINDS or not key.trials:
        raise InvalidListeningTest(f"{path} names no test of {' or '.join(KINDS)} with trials; restore it.")
    return key
