"""Audio files in, mono float32 out: the one place of the harness that opens a user's audio.

Conventions

* read through libsndfile: WAV, FLAC, Ogg Vorbis and Opus, MP3, AIFF, AU, CAF, W64; nothing is guessed from the suffix
* mono is the mean over channels; samples beyond 1 of float files are kept, integers become [-1, 1)
* a stretch is samples round(start x rate) to round((start + seconds) x rate), so that consecutive stretches share no
  sample and leave none out; one that ends beyond the file ends with the file
* whatever cannot be measured (not audio, no samples, NaN) raises InvalidClip: nothing is repaired in silence. So does
  a file that ends early, where its format states a length (FLAC, MP3): a cut WAV or Ogg looks like a shorter one
* read in blocks or at once gives the same samples (MP3: to the last bit, which libsndfile makes depend on the blocks)
* a piece of a passage is read from its parts, a part after the other, without anything between them
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from codeczoo.codecs.fingerprint import sha256_of
from codeczoo.metrics.base import Audio

from .clip import Clip, Piece
from .errors import InvalidClip

if TYPE_CHECKING:
    import soundfile

AUDIO_SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".caf", ".w64", ".rf64",
)  # fmt: skip
UNREAD_SUFFIXES = (".m4a", ".mp4", ".aac", ".webm", ".wma", ".mka", ".amr", ".ac3", ".raw")
"""Audio that libsndfile does not read, or only on trust: folders say that they leave such files out."""

LOWEST_RATE_HZ = 4_000
HIGHEST_RATE_HZ = 192_000

_BLOCK_FRAMES = 1 << 20
_IN_MEMORY_BYTES = 64 << 20


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says."""

    sample_rate: int
    """Hz."""
    channels: int
    frames: int
    """Samples a channel."""
    subtype: str
    """libsndfile's word for the sample format: `PCM_16`, `FLOAT`, `VORBIS`."""

    @property
    def seconds(self) -> float:
        return self.frames / self.sample_rate


@dataclass(frozen=True, eq=False)
class ClipAudio:
    """A clip that was read, checked and hashed in one pass."""

    audio: Audio
    """Mono float32 `[T]`, T >= 1, finite."""
    info: AudioInfo
    """Of the whole file; of a piece of a passage, of the file it begins in."""
    sha256: str


def probe(path: Path) -> AudioInfo:
    """A file's header. Raises InvalidClip."""
    with _opened(path) as file:
        return _info(path, file)


def read_mono(path: Path, start_s: float = 0.0, seconds: float | None = None) -> tuple[Audio, int]:
    """A stretch of a file as mono float32 `[T]`, and its sample rate in Hz. Raises InvalidClip."""
    with _opened(path) as file:
        blocks = list(_blocks(path, file, start_s, seconds, _BLOCK_FRAMES))
        return _joined(blocks), file.samplerate


def read_blocks(
    path: Path, start_s: float = 0.0, seconds: float | None = None, block_frames: int = _BLOCK_FRAMES
) -> Iterator[Audio]:
    """`read_mono` in blocks float32 `[T_i]` of `block_frames` samples (the last may be shorter), in memory that does
    not grow with the file. Raises InvalidClip, as late as the block that is wrong."""
    if block_frames < 1:
        raise ValueError(f"Blocks hold at least one frame; got block_frames={block_frames}.")
    with _opened(path) as file:
        yield from _blocks(path, file, start_s, seconds, block_frames)


def extent(clip: Clip) -> tuple[int, float]:
    """A clip's sample rate in Hz and its length in seconds, by its file's header alone. Raises InvalidClip."""
    if clip.piece is not None:
        return clip.piece.sample_rate, clip.piece.samples / clip.piece.sample_rate
    info = probe(clip.path)
    return info.sample_rate, info.seconds - clip.start_s if clip.seconds is None else clip.seconds


def stretch_frames(clip: Clip) -> tuple[int, int, int]:
    """Sample rate in Hz of a clip's file, and the samples at which the clip begins and ends in it, by its header alone.
    Raises InvalidClip."""
    info = probe(clip.path)
    return info.sample_rate, *_bounds(clip.path, info, clip.start_s, clip.seconds)


def clip_blocks(clip: Clip, block_frames: int = _BLOCK_FRAMES) -> Iterator[Audio]:
    """A clip, or a piece of a passage, in blocks float32 `[T_i]` of at most `block_frames` samples. Raises
    InvalidClip."""
    if clip.piece is None:
        return read_blocks(clip.path, clip.start_s, clip.seconds, block_frames)
    return _piece_blocks(clip.piece, block_frames)


def clip_samples(clip: Clip) -> tuple[Audio, int]:
    """A clip, or a piece of a passage, as mono float32 `[T]`, and its sample rate in Hz. Raises InvalidClip."""
    if clip.piece is None:
        return read_mono(clip.path, clip.start_s, clip.seconds)
    return _joined(list(clip_blocks(clip))), clip.piece.sample_rate


def read_clip(clip: Clip) -> ClipAudio:
    """A clip's samples, header and content hash; a file of up to 64 MiB is read from disk once. Raises InvalidClip."""
    path = clip.path
    if clip.piece is not None or _regular(path).st_size > _IN_MEMORY_BYTES:
        audio, _ = clip_samples(clip)
        return ClipAudio(audio, probe(path), content_sha256(clip))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidClip(f"{path} cannot be read: {error.strerror}.") from error
    with _opened(path, io.BytesIO(content)) as file:
        info = _info(path, file)
        audio = _joined(list(_blocks(path, file, clip.start_s, clip.seconds, _BLOCK_FRAMES)))
    return ClipAudio(audio, info, _stretch_sha256(hashlib.sha256(content).hexdigest(), clip))


def content_sha256(clip: Clip) -> str:
    """SHA-256 of the file's bytes; of that and the stretch, where the clip is one; of those of all parts, where it is a
    piece of a passage. Raises InvalidClip."""
    if clip.piece is None:
        return _stretch_sha256(_sha256_at(clip.path), clip)
    parts = [f"{_sha256_at(part.path)} {part.start} {part.samples}" for part in clip.piece.parts]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _sha256_at(path: Path) -> str:
    status = _regular(path)
    try:
        return _file_sha256(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise InvalidClip(f"{path} cannot be read: {error.strerror}.") from error


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


def _regular(path: Path) -> os.stat_result:
    """The file's status. Raises InvalidClip unless it is a regular file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise InvalidClip(f"{path} does not exist.") from None
    except OSError as error:
        raise InvalidClip(f"{path} cannot be read: {error.strerror}.") from error
    if stat.S_ISDIR(status.st_mode):
        raise InvalidClip(f"{path} is a folder, not an audio file.")
    # A pipe or device under an audio file's name would be waited for without end.
    if not stat.S_ISREG(status.st_mode):
        raise InvalidClip(f"{path} is not a regular file.")
    return status


@contextmanager
def _opened(path: Path, content: BinaryIO | None = None) -> Iterator[soundfile.SoundFile]:
    import soundfile

    if _regular(path).st_size == 0:
        raise InvalidClip(f"{path} is an empty file.")
    if path.suffix.lower() in UNREAD_SUFFIXES:
        raise InvalidClip(f"{path.name}: {path.suffix} files are not read; convert {path} to FLAC or WAV.")
    try:
        with content or path.open("rb") as source, soundfile.SoundFile(source) as file:
            yield file
    except soundfile.LibsndfileError as error:
        reason = error.error_string.removeprefix("Error : ").rstrip(".")
        raise InvalidClip(f"{path} cannot be read as audio ({reason}); WAV, FLAC, Ogg or MP3 is needed.") from error
    except OSError as error:
        raise InvalidClip(f"{path} cannot be read: {error.strerror}.") from error


def _info(path: Path, file: soundfile.SoundFile) -> AudioInfo:
    if file.frames == 0:
        raise InvalidClip(f"{path} holds no samples.")
    if not LOWEST_RATE_HZ <= file.samplerate <= HIGHEST_RATE_HZ:
        allowed = f"{LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
        raise InvalidClip(f"{path} has a sample rate of {file.samplerate} Hz; {allowed} are taken. Resample it first.")
    return AudioInfo(file.samplerate, file.channels, file.frames, file.subtype)


def _blocks(
    path: Path, file: soundfile.SoundFile, start_s: float, seconds: float | None, block_frames: int
) -> Iterator[Audio]:
    info = _info(path, file)
    start, end = _bounds(path, info, start_s, seconds)
    return _frames(path, file, info, start, end, block_frames)


def _bounds(path: Path, info: AudioInfo, start_s: float, seconds: float | None) -> tuple[int, int]:
    start = frame_at(start_s, info.sample_rate)
    end = info.frames if seconds is None else min(frame_at(start_s + seconds, info.sample_rate), info.frames)
    if start < 0 or start >= info.frames:
        raise InvalidClip(f"{path} is {info.seconds:.3f} s long; a stretch that starts at {start_s:g} s is not in it.")
    if end <= start:
        raise InvalidClip(f"A stretch of {seconds} s from {start_s:g} s of {path} holds no samples.")
    return start, end


def _piece_blocks(piece: Piece, block_frames: int) -> Iterator[Audio]:
    for part in piece.parts:
        with _opened(part.path) as file:
            info = _info(part.path, file)
            end = part.start + part.samples
            if info.sample_rate != piece.sample_rate or info.frames < end:
                raise InvalidClip(f"{part.path} has changed since the passages were laid out; start the run again.")
            yield from _frames(part.path, file, info, part.start, end, block_frames)


def _frames(
    path: Path, file: soundfile.SoundFile, info: AudioInfo, start: int, end: int, block_frames: int
) -> Iterator[Audio]:
    if start:
        file.seek(start)
    position = start
    while position < end:
        block = np.asarray(file.read(min(block_frames, end - position), dtype="float32", always_2d=True), np.float32)
        if len(block) == 0:
            raise InvalidClip(
                f"{path} ends after {position} of the {info.frames} samples that its header states: it is truncated."
            )
        if not np.isfinite(block).all():
            first = position + int(np.argmin(np.isfinite(block).all(axis=1)))
            raise InvalidClip(f"{path} has NaN or infinite samples, the first at {first / info.sample_rate:.3f} s.")
        position += len(block)
        yield block[:, 0] if info.channels == 1 else block.mean(axis=1, dtype=np.float64).astype(np.float32)


def frame_at(seconds: float, sample_rate: int) -> int:
    """The sample at which a stretch begins or ends."""
    # start + seconds of one stretch and the start of the next may differ in their last bit, and must not fall to
    # either side of half a sample.
    return round(round(seconds * sample_rate, 6))


def _joined(blocks: list[Audio]) -> Audio:
    return np.ascontiguousarray(blocks[0] if len(blocks) == 1 else np.concatenate(blocks))
