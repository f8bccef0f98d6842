"""The registry of metrics: one literal table from names to where their measures are defined, imported late."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable

from .base import Features, Measure, Metric, Signal, Undefined, UnknownMetric, check_pair

TABLE: dict[str, str] = {
    "pesq_wb": "codeczoo.metrics.pesq:WIDE_BAND",
    "pesq_nb": "codeczoo.metrics.pesq:NARROW_BAND",
    "stoi": "codeczoo.metrics.stoi:STOI",
    "estoi": "codeczoo.metrics.stoi:STOI",
    "si_sdr": "codeczoo.metrics.si_sdr:SI_SDR",
    "si_sdr_aligned": "codeczoo.metrics.si_sdr:SI_SDR",
    "mel_distance": "codeczoo.metrics.mel:MEL",
    "mel_distance_taae": "codeczoo.metrics.mel:MEL_TAAE",
    "stft_distance": "codeczoo.metrics.stft:STFT",
    "stft_distance_taae": "codeczoo.metrics.stft:STFT_TAAE",
    "vuv_f1": "codeczoo.metrics.pitch:CREPE",
    "f0_rmse_cents": "codeczoo.metrics.pitch:CREPE",
    "periodicity_rmse": "codeczoo.metrics.pitch:CREPE",
    "vuv_f1_yin": "codeczoo.metrics.yin:YIN",
    "f0_rmse_cents_yin": "codeczoo.metrics.yin:YIN",
    "utmos": "codeczoo.metrics.utmos:measure",
    "dnsmos_ovrl": "codeczoo.metrics.dnsmos:DNSMOS",
    "dnsmos_sig": "codeczoo.metrics.dnsmos:DNSMOS",
    "dnsmos_bak": "codeczoo.metrics.dnsmos:DNSMOS",
    "dnsmos_p808": "codeczoo.metrics.dnsmos:DNSMOS",
    "distillmos": "codeczoo.metrics.distillmos:DISTILLMOS",
}
"""Metric -> `module:attribute` of its `Measure`, or of a function that gives it (an identity that names weights)."""


def names() -> tuple[str, ...]:
    """Every metric, in the table's order."""
    return tuple(TABLE)


def measure(name: str) -> Measure:
    """The measure that gives a metric. Raises UnknownMetric with the nearest names."""
    if name not in TABLE:
        near = difflib.get_close_matches(name, TABLE, n=4, cutoff=0.4)
        hint = f"Nearest: {', '.join(near)}." if near else f"There are: {', '.join(TABLE)}."
        raise UnknownMetric(f"There is no metric named {name!r}. {hint} `codeczoo list metrics` shows all.")
    module, _, attribute = TABLE[name].partition(":")
    defined = getattr(importlib.import_module(module), attribute)
    found = defined if isinstance(defined, Measure) else defined()
    assert isinstance(found, Measure), TABLE[name]
    return found


def metric(name: str) -> Metric:
    """Facts of one metric. Raises UnknownMetric."""
    return next(metric for metric in measure(name).metrics if metric.name == name)


def measures(metric_names: Iterable[str]) -> tuple[Measure, ...]:
    """The distinct measures that give these metrics, in order of first use."""
    return tuple(dict.fromkeys(measure(name) for name in metric_names))


def score(
    name: str, reference: Signal, estimate: Signal, sample_rate: int, reference_features: Features | None = None
) -> float:
    """One metric of one clip: mono float32 `[T]`, reference first, at `sample_rate` Hz.

    Raises Undefined where the clip has no value, MetricError where the call is wrong.
    """
    found = measure(name)
    check_pair(reference, estimate, sample_rate, (name,), found.sample_rate)
    value = found.compare(reference, estimate, sample_rate, reference_features)[name]
    if isinstance(value, Undefined):
        raise value
    return value
