"""What must be known of a clip before crops of it can be drawn: that it can be read, its length, its peak.

Every clip is decoded whole, once, by threads, and what was found is kept in a small index (SQLite, by default in
`$XDG_CACHE_HOME/codeczoo/training/facts.sqlite`), keyed by the file's path, size and time of change, by the stretch and
by the decoder's version: the next run of the same data opens no audio, and data that grew costs what is new. Deleting
the index is always safe. Processes that describe at the same time wait for each other.

* a clip that cannot be read is left out: named in the log, and in `ClipSet.unreadable` with the reason. It is tried
  again in the next run. Where nothing can be read, that is an error
* the peak is that of the mono mean, over the whole clip; decoders of lossy files overshoot, so that it counts as 1 at
  most (crops are clamped likewise)
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from codeczoo.codecs.audio_files import open_audio
from codeczoo.codecs.errors import InvalidAudioFile, InvalidClips

from .clips import Clip

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Clips done, clips to do."""

_CLIPS_A_JOB = 32

_TABLE = "CREATE TABLE IF NOT EXISTS facts_1 (key TEXT PRIMARY KEY, rate INT, start INT, frames INT, peak REAL)"


@dataclass(frozen=True)
class Facts:
    """What decoding a clip showed."""

    sample_rate: int
    """Hz, of the file."""
    start: int
    """First frame of the clip in its file."""
    frames: int
    """Frames of the clip, at least 1."""
    peak: float
    """Largest magnitude of the mono mean, 0 to 1."""


@dataclass(frozen=True)
class ClipSet:
    """Clips that can be read, with their facts, and those that cannot."""

    clips: tuple[Clip, ...]
    facts: tuple[Facts, ...]
    unreadable: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Name of a clip -> why it was left out."""

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def seconds(self) -> float:
        """Of audio, in all."""
        return sum(facts.frames / facts.sample_rate for facts in self.facts)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change whenever other crops may be drawn: a run is resumed exactly only where it
        is the same."""
        digest = hashlib.sha256()
        for clip, facts in zip(self.clips, self.facts, strict=True):
            digest.update(f"{clip.name}\t{clip.domain}\t{facts}\n".encode())
        return digest.hexdigest()[:16]


def describe(
    clips: Sequence[Clip], *, workers: int | None = None, index: Path | None = None, progress: Progress | None = None
) -> ClipSet:
    """The clips that can be read, in the given order, with their facts; `workers` threads (None: one a processor), an
    `index` elsewhere than in the user's cache. Raises InvalidClips where none can be read, or the index cannot be
    used."""
    from filelock import FileLock

    if not clips:
        raise InvalidClips("There are no training clips to describe.")
    path = index or _default_index()
    found: dict[int, Facts | str] = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without the lock, every process of a training that starts would decode everything.
        with FileLock(path.with_name(f".{path.name}.lock")), closing(sqlite3.connect(path)) as database:
            database.execute(_TABLE)
            keys = [_key(clip) for clip in clips]
            found.update(_known(database, keys))
            unknown = [number for number in range(len(clips)) if number not in found]
            for numbers, facts in _measured(clips, unknown, workers or os.cpu_count() or 1):
                found.update(zip(numbers, facts, strict=True))
                _keep(database, [(keys[number], found[number]) for number in numbers])
                if progress is not None:
                    progress(len(found) - (len(clips) - len(unknown)), len(unknown))
    except sqlite3.Error as error:
        advice = "delete it, or name an index in another folder"
        raise InvalidClips(f"The index of training clips {path} cannot be used ({error}); {advice}.") from error
    except OSError as error:
        raise InvalidClips(f"The index of training clips {path} cannot be written: {error.strerror}.") from error
    return _set(clips, [found[number] for number in range(len(clips))])


def _set(clips: Sequence[Clip], found: Sequence[Facts | str]) -> ClipSet:
    readable: list[tuple[Clip, Facts]] = []
    unreadable: dict[str, str] = {}
    for clip, facts in zip(clips, found, strict=True):
        if isinstance(facts, Facts):
            readable.append((clip, facts))
        else:
            unreadable[clip.name] = facts
            logger.warning("Training clip %s is left out: %s", clip.name, facts)
    if not readable:
        first = next(iter(unreadable.values()))
        raise InvalidClips(f"None of the {len(clips)} training clips can be read. The first: {first}")
    return ClipSet(*map(tuple, zip(*readable, strict=True)), unreadable=MappingProxyType(unreadable))


def _measured(
    clips: Sequence[Clip], numbers: Sequence[int], workers: int
) -> Iterator[tuple[Sequence[int], list[Facts | str]]]:
    """Numbers of clips and what was found of them, job by job, so that little is lost where the process is killed."""
    # libsndfile decodes without Python's lock: threads use all processors, and need no start of their own.
    jobs = [numbers[at : at + _CLIPS_A_JOB] for at in range(0, len(numbers), _CLIPS_A_JOB)]
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda job: (job, [_measure(clips[number]) for number in job]), jobs)


def _measure(clip: Clip) -> Facts | str:
    """The facts, or why there are none."""
    try:
        with open_audio(clip.path) as file:
            start, end = file.stretch(clip.start_s, clip.seconds)
            peak = max(float(np.abs(block).max()) for block in file.blocks(start, end))
            return Facts(file.info.sample_rate, start, end - start, min(peak, 1.0))
    except InvalidAudioFile as error:
        return str(error)


def _default_index() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "codeczoo" / "training" / "facts.sqlite"


def _key(clip: Clip) -> str:
    import soundfile

    try:
        status = clip.path.stat()
        content = f"{status.st_size} {status.st_mtime_ns}"
    except OSError:
        content = "missing"
    text = f"{clip.path}\n{content}\n{clip.start_s!r} {clip.seconds!r}\n{soundfile.__libsndfile_version__}"
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _known(database: sqlite3.Connection, keys: Sequence[str]) -> Iterator[tuple[int, Facts]]:
    for number, key in enumerate(keys):
        row = database.execute("SELECT rate, start, frames, peak FROM facts_1 WHERE key = ?", (key,)).fetchone()
        if row is not None:
            yield number, Facts(*row)


def _keep(database: sqlite3.Connection, found: Iterable[tuple[str, Facts | str]]) -> None:
    rows = [(key, f.sample_rate, f.start, f.frames, f.peak) for key, f in found if isinstance(f, Facts)]
    with database:
        database.executemany("INSERT OR REPLACE INTO facts_1 VALUES (?, ?, ?, ?, ?)", rows)
