"""DistillMOS: speech quality predicted from one signal by a small distillate of XLS-R-SQA (variant 7).

The number is that of the package's `ConvTransformerSQAModel` on the whole clip: windows of 7.68 s, a shorter clip
padded with zeros, the mean over windows; every window is scaled to its own peak, so that level does not matter. The
weights are inside the package.

Of a clip shorter than a window the convolutions see the signal alone. What they give in the zeros behind it is one
column over and over, and three more at the window's end; these are the same for every clip and are computed once. The
value is the package's to the order of summation.

Source: B. Stahl and H. Gamper, "Distillation and Pruning for Scalable Self-Supervised Representation-Based Speech
Quality Assessment", ICASSP 2025; package distillmos.
"""

from __future__ import annotations

import contextlib
import io
import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .base import Features, Measure, Metric, MetricError, Signal, Values, check_pair
from .undefined import check_usable, in_memory
from .versions import tagged

if TYPE_CHECKING:
    from distillmos import ConvTransformerSQAModel
    from torch import Tensor

SAMPLE_RATE_HZ = 16_000
LONGEST_S = 600.0
SHORTEST_S = 0.1


WINDOW_SAMPLES = 122_880
LONGEST_HOP = 16_000
_FRAME = 320
_HOP = 160
_COLUMNS = 384
"""Of a window's features: the last convolution takes every second frame."""
_SEEN_AHEAD = 6
"""Frames beyond its own that a column sees: five convolutions of three frames, and one over every second."""
_END_COLUMNS = 3
"""Columns that see the window's end."""


@lru_cache(maxsize=1)
def _model() -> ConvTransformerSQAModel:
    from distillmos import ConvTransformerSQAModel

    # The constructor prints where the weights lie.
    with contextlib.redirect_stdout(io.StringIO()):
        return ConvTransformerSQAModel().eval()


def distillmos(signal: Signal, sample_rate: int) -> float:
    """The score of one signal at 16 kHz. Raises Undefined for silence and for clips out of bounds."""
    import torch

    if sample_rate != SAMPLE_RATE_HZ:
        raise MetricError(f"distillmos takes audio at {SAMPLE_RATE_HZ} Hz; got {sample_rate} Hz. Resample first.")
    check_usable(None, signal, sample_rate, least_samples=int(SHORTEST_S * sample_rate), longest_s=LONGEST_S)
    samples = torch.from_numpy(in_memory(signal))
    head = _head_columns(len(samples))
    with torch.inference_mode():
        if head + _END_COLUMNS > _COLUMNS:
            # The windows one by one: the package takes all in one batch, whose memory grows with the clip.
            spare = max(0, len(samples) - WINDOW_SAMPLES)
            starts = [int(share * spare) for share in np.linspace(0, 1, math.ceil(spare / LONGEST_HOP) + 1)]
            windows = (samples[None, start : start + WINDOW_SAMPLES] for start in starts)
            return float(np.mean([float(_model()(window)) for window in windows]))
        silent, end = _silent_columns()
        between = silent.expand(-1, _COLUMNS - head - _END_COLUMNS, -1)
        features = torch.cat((_columns(samples, head), between, end), dim=1)
        return 1 + 4 * float(_model().transformer_pool_attn(features))


def _head_columns(samples: int) -> int:
    """Columns that see the signal."""
    frames_with_sound = -(-(samples + (_FRAME - _HOP) // 2) // _HOP)
    return (frames_with_sound + _SEEN_AHEAD + 1) // 2


def _columns(samples: Tensor, count: int) -> Tensor:
    """The first columns `[1, count, 1024]` of a signal, scaled to its peak, with zeros behind it."""
    import torch
    from torch.nn import functional

    border = (_FRAME - _HOP) // 2
    frames = 2 * count + _SEEN_AHEAD - 1
    scaled = samples / (samples.abs().max() + 1e-8)
    padded = functional.pad(scaled, (0, max(0, frames * _HOP - len(scaled))))[None]
    padded = functional.pad(padded, (border, border), mode="reflect")
    window = torch.hann_window(_FRAME)
    spectrum = torch.stft(padded, _FRAME, _HOP, window=window, center=False, return_complex=True)[..., :frames]
    magnitude = spectrum.abs().clamp(min=1e-12)
    compressed = torch.view_as_real(spectrum * (magnitude**0.3 / magnitude)).permute(0, 3, 1, 2)
    return _model().cnn.cnn(compressed).flatten(1, 2)[..., :count].permute(0, 2, 1)


@lru_cache(maxsize=1)
def _silent_columns() -> tuple[Tensor, Tensor]:
    """What the convolutions give in zeros: one column `[1, 1, 1024]` far from the ends, and the window's last three."""
    import torch

    frames = 8 * _SEEN_AHEAD
    columns = _model().cnn.cnn(torch.zeros(1, 2, _FRAME // 2 + 1, frames)).flatten(1, 2).permute(0, 2, 1)
    middle = frames // 4
    return columns[:, middle : middle + 1], columns[:, -_END_COLUMNS:]


def analyse(signal: Signal, sample_rate: int) -> Features:
    """The score of one signal."""
    return {"distillmos": np.array(distillmos(signal, sample_rate))}


def compare(reference: Signal, estimate: Signal, sample_rate: int, _: Features | None) -> Values:
    """The score of the estimate."""
    check_pair(reference, estimate, sample_rate, ("distillmos",), SAMPLE_RATE_HZ)
    return {"distillmos": distillmos(estimate, sample_rate)}


def reference_scores(features: Features) -> dict[str, float]:
    """The reference's own score."""
    return {"distillmos": float(features["distillmos"])}


DISTILLMOS = Measure(
    metrics=(
        Metric(
            name="distillmos",
            unit="MOS",
            higher_is_better=True,
            sample_rate=SAMPLE_RATE_HZ,
            inputs="estimate",
            source="Stahl and Gamper, ICASSP 2025; package distillmos, variant 7",
            identity=f"distillmos|fs:{SAMPLE_RATE_HZ}|variant:7|longest_s:{LONGEST_S:g}|{tagged('distillmos')}",
            description="Predicted overall quality of speech, for where UTMOS is not at hand; no codec paper has it.",
            domains=("speech",),
            value_range=(0.0, 6.0),
        ),
    ),
    compare=compare,
    analyse=analyse,
    reference_scores=reference_scores,
    max_seconds=LONGEST_S,
)
