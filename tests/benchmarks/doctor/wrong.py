"""Codecs that are wrong in one way each, around codecs that are right, and a small right one of two codebooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from codeczoo.codecs import Codec, Encoded, Family, Spec
from codeczoo.codecs.base import check_audio, check_codes


@dataclass
class Wrapped:
    """A codec with another `encode` or `decode`; by itself it changes nothing."""

    inner: Codec
    on_audio: Callable[[Tensor], Tensor] = lambda audio: audio
    on_tokens: Callable[[Encoded], Encoded] = lambda encoded: encoded
    on_decoded: Callable[[Tensor], Tensor] = lambda decoded: decoded
    before_decode: Callable[[Encoded], Encoded] = lambda encoded: encoded
    spec: Spec = field(init=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        self.spec = self.inner.spec
        self.fingerprint = self.inner.fingerprint

    def encode(self, audio: Tensor) -> Encoded:
        check_audio(audio, self.spec)
        return self.on_tokens(self.inner.encode(self.on_audio(audio)))

    def decode(self, encoded: Encoded) -> Tensor:
        return self.on_decoded(self.inner.decode(self.before_decode(encoded)))


@dataclass
class TwoBooks:
    """16-bit samples in two codebooks: the upper byte, and below it the lower. One codebook is the first alone."""

    books: int = 2
    swapped: bool = False
    """Both ways: the round trip stays what it was."""

    @property
    def spec(self) -> Spec:
        return Spec(
            name=f"twobooks@{self.books}q",
            sample_rate=16_000,
            frame_rates=(16_000.0,) * self.books,
            codebook_sizes=(256,) * self.books,
            parameters=0,
            latency_s=0.0,
            licence="MIT",
        )

    @property
    def fingerprint(self) -> str:
        return "0123456789abcdef"

    def encode(self, audio: Tensor) -> Encoded:
        check_audio(audio, self.spec)
        steps = torch.round(audio[:, 0] * 32_768).clamp(-32_768, 32_767).to(torch.int64) + 32_768
        codes = (steps // 256, steps % 256)[: self.books]
        return Encoded(codes[::-1] if self.swapped else codes, audio.shape[2])

    def decode(self, encoded: Encoded) -> Tensor:
        check_codes(encoded, self.spec)
        codes = encoded.codes[::-1] if self.swapped else encoded.codes
        lower = codes[1] if self.books == 2 else torch.full_like(codes[0], 128)
        decoded = ((codes[0] * 256 + lower - 32_768) / 32_768)[:, None].to(torch.float32)
        # One codebook has no code for silence.
        return torch.where(decoded.abs() <= 128 / 32_768, 0.0, decoded) if self.books == 1 else decoded


def two_books_family(**settings: bool) -> Family:
    return Family(
        name="twobooks",
        rates=("1q", "2q"),
        describe=lambda rate: TwoBooks(int(rate[0])).spec,
        build=lambda rate, device: TwoBooks(int(rate[0]), **settings),
    )


def swap(encoded: Encoded, first: int = 0, second: int = 1) -> Encoded:
    codes = list(encoded.codes)
    codes[first], codes[second] = codes[second], codes[first]
    return replace(encoded, codes=tuple(codes))


def one_frame_late(encoded: Encoded) -> Encoded:
    return replace(encoded, codes=tuple(torch.roll(codes, 1, dims=1) for codes in encoded.codes))


@dataclass
class DropsLastFrame:
    """Encodes whole frames only, and makes up for it by zeros."""

    inner: Codec
    hop: int

    def __post_init__(self) -> None:
        self.spec = self.inner.spec
        self.fingerprint = self.inner.fingerprint

    def encode(self, audio: Tensor) -> Encoded:
        encoded = self.inner.encode(audio)
        whole = max(1, audio.shape[2] // self.hop)
        return replace(encoded, codes=tuple(codes[:, :whole] for codes in encoded.codes))

    def decode(self, encoded: Encoded) -> Tensor:
        there = min(encoded.length, encoded.codes[0].shape[1] * self.hop)
        decoded = self.inner.decode(replace(encoded, length=there))
        return torch.nn.functional.pad(decoded, (0, encoded.length - there))


@dataclass
class Remembers:
    """Adds the end of what it heard before to the beginning of a clip, as an encoder does that is not reset."""

    inner: Codec

    def __post_init__(self) -> None:
        self.spec = self.inner.spec
        self.fingerprint = self.inner.fingerprint
        self._last = torch.zeros(1, 1, 1)

    def encode(self, audio: Tensor) -> Encoded:
        check_audio(audio, self.spec)
        mixed = audio.clone()
        length = min(200, audio.shape[2], self._last.shape[2])
        mixed[:, :, :length] += 0.5 * self._last[:1, :, :length]
        self._last = audio[:, :, -200:].clone()
        return self.inner.encode(mixed)

    def decode(self, encoded: Encoded) -> Tensor:
        return self.inner.decode(encoded)


def faster(decoded: Tensor, factor: float) -> Tensor:
    """As long as before, played faster: audio of a lower rate taken for one of the codec's."""
    from codeczoo.codecs.resampling import resample

    length = decoded.shape[2]
    played = torch.from_numpy(resample(decoded[0, 0].numpy(), round(16_000 * factor), 16_000))[None, None]
    return torch.nn.functional.pad(played, (0, max(0, length - played.shape[2])))[:, :, :length]


def loud_batch(audio: Tensor) -> Tensor:
    """What a clip becomes depends on the loudest of its batch."""
    return audio / audio.abs().max().clamp(min=1e-3) * 0.5
