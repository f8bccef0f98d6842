"""The one place that resamples: soxr at its very high quality.

T samples at `from_hz` become exactly ceil(T x to_hz / from_hz) at `to_hz`: one sample stays at least one sample, and
every output instant lies within the input's duration. Delay is zero: sample k of the output is at k / to_hz seconds.
In blocks or at once is the same engine; beyond both ends the signal counts as silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
"""Mono float32 `[T]`."""

_QUALITY = "VHQ"


def identity() -> str:
    """What the resampler adds to the identity of every number: `resampler:soxr_vhq:1.0.0`."""
    return f"resampler:soxr_vhq:{version('soxr')}"


def resampled_length(samples: int, from_hz: int, to_hz: int) -> int:
    """The length law: ceil(samples x to_hz / from_hz), in whole numbers."""
    return -(-samples * to_hz // from_hz)


def resample(audio: Audio, from_hz: int, to_hz: int) -> Audio:
    """float32 `[T]` to float32 `[ceil(T x to_hz / from_hz)]`; at equal rates the very array that was given."""
    if from_hz == to_hz:
        return audio
    blocks = list(resample_blocks((audio,), from_hz, to_hz))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def resample_blocks(blocks: Iterable[Audio], from_hz: int, to_hz: int) -> Iterator[Audio]:
    """Blocks float32 `[T_i]` of one signal to blocks whose concatenation is `resample` of theirs. Blocks of the output
    have other lengths than those of the input; none is empty."""
    if from_hz < 1 or to_hz < 1:
        raise ValueError(f"Sample rates are positive; got {from_hz} and {to_hz} Hz.")
    if from_hz == to_hz:
        yield from (block for block in blocks if len(block))
        return
    import soxr

    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=_QUALITY)
    taken = given = 0
    for block in blocks:
        if block.ndim != 1 or block.dtype != np.float32:
            raise ValueError(f"Audio to resample is float32 [T]; got {block.dtype} {block.shape}.")
        taken += len(block)
        resampled = stream.resample_chunk(np.ascontiguousarray(block))
        given += len(resampled)
        if len(resampled):
            yield resampled
    # soxr rounds its own length down: the silence after the end makes it give the last sample that the law asks for.
    rest = resampled_length(taken, from_hz, to_hz) - given
    if rest > 0:
        silence = np.zeros(2 * -(-from_hz // to_hz) + 1, np.float32)
        yield stream.resample_chunk(silence, last=True)[:rest]
