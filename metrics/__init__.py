"""Metrics: (reference, estimate) -> one number a clip, or `Undefined` with a reason.

`score(name, reference, estimate, sample_rate)` computes one; `metric(name)` gives its facts, `names()` lists all.
"""

from .base import Measure, Metric, MetricError, MetricWeightsMissing, Undefined, UnknownMetric
from .registry import measure, measures, metric, names, score

__all__ = [
    "Measure",
    "Metric",
    "MetricError",
    "MetricWeightsMissing",
    "Undefined",
    "UnknownMetric",
    "measure",
    "measures",
    "metric",
    "names",
    "score",
]
