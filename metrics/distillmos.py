"""DistillMOS: speech quality predicted from one signal by a small distillate of XLS-R-SQA (variant 7).

The number is that of the package's `ConvTransformerSQAModel` on the whole clip: windows of 7.68 s, a shorter clip
padded with zeros, the mean over windows; every window is scaled to its own peak, so that level does not matter. The
weights are inside the package.

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

SAMPLE_RATE_HZ = 16_000
LONGEST_S = 600.0
SHORTEST_S = 0.1


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
    from distillmos.sqa import MAX_HOP_LEN, SEQ_LEN

    samples = torch.from_numpy(in_memory(signal))
    # The package's windows, one after another instead of all in one batch, whose memory would grow with the clip.
    spare = max(0, len(samples) - SEQ_LEN)
    starts = [int(share * spare) for share in np.linspace(0, 1, math.ceil(spare / MAX_HOP_LEN) + 1)]
    with torch.inference_mode():
        return float(np.mean([float(_model()(samples[None, start : start + SEQ_LEN])) for start in starts]))


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
