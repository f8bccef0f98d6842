"""TAAE's hyper-parameters, its presets of quantization, and the bitrates that follow from them (no torch here).

Presets re-quantize the latents of a trained model, with nothing trained again (section 3.2.1): a model that learnt with
noise of up to L levels takes any number of levels in between. One preset is levels a channel, and a scale for each
residual stage; what it sends is one token a stage and frame, of levels^channels entries.

Bits a second (equation 5): frames a second x sum over stages of ceil(log2(entries)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from .errors import CodecError

LOUDNESS_LUFS = -20.0
"""What the published models were trained at."""

NATIVE = "native"
"""The preset that the model was trained as: its own levels, one stage."""


@dataclass(frozen=True)
class Preset:
    """One way to quantize latents of `channels` channels."""

    name: str
    """`STAGESxENTRIES_BITSbps`, bits at the frame rate of the published model."""
    channels: int
    levels: int
    scales: tuple[float, ...]
    """Of each residual stage, the coarsest first."""

    @property
    def entries(self) -> int:
        """Of each stage's codebook (equation 6)."""
        return self.levels**self.channels

    def bits_per_second(self, frame_rate_hz: float) -> float:
        """Equation 5."""
        return frame_rate_hz * len(self.scales) * math.ceil(math.log2(self.entries))


def _halving(levels: int, stages: int) -> tuple[float, ...]:
    """Scales by which each stage divides the last one's step (equation 4): 1, 1 / (levels - 1), ..."""
    return tuple(float(levels - 1) ** -stage for stage in range(stages))


PRESETS = (
    Preset("1x46656_400bps", 6, 6, (1.0,)),
    Preset("2x15625_700bps", 6, 5, _halving(5, 2)),
    Preset("4x729_1000bps", 6, 3, _halving(3, 4)),
    Preset("1x65536_200bps", 8, 4, (1.0,)),
    Preset("2x6561_325bps", 8, 3, _halving(3, 2)),
    Preset("3x6561_488bps", 8, 3, _halving(3, 3)),
    Preset("4x6561_650bps", 8, 3, _halving(3, 4)),
)
"""Those that the authors publish for 25 Hz and 6 channels; those of Table 5 for 12.5 Hz and 8, named alike."""


@dataclass(frozen=True)
class TAAEConfig:
    """The defaults are the published model of 950 million parameters. The names are those of the published code.

    Half and a quarter of the size (Table 4): `channels=768`, `channels=512`. Variants: `low_rate`, `streaming`.
    """

    sample_rate: int = 16_000
    """Hz."""
    patch: int = 320
    """Samples of one patch."""
    channels: int = 1024
    c_mults: tuple[int, ...] = (1, 1)
    """Width of each block, in `channels`."""
    strides: tuple[int, ...] = (1, 2)
    """Of each encoder block's convolution; the decoder undoes them in reverse."""
    transformer_depths: tuple[int, ...] = (8, 20)
    """Layers of each block."""
    sliding_window: tuple[int, int] = (63, 64)
    """Frames that attention sees before and after each, besides itself."""
    dim_heads: int = 128
    rope_dims: int | None = None
    """Channels of a head that carry its position; None: half of them."""
    ff_mult: int = 4
    levels: tuple[int, ...] = (17,) * 6
    """Of each latent channel."""
    eps_layernorm: float = 1e-2
    eps_qk: float = 1e-6
    causal: bool = False
    """Whether convolutions see the past alone; a causal model's `sliding_window` does so too."""

    def __post_init__(self) -> None:
        blocks = {len(self.c_mults), len(self.strides), len(self.transformer_depths)}
        if len(blocks) != 1 or 0 in blocks:
            raise CodecError(f"c_mults, strides and transformer_depths have one number for each block; got {self}.")
        sizes = (self.sample_rate, self.patch, self.channels, self.dim_heads, self.ff_mult)
        if (
            min(*sizes, *self.c_mults, *self.strides) < 1
            or min(self.transformer_depths) < 0
            or min(self.sliding_window) < 0
        ):
            raise CodecError(f"Sizes are 1 or more, depths and windows 0 or more; got {self}.")
        if len(self.sliding_window) != 2 or (self.causal and self.sliding_window[1]):
            raise CodecError(
                f"sliding_window is frames before and after, 0 after in a causal model; got {self.sliding_window}."
            )
        for width in self.widths:
            if width % self.dim_heads:
                raise CodecError(f"Heads of {self.dim_heads} channels do not divide a width of {width}.")
        if not 2 <= self.rotary_dims <= self.dim_heads or self.rotary_dims % 2:
            raise CodecError(f"rope_dims is even and 2 to {self.dim_heads}; got {self.rotary_dims}.")
        before = (self.widths[0], *self.widths)
        for stride, narrow, wide in zip(self.strides, before, self.widths, strict=False):
            if stride == 1 and narrow != wide:
                raise CodecError(f"A block of stride 1 has no convolution to go from {narrow} to {wide} channels.")
        if not self.levels or min(self.levels) < 2 or math.prod(self.levels) > 2**63 - 1:
            raise CodecError(f"levels are 2 or more for each latent channel, tokens fit 63 bits; got {self.levels}.")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each encoder block."""
        return tuple(self.channels * factor for factor in self.c_mults)

    @property
    def rotary_dims(self) -> int:
        return self.dim_heads // 2 if self.rope_dims is None else self.rope_dims

    @property
    def latent_dim(self) -> int:
        return len(self.levels)

    @property
    def ratio(self) -> int:
        """Patches a token."""
        return math.prod(self.strides)

    @property
    def entries(self) -> int:
        """Of the native codebook."""
        return math.prod(self.levels)

    @property
    def hop(self) -> int:
        """Samples a token."""
        return self.patch * self.ratio

    @property
    def frame_rate_hz(self) -> float:
        return self.sample_rate / self.hop

    @property
    def presets(self) -> tuple[str, ...]:
        """What this model's tokens may be made by."""
        return (NATIVE, *(preset.name for preset in PRESETS if preset.channels == self.latent_dim))

    def quantization(self, preset: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Levels of each channel and scales of each stage. Raises CodecError."""
        if preset == NATIVE:
            return self.levels, (1.0,)
        if preset not in self.presets:
            raise CodecError(f"There is no preset {preset!r} for {self.latent_dim} channels; give {self.presets}.")
        found = next(known for known in PRESETS if known.name == preset)
        return (found.levels,) * found.channels, found.scales

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> TAAEConfig:
        """From plain names and lists, as JSON has them; what is left out is as published. Raises CodecError.

        `latent_dim` and `ratio` (samples a token) may be there and must fit; `window_rule` is words.
        """
        known = {field.name for field in fields(cls)}
        derived = {"latent_dim", "ratio", "window_rule"}
        unknown = sorted(set(table) - known - derived)
        if unknown:
            raise CodecError(f"TAAE's configuration knows no {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
        given: dict[str, Any] = {}
        for key in known & set(table):
            given[key] = tuple(table[key]) if isinstance(table[key], list) else table[key]
        try:
            config = cls(**given)
        except TypeError as error:
            raise CodecError(f"TAAE's configuration has a value of a wrong kind: {error}.") from error
        for key, follows in (("latent_dim", config.latent_dim), ("ratio", config.hop)):
            if table.get(key, follows) != follows:
                raise CodecError(f"The configuration says {key} {table[key]}; its other values make it {follows}.")
        return config

    def table(self) -> dict[str, Any]:
        """What `from_table` reads."""
        return asdict(self)


def low_rate() -> TAAEConfig:
    """12.5 tokens a second (appendix A.3): the block of 20 layers in two, each halving the rate, and 8 channels."""
    return TAAEConfig(c_mults=(1, 1, 1), strides=(1, 2, 2), transformer_depths=(8, 10, 10), levels=(17,) * 8)


def streaming() -> TAAEConfig:
    """The causal model (appendix A.4): attention to a frame and the 63 before it, convolutions of the past alone."""
    return TAAEConfig(sliding_window=(63, 0), causal=True)
