"""Corpora that are listed anew at every iteration, and the listing of audio files below a folder.

A corpus is a function from nothing to its clips and their number: it never holds them, so that memory does not grow
with it, and iterating opens no audio. Files come in one order on every machine: that of the parts of their names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from codeczoo.codecs import clip_names
from codeczoo.codecs.errors import InvalidAudioFile

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
    """`clip_names.audio_names` of a folder. Raises InvalidCorpus."""
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
    return clip_names.as_text(root.resolve().name) or "root"


def _names(root: Path, suffixes: Collection[str]) -> Iterator[str]:
    try:
        yield from clip_names.audio_names(root, suffixes)
    except InvalidAudioFile as error:
        raise InvalidCorpus(str(error)) from error
