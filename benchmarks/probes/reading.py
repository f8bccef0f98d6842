"""What the readers of official data sets share: finding their root, listing, tables, and counting what is left out.

Files come in the order of their names, whatever the file system's. A file that a table names and that is not there is
left out and counted; a data set of which nothing is there is an error that says what was looked for.
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import InvalidProbe
from codeczoo.benchmarks.listing import audio_names, check_folder
from codeczoo.codecs.clip_names import located

from .task import Example, Part

PART_NAMES: Mapping[str, Part] = {
    "train": "train", "training": "train", "dev": "validation", "devel": "validation", "val": "validation",
    "valid": "validation", "validation": "validation", "test": "test", "eval": "test",
}  # fmt: skip


@dataclass
class Reading:
    """Examples as they are found, each file name once, and what was left out."""

    dataset: str
    domain: str
    root: Path
    expected: int = 0
    """Clips of the whole data set as published."""
    examples: list[Example] = field(default_factory=list[Example])
    left_out: Counter[str] = field(default_factory=Counter[str])
    remarks: list[str] = field(default_factory=list[str])

    def add(
        self,
        name: str,
        labels: tuple[str, ...],
        *,
        group: str = "",
        part: Part | None = None,
        fold: str | None = None,
        check: bool = False,
    ) -> None:
        """One clip by its name below the root; `check` where a table, not the folder, says that it is there."""
        path = self.root / name
        if check:
            root = os.path.abspath(self.root)  # noqa: PTH100 - links are not followed: the text decides
            if located(name, root, (root,)) is None:
                raise InvalidProbe(f"A table of {self.dataset} names {name}, which lies outside {self.root}.")
            if not path.is_file():
                self.left_out["listed, but not there"] += 1
                return
        self.examples.append(
            Example(Clip(name, path, domain=self.domain, dataset=self.dataset), labels, group, part, fold)
        )

    def once(self, pattern: re.Pattern[str], below: str = "") -> Iterator[tuple[str, re.Match[str]]]:
        """Audio files whose base name matches, each base name once: mirrors hold copies of themselves."""
        seen: set[str] = set()
        for name in audio_names(self.root / below):
            name = f"{below}/{name}" if below else name
            base = name.rpartition("/")[2]
            if not (match := pattern.fullmatch(base)):
                continue
            if base in seen:
                self.left_out["copies of a file of the same name"] += 1
                continue
            seen.add(base)
            yield name, match

    def notes(self) -> tuple[str, ...]:
        """What is left out and what is missing, as sentences."""
        found = [f"left out: {count} clips, {reason}" for reason, count in sorted(self.left_out.items())]
        if self.expected and len(self.examples) != self.expected:
            found.append(f"{len(self.examples)} clips, where the whole data set has {self.expected}")
        return (*found, *self.remarks)

    def found(self, example: str) -> tuple[Example, ...]:
        """All examples by name. Raises InvalidProbe where there are none."""
        if not self.examples:
            lost = f" ({self.left_out.total()} left out: {', '.join(self.left_out)})" if self.left_out else ""
            raise InvalidProbe(
                f"{self.root} holds nothing of {self.dataset} as it is unpacked{lost}: no file is named like {example}."
            )
        return tuple(sorted(self.examples, key=lambda example: example.clip.name))


def root_of(root: Path, *markers: str) -> Path:
    """The folder, at `root` or one or two levels below, that holds one of `markers` (files, folders or patterns).
    Raises InvalidCorpus where `root` is no folder, InvalidProbe where nothing is found."""
    check_folder(root)
    for depth in ("", "*/", "*/*/"):
        for marker in markers:
            found = sorted(root.glob(depth + marker))
            if found:
                return found[0].parents[marker.count("/")]
    raise InvalidProbe(f"{root} holds none of {', '.join(markers)}, nor does a folder in it: what is unpacked there?")


def table(path: Path, needed: tuple[str, ...], delimiter: str = ",") -> Iterator[dict[str, str]]:
    """Rows of a table with a header. Raises InvalidProbe where it cannot be read or lacks a column."""
    if not path.is_file():
        raise InvalidProbe(f"{path} is missing; it says what the clips beside it are.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            lacking = sorted(set(needed) - set(reader.fieldnames or ()))
            if lacking:
                raise InvalidProbe(f"{path} has no column {', '.join(lacking)}; is it the official table?")
            yield from reader
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidProbe(f"{path} is not a readable table in UTF-8: {error}.") from error
