"""Byte codecs: audio cut into frames, each frame sent as one packet of bytes, without any container.

What a codec of this kind does is a `PacketCoder`; what all of them share is here: cutting a clip into frames, silence
behind its end until its last sample has left the decoder, taking the delay away again, and counting bytes.

Conventions. A clip of T samples is followed by zeros up to a whole number of frames that hold `T + delay` samples, and
so has `ceil((T + delay) / frame)` packets, whatever more the encoder gives when it is drained (such packets carry
nothing that the clip needs, and are not sent, nor counted). `decode` drops the first `delay` samples and keeps T.
Every clip has an encoder and a decoder of its own: nothing passes from one clip to the next, and a batch is its clips.

Packets are made on the host: audio on another device is copied from there, and decoded audio is given on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from .base import Encoded, Spec, check_audio
from .errors import CodecError, InvalidAudio, InvalidTokens

if TYPE_CHECKING:
    from torch import Tensor

Samples = NDArray[np.float32]
"""float32 `[T]`, one channel."""

_PIECE_SAMPLES = 1 << 18


class PacketEncoder(Protocol):
    """Encodes one clip; made anew for each."""

    @property
    def frame(self) -> int:
        """Samples a packet."""
        ...

    def encode(self, samples: Samples) -> list[bytes]:
        """One frame to the packets that are ready, often one, none where the encoder looks ahead."""
        ...

    def finish(self) -> list[bytes]:
        """The packets still inside."""
        ...


class PacketCoder(Protocol):
    """How the packets of one operating point are made and read."""

    @property
    def delay(self) -> int:
        """Samples by which decoded audio lags behind what was encoded."""
        ...

    @property
    def last_multiple(self) -> int | None:
        """The last frame may be shortened to a multiple of this many samples; None: it is always whole."""
        ...

    def encoder(self) -> PacketEncoder: ...

    def decode(self, packets: Iterable[bytes]) -> Iterator[Samples]:
        """The packets of one clip to its audio, delay included. Raises InvalidTokens."""
        ...


@dataclass(frozen=True)
class PacketCodec:
    """A `StreamingCodec` of one operating point of a byte codec, one channel."""

    spec: Spec
    coder: PacketCoder = field(repr=False)
    fingerprint: str

    def encode(self, audio: Tensor) -> Encoded:
        """float32 `[B, 1, T]` to packets. Raises InvalidAudio."""
        check_audio(audio, self.spec)
        clips = [self._encode_clip([clip[0].detach().cpu().numpy()]) for clip in audio]
        payload = b"".join(packets for packets, _, _ in clips)
        return Encoded((), audio.shape[2], payload, tuple(sizes for _, sizes, _ in clips))

    def encode_blocks(self, blocks: Iterable[Tensor]) -> Encoded:
        """Blocks float32 `[1, 1, T_i]` of one clip to packets, the same as of their concatenation."""
        payload, sizes, length = self._encode_clip(self._checked(blocks))
        if length == 0:
            raise InvalidAudio(f"{self.spec.name} was given audio without samples: no blocks.")
        return Encoded((), length, payload, (sizes,))

    def decode(self, encoded: Encoded) -> Tensor:
        """Packets to float32 `[B, 1, length]`. Raises InvalidTokens."""
        import torch

        clips = [np.concatenate(list(self._decode_clip(packets, encoded.length))) for packets in self._clips(encoded)]
        return torch.from_numpy(np.stack(clips)[:, None, :])

    def decode_blocks(self, encoded: Encoded) -> Iterator[Tensor]:
        """Packets of one clip to blocks float32 `[1, 1, T_i]`, the concatenation of which equals `decode`."""
        import torch

        clips = self._clips(encoded)
        if len(clips) != 1:
            raise InvalidTokens(f"{self.spec.name} decodes one clip in blocks; these tokens hold {len(clips)}.")
        for samples in self._decode_clip(clips[0], encoded.length):
            yield torch.from_numpy(samples[None, None, :])

    def _checked(self, blocks: Iterable[Tensor]) -> Iterator[Samples]:
        for block in blocks:
            check_audio(block, self.spec)
            if block.shape[0] != 1:
                raise InvalidAudio(f"{self.spec.name} takes blocks of one clip; got {tuple(block.shape)}.")
            yield block[0, 0].detach().cpu().numpy()

    def _encode_clip(self, blocks: Iterable[Samples]) -> tuple[bytes, tuple[int, ...], int]:
        """Payload, packet sizes and length of one clip."""
        encoder = self.coder.encoder()
        frame = encoder.frame
        packets = _Packets()
        pending = np.zeros(0, np.float32)
        length = 0
        for block in _pieces(blocks):
            length += len(block)
            pending = np.concatenate([pending, block])
            whole = len(pending) // frame * frame
            for start in range(0, whole, frame):
                packets.add(encoder.encode(pending[start : start + frame]))
            pending = pending[whole:].copy()
        if length == 0:
            return b"", (), 0
        padded = -(-(length + self.coder.delay) // frame) * frame
        if self.coder.last_multiple is not None:
            padded = -(-(length + self.coder.delay) // self.coder.last_multiple) * self.coder.last_multiple
        tail = np.zeros(padded - (length - len(pending)), np.float32)
        tail[: len(pending)] = pending
        for start in range(0, len(tail), frame):
            packets.add(encoder.encode(tail[start : start + frame]))
        packets.add(encoder.finish())
        needed = -(-padded // frame)
        if len(packets.sizes) < needed:
            raise CodecError(f"The encoder of {self.spec.name} gave {len(packets.sizes)} packets for {needed} frames.")
        sizes = tuple(packets.sizes[:needed])
        del packets.payload[sum(sizes) :]
        return bytes(packets.payload), sizes, length

    def _clips(self, encoded: Encoded) -> list[Iterator[bytes]]:
        """The packets of each clip."""
        name, payload = self.spec.name, encoded.payload
        if payload is None or encoded.codes or not encoded.packet_sizes:
            raise InvalidTokens(f"{name} decodes packets; these tokens hold none. Were they made by another codec?")
        if any(size < 0 for sizes in encoded.packet_sizes for size in sizes):
            raise InvalidTokens(f"{name} was given a packet of negative size.")
        ends = np.cumsum([sum(sizes) for sizes in encoded.packet_sizes])
        if ends[-1] != len(payload):
            raise InvalidTokens(f"{name} was given packets of {ends[-1]} bytes in a payload of {len(payload)} bytes.")
        if encoded.length < 1:
            raise InvalidTokens(f"{name} was given tokens of {encoded.length} samples.")
        starts = [0, *ends[:-1]]
        return [_cut(payload, int(start), sizes) for start, sizes in zip(starts, encoded.packet_sizes, strict=True)]

    def _decode_clip(self, packets: Iterator[bytes], length: int) -> Iterator[Samples]:
        """Audio of one clip, without its delay, exactly `length` samples."""
        skip, left = self.coder.delay, length
        for samples in self.coder.decode(packets):
            kept = samples[skip : skip + left]
            skip = max(0, skip - len(samples))
            left -= len(kept)
            if len(kept):
                yield kept
            if left == 0:
                return
        raise InvalidTokens(f"The packets given to {self.spec.name} end {left} samples before the {length} they claim.")


class _Packets:
    """Packets as they come, joined, so that an hour of them is two objects and not a list of thousands."""

    def __init__(self) -> None:
        self.payload = bytearray()
        self.sizes: list[int] = []

    def add(self, packets: list[bytes]) -> None:
        for packet in packets:
            self.payload += packet
            self.sizes.append(len(packet))


def _pieces(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Blocks, long ones in pieces: an hour in one block must not be copied as a whole."""
    for block in blocks:
        for start in range(0, len(block), _PIECE_SAMPLES):
            yield block[start : start + _PIECE_SAMPLES]


def _cut(payload: bytes, start: int, sizes: tuple[int, ...]) -> Iterator[bytes]:
    for size in sizes:
        yield payload[start : start + size]
        start += size


def to_int16(samples: Samples) -> NDArray[np.int16]:
    """[-1, 1] to 16 bits, rounded; samples outside saturate."""
    return np.clip(np.rint(samples * 32_768.0), -32_768, 32_767).astype(np.int16)


def to_float32(samples: NDArray[np.generic]) -> Samples:
    """16-bit or floating-point samples to float32 in [-1, 1]."""
    if samples.dtype == np.int16:
        return samples.astype(np.float32) / np.float32(32_768)
    return samples.astype(np.float32, copy=False)
