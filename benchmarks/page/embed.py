"""Audio inside of a page: mono float32 to a file's bytes to a `data:` URI.

`flac` is 16 bits, lossless but for the rounding to them (no dither: the noise is 98 dB below full scale). `opus` is a
twentieth of WAV and changes what is heard: a page that uses it says so. Nothing is clipped: audio beyond full scale is
refused, because `level.match` leaves none.
"""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from codeczoo.codecs.resampling import Audio, resample

Format = Literal["flac", "opus"]
FORMATS: tuple[Format, ...] = get_args(Format)
DESCRIPTIONS: dict[Format, str] = {
    "flac": "FLAC, 16 bits: as the codec gave it",
    "opus": "Opus, which adds its own coding noise: use FLAC where codecs are to be judged",
}

_MIME: dict[Format, str] = {"flac": "audio/flac", "opus": "audio/ogg; codecs=opus"}
_OPUS_HZ = 48_000
_BYTES_A_SAMPLE = 1.0
"""Of FLAC: half of its 16 bits."""
_OPUS_BYTES_A_SECOND = 10_000


@dataclass(frozen=True)
class Embedded:
    """One encoded audio file."""

    mime: str
    content: bytes

    @property
    def base64(self) -> str:
        """The bytes as ASCII: letters, digits, `+`, `/` and `=`, so that no HTML, JSON or URI needs to escape them."""
        return base64.b64encode(self.content).decode("ascii")

    @property
    def uri(self) -> str:
        """For `src`; a page that forbids requests must allow `data:` for media."""
        return f"data:{self.mime};base64,{self.base64}".replace("; ", ";")


def likely_bytes(seconds: float, sample_rate_hz: int, kind: Format) -> float:
    """About what a stretch of speech or music takes in a page, as base64."""
    a_second = _BYTES_A_SAMPLE * sample_rate_hz if kind == "flac" else _OPUS_BYTES_A_SECOND
    return seconds * a_second * 4 / 3


def embed(audio: Audio, sample_rate_hz: int, kind: Format = "flac") -> Embedded:
    """Encode mono float32 `[T]` within [-1, 1]."""
    import soundfile

    if audio.ndim != 1 or not len(audio):
        raise ValueError(f"Audio to embed is mono [T], T >= 1; got {audio.shape}.")
    peak = float(np.abs(audio).max())
    if not peak <= 1.0:
        raise ValueError(f"Audio to embed is within [-1, 1]; its peak is {peak:g}. Bring it to a level first.")
    # A file, not memory: that would be written through callbacks, in which Ctrl-C is swallowed and bytes are lost.
    with tempfile.TemporaryFile() as file:
        to = file.fileno()
        if kind == "flac":
            # Rounded here: libsndfile would scale full scale to 32767 or 32768 depending on the sign.
            samples = np.clip(np.rint(audio.astype(np.float64) * 32768.0), -32768, 32767).astype(np.int16)
            soundfile.write(to, samples, sample_rate_hz, "PCM_16", format="FLAC", closefd=False, compression_level=1.0)
        else:
            at_48k = np.clip(resample(np.ascontiguousarray(audio, np.float32), sample_rate_hz, _OPUS_HZ), -1.0, 1.0)
            soundfile.write(to, at_48k, _OPUS_HZ, "OPUS", format="OGG", closefd=False)
        file.seek(0)
        return Embedded(_MIME[kind], file.read())
