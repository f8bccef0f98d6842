"""The zoo's metrics as a training's validation scores: held-out crops measured as a benchmark measures clips.

Reference and estimate are resampled to the metric's own rate by the protocol's resampler; levels are left alone. What a
crop has no value in (PESQ of silence) is None, and the training counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codeczoo import metrics
from codeczoo.codecs.resampling import resample
from codeczoo.metrics import Undefined
from codeczoo.metrics.base import Audio

from .errors import BenchmarkError

USUAL = ("pesq_wb", "stoi", "mel_distance")
"""What is measured unless something else is asked for."""


@dataclass(frozen=True)
class ZooScores:
    """(reference, estimate, sample rate in Hz), mono float32 `[T]`, to a value a metric; None: there is none."""

    names: tuple[str, ...]

    def __call__(self, reference: Audio, estimate: Audio, sample_rate: int) -> Mapping[str, float | None]:
        scores: dict[str, float | None] = dict.fromkeys(self.names)
        for measure in metrics.measures(self.names):
            rate = measure.sample_rate or sample_rate
            pair = (resample(reference, sample_rate, rate), resample(estimate, sample_rate, rate))
            try:
                values = measure.compare(*pair, rate, None)
            except Undefined:
                continue
            for name in measure.names:
                if name in scores and isinstance(value := values[name], float):
                    scores[name] = value
        return scores


def decisive(names: Sequence[str], asked: str | None) -> tuple[str, bool]:
    """The score that tells which step is best, and whether higher is better: what was asked for, else PESQ where it is
    measured, else the mel loss. Raises BenchmarkError."""
    name = asked or ("pesq_wb" if "pesq_wb" in names else "mel")
    if name == "mel":
        return name, False
    if name not in names:
        raise BenchmarkError(
            f"{name} is to tell which step is best, but it is not measured; there are {', '.join(names)}."
        )
    return name, metrics.metric(name).higher_is_better
