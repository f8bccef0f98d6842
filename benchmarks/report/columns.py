"""How a metric is printed: its label, its digits, and its place, after the columns of WavTokenizer's Table 1.

Facts (unit, direction) belong to the metric; only the typography is here. A metric that is not listed is printed
under its own name, after the listed ones, with the digits of its unit.
"""

from __future__ import annotations

from collections.abc import Iterable

from codeczoo.metrics import Metric

LABELS: dict[str, str] = {
    "utmos": "UTMOS",
    "pesq_wb": "PESQ",
    "stoi": "STOI",
    "vuv_f1": "V/UV F1",
    "vuv_f1_yin": "V/UV F1 (YIN)",
    "pesq_nb": "PESQ-NB",
    "estoi": "ESTOI",
    "si_sdr": "SI-SDR",
    "si_sdr_aligned": "SI-SDR aligned",
    "mel_distance": "Mel distance",
    "mel_distance_taae": "Mel distance (TAAE)",
    "stft_distance": "STFT distance",
    "stft_distance_taae": "STFT distance (TAAE)",
    "f0_rmse_cents": "F0 RMSE",
    "periodicity_rmse": "Periodicity RMSE",
    "f0_rmse_cents_yin": "F0 RMSE (YIN)",
    "dnsmos_ovrl": "DNSMOS OVRL",
    "dnsmos_sig": "DNSMOS SIG",
    "dnsmos_bak": "DNSMOS BAK",
    "dnsmos_p808": "DNSMOS P.808",
    "distillmos": "DistillMOS",
    "encode_rtf": "Encode RTF",
    "decode_rtf": "Decode RTF",
}
"""In the order of the columns: the four of WavTokenizer's Table 1 first."""

MAIN = (
    "utmos", "pesq_wb", "stoi", "vuv_f1", "vuv_f1_yin", "si_sdr_aligned", "mel_distance", "stft_distance", "distillmos",
)  # fmt: skip
"""Metrics of the overview figure, as far as they were measured."""

_DIGITS = {"pesq_wb": 3, "pesq_nb": 3, "stoi": 4, "estoi": 4, "vuv_f1": 4, "vuv_f1_yin": 4}
_UNIT_DIGITS = {"dB": 2, "MOS": 3, "cents": 1, "Hz": 1, "ms": 1, "1": 4, "": 4}
_OTHER_DIGITS = 3


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Metric names in the order of the columns; unlisted ones by name, last."""
    place = {name: number for number, name in enumerate(LABELS)}
    return tuple(sorted(names, key=lambda name: (place.get(name, len(place)), name)))


def label(name: str) -> str:
    """What the metric is called in a table's head."""
    return LABELS.get(name, name)


def unit(metric: Metric) -> str:
    """The unit to print; empty for ratios and for opinion scores, whose name says it."""
    return "" if metric.unit in ("1", "", "MOS") else metric.unit


def head(metric: Metric) -> str:
    """`SI-SDR (dB) ↑`: label, unit, and where better is."""
    named = f"{label(metric.name)} ({unit(metric)})" if unit(metric) else label(metric.name)
    return f"{named} {'↑' if metric.higher_is_better else '↓'}"


def digits(metric: Metric) -> int:
    """Decimals of a mean."""
    return _DIGITS.get(metric.name, _UNIT_DIGITS.get(metric.unit, _OTHER_DIGITS))


def kbps_text(kbps: float) -> str:
    """Three significant digits, never as a power of ten."""
    return f"{kbps:.{3 if kbps < 1 else 2 if kbps < 10 else 1 if kbps < 100 else 0}f}"


def rate_text(per_second: float) -> str:
    """Tokens a second, without decimals that say nothing: `900`, `40`, `12.5`."""
    return f"{per_second:.1f}".removesuffix(".0")
