"""The contract of a codec: facts (`Spec`), tokens (`Encoded`), and three verbs (`Codec`).

Notation, used in every docstring of this package:

    B  clips in a batch          C  audio channels          T  samples
    K  codebooks                 N  frames (tokens of one codebook)
    D  width of an embedding

Audio is float32 `[B, C, T]` in [-1, 1] at `spec.sample_rate`. Codes are int64, one `[B, N_k]` a codebook, coarse first;
codebooks may differ in frame rate (SNAC), so they are a tuple and not one tensor.

A codec object is one operating point and is immutable: nothing it is asked to do changes what it answers next.
Adapters never resample, mix, normalise or move devices; the harness does, once, in one place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .errors import InvalidAudio, InvalidTokens

if TYPE_CHECKING:
    from torch import Tensor

    from .weights import Weights


@dataclass(frozen=True)
class Spec:
    """Facts of one operating point, readable without its weights and without torch.

    Byte codecs have no codebooks: `frame_rates` and `codebook_sizes` are empty, their bits are counted from the
    payload, and `bitrate_kbps` is the bitrate asked of the encoder, None where it is not asked in bits.
    """

    name: str
    """As it is printed, rate resolved: `encodec:24khz@6kbps`."""
    sample_rate: int
    """Hz, of the audio taken."""
    channels: int = 1
    output_sample_rate: int | None = None
    """Hz, of the audio given back; None where it equals `sample_rate` (NeuCodec takes 16 kHz and gives 24 kHz)."""
    frame_rates: tuple[float, ...] = ()
    """Hz, tokens a second of each codebook."""
    codebook_sizes: tuple[int, ...] = ()
    """Entries of each codebook."""
    partitions: tuple[tuple[str, int, int], ...] = ()
    """Parts of the one codebook that belong to a kind of audio each: its name, first entry, end; `()` where entries are
    of no kind."""
    requested_kbps: float | None = None
    """Byte codecs: the bitrate asked of the encoder."""
    domain: str = "general"
    """What it was made for: `speech`, `music`, `general`."""
    causal: bool | None = None
    latency_s: float | None = None
    """Algorithmic latency in seconds; None where unknown, infinite where it needs the whole clip."""
    parameters: int | None = None
    """Weights needed to encode and decode; None where unknown, 0 for classical codecs."""
    paper: str = ""
    source: str = ""
    licence: str = ""
    """Of the code."""
    weights_licence: str = ""
    """Of the weights; `none stated` where their source is silent, empty where there are none."""
    training_data: str = ""
    notes: str = ""
    """What a reader of a table must know (side information, padding, level convention)."""

    @property
    def n_codebooks(self) -> int:
        return len(self.codebook_sizes)

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens a second over all codebooks; None for byte codecs."""
        return sum(self.frame_rates) if self.frame_rates else None

    @property
    def bitrate_kbps(self) -> float | None:
        """Nominal bitrate as papers print it: sum of frame rate x log2(entries), in kbit/s."""
        if not self.codebook_sizes:
            return self.requested_kbps
        bits = sum(rate * math.log2(size) for rate, size in zip(self.frame_rates, self.codebook_sizes, strict=True))
        return bits / 1000

    @property
    def decoded_sample_rate(self) -> int:
        """Hz, of the audio that `decode` gives."""
        return self.output_sample_rate or self.sample_rate


@dataclass(frozen=True)
class Encoded:
    """What a codec sends. Immutable; made by `encode`, read by `decode`, stored by `codeczoo.codecs.tokens`."""

    codes: tuple[Tensor, ...]
    """One int64 `[B, N_k]` a codebook, coarse first; `()` for byte codecs."""
    length: int
    """Samples in, at `spec.sample_rate`; decode gives back exactly this many (scaled where the output rate differs)."""
    payload: bytes | None = None
    """Byte codecs: all packets of all B clips, joined, without any container."""
    packet_sizes: tuple[tuple[int, ...], ...] = ()
    """Byte codecs: for each of the B clips the sizes in bytes of its packets, in order; they cut up `payload`."""
    side: Mapping[str, Tensor] = field(default_factory=dict[str, "Tensor"])
    """Side information that must be sent beside the codes, float32 `[B, ...]` by name (EnCodec 48 kHz: scales)."""
    codebook: str = ""
    """Fingerprint of the codebooks that the codes index, where the codec states one: checkpoints of one shape differ in
    nothing else that the codes show."""

    @property
    def batch_size(self) -> int:
        return int(self.codes[0].shape[0]) if self.codes else len(self.packet_sizes)


@runtime_checkable
class Codec(Protocol):
    """One operating point of one codec."""

    @property
    def spec(self) -> Spec: ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same audio may give other tokens or other audio: weights, package versions, adapter."""
        ...

    def encode(self, audio: Tensor) -> Encoded:
        """float32 `[B, C, T]`, T >= 1, to tokens. Raises InvalidAudio."""
        ...

    def decode(self, encoded: Encoded) -> Tensor:
        """Tokens to float32 `[B, C, length]`. Raises InvalidTokens."""
        ...


@runtime_checkable
class EmbeddingCodec(Codec, Protocol):
    """A codec that shows what its decoder is given for the tokens (linear probes read this)."""

    def embed(self, encoded: Encoded) -> Tensor:
        """Tokens to float32 `[B, D, N]`."""
        ...


@runtime_checkable
class StreamingCodec(Codec, Protocol):
    """A codec that takes a clip of any length in blocks, in memory that does not grow with it."""

    def encode_blocks(self, blocks: Iterable[Tensor]) -> Encoded:
        """Blocks float32 `[1, C, T_i]` of one clip to tokens: equal to `encode` of their concatenation."""
        ...

    def decode_blocks(self, encoded: Encoded) -> Iterator[Tensor]:
        """Tokens to blocks float32 `[1, C, T_i]` whose concatenation equals `decode`."""
        ...


@dataclass(frozen=True)
class Family:
    """What the registry knows of a codec before it is loaded: the operating points of one set of weights."""

    name: str
    """`encodec:24khz`: the part of the name before `@`."""
    rates: tuple[str, ...]
    """Canonical rates in rising order (`6kbps`, `9q`, a preset); `("",)` where there is one point without a rate."""
    describe: Callable[[str], Spec]
    """Rate to facts. Imports neither torch nor the codec's package."""
    build: Callable[[str, str], Codec]
    """(rate, device) to codec. Raises WeightsMissing, MissingDependency."""
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other spellings of a rate: `8q` for `6kbps`."""
    weights: Weights | None = None
    """What must be on this machine before `build`; None for codecs without weights."""
    extra: str = ""
    """The optional dependency group of codeczoo that it needs."""
    open_rates: Callable[[str], bool] | None = None
    """Accepts rates that `rates` does not list (`decoded:DIR@3.7kbps`); None where the list is complete."""


def check_audio(audio: Tensor, spec: Spec) -> None:
    """Raise InvalidAudio unless `audio` is finite float32 `[B, spec.channels, T]` with B, T >= 1."""
    import torch

    shape = tuple(audio.shape)
    if audio.dim() != 3 or audio.dtype != torch.float32:
        raise InvalidAudio(f"{spec.name} takes float32 audio [B, C, T]; got {audio.dtype} {shape}.")
    if shape[1] != spec.channels:
        raise InvalidAudio(f"{spec.name} takes {spec.channels} channel(s); got {shape[1]} in {shape}.")
    if shape[0] == 0 or shape[2] == 0:
        raise InvalidAudio(f"{spec.name} was given audio without samples: {shape}.")
    # The extremes tell it (NaN is passed on) without the copies of an hour of audio that isfinite makes.
    low, high = torch.aminmax(audio.detach())
    if not (math.isfinite(float(low)) and math.isfinite(float(high))):
        raise InvalidAudio(f"{spec.name} was given audio with NaN or infinite samples.")


def check_codes(encoded: Encoded, spec: Spec) -> None:
    """Raise InvalidTokens unless the codes of `encoded` fit the codebooks of `spec`."""
    import torch

    if len(encoded.codes) != spec.n_codebooks:
        raise InvalidTokens(f"{spec.name} has {spec.n_codebooks} codebook(s); these tokens have {len(encoded.codes)}.")
    for index, (codes, size) in enumerate(zip(encoded.codes, spec.codebook_sizes, strict=True)):
        if codes.dim() != 2 or codes.dtype != torch.int64:
            got = f"{codes.dtype} {tuple(codes.shape)}"
            raise InvalidTokens(f"Codes of codebook {index} of {spec.name} must be int64 [B, N]; got {got}.")
        if codes.numel() and not (0 <= int(codes.min()) and int(codes.max()) < size):
            low, high = int(codes.min()), int(codes.max())
            raise InvalidTokens(f"Codebook {index} of {spec.name} has {size} entries; got codes {low} to {high}.")


def check_codebook(encoded: Encoded, name: str, codebook: str) -> None:
    """Raise InvalidTokens where `encoded` states another codebook than `codebook`, that of the codec `name`."""
    if encoded.codebook and encoded.codebook != codebook:
        raise InvalidTokens(
            f"These codes index the codebook {encoded.codebook}; that of {name} is {codebook}. They were made by other "
            "weights of the same shape: decode them with those, or encode the audio again."
        )
