"""The multi-resolution discriminator (MRD): magnitude spectrograms at several sizes of frames.

Audio `[B, 1, T]` becomes |STFT| `[B, 1, 1 + n_fft / 2, N]` (rectangular window, centred) and passes five strided
convolutions over frequency and time and one to a single channel, to whose output the projection on the bandwidth id is
added. The maps that are matched are those of the five layers and the (conditioned) logits. The paper calls this a
multi-scale STFT discriminator in places; what its code trains is this one, on magnitudes.

Sources: W. Jang et al., "UnivNet", Interspeech 2021; H. Siuzdak, "Vocos", ICLR 2024.
"""

from __future__ import annotations

from torch import Tensor, nn

from codeczoo.codecs.layers.weight_norm import WeightNormConv2d

from .discriminator_layers import activations, condition_table, projection, rectangular_spectrum
from .judgement import Judgement, Judgements

# Kernel and stride, over frequency and time.
_LAYERS = (((7, 5), (2, 2)), ((5, 3), (2, 1)), ((5, 3), (2, 2)), ((3, 3), (2, 1)), ((3, 3), (2, 2)))


class ResolutionDiscriminator(nn.Module):
    """One size of frames; `conditions` ids, 0 for none."""

    def __init__(self, n_fft: int, hop: int, channels: int = 64, conditions: int = 4) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop = hop
        self.convs = nn.ModuleList(
            WeightNormConv2d(channels if i else 1, channels, kernel, stride, (kernel[0] // 2, kernel[1] // 2))
            for i, (kernel, stride) in enumerate(_LAYERS)
        )
        self.emb = condition_table(conditions, channels)
        self.conv_post = WeightNormConv2d(channels, 1, (3, 3), padding=(1, 1))

    @property
    def least_samples(self) -> int:
        """Mirroring half a frame needs one sample more than half a frame."""
        return self.n_fft // 2 + 1

    def forward(self, *audios: Tensor, condition: Tensor | None = None) -> Judgements:
        """Audio `[B, 1, T]`, one judgement a signal."""
        spectra = tuple(rectangular_spectrum(x, self.n_fft, self.hop).abs().unsqueeze(1) for x in audios)
        layers = activations(self.convs, spectra)
        last = layers[-1]
        logits = self.conv_post(*last)
        if self.emb is not None and condition is not None:
            logits = tuple(y + projection(self.emb, condition, x) for x, y in zip(last, logits, strict=True))
        maps = zip(*layers, logits, strict=True)
        return tuple(Judgement(y.flatten(1), features) for y, features in zip(logits, maps, strict=True))
