"""A clip's audio: read, checked and hashed. Files are opened by `codeczoo.codecs.audio_files`, whose conventions hold.

What cannot be measured raises InvalidClip, whatever was wrong with the file: it costs its own record only.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codeczoo.codecs.audio_files import (
    AUDIO_SUFFIXES,
    BLOCK_FRAMES,
    UNREAD_SUFFIXES,
    AudioFile,
    AudioInfo,
    open_audio,
    regular,
)
from codeczoo.codecs.errors import InvalidAudioFile
from codeczoo.codecs.fingerprint import sha256_of
from codeczoo.metrics.base import Audio

from .clip import Clip
from .errors import InvalidClip

__all__ = [
    "AUDIO_SUFFIXES",
    "UNREAD_SUFFIXES",
    "AudioInfo",
    "ClipAudio",
    "content_sha256",
    "probe",
    "read_blocks",
    "read_clip",
    "read_mono",
]

_IN_MEMORY_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class ClipAudio:
    """A clip that was read, checked and hashed in one pass."""

    audio: Audio
    """Mono float32 `[T]`, T >= 1, finite."""
    info: AudioInfo
    """Of the whole file."""
    sha256: str


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


def read_clip(clip: Clip) -> ClipAudio:
    """A clip's samples, header and content hash; a file of up to 64 MiB is read from disk once. Raises InvalidClip."""
    path = clip.path
    with _clip_errors():
        size = regular(path).st_size
    if size > _IN_MEMORY_BYTES:
        audio, _ = read_mono(path, clip.start_s, clip.seconds)
        return ClipAudio(audio, probe(path), content_sha256(clip))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidClip(f"{path} cannot be read: {error.strerror}.") from error
    with _clip_errors(), open_audio(path, io.BytesIO(content)) as file:
        audio = file.read(*file.stretch(clip.start_s, clip.seconds))
        return ClipAudio(audio, file.info, _stretch_sha256(hashlib.sha256(content).hexdigest(), clip))


def content_sha256(clip: Clip) -> str:
    """SHA-256 of the file's bytes; of that and the stretch, where the clip is one. Raises InvalidClip."""
    with _clip_errors():
        status = regular(clip.path)
    try:
        whole = _file_sha256(clip.path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise InvalidClip(f"{clip.path} cannot be read: {error.strerror}.") from error
    return _stretch_sha256(whole, clip)


@lru_cache(maxsize=64)
def _file_sha256(path: Path, size: int, modified_ns: int) -> str:
    # The stretches of one long file follow each other: without this, an hour in 30 stretches is read 30 times.
    del size, modified_ns
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
