"""What is trained on: audio files below folders, and rows of manifests (CSV, TSV or JSON lines, by suffix).

    path,start_s,end_s,domain,speaker
    speech/a.flac,,,speech,p225
    shards/hour.opus,0.0,7.875,speech,p226

Columns of a manifest: `path` (or `shard`) is required and relative to the manifest's folder; `start_s` with one of
`end_s`, `seconds`, `duration_s`, `duration` (the first of them that the row fills) makes the row a stretch of its file;
`domain` is `speech`, `music` or `sound`; `speaker` keeps the clips of one voice together when they are split. Others
are ignored.

* a length without a `start_s` is a fact about the file and cuts nothing; an `end_s` alone counts from the file's start
* a path must lie below the manifest's folder, or below `root` where that is given: the rule of `clip_names.located`
* a stretch that is listed twice is refused: it would count twice without anybody having asked for it
* nothing here opens audio; `facts.describe` does
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codeczoo.codecs.audio_files import AUDIO_SUFFIXES, UNREAD_SUFFIXES
from codeczoo.codecs.clip_names import audio_names, located, stretch_name
from codeczoo.codecs.domains import DOMAINS, Domain
from codeczoo.codecs.errors import InvalidAudioFile, InvalidClips, InvalidTable
from codeczoo.codecs.tables import SUFFIXES, Row, rows

logger = logging.getLogger(__name__)

_PATH_COLUMNS = ("path", "shard")
_LENGTH_COLUMNS = ("seconds", "duration_s", "duration")
_COLUMNS = (*_PATH_COLUMNS, *_LENGTH_COLUMNS, "start_s", "end_s", "domain", "speaker")


@dataclass(frozen=True)
class Clip:
    """One stretch of one audio file: what a crop is taken from."""

    name: str
    """Relative path with `/`, and the stretch: the same on every machine."""
    path: Path
    start_s: float = 0.0
    seconds: float | None = None
    """None: to the end of the file."""
    domain: Domain | None = None
    speaker: str | None = None


def find(*sources: Path, domain: Domain | None = None, root: Path | None = None) -> tuple[Clip, ...]:
    """The clips of folders, manifests and single audio files, in a fixed order. `domain` is that of clips whose
    manifest says none; `root` a folder that paths of manifests may lie below. Raises InvalidClips."""
    if domain is not None:
        _check_domain(domain, "domain")
    clips = tuple(clip for source in sources for clip in _found(source, domain, root))
    if not sources:
        raise InvalidClips("No training data was named: give folders of audio or manifests.")
    seen: set[tuple[Path, float, float | None]] = set()
    for clip in clips:
        key = (clip.path, clip.start_s, clip.seconds)
        if key in seen:
            raise InvalidClips(f"{clip.name} ({clip.path}) is listed twice; leave one of the two out.")
        seen.add(key)
    return clips


def split(
    clips: Sequence[Clip], validation: float, *, by: Literal["speaker", "clip"] = "speaker"
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Clips to train on, and about the share `validation` of the speakers (of the files, where clips have none) to
    validate on. The side is decided by a hash of the speaker's or file's name alone, so that nobody changes sides when
    the data grows. By "clip", stretches of one file come to both sides. Raises InvalidClips where either side would be
    empty."""
    if not 0.0 < validation < 1.0:
        raise InvalidClips(f"The share held out for validation lies between 0 and 1; got {validation!r}.")
    sides: tuple[list[Clip], list[Clip]] = ([], [])
    for clip in clips:
        # Stretches of a file without a speaker may be of one voice, one room, or overlap.
        name = clip.name if by == "clip" else _file_name(clip)
        key = f"speaker {clip.speaker}" if by == "speaker" and clip.speaker else f"clip {name}"
        digest = hashlib.sha256(key.encode()).digest()
        sides[int.from_bytes(digest[:8], "big") < validation * 2**64].append(clip)
    for side, clips_of_it in zip(("training", "validation"), sides, strict=True):
        if not clips_of_it:
            advice = f"with a share of {validation:g} held out, none of the {len(clips)} clips is left for {side}"
            raise InvalidClips(
                f"Split by {by}, {advice}; change the share (codeczoo train --hold-out), or name clips to validate on "
                "(--validation)."
            )
    return tuple(sides[0]), tuple(sides[1])


def check_apart(training: Sequence[Clip], validation: Sequence[Clip]) -> None:
    """Raise InvalidClips where audio that is trained on would be validated on: stretches of one file that overlap,
    whatever it is called on either side."""
    of_file: dict[object, list[Clip]] = {}
    for clip in validation:
        of_file.setdefault(_file(clip), []).append(clip)
    for clip in training:
        for held_out in of_file.get(_file(clip), ()):
            if clip.start_s < _end_s(held_out) and held_out.start_s < _end_s(clip):
                raise InvalidClips(
                    f"{held_out.name} is to be validated on, and {clip.name}, which is trained on, holds some of it: "
                    "what a model has heard does not tell how good it is. Leave one of the two out."
                )


def _file(clip: Clip) -> object:
    """The same of two links to one file."""
    try:
        status = clip.path.stat()
    except OSError:
        return clip.path
    return status.st_dev, status.st_ino


def _file_name(clip: Clip) -> str:
    """The name without the stretch."""
    return clip.name.rpartition("#")[0] if clip.start_s or clip.seconds is not None else clip.name


def _end_s(clip: Clip) -> float:
    return math.inf if clip.seconds is None else clip.start_s + clip.seconds


def _found(source: Path, domain: Domain | None, root: Path | None) -> list[Clip]:
    if source.is_dir():
        found = list(_below(source, domain))
        empty = f"{source} holds no audio: no file in it ends in {', '.join(AUDIO_SUFFIXES)}."
    elif not source.exists():
        raise InvalidClips(f"{source} does not exist; training data is a folder of audio files or a manifest.")
    elif source.suffix.lower() in SUFFIXES:
        found, empty = list(_listed(source, domain, root)), f"The manifest {source} has no rows."
    elif source.suffix.lower() in AUDIO_SUFFIXES:
        return [Clip(source.name, _absolute(source), domain=domain)]
    else:
        readable = f"audio ({', '.join(AUDIO_SUFFIXES)}) nor a manifest ({', '.join(SUFFIXES)})"
        raise InvalidClips(f"{source} is neither {readable}.")
    if not found:
        raise InvalidClips(empty)
    return found


def _below(root: Path, domain: Domain | None) -> Iterator[Clip]:
    folder = _absolute(root)
    try:
        for name in audio_names(folder):
            yield Clip(name, folder / name, domain=domain)
        unread = sum(1 for _ in audio_names(folder, UNREAD_SUFFIXES))
    except InvalidAudioFile as error:
        raise InvalidClips(str(error)) from error
    if unread:
        logger.warning("%d files below %s are left out: their formats are not read; convert them.", unread, root)


def _listed(path: Path, domain: Domain | None, root: Path | None) -> Iterator[Clip]:
    folder = _absolute(path).parent
    allowed = tuple(str(at).rstrip(os.sep) for at in ((folder,) if root is None else (_absolute(root), folder)))
    try:
        for line, row in rows(path, single=_COLUMNS):
            yield _clip(f"{path}:{line}", row, str(folder), allowed, domain)
    except InvalidTable as error:
        raise InvalidClips(str(error)) from error


def _clip(where: str, row: Row, folder: str, allowed: Sequence[str], domain: Domain | None) -> Clip:
    columns = [column for column in _PATH_COLUMNS if column in row]
    if not columns:
        given = ", ".join(sorted(row)) or "none"
        raise InvalidClips(f"{where} has no column `path` (or `shard`), the audio file of each row; it has: {given}.")
    text = row[columns[0]]
    if not text or "\0" in text:
        raise InvalidClips(f"{where} has no usable `{columns[0]}`.")
    found = located(text, folder, allowed)
    if found is None:
        raise InvalidClips(f"{where}: {text} lies outside {allowed[0]}; move the manifest above it or give its root.")
    path, name = found
    start_s, seconds = _stretch(where, row)
    if start_s or seconds is not None:
        name = stretch_name(name, start_s, None if seconds is None else start_s + seconds)
    labelled = row.get("domain") or domain
    if labelled is not None:
        labelled = _check_domain(labelled, f"{where}: domain")
    return Clip(name, path, start_s, seconds, labelled, row.get("speaker") or None)


def _stretch(where: str, row: Row) -> tuple[float, float | None]:
    """Start and length in seconds of what a row cuts out of its file; (0, None) for the whole of it."""
    start_s, end_s = (_number(where, row, column) for column in ("start_s", "end_s"))
    lengths = [_number(where, row, column) for column in _LENGTH_COLUMNS]
    if end_s is not None:
        if end_s <= (start_s or 0.0):
            raise InvalidClips(f"{where}: the stretch from {start_s or 0.0:g} s to {end_s:g} s holds nothing.")
        return start_s or 0.0, end_s - (start_s or 0.0)
    seconds = next((length for length in lengths if length is not None), None)
    if start_s is None or seconds is None:
        return start_s or 0.0, None
    if seconds == 0.0:
        raise InvalidClips(f"{where}: a stretch of 0 seconds holds nothing.")
    return start_s, seconds


def _number(where: str, row: Row, column: str) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InvalidClips(f"{where}: {column} is {text!r}; seconds are numbers from 0 on.")
    return value


def _check_domain(text: str, what: str) -> Domain:
    for domain in DOMAINS:
        if text == domain:
            return domain
    raise InvalidClips(f"{what} is {text!r}; it is one of {', '.join(DOMAINS)}, or empty where it is unknown.")


def _absolute(path: Path) -> Path:
    # `resolve` would follow links, which are the user's own.
    return Path(os.path.abspath(path))  # noqa: PTH100
