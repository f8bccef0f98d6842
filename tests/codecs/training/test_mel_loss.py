"""The mel loss: against torchaudio and the metric of the same name, laws, silence, short audio."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from codeczoo.codecs.errors import InvalidAudio
from codeczoo.codecs.training.mel_loss import MelLoss, mel_bands
from codeczoo.metrics.mel import mel_distance


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sample_rate_hz", [16_000, 24_000, 44_100])
def test_it_is_torchaudios_spectrogram(sample_rate_hz: int) -> None:
    from torchaudio.transforms import MelSpectrogram

    audio = noise(2, 1, 6000)
    theirs = MelSpectrogram(sample_rate_hz, n_fft=1024, hop_length=256, n_mels=100, power=1)(audio[:, 0])
    expected = torch.log(torch.clip(theirs, min=1e-7)).transpose(1, 2)
    torch.testing.assert_close(MelLoss(sample_rate_hz).log_mel(audio), expected, rtol=1e-4, atol=1e-4)


def test_it_is_the_metric() -> None:
    real, estimate = noise(1, 1, 12_000), noise(1, 1, 12_000, seed=1)
    expected = mel_distance(real[0, 0].numpy(), estimate[0, 0].numpy(), 24_000)
    assert float(MelLoss(24_000)(real, estimate)) == pytest.approx(expected, rel=1e-5)


def test_bands_end_at_half_the_rate() -> None:
    """A tone just below 8 kHz is in the last bands of a 16 kHz model and amid those of a 24 kHz one."""
    for rate_hz, bands in ((16_000, range(97, 100)), (24_000, range(82, 88))):
        time_s = torch.arange(4096) / rate_hz
        spectrum = MelLoss(rate_hz).log_mel(torch.sin(2 * math.pi * 7800 * time_s)[None, None])
        assert int(spectrum[0, 8].argmax()) in bands
    assert mel_bands(16_000, 1024, 100).shape == (513, 100)
    assert float(mel_bands(16_000, 1024, 100)[1:-1].sum(1).min()) > 0


def test_laws() -> None:
    loss, real = MelLoss(16_000), noise(2, 1, 4000)
    assert float(loss(real, real)) == 0
    assert float(loss(real, real / 2)) == pytest.approx(math.log(2), rel=1e-5)
    assert float(loss(real, -real)) == pytest.approx(0, abs=1e-6)
    other = noise(2, 1, 4000, seed=1)
    assert float(loss(real, other)) == pytest.approx(float(loss(other, real)))
    both = [float(loss(real[i : i + 1], other[i : i + 1])) for i in range(2)]
    assert float(loss(real, other)) == pytest.approx(np.mean(both), rel=1e-5)


def test_silence_is_measured_from_the_floor() -> None:
    loss, real = MelLoss(16_000), noise(1, 1, 4000)
    silent = torch.zeros(1, 1, 4000, requires_grad=True)
    value = loss(real, silent)
    expected = float((loss.log_mel(real) - math.log(1e-7)).mean())
    assert float(value.detach()) == pytest.approx(expected, rel=1e-6)
    value.backward()
    assert silent.grad is not None
    assert float(silent.grad.abs().max()) == 0  # below the floor nothing pulls: the adversarial terms do
    assert float(loss(torch.zeros(1, 1, 4000), silent).detach()) == 0


def test_gradient_goes_to_the_estimate() -> None:
    real, estimate = noise(1, 1, 600).requires_grad_(), noise(1, 1, 600, seed=1).requires_grad_()
    MelLoss(16_000)(real, estimate).backward()
    assert real.grad is None
    assert estimate.grad is not None
    assert float(estimate.grad.norm()) > 0


def test_gradient_is_right() -> None:
    real, estimate = (noise(1, 1, 48, seed=seed).double() for seed in (0, 1))
    loss = MelLoss(16_000, n_fft=32, hop=8, bands=6)
    assert torch.autograd.gradcheck(lambda x: loss(real, x), (estimate.requires_grad_(),))


def test_autocast_does_not_reach_it() -> None:
    loss, real, estimate = MelLoss(16_000), noise(1, 1, 4000), noise(1, 1, 4000, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        got = loss(real, estimate)
    assert got.dtype == torch.float32
    assert float(got) == float(loss(real, estimate))


def test_short_audio() -> None:
    loss = MelLoss(16_000)
    assert loss.least_samples == 513
    assert math.isfinite(float(loss(noise(1, 1, 513), noise(1, 1, 513, seed=1))))
    with pytest.raises(InvalidAudio, match=r"513 samples at least; got \(1, 1, 512\)"):
        loss(noise(1, 1, 512), noise(1, 1, 512))


def test_shapes() -> None:
    loss = MelLoss(16_000)
    with pytest.raises(InvalidAudio, match="differ"):
        loss(noise(1, 1, 1000), noise(2, 1, 1000))
    for wrong in (noise(1, 1000), noise(1, 2, 1000)):
        with pytest.raises(InvalidAudio, match="mono"):
            loss(wrong, wrong)


def test_it_adds_nothing_to_a_checkpoint() -> None:
    assert MelLoss(16_000).state_dict() == {}
