"""Mel and STFT distances: torchaudio's, librosa's and DAC's numbers, in blocks that do not change them."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
import torchaudio

from codeczoo.metrics import MetricError, Undefined, metric, score
from codeczoo.metrics.mel import mel_bands
from codeczoo.metrics.spectra import Frames, hann, magnitudes, mirrored

NAMES = {"mel_distance": 24_000, "stft_distance": 24_000, "mel_distance_taae": 16_000, "stft_distance_taae": 16_000}


@pytest.fixture
def pair_24k(speech_24k, rng):
    # Faint noise in the reference too: the band that resampling left empty would be torch's float32 rounding.
    reference, noise = (level * rng.standard_normal(len(speech_24k)) for level in (1e-4, 0.01))
    return (speech_24k + reference).astype(np.float32), (0.8 * speech_24k + noise).astype(np.float32)


@pytest.fixture
def pair_16k(speech_16k, rng):
    noise = 0.01 * rng.standard_normal(len(speech_16k)).astype(np.float32)
    return speech_16k, (0.8 * speech_16k + noise).astype(np.float32)


def convergence_and_log(reference: torch.Tensor, estimate: torch.Tensor) -> float:
    convergence = torch.linalg.norm(estimate - reference) / torch.linalg.norm(reference)
    return float(convergence + torch.nn.functional.l1_loss(torch.log(estimate), torch.log(reference)))


def floored_stft(samples, n_fft, hop):
    spectrum = torch.stft(
        torch.from_numpy(samples).double(), n_fft, hop, window=torch.hann_window(n_fft).double(), return_complex=True
    )
    return spectrum.abs().square().clamp(min=1e-8).sqrt()


def test_mel_distance_is_torchaudios(pair_24k):
    mel = torchaudio.transforms.MelSpectrogram(24_000, n_fft=1024, hop_length=256, n_mels=100, power=1, center=True)
    first, second = (torch.log(mel(torch.from_numpy(part)).clip(min=1e-7)) for part in pair_24k)
    expected = float((first - second).abs().mean())
    assert score("mel_distance", *pair_24k, 24_000) == pytest.approx(expected, abs=2e-5)


def test_mel_distance_of_an_empty_band_is_torchs_in_float64(speech_24k, rng):
    bands = torchaudio.functional.melscale_fbanks(513, 0.0, 12_000.0, 100, 24_000).double()
    window = torch.hann_window(1024, dtype=torch.float64)

    def log_mel(samples):
        spectrum = torch.stft(torch.from_numpy(samples).double(), 1024, 256, window=window, return_complex=True)
        return torch.log((spectrum.abs().T @ bands).clip(min=1e-7))

    pair = speech_24k, (speech_24k + 0.01 * rng.standard_normal(len(speech_24k))).astype(np.float32)
    expected = float((log_mel(pair[0]) - log_mel(pair[1])).abs().mean())
    assert score("mel_distance", *pair, 24_000) == pytest.approx(expected, abs=1e-5)


# The package and what it imports warn of their own spelling on first import.
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
# The second window replaces the spectrum of the first, which is meant.
@pytest.mark.filterwarnings("ignore:stft_data changed shape:UserWarning")
def test_stft_distance_is_dacs(pair_24k):
    from audiotools import AudioSignal
    from dac.nn.loss import MultiScaleSTFTLoss

    reference, estimate = (AudioSignal(part[None, None], 24_000) for part in pair_24k)
    expected = float(MultiScaleSTFTLoss()(estimate, reference))
    assert score("stft_distance", *pair_24k, 24_000) == pytest.approx(expected, abs=2e-5)


def test_stft_distance_taae_is_torchs(pair_16k):
    expected = convergence_and_log(*(floored_stft(part, 2048, 512) for part in pair_16k))
    assert score("stft_distance_taae", *pair_16k, 16_000) == pytest.approx(expected, abs=1e-6)


def test_mel_distance_taae_is_torchs_with_librosas_bands(pair_16k):
    bands = torch.from_numpy(librosa.filters.mel(sr=16_000, n_fft=2048, n_mels=128)).double()
    expected = convergence_and_log(*(bands @ floored_stft(part, 2048, 256) for part in pair_16k))
    assert score("mel_distance_taae", *pair_16k, 16_000) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("scale", "norm"), [("htk", None), ("slaney", "slaney")])
@pytest.mark.parametrize(("rate", "n_fft", "bands"), [(24_000, 1024, 100), (16_000, 2048, 128)])
def test_bands_are_librosas(scale, norm, rate, n_fft, bands):
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands, htk=scale == "htk", norm=norm, dtype=np.float64)
    np.testing.assert_allclose(mel_bands(rate, n_fft, bands, scale).T, expected, atol=1e-12)


@pytest.mark.parametrize("length", [513, 600, 1023, 1024, 1025, 4_000, 33_333])
def test_frames_are_torchs_at_every_length(speech_24k, length):
    samples = speech_24k[20_000 : 20_000 + length]
    expected = torch.stft(
        torch.from_numpy(samples).double(),
        1024,
        256,
        window=torch.hann_window(1024, dtype=torch.float64),
        return_complex=True,
    )
    found = np.concatenate(list(magnitudes(samples, Frames(1024, 256), frames_per_block=3)))
    np.testing.assert_allclose(found, expected.abs().numpy().T, atol=1e-10)


@pytest.mark.parametrize(("start", "stop"), [(-4, 9), (3, 9), (7, 9), (0, 5), (-2, 2)])
def test_mirroring_is_numpys(start, stop):
    signal = np.arange(5, dtype=np.float32)
    padded = np.pad(signal.astype(np.float64), 4, mode="reflect")
    np.testing.assert_array_equal(mirrored(signal, start, stop), padded[start + 4 : stop + 4])


def test_the_window_is_periodic():
    np.testing.assert_allclose(hann(2048), torch.hann_window(2048, dtype=torch.float64).numpy(), atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_do_not_change_the_value(pair_24k, name, on_disk, monkeypatch):
    expected = score(name, *pair_24k, NAMES[name])
    monkeypatch.setattr(magnitudes, "__defaults__", (7,))
    monkeypatch.setattr("codeczoo.metrics.undefined.blocks.__defaults__", (1_000,))
    signals = tuple(on_disk(part) for part in pair_24k)
    assert score(name, *signals, NAMES[name]) == pytest.approx(expected, abs=1e-9)
    assert max(signal.longest for signal in signals) <= 2048 + 6 * 512


@pytest.mark.parametrize("name", NAMES)
def test_equal_signals_have_distance_zero_and_noise_adds_to_it(speech_24k, rng, name):
    noise = rng.standard_normal(len(speech_24k)).astype(np.float32)
    values = [score(name, speech_24k, speech_24k + gain * noise, NAMES[name]) for gain in (0, 1e-4, 1e-2, 1)]
    assert values[0] == 0
    assert values == sorted(values)
    assert metric(name).value_range == (0, np.inf)


@pytest.mark.parametrize("name", NAMES)
def test_silence_has_a_distance(speech_24k, name):
    silence = np.zeros_like(speech_24k)
    assert score(name, silence, silence, NAMES[name]) == 0
    assert score(name, speech_24k, silence, NAMES[name]) > 1


@pytest.mark.parametrize(("name", "least"), [("mel_distance", 513), *[(n, 1025) for n in list(NAMES)[1:]]])
def test_a_clip_that_cannot_be_mirrored_is_undefined(speech_24k, name, least):
    for length in (1, least - 1):
        clip = speech_24k[:length]
        with pytest.raises(Undefined, match=f"at least {least} are needed"):
            score(name, clip, clip, NAMES[name])
    assert score(name, speech_24k[:least], speech_24k[:least], NAMES[name]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_wrong_rate_and_nan_are_refused(speech_24k, name):
    with pytest.raises(MetricError, match=f"takes audio at {NAMES[name]} Hz"):
        score(name, speech_24k, speech_24k, 44_100)
    broken = speech_24k.copy()
    broken[-1] = np.inf
    with pytest.raises(Undefined, match="the reference holds NaN or infinite"):
        score(name, broken, speech_24k, NAMES[name])
