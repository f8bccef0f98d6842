"""Corpora that are listed anew at every iteration, and the listing of audio files below a folder.

A corpus is a function from nothing to its clips and their number: it never holds them, so that memory does not grow
with it, and iterating opens no audio. Files come in one order on every machine: that of the parts of their names.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from .audio import AUDIO_SUFFIXES, UNREAD_SUFFIXES
from .clip import Clip
from .errors import InvalidCorpus

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ListedCorpus:
    """A corpus whose clips are listed by `clips` at every iteration."""

    name: str
    clips: Callable[[], Iterator[Clip]]
    length: int
    licence: str = ""

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Clip]:
        return self.clips()


def listed(name: str, clips: Callable[[], Iterator[Clip]], *, empty: str, licence: str = "") -> ListedCorpus:
    """The corpus of what `clips` lists. Raises InvalidCorpus with the sentence `empty` where that is nothing."""
    length = sum(1 for _ in clips())
    if length == 0:
        raise InvalidCorpus(empty)
    return ListedCorpus(name, clips, length, licence)


def audio_names(root: Path) -> Iterator[str]:
    """Names of the audio files below a folder, relative to it with `/`, in the order of their parts.

    Suffixes count in any case; hidden files and folders are left out. Links are followed, and a folder that several
    links lead to is visited once, so that a loop ends. A link to nothing is listed: its clip fails, and is counted."""
    return _names(root, AUDIO_SUFFIXES)


def warn_of_unread(root: Path) -> None:
    """Log how many files below a folder hold audio of formats that are not read."""
    unread = sum(1 for _ in _names(root, UNREAD_SUFFIXES))
    if unread:
        logger.warning(
            "%d files below %s are left out: %s are not read; convert them to FLAC or WAV.",
            unread, root, ", ".join(UNREAD_SUFFIXES),
        )  # fmt: skip


def check_folder(root: Path) -> None:
    """Raise InvalidCorpus unless `root` is a folder."""
    if root.is_dir():
        return
    if root.exists():
        raise InvalidCorpus(f"{root} is a file where a folder of audio is expected.")
    raise InvalidCorpus(f"{root} does not exist; a corpus is a folder of audio files, a glob or a manifest.")


def folder_name(root: Path) -> str:
    """What a corpus of this folder is called."""
    return root.resolve().name or "root"


def _names(root: Path, suffixes: Collection[str]) -> Iterator[str]:
    return _below(root, "", suffixes, set())


def _below(folder: Path, prefix: str, suffixes: Collection[str], visited: set[tuple[int, int]]) -> Iterator[str]:
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in visited:
            return
        visited.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        raise InvalidCorpus(f"{folder} cannot be listed: {error.strerror}.") from error
    for entry in visible:
        if _is_folder(entry):
            yield from _below(Path(entry.path), f"{prefix}{entry.name}/", suffixes, visited)
        elif PurePath(entry.name).suffix.lower() in suffixes:
            yield prefix + entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, which is listed as a link to nothing is
        return False
