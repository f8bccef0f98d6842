"""A task: labelled clips, how they are divided, and what is known to leak between the parts.

Clips of one `group` (speaker, recording, artist) are alike in more than their label: a probe that is trained on some of
them and tested on others is paid for recognising the group. A task that is `disjoint` refuses such a division; where an
official division has it, the task says so in `leak`, and every table repeats it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import InvalidProbe

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Example:
    """One clip with what is to be told from it."""

    clip: Clip
    labels: tuple[str, ...]
    """One, or any number where the task is multi-label."""
    group: str = ""
    """Speaker, recording or artist; empty where unknown: then the clip is alike to no other."""
    part: Part | None = None
    """Where the task has one division into three parts."""
    fold: str | None = None
    """Where it is cross-validated: each fold is the test part once."""


@dataclass(frozen=True)
class Task:
    """What is probed."""

    name: str
    examples: tuple[Example, ...]
    multi_label: bool = False
    group_is: str = "group"
    """What groups are, for sentences: `speaker`, `recording`."""
    disjoint: bool = True
    """Whether no group may be on both sides of a division."""
    leak: str = ""
    """What is known to be on both sides of the official division."""
    next_fold_validates: bool = False
    """Cross-validation: the fold after the test fold is for validation. Else validation clips are drawn."""
    published_shares: tuple[float, float] | None = None
    """Shares of test and validation clips of the published protocol where it draws clips at random, groups or not."""
    official: bool = False
    """Whether the division is that of the data set's authors, which is taken as it is."""
    domain: str = ""
    notes: tuple[str, ...] = ()
    """Clips that are left out, with the reason and their number; what else a reader of a number must know."""
    licence: str = ""
    classes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        named = sorted({label for example in self.examples for label in example.labels})
        object.__setattr__(self, "classes", tuple(named))
        if not self.examples:
            raise InvalidProbe(f"{self.name} has no labelled clips.")
        if len(named) < 2:
            only = f"the only one is {named[0]!r}" if named else "there is none"
            raise InvalidProbe(f"{self.name} needs at least two labels to tell apart; {only}.")
        if not self.multi_label:
            several = next((e for e in self.examples if len(e.labels) != 1), None)
            if several is not None:
                raise InvalidProbe(
                    f"{several.clip.name} of {self.name} has {len(several.labels)} labels; a task of one label a clip "
                    "needs exactly one."
                )

    @property
    def metric(self) -> str:
        """`accuracy`, or `map` (macro mean average precision) where clips have any number of labels."""
        return "map" if self.multi_label else "accuracy"

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the folds, in order of number where they are numbers."""
        found = {example.fold for example in self.examples if example.fold is not None}
        return tuple(sorted(found, key=lambda name: (len(name), name)))

    def groups(self) -> tuple[str, ...]:
        """The group of each example; that of an unknown one is its own."""
        return tuple(example.group or f"clip {example.clip.name}" for example in self.examples)

    def identity(self, hashes: dict[str, str]) -> str:
        """16 hexadecimal digits of clips (by content), labels and division, for the clips in `hashes`."""
        lines = [f"{self.name} {self.multi_label} {self.disjoint} {self.next_fold_validates} {self.published_shares}"]
        for example in self.examples:
            if sha256 := hashes.get(example.clip.name):
                lines.append(f"{sha256} {example.labels} {example.group} {example.part} {example.fold}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
