"""A clip: one stretch of one audio file, the unit that is encoded, scored and recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Part:
    """A stretch of one file, in samples: what a piece of a passage is joined out of."""

    clip: str
    """Name of the clip in the corpus that the passage was made from."""
    path: Path
    start: int
    samples: int


@dataclass(frozen=True)
class Piece:
    """Where the audio of a clip comes from that is a piece of a passage; see passages.py."""

    passage: str
    length_s: float
    offset_s: float
    """Where in the passage it begins."""
    sample_rate: int
    """Hz, of all parts."""
    parts: tuple[Part, ...]
    """In the order in which they follow each other; a join lies between each two."""

    @property
    def samples(self) -> int:
        return sum(part.samples for part in self.parts)


@dataclass(frozen=True)
class Clip:
    """One stretch of an audio file. Its name is unique in its corpus and does not depend on the machine."""

    name: str
    """Path relative to the corpus' root with `/`; a cut adds `#start-end` in seconds: `speech/a.flac#120-240`."""
    path: Path
    start_s: float = 0.0
    seconds: float | None = None
    """Length of the stretch; None: to the end of the file."""
    domain: str | None = None
    """`speech`, `music`, `sound`; None where unknown."""
    dataset: str | None = None
    speaker: str | None = None
    label: str | None = None
    split: str | None = None
    fold: str | None = None
    """Of a cross-validation."""
    piece: Piece | None = None
    """For a piece of a passage: `start_s` and `seconds` then say nothing, and `path` is that of its first part."""


class Corpus(Protocol):
    """A named, ordered set of clips. Iterating opens no audio file, so that a broken one costs only its own record."""

    @property
    def name(self) -> str: ...

    @property
    def licence(self) -> str:
        """Of the data, as far as known; empty where unknown."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Clip]: ...
