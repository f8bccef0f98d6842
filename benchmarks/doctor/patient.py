"""One operating point on the doctor's table, and how two encodings of one signal differ.

Whatever a codec raises while it is examined is a finding and not the end: `encode` and `decode` turn it into
`StepFailed`, which `examination` reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from codeczoo.benchmarks import protocol
from codeczoo.benchmarks.coding import StepFailed
from codeczoo.codecs import Codec, Encoded, Family
from codeczoo.metrics.base import Audio

from .voice import FIRST, Voice, sung

if TYPE_CHECKING:
    from torch import Tensor

SHORT_S = 0.9
"""Of the voice, where all of it would tell no more. It ends in the middle of a vowel: what is kept of a clip that ends
in silence might not show in the next."""


@dataclass(frozen=True)
class Heard:
    """What became of the first voice."""

    reference: Audio
    """Mono, at `spec.sample_rate`."""
    encoded: Encoded
    estimate: Audio
    """Mono, at `spec.decoded_sample_rate`."""


class Patient:
    """A loaded codec. `family` is None where the codec did not come out of the registry."""

    def __init__(self, codec: Codec, family: Family | None = None, rate: str = "", device: str = "cpu") -> None:
        self.codec = codec
        self.spec = codec.spec
        self.family = family
        self.rate = rate
        self.device = device

    def encode(self, audio: Tensor) -> Encoded:
        """Raises StepFailed."""
        try:
            return self.codec.encode(audio.to(self.device))
        except Exception as error:
            raise StepFailed("encode", error) from error

    def decode(self, encoded: Encoded) -> Tensor:
        """Raises StepFailed."""
        try:
            return self.codec.decode(encoded)
        except Exception as error:
            raise StepFailed("decode", error) from error

    def hear(self, encoded: Encoded) -> Audio:
        """Decoded, mono. Raises StepFailed, InvalidAudio."""
        return protocol.from_codec(self.decode(encoded))

    def say(self, voice: Voice, seconds: float | None = None) -> Tensor:
        """A voice as the codec takes it, float32 `[1, C, T]`."""
        rate_hz = self.spec.sample_rate
        return self.given(sung(voice, rate_hz, None if seconds is None else round(seconds * rate_hz)))

    def given(self, mono: Audio) -> Tensor:
        """Mono `[T]` as the codec takes it."""
        return protocol.to_codec(mono, self.spec)

    @cached_property
    def heard(self) -> Heard:
        """All of the first voice, coded once for all checks. Raises StepFailed, InvalidAudio."""
        reference = sung(FIRST, self.spec.sample_rate)
        encoded = self.encode(self.given(reference))
        return Heard(reference, encoded, self.hear(encoded))

    @cached_property
    def frame(self) -> float:
        """Samples that a token stands for, at least one: of its coarsest codebook, or of a packet as they come."""
        if self.spec.frame_rates:
            return max(1.0, self.spec.sample_rate / min(self.spec.frame_rates))
        packets = len(self.heard.encoded.packet_sizes[0]) if self.heard.encoded.packet_sizes else 0
        return max(1.0, len(self.heard.reference) / packets) if packets else 1.0


@dataclass(frozen=True)
class Differences:
    """Tokens or packets of one encoding that another does not have in the same place."""

    differ: int
    total: int
    unit: str

    @property
    def share(self) -> float:
        return self.differ / self.total if self.total else 1.0

    def __str__(self) -> str:
        if not self.differ:
            return f"all {self.total} {self.unit} are the same"
        return f"{self.differ} of {self.total} {self.unit} differ ({100 * self.share:.2g} %)"


def differences(first: Encoded, second: Encoded) -> Differences:
    """Of two encodings of the same audio. What one has more than the other differs; so does side information."""
    if first.codes or second.codes:
        return _of_tokens(first, second)
    rows = [packets(encoded) for encoded in (first, second)]
    pairs = list(zip(*rows, strict=False))
    longest = max(map(len, rows))
    return Differences(sum(a != b for a, b in pairs) + longest - len(pairs), longest, "packets")


def _of_tokens(first: Encoded, second: Encoded) -> Differences:
    import torch

    differ = total = 0
    for index in range(max(len(first.codes), len(second.codes))):
        parts = [e.codes[index].cpu() if index < len(e.codes) else torch.zeros(0, 0) for e in (first, second)]
        size = max(part.numel() for part in parts)
        total += size
        if parts[0].shape[:1] != parts[1].shape[:1]:
            differ += size
            continue
        shared = min(part.shape[1] for part in parts)
        equal = int((parts[0][:, :shared] == parts[1][:, :shared]).sum())
        differ += size - equal
    if not differ and not _same_side(first, second):
        return Differences(total, total, "tokens with their side information")
    return Differences(differ, total, "tokens")


def _same_side(first: Encoded, second: Encoded) -> bool:
    import torch

    if first.side.keys() != second.side.keys():
        return False
    return all(torch.allclose(first.side[key].cpu(), second.side[key].cpu(), rtol=1e-5) for key in first.side)


def packets(encoded: Encoded) -> list[bytes]:
    """The packets of all clips, one after the other."""
    payload, found, start = encoded.payload or b"", [], 0
    for size in (size for sizes in encoded.packet_sizes for size in sizes):
        found.append(payload[start : start + size])
        start += size
    return found
