"""Coding: one operating point, one clip: tokens, bits, time and decoded audio. Runs in the main process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codeczoo.codecs import Codec, Encoded, StreamingCodec
from codeczoo.codecs.bits import ledger
from codeczoo.codecs.resampling import resample, resample_blocks
from codeczoo.metrics.base import Audio, Signal

from . import protocol
from .signal import DiskSignal

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Coded:
    """What coding one clip gave; the fields of a record that do not need metrics."""

    encoded: Encoded
    estimate: Signal
    """Mono, at `spec.decoded_sample_rate`."""
    bits: dict[str, float]
    tokens: int | None
    clipped: dict[str, int]
    timing: dict[str, Any] = field(default_factory=dict[str, Any])


class StepFailed(Exception):
    """A step of coding raised; the cause is chained."""

    def __init__(self, step: str, cause: Exception) -> None:
        super().__init__(step)
        self.step = step
        self.cause = cause


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Whatever a codec raises in here is a failure of this step."""
    try:
        yield
    except Exception as error:
        raise StepFailed(name, error) from error


class Stopwatch:
    """Seconds spent in a step; waits for a GPU to finish before it looks at the clock."""

    def __init__(self, device: str) -> None:
        self._device = device
        self.seconds = 0.0

    def _now(self) -> float:
        if self._device.startswith("cuda"):
            import torch

            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def __enter__(self) -> None:
        self._began = self._now()

    def __exit__(self, *_: object) -> None:
        self.seconds += self._now() - self._began


def warm_up(codec: Codec, reference: Signal, sample_rate: int, device: str, seconds: float | None = None) -> None:
    """Code the beginning of the clip, `seconds` or up to one second of it, without measuring it: first calls build
    plans and fill caches. Raises StepFailed."""
    samples = round((1.0 if seconds is None else seconds) * sample_rate)
    head = resample(np.asarray(reference[:samples]), sample_rate, codec.spec.sample_rate)
    with _step("encode"):
        encoded = codec.encode(protocol.to_codec(head, codec.spec).to(device))
    with _step("decode"):
        codec.decode(encoded)


def code(
    codec: Codec, reference: Signal, sample_rate: int, device: str, spool: Path, known: Encoded | None = None
) -> Coded:
    """Encode (unless the tokens are `known`) and decode one clip. Raises StepFailed."""
    seconds = len(reference) / sample_rate
    known = protocol.on_device(known, device) if known is not None else None
    encoding, decoding = Stopwatch(device), Stopwatch(device)
    if isinstance(reference, DiskSignal) and isinstance(codec, StreamingCodec):
        encoded, clipped_in = _encode_blocks(codec, reference, sample_rate, device, encoding, known)
        estimate, clipped_out = _decode_blocks(codec, encoded, decoding, spool)
    else:
        encoded, clipped_in = _encode_whole(codec, reference, sample_rate, device, encoding, known)
        estimate, clipped_out = _decode_whole(codec, encoded, decoding)
    coded = Coded(
        encoded=encoded,
        estimate=estimate,
        bits=ledger(encoded, codec.spec, seconds),
        tokens=sum(int(codes.shape[-1]) for codes in encoded.codes) if encoded.codes else None,
        clipped={"input": clipped_in, "output": clipped_out},
    )
    if known is None:
        coded.timing.update(encode_s=encoding.seconds, encode_rtf=encoding.seconds / seconds)
    coded.timing.update(decode_s=decoding.seconds, decode_rtf=decoding.seconds / seconds)
    return coded


def _encode_whole(
    codec: Codec, reference: Signal, sample_rate: int, device: str, watch: Stopwatch, known: Encoded | None
) -> tuple[Encoded, int]:
    mono = resample(np.asarray(reference[:]), sample_rate, codec.spec.sample_rate)
    clipped = protocol.clipped_samples(mono)
    if known is not None:
        return known, clipped
    audio = protocol.to_codec(mono, codec.spec).to(device)
    with _step("encode"), watch:
        return codec.encode(audio), clipped


def _decode_whole(codec: Codec, encoded: Encoded, watch: Stopwatch) -> tuple[Audio, int]:
    with _step("decode"):
        with watch:
            decoded = codec.decode(encoded)
        mono = protocol.from_codec(decoded)
    return mono, protocol.clipped_samples(mono)


def _encode_blocks(
    codec: StreamingCodec, reference: DiskSignal, sample_rate: int, device: str, watch: Stopwatch, known: Encoded | None
) -> tuple[Encoded, int]:
    """Encode a long clip block by block. Reading and resampling run inside of the encoder's pull, and are taken out of
    its time."""
    clipped = 0
    feeding = Stopwatch("cpu")
    rate = codec.spec.sample_rate

    def blocks() -> Iterator[Tensor]:
        nonlocal clipped
        source = protocol.seconds_blocks(reference, sample_rate)
        resampled = iter(resample_blocks(source, sample_rate, rate))
        while True:
            with feeding:
                mono = next(resampled, None)
                if mono is None:
                    return
                clipped += protocol.clipped_samples(mono)
                block = protocol.to_codec(mono, codec.spec).to(device)
            yield block

    if known is not None:
        for _ in blocks():
            pass
        return known, clipped
    with _step("encode"), watch:
        encoded = codec.encode_blocks(blocks())
    watch.seconds -= feeding.seconds
    return encoded, clipped


def _decode_blocks(codec: StreamingCodec, encoded: Encoded, watch: Stopwatch, spool: Path) -> tuple[DiskSignal, int]:
    clipped = 0

    def blocks() -> Iterator[Audio]:
        nonlocal clipped
        decoded = codec.decode_blocks(encoded)
        while True:
            with watch:
                block = next(decoded, None)
            if block is None:
                return
            mono = protocol.from_codec(block)
            clipped += protocol.clipped_samples(mono)
            yield mono

    with _step("decode"):
        return protocol.to_disk(blocks(), spool), clipped
