"""What follows from the hyper-parameters of a codec whose encoder is SEANet's and whose decoder is Vocos'.

WavTokenizer and UniCodec: tokens are as far apart as the encoder's strides say, and the head's spectra as tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from codeczoo.codecs.errors import CodecError

from .seanet import SeanetConfig
from .vocos import VocosConfig


@dataclass(frozen=True)
class FrameConfig:
    """What both models' hyper-parameters have in common."""

    sample_rate: int
    """Hz."""
    encoder: SeanetConfig
    decoder: VocosConfig | None
    """None: not Vocos, but the encoder's mirror image."""
    n_fft: int | None
    """Samples of the head's spectra; None: four hops, as published."""

    def __post_init__(self) -> None:
        if self.decoder is not None and self.decoder.dimension != self.encoder.dimension:
            raise CodecError(
                f"The decoder takes features of {self.decoder.dimension} channels, the encoder gives "
                f"{self.encoder.dimension}; set both dimensions alike."
            )
        if self.sample_rate < 1:
            raise ValueError(f"A sample rate is a number of Hz; got {self.sample_rate}.")
        if self.decoder is not None and (self.window % 2 or self.window < self.hop + 2):
            raise ValueError(
                f"n_fft must be even, and at least two samples more than the hop of {self.hop}: where frames do not "
                f"overlap there is no audio; got {self.window}."
            )

    @property
    def hop(self) -> int:
        """Samples a token."""
        return self.encoder.hop

    @property
    def frame_rate_hz(self) -> float:
        return self.sample_rate / self.hop

    @property
    def window(self) -> int:
        """Samples of one spectrum of the head."""
        return 4 * self.hop if self.n_fft is None else self.n_fft

    @property
    def bandwidths(self) -> int:
        return self.decoder.bandwidths if self.decoder else 1
