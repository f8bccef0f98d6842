"""Making a listening test: clips and codecs to a page for listeners and a key for the experimenter.

Clips are drawn by their names and a seed, the same for the same corpus; a clip that a codec cannot code, that is silent
or too short, is passed over and named. One clip more is taken for training where there is one.

Names of signals, which X an ABX trial may have, and the dither come from the operating system's randomness and stand in
the key alone.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from codeczoo.benchmarks.environment import fact_sheet
from codeczoo.benchmarks.errors import InvalidListeningTest
from codeczoo.benchmarks.page import level
from codeczoo.benchmarks.selection import rank
from codeczoo.codecs import resampling

from . import key as keys
from . import page, stimuli
from .key import LOW_ANCHOR, MID_ANCHOR, REFERENCE, Key, Kind, Stimulus, Trial
from .sources import Source
from .stimuli import TooPoor, Versions, versions

MOST_CONDITIONS = 12
"""BS.1534-3, section 5.3: what a listener can compare in one trial, hidden reference and anchors among them."""
DEFAULT_TITLE = "Listening test"


@dataclass(frozen=True)
class Plan:
    """What is asked for."""

    kind: Kind
    source: Source
    clips: int
    out: Path
    anchors: Sequence[str] = (LOW_ANCHOR, MID_ANCHOR)
    """MUSHRA only, of which both are (BS.1534-3, section 5.1)."""
    repeats: int = 1
    """ABX: trials of each codec with each clip."""
    per_listener: int | None = None
    """Trials that one listener is given; None: all."""
    training: bool = True
    longest_s: float = stimuli.LONGEST_S
    seed: int = 0
    title: str = DEFAULT_TITLE
    command: str = ""
    most_inside_bytes: int = page.MOST_INSIDE_BYTES

    def check(self) -> None:
        """Raise InvalidListeningTest unless it can be made."""
        codecs = self.source.codecs
        if not codecs:
            raise InvalidListeningTest("A listening test compares codecs; name some with --codecs.")
        conditions = 1 + len(self.anchors) + len(codecs)
        if self.kind == "mushra" and conditions > MOST_CONDITIONS:
            raise InvalidListeningTest(
                f"{len(codecs)} codecs, the hidden reference and {len(self.anchors)} anchor(s) are {conditions} "
                f"signals a trial; BS.1534 allows {MOST_CONDITIONS}. Choose at most "
                f"{MOST_CONDITIONS - 1 - len(self.anchors)} codecs with --codecs."
            )
        for name, value in (("--clips", self.clips), ("--repeats", self.repeats)):
            if value < 1:
                raise InvalidListeningTest(f"{name} is 1 or more; got {value}.")
        if not stimuli.SHORTEST_S <= self.longest_s <= 60:
            raise InvalidListeningTest(f"--longest-s is {stimuli.SHORTEST_S:g} to 60 s; got {self.longest_s:g}.")
        trials = self.clips * (len(codecs) * self.repeats if self.kind == "abx" else 1)
        if self.per_listener is not None and not 1 <= self.per_listener <= trials:
            raise InvalidListeningTest(f"--per-listener is 1 to {trials}, as many trials as there are.")
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise InvalidListeningTest(
                f"{self.out} is there already: a test that listeners may have begun is never overwritten. Name a new "
                "folder."
            )
        _check_title(self.title, codecs)


@dataclass
class Made:
    """What was written."""

    key: Key
    files: list[Path]
    audio_bytes: int
    passed_over: dict[str, str] = field(default_factory=dict[str, str])
    """Clips that were not used, with the reason."""

    @property
    def not_level(self) -> list[str]:
        """Signals that could not be brought to the level of the others, in words."""
        found = {
            f"{of.condition}, {trial.clip}: {of.note}."
            for trial in self.key.trials.values()
            for of in trial.stimuli.values()
            if of.note
        }
        return sorted(found)


@dataclass(frozen=True)
class _Drawn:
    clip: str
    sha256: str
    versions: Versions


def make(plan: Plan, progress: Callable[[str], None] = lambda _clip: None) -> Made:
    """Make the test. Raises a user error before anything is written."""
    plan.check()
    passed_over: dict[str, str] = {}
    drawn = _draw(plan, passed_over, progress)
    if len(drawn) < plan.clips:
        reasons = "; ".join(f"{clip}: {reason}" for clip, reason in list(passed_over.items())[:3])
        raise InvalidListeningTest(
            f"{plan.source.corpus} gives {len(drawn)} of {plan.clips} clips that can be used"
            + (f" ({reasons})." if reasons else "; ask for fewer with --clips.")
        )
    # Where no clip is left over, one is heard twice rather than not trained with.
    trainee = drawn[plan.clips] if len(drawn) > plan.clips else drawn[0]
    maker = _Maker(plan)
    for one in drawn[: plan.clips]:
        maker.add(one)
    training = maker.training(trainee) if plan.training else None
    return maker.write(training, passed_over)


def _draw(plan: Plan, passed_over: dict[str, str], progress: Callable[[str], None]) -> list[_Drawn]:
    """As many usable clips as are wanted, if there are so many, in the order in which the seed draws them."""
    wanted = plan.clips + (1 if plan.training else 0)
    left = sorted(plan.source.clips(), key=lambda name: rank(name, plan.seed))
    anchors = plan.anchors if plan.kind == "mushra" else ()
    drawn: list[_Drawn] = []
    while left and len(drawn) < wanted:
        now = wanted - len(drawn)
        batch, left = left[:now], left[now:]
        for name, heard in plan.source.hear(batch).items():
            try:
                if isinstance(heard, str):
                    raise TooPoor(heard)
                of = versions(heard.reference, heard.sample_rate_hz, heard.estimates, anchors, plan.longest_s)
            except TooPoor as reason:
                passed_over[name] = str(reason).rstrip(".")
                continue
            drawn.append(_Drawn(name, heard.sha256, of))
            progress(name)
    return drawn


class _Maker:
    """Collects trials, and writes page and key."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rng = np.random.default_rng(secrets.randbits(128))
        self.used: set[str] = set()
        self.audio: dict[str, bytes] = {}
        self.trials: dict[str, Trial] = {}
        self.shown: list[dict[str, Any]] = []

    def _name(self) -> str:
        """A random name that is not used yet."""
        while (name := secrets.token_hex(5)) in self.used:
            pass
        self.used.add(name)
        return name

    def _signal(self, versions: Versions, condition: str) -> tuple[str, Stimulus]:
        """A new signal of a condition, with a name and dither of its own."""
        name = self._name()
        found = versions.by_condition[condition]
        self.audio[name] = stimuli.pcm(found.audio, versions.sample_rate_hz, self.rng)
        return name, found.stimulus

    def add(self, drawn: _Drawn) -> None:
        """The trials of one clip."""
        if self.plan.kind == "mushra":
            self._keep(drawn, *self._mushra(drawn.versions))
            return
        for codec in self.plan.source.codecs:
            shown, named, compared = self._abx(drawn.versions, codec)
            for _ in range(self.plan.repeats):
                self._keep(drawn, dict(shown), named, compared)

    def _keep(
        self, drawn: _Drawn, shown: dict[str, Any], named: Mapping[str, Stimulus], compared: Sequence[str]
    ) -> None:
        name = self._name()
        self.shown.append({"id": name, **shown})
        seconds = drawn.versions.samples / drawn.versions.sample_rate_hz
        self.trials[name] = Trial(drawn.clip, self.plan.source.corpus, drawn.sha256, seconds, named, tuple(compared))

    def training(self, drawn: _Drawn) -> dict[str, Any]:
        """A trial that is not in the key."""
        if self.plan.kind == "mushra":
            return {"id": self._name(), **self._mushra(drawn.versions)[0]}
        return {"id": self._name(), **self._abx(drawn.versions, self.plan.source.codecs[0])[0]}

    def _mushra(self, versions: Versions) -> tuple[dict[str, Any], dict[str, Stimulus], Sequence[str]]:
        named = dict(self._signal(versions, condition) for condition in versions.by_condition)
        opened, _ = self._signal(versions, REFERENCE)
        # Sorted by random names, so that no order tells what was made first.
        shown = {"rate_hz": versions.sample_rate_hz, "reference": opened, "stimuli": sorted(named)}
        return shown, {name: named[name] for name in sorted(named)}, ()

    def _abx(self, versions: Versions, codec: str) -> tuple[dict[str, Any], dict[str, Stimulus], Sequence[str]]:
        compared = dict(self._signal(versions, condition) for condition in (REFERENCE, codec))
        hidden = dict(self._signal(versions, condition) for condition in (REFERENCE, codec))
        shown = {"rate_hz": versions.sample_rate_hz, "compared": sorted(compared), "x": sorted(hidden)}
        named = {**compared, **hidden}
        return shown, {name: named[name] for name in sorted(named)}, sorted(compared)

    def write(self, training: dict[str, Any] | None, passed_over: dict[str, str]) -> Made:
        plan = self.plan
        definition = {
            "id": secrets.token_hex(4),
            "kind": plan.kind,
            "title": plan.title,
            "per_listener": plan.per_listener or len(self.trials),
            "trials": sorted(self.shown, key=lambda trial: trial["id"]),
            "training": training,
        }
        audio = dict(sorted(self.audio.items()))
        made = Key(
            definition["id"],
            page.sha256(definition, audio),
            plan.kind,
            dict(sorted(self.trials.items())),
            definition["per_listener"],
            {
                **fact_sheet(plan.command),
                "codecs": list(plan.source.codecs),
                "anchors": list(plan.anchors) if plan.kind == "mushra" else [],
                "seed_of_clips": plan.seed,
                "longest_s": plan.longest_s,
                "level": level.METHOD,
                "resampler": resampling.identity(),
                "passed_over": passed_over,
            },
        )
        plan.out.mkdir(parents=True, exist_ok=True)
        (plan.out / keys.ANSWERS_FOLDER).mkdir(exist_ok=True)
        files = page.write(definition, audio, plan.out / keys.PAGE_FOLDER, plan.most_inside_bytes)
        files.append(keys.write(made, plan.out))
        return Made(made, files, sum(map(len, audio.values())), passed_over)


def _check_title(title: str, codecs: Sequence[str]) -> None:
    families = {name: name.partition("@")[0].partition(":")[0] for name in codecs}
    told = next((name for name, of in families.items() if re.search(rf"\b{re.escape(of)}\b", title, re.I)), None)
    if told or len(title) > 100 or not title.strip():
        raise InvalidListeningTest(
            f"The title {title!r} "
            + (f"tells listeners of {told}; " if told else "is empty or longer than 100 characters; ")
            + "name the test without its codecs."
        )
