"""What the published update order costs, on real speech: utilisation and error of frames that were not trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from codeczoo.codecs.quantizers import VectorQuantizer
from codeczoo.codecs.quantizers.vector import UpdateOrder

STEPS = 150
FRAMES = 400
ENTRIES = 512


@pytest.fixture(scope="module")
def spectra(demo_audio: Path) -> Tensor:
    """Log spectra of all clips in 16 even bands, each of mean 0 and deviation 1: `[16, frames]`, in a random order."""
    clips = []
    for path in sorted(demo_audio.rglob("*.wav")):
        audio, _ = soundfile.read(path, dtype="float32")
        spectrum = torch.stft(torch.from_numpy(audio), 512, 160, window=torch.hann_window(512), return_complex=True)
        clips.append(spectrum.abs()[:256].unflatten(0, (16, 16)).mean(dim=1).clamp(min=1e-4).log())
    features = torch.cat(clips, dim=1)
    features = (features - features.mean(dim=1, keepdim=True)) / features.std(dim=1, keepdim=True)
    return features[:, torch.randperm(features.shape[1], generator=torch.Generator().manual_seed(1))]


def learn(order: UpdateOrder, spectra: Tensor) -> tuple[float, float]:
    """Utilisation and mean squared error on the last 4,000 frames, after training on others."""
    torch.manual_seed(2)
    train, unseen = spectra[:, :-4_000], spectra[:, -4_000:]
    quantizer = VectorQuantizer(16, ENTRIES, update_order=order)
    batches = torch.Generator().manual_seed(3)
    for _ in range(STEPS):
        quantizer(train[:, torch.randint(train.shape[1], (FRAMES,), generator=batches)][None])
        quantizer.update()
    out = quantizer.eval()(unseen[None])
    return float(out.statistics["utilisation"]), float((out.quantized - unseen).square().mean())


def test_ours_uses_more_of_the_codebook_and_errs_less(spectra: Tensor) -> None:
    ours, ours_error = learn("ema_first", spectra)
    published, published_error = learn("reference", spectra)
    assert ours > 0.9
    assert ours > 1.4 * published
    assert ours_error < 0.92 * published_error
