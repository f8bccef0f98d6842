"""Codec 2 (D. Rowe): parametric speech coding from 3.2 to 0.7 kbit/s at 8 kHz, through the package pycodec2.

The library gives each frame in whole bytes, so two modes send more than their name says: 1300 (52 bits in 7 bytes) and
700C (28 in 4); bits are counted as sent. Mode 450 of the library is not offered by pycodec2.

Its decoder draws noise for the phases of unvoiced speech from one generator a process, which nothing can reset: the
same packets give other audio each time (about 20 dB apart). Each clip is therefore decoded in a process of its own
(`codec2_decoder.py`), where the noise starts from the same point. It costs about 0.2 s a clip, and is part of the
decoding time that the harness reports.

Speech is rebuilt from its spectrum, not from its waveform, so that waveform metrics mean nothing here, and the delay
is that of the envelope: 20 ms, 30 ms for 700C.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .base import Family, Spec
from .errors import CodecError, InvalidTokens, MissingDependency
from .fingerprint import fingerprint, sha256_of
from .packets import PacketCodec, Samples, to_float32, to_int16

SAMPLE_RATE_HZ = 8_000
_DECODER = Path(__file__).with_name("codec2_decoder.py")
_BLOCK_SAMPLES = 8_000


@dataclass(frozen=True)
class Codec2Coder:
    """A `PacketCoder` of one mode."""

    mode: int
    """Bits a second by which the library knows the mode (700 for 700C)."""
    frame: int
    """Samples."""
    frame_bytes: int
    delay: int
    last_multiple: int | None = None

    def encoder(self) -> Codec2Encoder:
        return Codec2Encoder(self)

    def decode(self, packets: Iterable[bytes]) -> Iterator[Samples]:
        payload = bytearray()
        for index, packet in enumerate(packets):
            if len(packet) != self.frame_bytes:
                raise InvalidTokens(
                    f"Packet {index} has {len(packet)} bytes; Codec 2 {self.mode} has {self.frame_bytes}."
                )
            payload += packet
        with tempfile.TemporaryFile() as audio:
            # -P: the folder of this file would hide modules of the standard library.
            command = [sys.executable, "-P", str(_DECODER), str(self.mode), str(self.frame_bytes)]
            done = subprocess.run(command, input=bytes(payload), stdout=audio, stderr=subprocess.PIPE, check=False)
            if done.returncode != 0:
                last_line = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
                raise CodecError(
                    f"The decoder process of Codec 2 {self.mode} ended with {done.returncode}: {last_line}"
                )
            audio.seek(0)
            while block := audio.read(2 * _BLOCK_SAMPLES):
                yield to_float32(np.frombuffer(block, np.int16))


class Codec2Encoder:
    """A `PacketEncoder` of one mode."""

    def __init__(self, coder: Codec2Coder) -> None:
        self._codec2: Any = _package().Codec2(coder.mode)
        self.frame = coder.frame

    def encode(self, samples: Samples) -> list[bytes]:
        return [self._codec2.encode(to_int16(samples))]

    def finish(self) -> list[bytes]:
        return []


def _package() -> Any:
    if importlib.util.find_spec("pycodec2") is None:
        raise MissingDependency("codec2 needs the package pycodec2: pip install 'codeczoo[codec2]'")
    import pycodec2

    return pycodec2


_POINTS = {
    "0.7kbps": (0.7, Codec2Coder(700, frame=320, frame_bytes=4, delay=240)),
    "1.2kbps": (1.2, Codec2Coder(1200, frame=320, frame_bytes=6, delay=160)),
    "1.3kbps": (1.3, Codec2Coder(1300, frame=320, frame_bytes=7, delay=160)),
    "1.4kbps": (1.4, Codec2Coder(1400, frame=320, frame_bytes=7, delay=160)),
    "1.6kbps": (1.6, Codec2Coder(1600, frame=320, frame_bytes=8, delay=160)),
    "2.4kbps": (2.4, Codec2Coder(2400, frame=160, frame_bytes=6, delay=160)),
    "3.2kbps": (3.2, Codec2Coder(3200, frame=160, frame_bytes=8, delay=160)),
}
"""Rate -> (kbit/s of the name, coder)."""


def _describe(rate: str) -> Spec:
    kbps, coder = _POINTS[rate]
    sent_kbps = 8 * coder.frame_bytes * SAMPLE_RATE_HZ / coder.frame / 1000
    padding = f"; frames are filled to whole bytes, {sent_kbps:g} kbit/s are sent" if sent_kbps > kbps else ""
    return Spec(
        name=f"codec2@{rate}",
        sample_rate=SAMPLE_RATE_HZ,
        requested_kbps=kbps,
        domain="speech",
        causal=True,
        latency_s=(coder.frame + coder.delay) / SAMPLE_RATE_HZ,
        parameters=0,
        paper="Rowe, Techniques for Harmonic Sinusoidal Coding (1997)",
        source="https://github.com/drowe67/codec2",
        licence="LGPL-2.1 (codec2), BSD-3-Clause (pycodec2)",
        notes=f"Mode {'700C' if coder.mode == 700 else coder.mode}{padding}. Parametric: the waveform is not kept.",
    )


def _build(rate: str, device: str) -> PacketCodec:
    _package()
    spec, coder = _describe(rate), _POINTS[rate][1]
    parts = (repr(coder), sha256_of(_DECODER))
    return PacketCodec(spec, coder, fingerprint(spec.name, adapter=__file__, packages=("pycodec2",), parts=parts))


CODEC2 = Family(name="codec2", rates=tuple(_POINTS), describe=_describe, build=_build, extra="codec2")
