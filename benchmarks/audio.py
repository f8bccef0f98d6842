"""A clip's audio: read, checked and hashed. Files are opened by `codeczoo.codecs.audio_files`, whose conventions hold.

What cannot be measured raises InvalidClip, whatever was wrong with the file: it costs its own record only. A piece of a
passage is read from its parts, a part after the other, without anything between them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from codeczoo.codecs.audio_files import (
    AUDIO_SUFFIXES,
    BLOCK_FRAMES,
    UNREAD_SUFFIXES,
    AudioFile,
    AudioInfo,
    frame_at,
    open_audio,
    regular,
)
from codeczoo.codecs.errors import InvalidAudioFile
from codeczoo.codecs.fingerprint import sha256_of
from codeczoo.metrics.base import Audio

from .clip import Clip, Piece
from .errors import ChangedClip, InvalidClip

__all__ = [
    "AUDIO_SUFFIXES",
    "UNREAD_SUFFIXES",
    "AudioInfo",
    "check_unchanged",
    "clip_blocks",
    "clip_samples",
    "content_sha256",
    "extent",
    "frame_at",
    "probe",
    "read_blocks",
    "read_mono",
    "stretch_frames",
]

_SETTLED_NS = 2_000_000_000
"""A file that was written less than this ago may be written again within one tick of its file system's clock, which
its status does not show."""


def probe(path: Path) -> AudioInfo:
    """A file's header. Raises InvalidClip."""
    with _opened(path) as file:
        return file.info


def read_mono(path: Path, start_s: float = 0.0, seconds: float | None = None) -> tuple[Audio, int]:
    """A stretch of a file as mono float32 `[T]`, and its sample rate in Hz. Raises InvalidClip."""
    with _opened(path) as file:
        return file.read(*file.stretch(start_s, seconds)), file.info.sample_rate


def read_blocks(
    path: Path, start_s: float = 0.0, seconds: float | None = None, block_frames: int = BLOCK_FRAMES
) -> Iterator[Audio]:
    """`read_mono` in blocks float32 `[T_i]` of `block_frames` samples (the last may be shorter), in memory that does
    not grow with the file. Raises InvalidClip, as late as the block that is wrong."""
    if block_frames < 1:
        raise ValueError(f"Blocks hold at least one frame; got block_frames={block_frames}.")
    with _opened(path) as file:
        yield from file.blocks(*file.stretch(start_s, seconds), block_frames)


def extent(clip: Clip) -> tuple[int, float]:
    """A clip's sample rate in Hz and its length in seconds, by its file's header alone. Raises InvalidClip."""
    if clip.piece is not None:
        return clip.piece.sample_rate, clip.piece.samples / clip.piece.sample_rate
    info = probe(clip.path)
    return info.sample_rate, info.seconds - clip.start_s if clip.seconds is None else clip.seconds


def stretch_frames(clip: Clip) -> tuple[int, int, int]:
    """Sample rate in Hz of a clip's file, and the samples at which the clip begins and ends in it, by its header alone.
    Raises InvalidClip."""
    with _opened(clip.path) as file:
        return file.info.sample_rate, *file.stretch(clip.start_s, clip.seconds)


def clip_blocks(clip: Clip, block_frames: int = BLOCK_FRAMES) -> Iterator[Audio]:
    """A clip, or a piece of a passage, in blocks float32 `[T_i]` of at most `block_frames` samples. Raises
    InvalidClip."""
    if clip.piece is None:
        return read_blocks(clip.path, clip.start_s, clip.seconds, block_frames)
    return _piece_blocks(clip.piece, block_frames)


def clip_samples(clip: Clip) -> tuple[Audio, int]:
    """A clip, or a piece of a passage, as mono float32 `[T]`, and its sample rate in Hz. Raises InvalidClip."""
    if clip.piece is None:
        return read_mono(clip.path, clip.start_s, clip.seconds)
    return np.concatenate(list(clip_blocks(clip))), clip.piece.sample_rate


def content_sha256(clip: Clip) -> str:
    """SHA-256 of the file's bytes; of that and the stretch, where the clip is one; of those of all parts, where it is a
    piece of a passage. Raises InvalidClip."""
    if clip.piece is None:
        return _stretch_sha256(_sha256_at(clip.path), clip)
    parts = [f"{_sha256_at(part.path)} {part.start} {part.samples}" for part in clip.piece.parts]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def check_unchanged(clip: Clip, sha256: str) -> None:
    """Raise ChangedClip unless a clip still is of the content that was hashed: asked after its samples were read, so
    that no number is of other audio than its record says."""
    if content_sha256(clip) != sha256:
        raise ChangedClip(f"{clip.path} changed while it was measured; start the run again when it stays as it is.")


def _sha256_at(path: Path) -> str:
    with _clip_errors():
        status = regular(path)
    try:
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _SETTLED_NS:
            return sha256_of(path)
        # A copy that keeps size and time of what it replaces is another file, changed at another instant.
        return _file_sha256(path, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    except OSError as error:
        raise InvalidClip(f"{path} cannot be read: {error.strerror}.") from error


@lru_cache(maxsize=64)
def _file_sha256(path: Path, status: tuple[int, ...]) -> str:
    # The stretches of one long file follow each other: without this, an hour in 30 stretches is read 30 times.
    del status
    return sha256_of(path)


def _stretch_sha256(whole: str, clip: Clip) -> str:
    if clip.start_s == 0.0 and clip.seconds is None:
        return whole
    seconds = None if clip.seconds is None else float(clip.seconds)
    return hashlib.sha256(f"{whole} {float(clip.start_s)!r} {seconds!r}".encode()).hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[AudioFile]:
    with _clip_errors(), open_audio(path) as file:
        yield file


@contextmanager
def _clip_errors() -> Iterator[None]:
    try:
        yield
    except InvalidAudioFile as error:
        raise InvalidClip(str(error)) from error


def _piece_blocks(piece: Piece, block_frames: int) -> Iterator[Audio]:
    for part in piece.parts:
        with _opened(part.path) as file:
            end = part.start + part.samples
            if file.info.sample_rate != piece.sample_rate or file.info.frames < end:
                raise InvalidClip(f"{part.path} has changed since the passages were laid out; start the run again.")
            yield from file.blocks(part.start, end, block_frames)
