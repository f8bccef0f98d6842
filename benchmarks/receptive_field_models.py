"""Narrow, randomly weighted models of the geometry of a native codec, for `receptive_field`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from .errors import BenchmarkError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from codeczoo.codecs.taae import TAAEConfig

    from .receptive_field import Layer, Parts, Reach


_STRIDES = {216: (6, 6, 3, 2), 320: (2, 4, 5, 8), 600: (4, 5, 5, 6)}
"""Samples a token of the WavTokenizers that are listed -> strides of their encoders."""


def families() -> tuple[str, ...]:
    """Families that can be measured."""
    return tuple(_MAKERS)


def measure(name: str) -> Reach:
    """The reach of a native codec by its name, without its weights. Raises BenchmarkError, CodecError."""
    import torch

    from codeczoo import codecs

    from .receptive_field import measure as measure_parts

    family = codecs.parse(name).family
    if family not in _MAKERS:
        raise BenchmarkError(
            f"{name} is not one of the native models, whose layers can be looked through: {', '.join(_MAKERS)}."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return measure_parts(_MAKERS[family](name))


def taae_parts(config: TAAEConfig) -> Parts:
    """A TAAE of this geometry."""
    import torch

    from codeczoo.codecs.layers.patches import from_patches
    from codeczoo.codecs.taae import TAAE
    from codeczoo.codecs.taae_networks import EncoderBlock

    from .receptive_field import Parts

    narrow = replace(config, channels=4, dim_heads=4, rope_dims=2, ff_mult=1)
    model = TAAE(narrow).double().eval().requires_grad_(False)
    with torch.no_grad():
        for part, parameter in model.named_parameters():
            # Fresh layers hardly look at each other, and gradients through all of them would fade.
            if part.endswith("_scale.scale"):
                parameter.fill_(1.0)
    layers: dict[str, Layer] = {}
    for place, block in enumerate(model.encoder.blocks):
        assert isinstance(block, EncoderBlock)
        if len(block.transformers):
            layers[f"encoder.{place}"] = _layer(block.transformers[0], narrow.widths[place], place, config)
    return Parts(
        encode=model.latents,
        decode=lambda latents: from_patches(model.decoder(latents)),
        channels=config.latent_dim,
        hop=config.hop,
        sample_rate=config.sample_rate,
        # Five and a half minutes of the published model: more than twice what it sees.
        longest_tokens=8192,
        layers=layers,
    )


def _layer(layer: nn.Module, width: int, place: int, config: TAAEConfig) -> Layer:
    """A layer of the encoder's block at this place."""
    from .receptive_field import Layer

    rate_hz = config.sample_rate / config.patch
    for stride in config.strides[: place + 1]:
        rate_hz /= stride

    def transform(x: Tensor) -> Tensor:
        return layer(x.transpose(1, 2)).transpose(1, 2)

    return Layer(transform, width, rate_hz)


def _taae(name: str) -> Parts:
    from codeczoo import codecs
    from codeczoo.codecs import taae_names

    base = codecs.parse(name).base
    if base in codecs.families():
        return taae_parts(taae_names.PUBLISHED)
    from pathlib import Path

    return taae_parts(taae_names.facts_of_file(Path(codecs.parse(name).variant).expanduser())[0])


def _wavtokenizer(name: str) -> Parts:
    from codeczoo import codecs
    from codeczoo.codecs.layers.seanet import SeanetConfig
    from codeczoo.codecs.layers.vocos import VocosConfig
    from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig

    from .receptive_field import Parts

    found = codecs.family(name)
    spec = found.describe(codecs.parse(name).rate or found.rates[0])
    hop = round(spec.sample_rate / spec.frame_rates[0])
    strides = _STRIDES.get(hop)
    if strides is None:
        raise BenchmarkError(f"{name}: the strides of a hop of {hop} samples are not known here; {_STRIDES} are.")
    config = WavTokenizerConfig(
        sample_rate=spec.sample_rate,
        encoder=SeanetConfig(strides=strides, width=2, dimension=32),
        entries=4,
        decoder=VocosConfig(dimension=32, width=32, intermediate=32, layers=2),
    )
    model = WavTokenizer(config).double().eval().requires_grad_(False)

    def decode(features: Tensor) -> Tensor:
        return model.head(model.backbone(features, 0))[:, None]

    return Parts(model.encoder, decode, 32, config.hop, spec.sample_rate, longest_tokens=256)


def _unicodec(name: str) -> Parts:
    from codeczoo.codecs.unicodec import UniCodec, UniCodecConfig

    from .receptive_field import Parts

    config = UniCodecConfig()
    config = replace(
        config,
        encoder=replace(config.encoder, width=2, dimension=32),
        transformer=replace(config.transformer, layers=2, heads=2, expert_width=32),
        decoder=replace(config.decoder, dimension=32, width=32, intermediate=32, layers=2),
    )
    model = UniCodec(config).double().eval().requires_grad_(False)

    def encode(audio: Tensor) -> Tensor:
        return model.transformer(model.encoder(audio))

    def decode(features: Tensor) -> Tensor:
        return model.head(model.backbone(features, 0))[:, None]

    return Parts(encode, decode, 32, config.hop, config.sample_rate, longest_tokens=256)


_MAKERS: dict[str, Callable[[str], Parts]] = {"taae": _taae, "wavtokenizer": _wavtokenizer, "unicodec": _unicodec}
