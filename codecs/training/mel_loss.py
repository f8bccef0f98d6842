"""The mel loss: mean |ln max(M(x), 1e-7) - ln max(M(y), 1e-7)|, in nats, differentiable in the estimate y.

M is the magnitude spectrogram (periodic Hann window, n_fft 1024, hop 256, frames centred and mirrored) under 100
triangular HTK mel bands from 0 Hz to half the sample rate, of height 1: `torchaudio.transforms.MelSpectrogram(power=1)`
with Vocos' settings. At another sample rate the frames have as many samples and the bands end at half that rate, so
that a 16 kHz model is asked for nothing above 8 kHz.

Computed in float32, under autocast too. The floor is so low that in bands without sound (digital silence, speech that
was resampled up) both sides are the rounding of the FFT, which differs between processors: there the loss asks for
noise. Audio of honest bandwidth is the cure.

`codeczoo.metrics.mel` has the same distance in float64 as a metric.

Sources: H. Siuzdak, "Vocos", ICLR 2024; S. Ji et al., "WavTokenizer", ICLR 2025, equation 4.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codeczoo.codecs.errors import InvalidAudio

from .judgement import in_float32

N_FFT = 1024
HOP = 256
BANDS = 100
FLOOR = 1e-7


def mel_bands(sample_rate_hz: int, n_fft: int, bands: int) -> Tensor:
    """Triangles float32 `[1 + n_fft / 2, bands]`, equidistant on the HTK mel scale from 0 Hz to half the rate."""
    top = 2595 * math.log10(1 + sample_rate_hz / 2 / 700)
    edges_hz = 700 * (10 ** (torch.linspace(0, top, bands + 2, dtype=torch.float64) / 2595) - 1)
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    bins_hz = torch.linspace(0, sample_rate_hz / 2, n_fft // 2 + 1, dtype=torch.float64)[:, None]
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    return torch.minimum(rising, falling).clamp(min=0).float()


class MelLoss(nn.Module):
    """The loss at one sample rate. Its buffers follow from its arguments and are in no state dict."""

    window: Tensor
    triangles: Tensor

    def __init__(self, sample_rate_hz: int, n_fft: int = N_FFT, hop: int = HOP, bands: int = BANDS) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop = hop
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.register_buffer("triangles", mel_bands(sample_rate_hz, n_fft, bands), persistent=False)

    @property
    def least_samples(self) -> int:
        """Mirroring half a frame needs one sample more than half a frame."""
        return self.n_fft // 2 + 1

    def log_mel(self, audio: Tensor) -> Tensor:
        """Audio `[B, 1, T]` to ln of the mel spectrogram `[B, N, bands]`, floored."""
        if audio.dim() != 3 or audio.shape[1] != 1 or audio.shape[2] < self.least_samples:
            needed = f"mono audio [B, 1, T] of {self.least_samples} samples at least"
            raise InvalidAudio(f"The mel loss takes {needed}; got {tuple(audio.shape)}.")
        with torch.autocast(audio.device.type, enabled=False):
            signal = in_float32(audio[:, 0])
            window = self.window.to(signal.dtype)
            spectrum = torch.stft(signal, self.n_fft, self.hop, window=window, center=True, return_complex=True)
            mel = spectrum.abs().transpose(1, 2) @ self.triangles.to(signal.dtype)
            return mel.clamp(min=FLOOR).log()

    def forward(self, real: Tensor, estimate: Tensor) -> Tensor:
        """Audio `[B, 1, T]`, both; the gradient goes to the estimate alone."""
        if real.shape != estimate.shape:
            raise InvalidAudio(f"Real audio and estimate differ: {tuple(real.shape)}, {tuple(estimate.shape)}.")
        return F.l1_loss(self.log_mel(estimate), self.log_mel(real.detach()))
