"""UTMOS: naturalness of speech predicted from one signal, the UTMOS22 strong learner and nothing else.

The number is that of the package's `UTMOSScoreTorch`: wav2vec 2.0 base with domain 0 and listener 288, mean over
frames, times 2 plus 3. The weights are not in the package; `codeczoo.metrics.weights` says where they are
looked for. Unlike in the package, missing or unknown keys are an error: half a model gives a number too.

The identity holds the SHA-256 of the weights found, so that another file is another metric; it is `absent` where there
is none, and then no number is either.

Source: T. Saeki et al., "UTMOS: UTokyo-SaruLab System for VoiceMOS Challenge 2022", Interspeech 2022; package
utmos-pytorch, a port of sarulab-speech/UTMOS22 without fairseq. Papers resample by torchaudio, this harness by soxr.
"""

from __future__ import annotations

import pickle
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import weights
from .base import Features, Measure, Metric, MetricError, MetricWeightsMissing, Signal, Values, check_pair
from .undefined import check_usable, in_memory
from .versions import tagged

if TYPE_CHECKING:
    from utmos_pytorch import UTMOSScoreTorch

SAMPLE_RATE_HZ = 16_000
LONGEST_S = 60.0
"""Attention over all frames: a gigabyte at a minute, growing with the square."""
SHORTEST_S = 0.1
"""wav2vec 2.0 needs 400 samples for its first frame; below some frames there is no naturalness to speak of."""


@lru_cache(maxsize=1)
def _model(path: Path, sha256: str) -> UTMOSScoreTorch:
    """The package's model with the weights of a file; the hash makes a changed file another model."""
    import torch
    from utmos_pytorch import UTMOSScoreTorch
    from utmos_pytorch.utmos_torch import UTMOSModel

    with torch.device("meta"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*weight_norm.*", category=FutureWarning)
        expected = set(UTMOSModel().state_dict())
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise MetricError(
            f"{path} does not hold PyTorch weights; `codeczoo fetch utmos` gets the real ones."
        ) from error
    different = sorted(expected.symmetric_difference(found))
    if different:
        raise MetricError(
            f"{path} does not hold the weights of UTMOS22 strong: {len(different)} names differ, such as "
            f"{different[0]!r}. `codeczoo fetch utmos` gets the real ones."
        )
    with warnings.catch_warnings():
        # The package uses a weight norm that torch wants replaced; its parameters' names are those of the weights.
        warnings.filterwarnings("ignore", message=".*weight_norm.*", category=FutureWarning)
        return UTMOSScoreTorch(ckpt_path=str(path)).eval()


def utmos(signal: Signal, sample_rate: int) -> float:
    """The score of one signal at 16 kHz. Raises Undefined for silence and clips out of bounds, MetricWeightsMissing
    where the weights are not on this machine."""
    import torch

    if sample_rate != SAMPLE_RATE_HZ:
        raise MetricError(f"utmos takes audio at {SAMPLE_RATE_HZ} Hz; got {sample_rate} Hz. Resample first.")
    check_usable(None, signal, sample_rate, least_samples=int(SHORTEST_S * sample_rate), longest_s=LONGEST_S)
    path = weights.find(weights.UTMOS)
    with torch.inference_mode():
        return float(_model(path, weights.sha256(path))(torch.from_numpy(in_memory(signal))))


def analyse(signal: Signal, sample_rate: int) -> Features:
    """The score of one signal."""
    return {"utmos": np.array(utmos(signal, sample_rate))}


def compare(reference: Signal, estimate: Signal, sample_rate: int, _: Features | None) -> Values:
    """The score of the estimate."""
    check_pair(reference, estimate, sample_rate, ("utmos",), SAMPLE_RATE_HZ)
    return {"utmos": utmos(estimate, sample_rate)}


def reference_scores(features: Features) -> dict[str, float]:
    """The reference's own score."""
    return {"utmos": float(features["utmos"])}


def measure() -> Measure:
    """The measure, with the weights that are on this machine now."""
    try:
        return _measure(weights.sha256(weights.find(weights.UTMOS)))
    except MetricWeightsMissing:
        return _measure("absent")


@lru_cache(maxsize=4)
def _measure(sha256: str) -> Measure:
    fact = Metric(
        name="utmos",
        unit="MOS",
        higher_is_better=True,
        sample_rate=SAMPLE_RATE_HZ,
        inputs="estimate",
        source="Saeki et al., Interspeech 2022; UTMOSScoreTorch of utmos-pytorch (UTMOS22 strong)",
        identity=f"utmos|fs:{SAMPLE_RATE_HZ}|longest_s:{LONGEST_S:g}|{tagged('utmos-pytorch')}|sha256:{sha256}",
        description="Predicted naturalness of speech, as WavTokenizer and UniCodec print it.",
        domains=("speech",),
        value_range=(-5.0, 11.0),
    )
    return Measure(
        metrics=(fact,),
        compare=compare,
        analyse=analyse,
        reference_scores=reference_scores,
        max_seconds=LONGEST_S,
    )
