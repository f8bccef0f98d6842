"""The plain loop: a codec comparison as it is written in an afternoon, what `codeczoo bench` is timed against.

For each operating point, for each clip: read the file, mix to mono, resample, encode, decode, resample, and call every
metric's package on the pair. One process, every library at its own default of threads; models are loaded once. Codecs
are the same adapters as the runner's, and the packages the same as the metrics'. Two things are ours: pitch, which no
package gives with its periodicity, and soxr's length law, since one sample less changes how many windows DNSMOS takes.
Nothing is known of a reference between two operating points.

It is a yardstick, not a harness: no record, no resume, no reason where a number is missing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from codeczoo.codecs import Codec
from codeczoo.codecs.resampling import resample
from codeczoo.metrics.base import Audio

from .clip import Clip
from .errors import BenchmarkError

Scores = dict[tuple[str, str], dict[str, float]]
"""By (codec, clip), then by metric."""

_MAX_DELAY_S = 0.2


@dataclass
class Loop:
    """What the loop gave and where its time went."""

    scores: Scores = field(default_factory=dict[tuple[str, str], dict[str, float]])
    step_s: dict[str, float] = field(default_factory=lambda: defaultdict[str, float](float))
    """Wall seconds by step: `read`, `resample`, `encode`, `decode`, and the first metric of each package call."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Charge a block to a step."""
        began = time.perf_counter()
        yield
        self.step_s[name] += time.perf_counter() - began


Call = Callable[[Audio, Audio, int], Sequence[float]]
"""Reference, estimate and their rate in Hz to the values of a package's metrics; NaN where it has none."""


@dataclass(frozen=True)
class Package:
    """One call of a package, and the metrics that it gives."""

    metrics: tuple[str, ...]
    sample_rate: int | None
    load: Callable[[], Call]
    looks_at_one: bool = False
    """Whether it looks at the estimate alone: then the reference has a score too, once a clip, for the table's first
    row, as the runner's records have it."""


def load(metrics: Sequence[str]) -> list[tuple[Package, Call]]:
    """The packages of some metrics, imported and with their models in memory. Raises BenchmarkError for a metric that
    the loop does not have."""
    unknown = [name for name in metrics if not any(name in package.metrics for package in PACKAGES)]
    if unknown:
        known = ", ".join(name for package in PACKAGES for name in package.metrics)
        raise BenchmarkError(f"The plain loop does not have {', '.join(unknown)}; it has {known}.")
    return [(package, package.load()) for package in PACKAGES if set(package.metrics) & set(metrics)]


def loop(
    codecs: Iterable[Codec], clips: Sequence[Clip], packages: list[tuple[Package, Call]], metrics: Sequence[str]
) -> Loop:
    """Score every clip under every codec, one after the other."""
    done = Loop()
    for clip in clips:
        _score_reference(clip, packages, done)
    for codec in codecs:
        for clip in clips:
            scores = _measure(codec, clip, packages, done)
            done.scores[codec.spec.name, clip.name] = {name: scores[name] for name in metrics}
    return done


def _score_reference(clip: Clip, packages: list[tuple[Package, Call]], done: Loop) -> None:
    import soundfile

    with done.step("read"):
        audio, rate = soundfile.read(clip.path, dtype="float32", always_2d=True)
        reference = audio.mean(axis=1)
    for package, call in packages:
        if package.looks_at_one:
            wanted = package.sample_rate or rate
            with done.step("resample"):
                signal = resample(reference, rate, wanted)
            with done.step(package.metrics[0]):
                call(signal, signal, wanted)


def _measure(codec: Codec, clip: Clip, packages: list[tuple[Package, Call]], done: Loop) -> dict[str, float]:
    import soundfile
    import torch

    def resampled(audio: Audio, from_hz: int, to_hz: int) -> Audio:
        with done.step("resample"):
            return resample(audio, from_hz, to_hz)

    with done.step("read"):
        audio, rate = soundfile.read(clip.path, dtype="float32", always_2d=True)
        reference = audio.mean(axis=1)
    spec = codec.spec
    given = resampled(reference, rate, spec.sample_rate)
    with done.step("encode"):
        encoded = codec.encode(torch.from_numpy(given)[None, None].repeat(1, spec.channels, 1))
    with done.step("decode"):
        estimate = codec.decode(encoded)[0].mean(dim=0).numpy()
    scores: dict[str, float] = {}
    for package, call in packages:
        wanted = package.sample_rate or rate
        first = resampled(reference, rate, wanted)
        second = resampled(estimate, spec.decoded_sample_rate, wanted)
        length = min(len(first), len(second))
        with done.step(package.metrics[0]):
            values = call(first[:length], second[:length], wanted)
        scores.update((name, float(value)) for name, value in zip(package.metrics, values, strict=True))
    return scores


def _pesq(mode: str) -> Callable[[], Call]:
    def make() -> Call:
        from pesq import pesq

        return lambda reference, estimate, rate: [pesq(rate, reference, estimate, mode)]

    return make


def _stoi(extended: bool) -> Callable[[], Call]:
    def make() -> Call:
        from pystoi import stoi

        return lambda reference, estimate, rate: [stoi(reference, estimate, rate, extended=extended)]

    return make


def _si_sdr_of(reference: Audio, estimate: Audio) -> float:
    first, second = (part.astype(np.float64) - part.mean(dtype=np.float64) for part in (reference, estimate))
    target = np.dot(first, second) / np.dot(first, first) * first
    return float(10 * np.log10(np.sum(target**2) / np.sum((second - target) ** 2)))


def _si_sdr() -> Call:
    return lambda reference, estimate, _: [_si_sdr_of(reference, estimate)]


def _si_sdr_aligned() -> Call:
    from scipy.signal import correlate, correlation_lags

    def aligned(reference: Audio, estimate: Audio, rate: int) -> Sequence[float]:
        first, second = (part.astype(np.float64) - part.mean(dtype=np.float64) for part in (reference, estimate))
        lags = correlation_lags(len(second), len(first))
        near = np.abs(lags) <= int(_MAX_DELAY_S * rate)
        lag = int(lags[near][np.argmax(correlate(second, first)[near])])
        if lag >= 0:
            return [_si_sdr_of(reference[: len(reference) - lag], estimate[lag:])]
        return [_si_sdr_of(reference[-lag:], estimate[:lag])]

    return aligned


def _mel() -> Call:
    import torch
    from torchaudio.transforms import MelSpectrogram

    spectrogram = MelSpectrogram(24_000, 1024, hop_length=256, n_mels=100, power=1)

    def distance(reference: Audio, estimate: Audio, _: int) -> Sequence[float]:
        first, second = (spectrogram(torch.from_numpy(part)).clip(1e-7).log() for part in (reference, estimate))
        return [float((first - second).abs().mean())]

    return distance


def _convergence_and_logs(first: Any, second: Any) -> float:
    return float((first - second).norm() / first.norm() + (first.log() - second.log()).abs().mean())


def _magnitudes(audio: Audio, hop: int) -> Any:
    import torch

    window = torch.hann_window(2048)
    return torch.stft(torch.from_numpy(audio), 2048, hop, window=window, return_complex=True).abs().clip(1e-4)


def _mel_taae() -> Call:
    import librosa
    import torch

    bands = torch.from_numpy(librosa.filters.mel(sr=16_000, n_fft=2048, n_mels=128))
    return lambda reference, estimate, _: [
        _convergence_and_logs(bands @ _magnitudes(reference, 256), bands @ _magnitudes(estimate, 256))
    ]


def _stft() -> Call:
    from audiotools import AudioSignal
    from audiotools.metrics.spectral import MultiScaleSTFTLoss

    loss = MultiScaleSTFTLoss()
    return lambda reference, estimate, rate: [loss(AudioSignal(estimate, rate), AudioSignal(reference, rate))]


def _stft_taae() -> Call:
    return lambda reference, estimate, _: [
        _convergence_and_logs(_magnitudes(reference, 512), _magnitudes(estimate, 512))
    ]


def _yin() -> Call:
    from codeczoo.metrics.yin import YIN

    def errors(reference: Audio, estimate: Audio, rate: int) -> Sequence[float]:
        values = YIN.compare(reference, estimate, rate, None)
        return [float("nan") if isinstance(value, Exception) else value for value in map(values.__getitem__, YIN.names)]

    return errors


def _dnsmos() -> Call:
    from speechmos import dnsmos

    def scores(_: Audio, estimate: Audio, rate: int) -> Sequence[float]:
        if np.max(np.abs(estimate)) > 1:
            return [float("nan")] * 4  # the package refuses it
        found = cast("dict[str, float]", dnsmos.run(estimate, rate))
        return [found[f"{name}_mos"] for name in ("ovrl", "sig", "bak", "p808")]

    return scores


def _distillmos() -> Call:
    import torch
    from distillmos import ConvTransformerSQAModel

    model = ConvTransformerSQAModel().eval()

    def score(_: Audio, estimate: Audio, __: int) -> Sequence[float]:
        with torch.no_grad():
            return [float(model(torch.from_numpy(estimate)[None]))]

    return score


PACKAGES = (
    Package(("pesq_wb",), 16_000, _pesq("wb")),
    Package(("pesq_nb",), 16_000, _pesq("nb")),
    Package(("stoi",), 16_000, _stoi(extended=False)),
    Package(("estoi",), 16_000, _stoi(extended=True)),
    Package(("si_sdr",), None, _si_sdr),
    Package(("si_sdr_aligned",), None, _si_sdr_aligned),
    Package(("mel_distance",), 24_000, _mel),
    Package(("mel_distance_taae",), 16_000, _mel_taae),
    Package(("stft_distance",), 24_000, _stft),
    Package(("stft_distance_taae",), 16_000, _stft_taae),
    Package(("vuv_f1_yin", "f0_rmse_cents_yin"), 16_000, _yin),
    Package(("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "dnsmos_p808"), 16_000, _dnsmos, looks_at_one=True),
    Package(("distillmos",), 16_000, _distillmos, looks_at_one=True),
)
