"""Audio files in, mono float32 out: the one place that opens a user's audio.

Conventions

* read through libsndfile: WAV, FLAC, Ogg Vorbis and Opus, MP3, AIFF, AU, CAF, W64; nothing is guessed from the suffix
* mono is the mean over channels; samples beyond 1 of float files are kept, integers become [-1, 1)
* a stretch is samples round(start x rate) to round((start + seconds) x rate), so that consecutive stretches share no
  sample and leave none out; one that ends beyond the file ends with the file
* whatever cannot be used (not audio, no samples, NaN) raises InvalidAudioFile: nothing is repaired in silence. So does
  a file that ends early, where its format states a length (FLAC, MP3): a cut WAV or Ogg looks like a shorter one
* read in blocks or at once gives the same samples (MP3: to the last bit, which libsndfile makes depend on the blocks)
* a stretch is found by seeking. A frame of MP3 needs bits of frames before it, and after a seek libsndfile gives some
  damaged samples, and complains on stderr: MP3 is decoded from the file's start, beyond 30 s from half a second before
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import InvalidAudioFile
from .resampling import Audio

if TYPE_CHECKING:
    import soundfile

AUDIO_SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".caf", ".w64", ".rf64",
)  # fmt: skip
UNREAD_SUFFIXES = (".m4a", ".mp4", ".aac", ".webm", ".wma", ".mka", ".amr", ".ac3", ".raw")
"""Audio that libsndfile does not read, or only on trust: folders say that they leave such files out."""

LOWEST_RATE_HZ = 4_000
HIGHEST_RATE_HZ = 192_000

BLOCK_FRAMES = 1 << 20

_MP3_FROM_START_S = 30.0
_MP3_BEFORE_S = 0.5


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


class AudioFile:
    """An open file: `open_audio` gives it."""

    def __init__(self, path: Path, file: soundfile.SoundFile) -> None:
        self._path = path
        self._file = file
        self.info = _info(path, file)

    def stretch(self, start_s: float, seconds: float | None) -> tuple[int, int]:
        """First frame and the one after the last of a stretch. Raises InvalidAudioFile where it holds no samples."""
        info, path = self.info, self._path
        start = frame_at(start_s, info.sample_rate)
        end = info.frames if seconds is None else min(frame_at(start_s + seconds, info.sample_rate), info.frames)
        if start < 0 or start >= info.frames:
            where = f"a stretch that starts at {start_s:g} s is not in it"
            raise InvalidAudioFile(f"{path} is {info.seconds:.3f} s long; {where}.")
        if end <= start:
            raise InvalidAudioFile(f"A stretch of {seconds} s from {start_s:g} s of {path} holds no samples.")
        return start, end

    def blocks(self, start: int, end: int, block_frames: int = BLOCK_FRAMES) -> Iterator[Audio]:
        """Frames `start` to `end` as mono blocks float32 `[T_i]` of `block_frames` (the last may be shorter). Raises
        InvalidAudioFile, as late as the block that is wrong."""
        file, info, path = self._file, self.info, self._path
        before = self._needed_before(start)
        if start > before:
            file.seek(start - before)
        position = start
        while position < end:
            wanted = min(block_frames, end - position)
            # In one call with what comes before: soundfile seeks after each.
            block = np.asarray(file.read(before + wanted, dtype="float32", always_2d=True), np.float32)[before:]
            before = 0
            if len(block) == 0:
                states = f"{position} of the {info.frames} samples that its header states"
                raise InvalidAudioFile(f"{path} ends after {states}: it is truncated.")
            if not np.isfinite(block).all():
                first = position + int(np.argmin(np.isfinite(block).all(axis=1)))
                seconds = first / info.sample_rate
                raise InvalidAudioFile(f"{path} has NaN or infinite samples, the first at {seconds:.3f} s.")
            position += len(block)
            yield block[:, 0] if info.channels == 1 else block.mean(axis=1, dtype=np.float64).astype(np.float32)

    def _needed_before(self, start: int) -> int:
        """Frames before `start` that are decoded for its sake."""
        if not self.info.subtype.startswith("MPEG_LAYER"):
            return 0
        rate = self.info.sample_rate
        return start if start <= _MP3_FROM_START_S * rate else round(_MP3_BEFORE_S * rate)

    def read(self, start: int, end: int) -> Audio:
        """Frames `start` to `end` as mono float32 `[end - start]`. Raises InvalidAudioFile."""
        blocks = list(self.blocks(start, end))
        return np.ascontiguousarray(blocks[0] if len(blocks) == 1 else np.concatenate(blocks))


@contextmanager
def open_audio(path: Path) -> Iterator[AudioFile]:
    """Open a file. Raises InvalidAudioFile, also for what goes wrong while it is open."""
    import soundfile

    if regular(path).st_size == 0:
        raise InvalidAudioFile(f"{path} is an empty file.")
    if path.suffix.lower() in UNREAD_SUFFIXES:
        raise InvalidAudioFile(f"{path.name}: {path.suffix} files are not read; convert {path} to FLAC or WAV.")
    try:
        # Of a file object libsndfile would read through callbacks, in which Ctrl-C is swallowed and what they were to
        # read is made up. Its descriptor takes names of any bytes, which a path does not.
        with path.open("rb", buffering=0) as raw, soundfile.SoundFile(raw.fileno(), closefd=False) as file:
            yield AudioFile(path, file)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.removeprefix("Error : ").rstrip(".")
        raise InvalidAudioFile(
            f"{path} cannot be read as audio ({reason}); WAV, FLAC, Ogg or MP3 is needed."
        ) from error
    except OSError as error:
        raise InvalidAudioFile(f"{path} cannot be read: {error.strerror}.") from error


def regular(path: Path) -> os.stat_result:
    """The file's status. Raises InvalidAudioFile unless it is a regular file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise InvalidAudioFile(f"{path} does not exist.") from None
    except OSError as error:
        raise InvalidAudioFile(f"{path} cannot be read: {error.strerror}.") from error
    if stat.S_ISDIR(status.st_mode):
        raise InvalidAudioFile(f"{path} is a folder, not an audio file.")
    # A pipe or device under an audio file's name would be waited for without end.
    if not stat.S_ISREG(status.st_mode):
        raise InvalidAudioFile(f"{path} is not a regular file.")
    return status


def _info(path: Path, file: soundfile.SoundFile) -> AudioInfo:
    if file.frames == 0:
        raise InvalidAudioFile(f"{path} holds no samples.")
    if not LOWEST_RATE_HZ <= file.samplerate <= HIGHEST_RATE_HZ:
        allowed = f"{LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz are taken"
        raise InvalidAudioFile(f"{path} has a sample rate of {file.samplerate} Hz; {allowed}. Resample it first.")
    return AudioInfo(file.samplerate, file.channels, file.frames, file.subtype)


def frame_at(seconds: float, sample_rate: int) -> int:
    """The sample at which a stretch begins or ends."""
    # start + seconds of one stretch and the start of the next may differ in their last bit, and must not fall to
    # either side of half a sample.
    return round(round(seconds * sample_rate, 6))
