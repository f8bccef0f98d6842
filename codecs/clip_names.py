"""Names of clips: an audio file's path relative to a folder, with `/`, and the stretch of it: `a/b.flac#120-240`.

Names do not depend on the machine. Files come in one order everywhere: that of the parts of their names. A file whose
name is not UTF-8 is called by its bytes, `lat\\xe9in.wav`, so that records and tables can be written of it (`as_text`).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath

from .audio_files import AUDIO_SUFFIXES
from .errors import InvalidAudioFile

_STRETCH = re.compile(r"(.+)#(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)?", re.DOTALL)


def audio_names(root: Path, suffixes: Collection[str] = AUDIO_SUFFIXES) -> Iterator[str]:
    """Names of the audio files below a folder, relative to it, in the order of their parts. Raises InvalidAudioFile
    where a folder cannot be listed.

    Suffixes count in any case; hidden files and folders are left out. Links are followed, and a folder that several
    links lead to is visited once, so that a loop ends. A link to nothing is listed: its clip fails, and is counted."""
    return _below(root, "", suffixes, set())


def as_text(name: str) -> str:
    """A file's name as text that can be written: bytes of it that are not UTF-8 as `\\xe9`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def stretch_name(name: str, start_s: float, end_s: float | None) -> str:
    """A file's name with a stretch of it, to the millisecond: `a.flac#120-240`, `a.flac#240-` to the end."""
    return f"{name}#{_number(start_s)}-{'' if end_s is None else _number(end_s)}"


def stretch_of(name: str) -> tuple[str, float, float]:
    """What `stretch_name` was given: the file's name, and the seconds at which the stretch begins and ends; of a whole
    file 0 and infinity, of a stretch to the end infinity.

    >>> stretch_of("a.flac#120-240"), stretch_of("take#1-2.wav")
    (('a.flac', 120.0, 240.0), ('take#1-2.wav', 0.0, inf))
    """
    found = _STRETCH.fullmatch(name) if "#" in name else None
    if found is None:
        return name, 0.0, math.inf
    file, start_s, end_s = found.groups()
    return file, float(start_s), math.inf if end_s is None else float(end_s)


def located(text: str, folder: str, allowed: Collection[str]) -> tuple[Path, str] | None:
    """The file that a manifest in `folder` calls `text`, and its name: relative to the first of the `allowed` folders
    (absolute, without a slash at their end) that it lies below. None where it lies below none of them, which is decided
    by the text, before anything is opened, so that a manifest from elsewhere cannot reach other files."""
    # Text and not Path, which takes five times as long: a manifest may have a million rows.
    path = os.path.normpath(os.path.join(folder, text))  # noqa: PTH118
    for parent in allowed:
        if path.startswith(parent + os.sep):
            return Path(path), path[len(parent) + 1 :].replace(os.sep, "/")
    return None


def _below(folder: Path, prefix: str, suffixes: Collection[str], visited: set[tuple[int, int]]) -> Iterator[str]:
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in visited:
            return
        visited.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        raise InvalidAudioFile(f"{folder} cannot be listed: {error.strerror}.") from error
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


def _number(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
