"""DNSMOS: overall, signal and background quality (P.835) and overall quality (P.808), predicted from one signal.

The numbers are those of `speechmos.dnsmos.run(audio, 16000)`: windows of 9.01 s every second, a shorter clip repeated
until it fills one, the mean over windows. The networks are inside the package; their sessions are held for the life of
the process and run on one thread, since the harness runs one process a core.

Audio outside [-1, 1] is undefined, not clipped and not scaled: the package refuses it, and either would rate another
signal than the codec gave. So is silence, which the networks would rate as some speech.

Sources: C. Reddy et al., "DNSMOS P.835", ICASSP 2022; "DNSMOS", ICASSP 2021 (P.808); package speechmos.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from .base import Features, Measure, Metric, MetricError, Signal, Undefined, Values, check_pair
from .undefined import check_usable, in_memory
from .versions import tagged

if TYPE_CHECKING:
    from speechmos import dnsmos as package

SAMPLE_RATE_HZ = 16_000
LONGEST_S = 600.0
SHORTEST_S = 0.1
NAMES = ("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "dnsmos_p808")


@lru_cache(maxsize=1)
def _predictor() -> package.DNSMOS:
    """The package's predictor around sessions of one thread: its own constructor would take every core."""
    import onnxruntime
    from speechmos import dnsmos as package

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    folder = files("speechmos") / "dnsmos_models"

    def session(name: str) -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])

    predictor = package.DNSMOS.__new__(package.DNSMOS)
    predictor.onnx_sess = session("sig_bak_ovr.onnx")
    predictor.p808_onnx_sess = session("model_v8.onnx")
    return predictor


def dnsmos(signal: Signal, sample_rate: int) -> dict[str, float]:
    """The four scores of one signal at 16 kHz, by metric. Raises Undefined for silence and for audio above full
    scale."""
    if sample_rate != SAMPLE_RATE_HZ:
        raise MetricError(f"dnsmos_ovrl takes audio at {SAMPLE_RATE_HZ} Hz; got {sample_rate} Hz. Resample first.")
    check_usable(None, signal, sample_rate, least_samples=int(SHORTEST_S * sample_rate), longest_s=LONGEST_S)
    samples = in_memory(signal)
    peak = float(np.max(np.abs(samples)))
    if peak > 1:
        raise Undefined(f"the signal exceeds full scale (peak {peak:.3f}); DNSMOS takes audio in [-1, 1]")
    found = _predictor()(samples, sample_rate, False)
    return {name: float(found[f"{name.removeprefix('dnsmos_')}_mos"]) for name in NAMES}


def analyse(signal: Signal, sample_rate: int) -> Features:
    """The scores of one signal."""
    return {name: np.array(score) for name, score in dnsmos(signal, sample_rate).items()}


def compare(reference: Signal, estimate: Signal, sample_rate: int, _: Features | None) -> Values:
    """The scores of the estimate."""
    check_pair(reference, estimate, sample_rate, NAMES, SAMPLE_RATE_HZ)
    return dnsmos(estimate, sample_rate)


def reference_scores(features: Features) -> dict[str, float]:
    """The reference's own scores."""
    return {name: float(features[name]) for name in NAMES}


def _fact(name: str, paper: str, description: str) -> Metric:
    return Metric(
        name=name,
        unit="MOS",
        higher_is_better=True,
        sample_rate=SAMPLE_RATE_HZ,
        inputs="estimate",
        source=f"{paper}; speechmos.dnsmos.run(audio, 16000)",
        identity=f"{name}|fs:{SAMPLE_RATE_HZ}|longest_s:{LONGEST_S:g}|{tagged('speechmos', 'onnxruntime', 'librosa')}",
        description=description,
        domains=("speech",),
        value_range=(0.0, 5.5),
    )


_P835 = "Reddy et al., DNSMOS P.835, ICASSP 2022"
DNSMOS = Measure(
    metrics=(
        _fact("dnsmos_ovrl", _P835, "Predicted overall quality (P.835), as codec comparisons such as DASB print it."),
        _fact("dnsmos_sig", _P835, "Predicted quality of the speech itself (P.835)."),
        _fact("dnsmos_bak", _P835, "Predicted absence of background noise (P.835)."),
        _fact("dnsmos_p808", "Reddy et al., DNSMOS, ICASSP 2021", "Predicted overall quality (P.808)."),
    ),
    compare=compare,
    analyse=analyse,
    reference_scores=reference_scores,
    max_seconds=LONGEST_S,
)
