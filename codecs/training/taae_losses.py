"""The losses of TAAE's two stages, every term by name.

    pretrain   L_disc + g^k mean |x - y| + g^k mean ||X| - |Y||      equation 8, g = 0.9999, k the steps behind
    finetune   L_disc + L_perc                                       equation 10
    judges     hinge, mean over the sizes of frames

L_disc is relative feature matching (equation 7) and there is no adversarial term: the model never sees the logits.
X and Y are spectra of 2048 bins, hop 512, Hann. All terms count alike. They are logged before their decay.

Source: Parker et al., 2024, section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .adversarial import hinge_discriminator
from .judgement import in_float32
from .losses import Terms, frozen
from .perceptual import PerceptualLoss
from .relative_matching import relative_feature_matching

Stage = Literal["pretrain", "finetune"]


@dataclass(frozen=True)
class TaaeLossSettings:
    """The defaults are the published ones."""

    decay: float = 0.9999
    """Of the reconstruction losses, at every step."""
    n_fft: int = 2048
    hop: int = 512

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1 or self.n_fft < 2 or self.n_fft % 2 or not 1 <= self.hop <= self.n_fft:
            raise ValueError(f"decay lies in (0, 1], n_fft is even, hop 1 to n_fft; got {self}.")


@dataclass(frozen=True)
class TaaeDiscriminatorLoss(Terms):
    """Of the discriminators."""

    hinge: Tensor


@dataclass(frozen=True)
class TaaeGeneratorLoss(Terms):
    """Of the model; None where a term is not of the stage."""

    features: Tensor
    waveform: Tensor | None = None
    spectrum: Tensor | None = None
    perceptual: Tensor | None = None


class TaaeLosses:
    """The losses of one stage; audio is `[B, 1, T]`."""

    def __init__(
        self,
        discriminators: nn.Module,
        stage: Stage,
        settings: TaaeLossSettings | None = None,
        perceptual: PerceptualLoss | None = None,
    ) -> None:
        """`discriminators` are a `GoldenDiscriminator`, wrapped or not. `perceptual` belongs to the stage finetune."""
        if (perceptual is None) != (stage == "pretrain"):
            raise ValueError("The stage finetune has a perceptual loss, the stage pretrain has none.")
        self.discriminators = discriminators
        self.stage: Stage = stage
        self.settings = settings or TaaeLossSettings()
        self.perceptual = perceptual

    def discriminator_loss(self, real: Tensor, estimate: Tensor) -> TaaeDiscriminatorLoss:
        """With a graph to the discriminators' weights, and none to the estimate."""
        hinge = hinge_discriminator(*self.discriminators(real.detach(), estimate.detach()))
        return TaaeDiscriminatorLoss(hinge, hinge)

    def generator_loss(self, real: Tensor, estimate: Tensor, step: int) -> TaaeGeneratorLoss:
        """With a graph to the estimate, and none to the discriminators' weights. Steps count from 1."""
        with frozen(self.discriminators):
            features = relative_feature_matching(*self.discriminators(real.detach(), estimate))
        if self.perceptual is not None:
            perceptual = self.perceptual(real, estimate)
            return TaaeGeneratorLoss(features + perceptual, features, perceptual=perceptual)
        waveform = F.l1_loss(in_float32(estimate), in_float32(real))
        spectrum = F.l1_loss(self._magnitudes(estimate), self._magnitudes(real.detach()))
        total = features + self.settings.decay ** (step - 1) * (waveform + spectrum)
        return TaaeGeneratorLoss(total, features, waveform, spectrum)

    def _magnitudes(self, audio: Tensor) -> Tensor:
        n_fft, hop = self.settings.n_fft, self.settings.hop
        with torch.autocast(audio.device.type, enabled=False):
            signal = in_float32(audio[:, 0])
            window = torch.hann_window(n_fft, dtype=signal.dtype, device=signal.device)
            return torch.stft(signal, n_fft, hop, window=window, center=True, return_complex=True).abs()
