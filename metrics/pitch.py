"""V/UV F1, pitch error and periodicity error by CREPE, the definition that codec papers print.

CREPE full as torchcrepe runs it in WavTokenizer's metric script: 16 kHz, window 1024, hop 160, no padding, bins from 50
to 550 Hz, Viterbi over the whole clip; the periodicity of a frame is the network's output at the decoded bin, 0 in
silence (see `voicing`), and a frame is voiced from 0.21 on.

What differs, without changing a decision:

* torchcrepe adds random dither of up to 20 cents to the pitch; here the pitch is the centre of its bin, so that a clip
  has one value and equal signals have error 0. Periodicity and voicing do not depend on it
* the network runs in batches and its second layer, nine tenths of the work, is convolved by FFT: outputs within 1e-5,
  four times as fast (about 1.5 s of one core a second of audio, once for each signal)

Sources: J. W. Kim et al., "CREPE", ICASSP 2018; M. Morrison, torchcrepe; M. Morrison et al., CARGAN, ICLR 2022.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from .base import Audio, Features, Measure, Metric, MetricError, Signal, Values, check_pair
from .undefined import check_usable, in_memory
from .versions import tagged
from .voicing import (
    HIGHEST_HZ,
    HOP,
    LOWEST_HZ,
    SAMPLE_RATE_HZ,
    SILENCE_DB,
    WINDOW,
    Array,
    Track,
    f0_rmse_cents,
    frames,
    periodicity_rmse,
    silent_frames,
    voiced_f1,
)

if TYPE_CHECKING:
    import torch
    from torchcrepe import Crepe

VOICED_FROM = 0.21
LONGEST_S = 120.0
BATCH_FRAMES = 64
NAMES = ("vuv_f1", "f0_rmse_cents", "periodicity_rmse")

_BINS = 360
_CENTS_PER_BIN = 20
_LOWEST_BIN_CENTS = 1997.3794084376191
"""Above 10 Hz."""
_TRANSITION_BINS = 12
_PADDING = {512: (254, 254), 64: (31, 32)}
_FFT = 192
"""Of the second layer: its padded input has 191 samples."""


@lru_cache(maxsize=1)
def _network() -> tuple[Crepe, torch.Tensor]:
    """The network, and the spectra of its second layer's kernels `[97, 1024, 128]`."""
    import torch
    from torchcrepe import Crepe

    network = Crepe("full")
    network.load_state_dict(
        torch.load(str(files("torchcrepe") / "assets" / "full.pth"), map_location="cpu", weights_only=True)
    )
    network.eval()
    with torch.inference_mode():
        kernels = torch.fft.rfft(network.conv2.weight[..., 0].flip(-1), _FFT).permute(2, 1, 0).contiguous()
    return network, kernels


def _probabilities(batch: torch.Tensor) -> torch.Tensor:
    """The network's output `[N, 360]` for normalised frames `[N, 1024]`."""
    import torch
    from torch.nn import functional

    network, kernels = _network()
    hidden = batch[:, None]
    for number in range(1, 7):
        convolution = getattr(network, f"conv{number}")
        norm = getattr(network, f"conv{number}_BN")
        taps = convolution.weight.shape[2]
        hidden = functional.pad(hidden, _PADDING[taps])
        if number == 2:
            width = hidden.shape[-1]
            spectra = torch.fft.rfft(hidden, _FFT).permute(2, 0, 1).contiguous()
            product = torch.matmul(spectra, kernels).permute(1, 2, 0).contiguous()
            hidden = torch.fft.irfft(product, _FFT)[..., taps - 1 : width] + convolution.bias[:, None]
        else:
            hidden = functional.conv1d(hidden, convolution.weight[..., 0], convolution.bias, convolution.stride[0])
        hidden = functional.batch_norm(
            functional.relu(hidden), norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
        )
        hidden = functional.max_pool1d(hidden, 2, 2)
    return torch.sigmoid(network.classifier(hidden.permute(0, 2, 1).reshape(-1, network.in_features)))


def _normalised(cut: Audio) -> torch.Tensor:
    """Frames of zero mean and unit (sample) deviation."""
    import torch

    batch = torch.from_numpy(cut.copy())
    batch -= batch.mean(dim=1, keepdim=True)
    return batch / batch.std(dim=1, keepdim=True).clamp(min=1e-10)


@lru_cache(maxsize=1)
def _transition() -> Array:
    """Probabilities of moving between bins: falling linearly to zero at 12 bins."""
    distance = np.abs(np.subtract.outer(np.arange(_BINS), np.arange(_BINS)))
    weights = np.maximum(_TRANSITION_BINS - distance, 0).astype(np.float64)
    return weights / weights.sum(axis=1, keepdims=True)


def _bins_of_range() -> tuple[int, int]:
    """First bin of the range and the one after its last."""
    low, high = ((1200 * np.log2(hz / 10) - _LOWEST_BIN_CENTS) / _CENTS_PER_BIN for hz in (LOWEST_HZ, HIGHEST_HZ))
    return int(np.floor(low)), int(np.ceil(high))


def track(signal: Signal, sample_rate: int) -> Track:
    """Pitch and periodicity of a signal at 16 kHz. Raises Undefined for clips out of bounds."""
    import librosa
    import torch

    if sample_rate != SAMPLE_RATE_HZ:
        raise MetricError(f"vuv_f1 takes audio at {SAMPLE_RATE_HZ} Hz; got {sample_rate} Hz. Resample first.")
    check_usable(None, signal, sample_rate, least_samples=WINDOW, longest_s=LONGEST_S, silence=False)
    samples = in_memory(signal)
    cut = frames(samples)
    with torch.inference_mode():
        batches = [
            _probabilities(_normalised(cut[start : start + BATCH_FRAMES])) for start in range(0, len(cut), BATCH_FRAMES)
        ]
        outputs = torch.cat(batches)
        low, high = _bins_of_range()
        outputs[:, :low] = -torch.inf
        outputs[:, high:] = -torch.inf
        shares = torch.softmax(outputs, dim=1).T.numpy()
    bins = librosa.sequence.viterbi(shares, _transition()).astype(np.int64)
    periodicity = outputs.numpy()[np.arange(len(bins)), bins].astype(np.float64)
    periodicity[silent_frames(samples)] = 0
    cents = _CENTS_PER_BIN * bins + _LOWEST_BIN_CENTS
    return Track(pitch_hz=10 * 2 ** (cents / 1200), periodicity=periodicity)


def analyse(signal: Signal, sample_rate: int) -> Features:
    """The track of one signal."""
    return track(signal, sample_rate).features()


def compare(reference: Signal, estimate: Signal, sample_rate: int, features: Features | None) -> Values:
    """The three values. Raises Undefined for clips out of bounds."""
    check_pair(reference, estimate, sample_rate, NAMES, SAMPLE_RATE_HZ)
    first = Track.of(features) if features is not None else track(reference, sample_rate)
    second = track(estimate, sample_rate)
    voiced = first.periodicity >= VOICED_FROM, second.periodicity >= VOICED_FROM
    return {
        "vuv_f1": voiced_f1(*voiced),
        "f0_rmse_cents": f0_rmse_cents(first, second, *voiced),
        "periodicity_rmse": periodicity_rmse(first, second),
    }


def _fact(name: str, unit: str, higher_is_better: bool, description: str, value_range: tuple[float, float]) -> Metric:
    identity = (
        f"{name}|fs:{SAMPLE_RATE_HZ}|crepe:full|window:{WINDOW}|hop:{HOP}|hz:{LOWEST_HZ:g}-{HIGHEST_HZ:g}|viterbi"
        f"|dither:none|voiced:{VOICED_FROM}|silence_db:{SILENCE_DB:g}|longest_s:{LONGEST_S:g}|{tagged('torchcrepe')}"
    )
    return Metric(
        name=name,
        unit=unit,
        higher_is_better=higher_is_better,
        sample_rate=SAMPLE_RATE_HZ,
        inputs="pair",
        source="Morrison et al., CARGAN, ICLR 2022; torchcrepe full as in WavTokenizer's metrics script",
        identity=identity,
        description=description,
        domains=("speech",),
        value_range=value_range,
    )


CREPE = Measure(
    metrics=(
        _fact("vuv_f1", "1", True, "F1 of voiced frames, as WavTokenizer and UniCodec print V/UV F1.", (0.0, 1.0)),
        _fact("f0_rmse_cents", "cents", False, "Pitch error where both are voiced, as Vocos prints it.", (0.0, 4300.0)),
        _fact("periodicity_rmse", "1", False, "Difference of periodicity, as Vocos prints it.", (0.0, 1.0)),
    ),
    compare=compare,
    analyse=analyse,
    max_seconds=LONGEST_S,
)
