"""The head of Vocos (Siuzdak, 2023): frames to spectra to audio, by the inverse short-time Fourier transform.

Conventions. A frame of D features becomes n_fft/2+1 log-magnitudes and as many phases. Magnitudes are limited to 100.
Frames overlap by n_fft - hop samples; half as many are cut from either end (of an odd number, the one more from the
back, which the published code leaves there), so that N frames are exactly N hop samples, and the sum is divided by the
sum of the squared windows that fall on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAGNITUDE_LIMIT = 100.0


class InverseStft(nn.Module):
    """Spectra `[B, N, n_fft/2+1]`, complex, to audio `[B, N hop]`."""

    window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        if n_fft < hop:
            raise ValueError(f"n_fft must be no less than the hop; got {n_fft} and {hop}.")
        self.n_fft = n_fft
        self.hop = hop
        self.register_buffer("window", torch.hann_window(n_fft))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves to a device, never to another dtype: spectra are float32 under every precision, so is their window."""
        window = self.window
        super()._apply(fn, recurse)
        if self.window.dtype != window.dtype:
            self.window = window.to(self.window.device)
        return self

    def forward(self, spectra: Tensor) -> Tensor:
        window = self.window
        frames = torch.fft.irfft(spectra, self.n_fft, dim=-1)
        envelope = (window * window).expand(1, spectra.shape[1], -1)
        return self._overlap_added(frames * window) / self._overlap_added(envelope)

    def _overlap_added(self, frames: Tensor) -> Tensor:
        """The sum of frames `[B, N, n_fft]` at their places, `[B, N hop]`."""
        batch, count, _ = frames.shape
        overlap = -(-self.n_fft // self.hop)
        parts = F.pad(frames, (0, overlap * self.hop - self.n_fft)).unflatten(-1, (overlap, self.hop))
        total = frames.new_zeros(batch, count + overlap - 1, self.hop)
        for index in range(overlap):
            total[:, index : index + count] += parts[:, :, index]
        cut = (self.n_fft - self.hop) // 2
        return total.flatten(1)[:, cut : cut + count * self.hop]


class FourierHead(nn.Module):
    """Features `[B, N, D]` to audio `[B, N hop]`, float32."""

    def __init__(self, width: int, n_fft: int, hop: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, n_fft + 2)
        self.istft = InverseStft(n_fft, hop)

    def forward(self, x: Tensor) -> Tensor:
        # Spectra stay in float32 under every precision: half of it cannot hold a phase.
        log_magnitude, phase = self.out(x).float().chunk(2, dim=-1)
        magnitude = log_magnitude.exp().clamp(max=MAGNITUDE_LIMIT)
        # Not torch.polar, which takes eight times as long on a CPU.
        return self.istft(torch.complex(magnitude * phase.cos(), magnitude * phase.sin()))
