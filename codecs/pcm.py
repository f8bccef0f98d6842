"""PCM as a tokenizer: every sample is one token. `pcm:16` is the harness's zero, whatever it loses is the harness's.

Uniform mid-tread quantizer of b bits: code = round(x * 2^(b-1)) + 2^(b-1), so that silence is code 2^(b-1) and comes
back as exact zero, and audio that came from b bits comes back bit by bit. A full-scale sine has an SNR of
6.02 b + 1.76 dB. The lowest code is -1; the highest is one step below 1, and samples outside saturate.

Each token is int64 in memory, as all tokens are: an hour at 48 kHz takes 1.4 GB, so long clips are cut by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Encoded, Family, Spec, check_audio, check_codes
from .errors import InvalidTokens
from .fingerprint import fingerprint

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_RATE_HZ = 48_000


def _spec(bits: int) -> Spec:
    return Spec(
        name=f"pcm:{bits}",
        sample_rate=SAMPLE_RATE_HZ,
        frame_rates=(float(SAMPLE_RATE_HZ),),
        codebook_sizes=(2**bits,),
        causal=True,
        latency_s=0.0,
        parameters=0,
        paper="Bennett, Spectra of Quantized Signals (1948)",
        licence="MIT",
        notes="Uniform quantizer without dither; samples outside [-1, 1] saturate.",
    )


@dataclass(frozen=True)
class PcmCodec:
    """Uniform mid-tread quantizer of `bits` bits, mono."""

    bits: int
    spec: Spec
    fingerprint: str

    def encode(self, audio: Tensor) -> Encoded:
        """float32 `[B, 1, T]` to codes `[B, T]`. Raises InvalidAudio."""
        import torch

        check_audio(audio, self.spec)
        half = 2 ** (self.bits - 1)
        levels = torch.round(audio[:, 0] * half).clamp(-half, half - 1)
        return Encoded((levels.to(torch.int64) + half,), audio.shape[2])

    def decode(self, encoded: Encoded) -> Tensor:
        """Codes `[B, T]` to float32 `[B, 1, T]`. Raises InvalidTokens."""
        import torch

        check_codes(encoded, self.spec)
        codes = encoded.codes[0]
        if codes.shape[1] != encoded.length:
            raise InvalidTokens(f"{self.spec.name} has a token a sample; got {codes.shape[1]} for {encoded.length}.")
        half = 2 ** (self.bits - 1)
        return ((codes - half).to(torch.float32) / half)[:, None]


def _family(bits: int) -> Family:
    spec = _spec(bits)

    def build(rate: str, device: str) -> PcmCodec:
        return PcmCodec(bits, spec, fingerprint(spec.name, adapter=__file__))

    return Family(name=spec.name, rates=("",), describe=lambda rate: spec, build=build)


BITS8 = _family(8)
BITS12 = _family(12)
BITS16 = _family(16)
