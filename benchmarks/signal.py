"""Mono float32 signals on disk: what a clip of an hour is while it is resampled, decoded and scored.

In memory a signal is a NumPy array `[T]`; on disk it is a `DiskSignal`. Both are `codeczoo.metrics.base.Signal`: a
length and slices. Slices are read from the file, not mapped: mapped pages would count as this process' memory.

    with spool(read_blocks(path)) as signal:
        pool.submit(score, signal)      # a DiskSignal is pickled as its path
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from codeczoo.metrics.base import Audio, Signal

_DTYPE = np.dtype("<f4")


@dataclass(frozen=True)
class DiskSignal:
    """Samples in a raw little-endian float32 file. As a context manager it deletes the file at the end."""

    path: Path
    samples: int

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, key: slice, /) -> Audio:
        start, stop, step = key.indices(self.samples)
        if step != 1:
            raise ValueError(f"Signals on disk are read in contiguous slices; got a step of {step}.")
        count = max(0, stop - start)
        block = np.fromfile(self.path, dtype=_DTYPE, count=count, offset=start * _DTYPE.itemsize)
        if len(block) != count:
            raise ValueError(f"{self.path} is shorter than the {self.samples} samples it was written with.")
        return block.astype(np.float32, copy=False)

    def delete(self) -> None:
        """Remove the file; once is enough, twice is no error."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> DiskSignal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.delete()


class SignalWriter:
    """Appends blocks to a new file; `finish` closes it and gives the signal. As a context manager it closes the file,
    and deletes it where the block was left by an error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.samples = 0
        self._file = path.open("xb")

    def append(self, block: Audio) -> None:
        """Add float32 `[T_i]`."""
        if block.ndim != 1 or block.dtype != np.float32:
            raise ValueError(f"Blocks of a signal are float32 [T]; got {block.dtype} {block.shape}.")
        self._file.write(np.ascontiguousarray(block, dtype=_DTYPE).data)
        self.samples += len(block)

    def finish(self) -> DiskSignal:
        self._file.close()
        return DiskSignal(self.path, self.samples)

    def __enter__(self) -> SignalWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._file.close()
        if kind is not None:
            self.path.unlink(missing_ok=True)


def blocks_of(signal: Signal, block_samples: int) -> Iterator[Audio]:
    """A signal in consecutive blocks of `block_samples` (the last may be shorter)."""
    if block_samples < 1:
        raise ValueError(f"Blocks hold at least one sample; got {block_samples}.")
    for start in range(0, len(signal), block_samples):
        yield signal[start : start + block_samples]


@contextmanager
def spool(blocks: Iterable[Audio], folder: Path | None = None) -> Iterator[DiskSignal]:
    """Blocks float32 `[T_i]` as a signal in a temporary file of `folder` (None: the system's), gone at the end."""
    with tempfile.TemporaryDirectory(prefix="codeczoo-", dir=folder) as temporary:
        with SignalWriter(Path(temporary) / "signal.f32") as writer:
            for block in blocks:
                writer.append(block)
        yield writer.finish()
