"""The protocol of a measurement: what happens to audio between a file and a number. One place, printed with every run.

    reference file -> mono (mean of channels), native rate
      -> resampled to the codec's rate, copied to each of its channels -> encode -> decode -> mean of channels
      -> trimmed to the reference's length -> scored

Each metric is given reference and estimate at its own rate, both resampled by the same rule; a metric without a rate of
its own gets them at the reference's native rate. Levels are never changed. Nothing is clipped: samples outside
[-1, 1] are counted. Delay is estimated and recorded, and only metrics named `_aligned` compensate it.

Clips longer than `LONG_S` are read, coded (by codecs that can) and scored in blocks, through files.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from codeczoo.codecs import Encoded, InvalidAudio, Spec, resampling
from codeczoo.metrics import Metric
from codeczoo.metrics.base import Audio, Signal

from . import audio
from .clip import Clip
from .errors import InvalidClip
from .signal import DiskSignal, SignalWriter, blocks_of

if TYPE_CHECKING:
    from torch import Tensor

TEXT = (
    "mono reference, resampled to the codec's rate (soxr, very high quality), encoded, decoded, trimmed to the "
    "reference's length; reference and estimate resampled to each metric's rate by the same rule; levels unchanged, "
    "nothing clipped, no alignment except in metrics named _aligned"
)
VERSION = 1
LONG_S = 120.0
"""Clips above this are handled in blocks and through files."""
BLOCK_S = 10.0
_SHORTEST_SHARE = 0.9
_SHORTEST_SLACK_S = 0.5


def metric_identity(metric: Metric) -> str:
    """Everything that decides a metric's number here: the metric's own identity, and how audio gets there."""
    return f"{metric.identity}|{resampling.identity()}|protocol:{VERSION}"


def metric_identity_hash(metric: Metric) -> str:
    """8 hexadecimal digits of `metric_identity`, as records carry them."""
    return hashlib.sha256(metric_identity(metric).encode()).hexdigest()[:8]


def to_disk(blocks: Iterable[Audio], spool: Path) -> DiskSignal:
    """Blocks of a signal, written to a new file in the folder `spool`; `release` removes it."""
    spool.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=spool, suffix=".f32", delete=False) as file:
        path = Path(file.name)
    path.unlink()
    with SignalWriter(path) as writer:
        for block in blocks:
            writer.append(block)
        return writer.finish()


def read_reference(clip: Clip, spool: Path, sha256: str) -> tuple[Signal, int]:
    """The clip as a mono signal at its native rate, on disk in `spool` if it is long. Raises InvalidClip;
    ChangedClip where it is not of the content that `sha256` says."""
    sample_rate, seconds = audio.extent(clip)
    if seconds <= LONG_S:
        signal, sample_rate = audio.clip_samples(clip)
    else:
        signal = to_disk(audio.clip_blocks(clip, round(BLOCK_S * sample_rate)), spool)
    try:
        audio.check_unchanged(clip, sha256)
    except InvalidClip:
        release(signal)
        raise
    return signal, sample_rate


def seconds_blocks(signal: Signal, sample_rate: int) -> Iterable[Audio]:
    """The signal in blocks of `BLOCK_S` seconds."""
    return blocks_of(signal, round(BLOCK_S * sample_rate))


def at_rate(signal: Signal, from_hz: int, to_hz: int, spool: Path) -> Signal:
    """The signal at another rate; itself where the rates are equal. A signal on disk gives a signal on disk."""
    if from_hz == to_hz:
        return signal
    if isinstance(signal, DiskSignal):
        return to_disk(resampling.resample_blocks(seconds_blocks(signal, from_hz), from_hz, to_hz), spool)
    return resampling.resample(np.asarray(signal[:]), from_hz, to_hz)


def release(signal: Signal) -> None:
    """Free what a signal holds on disk."""
    if isinstance(signal, DiskSignal):
        signal.delete()


def to_codec(mono: Audio, spec: Spec) -> Tensor:
    """Mono `[T]` at the codec's rate to the float32 `[1, C, T]` that it takes."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(mono))[None, None].repeat(1, spec.channels, 1)


def on_device(encoded: Encoded, device: str) -> Encoded:
    """Tokens that were read from a file, where the codec wants them."""
    side = {name: values.to(device) for name, values in encoded.side.items()}
    return replace(encoded, codes=tuple(codes.to(device) for codes in encoded.codes), side=side)


def from_codec(decoded: Tensor) -> Audio:
    """What a codec gave, float32 `[1, C, T]`, to mono `[T]`. Raises InvalidAudio where it is not finite."""
    mono = decoded[0].float().mean(dim=0).cpu().numpy()
    if not np.isfinite(mono).all():
        raise InvalidAudio("the codec decoded NaN or infinite samples")
    return mono


def clipped_samples(mono: Audio) -> int:
    """Samples outside [-1, 1]."""
    return int(np.count_nonzero(np.abs(mono) > 1.0))


def length_difference(estimate: int, estimate_hz: int, reference: int, reference_hz: int) -> int:
    """Samples of the estimate minus those that the reference has at the estimate's rate.

    Raises InvalidAudio where so much is missing that the two can hardly be of one clip: more than half a second and a
    tenth of the reference.
    """
    expected = resampling.resampled_length(reference, reference_hz, estimate_hz)
    missing_s = (expected - estimate) / estimate_hz
    if missing_s > _SHORTEST_SLACK_S and estimate < _SHORTEST_SHARE * expected:
        got, wanted = estimate / estimate_hz, expected / estimate_hz
        raise InvalidAudio(f"the estimate has {got:.2f} s where the reference has {wanted:.2f} s: not the same clip?")
    return estimate - expected


def equal_lengths(reference: Signal, estimate: Signal) -> tuple[Signal, Signal]:
    """Both cut to the shorter one's length: the estimate's excess is padding, its lack is recorded as a difference."""
    length = min(len(reference), len(estimate))
    return cut(reference, length), cut(estimate, length)


def cut(signal: Signal, length: int) -> Signal:
    """The first samples of a signal; itself where it is no longer."""
    if len(signal) <= length:
        return signal
    return replace(signal, samples=length) if isinstance(signal, DiskSignal) else signal[:length]
