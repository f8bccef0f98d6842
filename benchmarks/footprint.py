"""What coding one long clip by a WavTokenizer takes: the peak memory of a process of its own, and time."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codeczoo import codecs

from .errors import BenchmarkError

if TYPE_CHECKING:
    from torch import Tensor

    from codeczoo.codecs.wavtokenizer import WavTokenizer

_BLOCK_S = 10
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Source:
    """Where the model comes from: one of the two is not empty."""

    codec: str = ""
    checkpoint: str = ""

    def load(self) -> WavTokenizer:
        from codeczoo.codecs.wavtokenizer import WavTokenizer

        if self.checkpoint:
            return WavTokenizer.from_checkpoint(self.checkpoint)
        model = getattr(codecs.load(self.codec), "model", None)
        if not isinstance(model, WavTokenizer):
            raise BenchmarkError(f"{self.codec} has no WavTokenizer as its `model`, so there is no whole result.")
        return model


@dataclass(frozen=True)
class Footprint:
    """What coding one clip takes."""

    minutes: float
    peak_mib: float
    encode_s: float
    decode_s: float


def footprint(source: Source, minutes: float) -> Footprint:
    """Code noise of so many minutes in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_footprint, source, minutes).result()


def _footprint(source: Source, minutes: float) -> Footprint:
    import torch

    from codeczoo.codecs.wavtokenizer_long import decode_blocks, encode_blocks

    model = source.load()
    rate = model.config.sample_rate

    def blocks() -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(0)
        left = round(60 * minutes * rate)
        while left:
            size = min(left, _BLOCK_S * rate)
            yield 0.2 * torch.rand(1, 1, size, generator=generator) - 0.1
            left -= size

    began = time.perf_counter()
    codes, length = encode_blocks(model, blocks())
    encoded = time.perf_counter()
    for _ in decode_blocks(model, codes, length):
        pass
    decoded = time.perf_counter()
    return Footprint(minutes, _peak_mib(), encoded - began, decoded - encoded)


def _peak_mib() -> float:
    """Largest resident memory of this process. Not getrusage's, which is at least what its parent had at the start."""
    try:
        status = _STATUS.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BenchmarkError(
            "Peak memory is read from /proc/self/status, so on Linux alone; give --minutes 0."
        ) from error
    return int(next(line for line in status if line.startswith("VmHWM:")).split()[1]) / 1024
