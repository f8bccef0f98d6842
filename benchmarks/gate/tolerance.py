"""How large a drop of a mean is tolerated, and how much the same version changes from run to run.

A tolerance has the metric's own unit. The defaults lie above what threads, processors and token flips change in a mean
over some dozen clips, and below what anyone would call a change of quality; `--tolerance pesq_wb=0.05` sets another.

Repeats, runs of the baseline's version under other circumstances (again, on other threads, on another machine), show
the noise itself. Of each codec and metric the floor is the larger of

* the largest change of the mean that a repeat shows, and
* three standard errors of a mean of as many clips, from the spread of the clips' own changes,

and no tolerance is below its floor. A repeat that has fewer than two of a codec's clips says nothing of it; the verdict
names it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.statistics.paired import Incomparable, Side, pair
from codeczoo.metrics import Metric

BY_UNIT = {"MOS": 0.02, "dB": 0.1, "nats": 0.005, "cents": 1.0, "1": 0.002}
"""Drop of a mean that is tolerated, by the metric's unit."""
OTHER = 0.01
_STANDARD_ERRORS = 3.0


def default(metric: Metric) -> float:
    """The tolerance of a metric where nobody sets another."""
    return BY_UNIT.get(metric.unit, OTHER)


def parse(given: Iterable[str], metrics: Sequence[str]) -> dict[str, float]:
    """`NAME=VALUE` to tolerances by metric. Raises BenchmarkError."""
    found: dict[str, float] = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not equals or not 0 <= number < math.inf:
            raise BenchmarkError(f"A tolerance reads NAME=VALUE, as in pesq_wb=0.05, from 0 up; got {text!r}.")
        if name not in metrics:
            there = ", ".join(metrics)
            raise BenchmarkError(f"There is a tolerance for {name}, which the baseline does not score: {there}.")
        found[name] = number
    return found


@dataclass(frozen=True)
class Noise:
    """What repeats say of one metric of one codec."""

    floor: float
    """How far noise alone moves the mean; 0 where no repeat says anything."""
    remarks: tuple[str, ...]
    """Repeats that say nothing though they are of this codec, and why."""


def noise_of(baseline: Side, repeats: Sequence[Side], metric: str, n_clips: int) -> Noise:
    """How far noise alone moves the mean over `n_clips` clips.

    Raises Incomparable where a repeat was scored under another definition of the metric."""
    means: list[float] = []
    changes: list[np.ndarray] = []
    remarks: list[str] = []
    for number, each in enumerate(repeats, start=1):
        shared = len(each.values.keys() & baseline.values.keys())
        if shared and each.identities != baseline.identities:
            raise Incomparable(f"the repeats score {metric} under another definition than the baseline")
        if shared < 2:
            if each.clips:
                held = "one of these clips alone" if shared else "none of these clips"
                remarks.append(f"repeat {number} has a value of {held}, which says nothing of their noise")
            continue
        differences = pair(each, baseline, metric).differences
        means.append(abs(float(differences.mean())))
        changes.append(differences)
    if not changes:
        return Noise(0.0, tuple(remarks))
    spread = float(np.sqrt(np.mean(np.square(np.concatenate(changes)))))
    return Noise(max([*means, _STANDARD_ERRORS * spread / math.sqrt(n_clips)]), tuple(remarks))
