"""WavTokenizer's checkpoints: which tensors belong to the model, and what their shapes say of it.

A published `.ckpt` is a training checkpoint (Lightning): discriminators, the mel filterbank, EnCodec's own decoder and
the optimizers' states lie beside the model and are left out. What remains must be exactly the model: a tensor that is
missing, of another shape, not finite, or known to nobody is an error that names it.

Every hyper-parameter that decides a shape is read off the shapes; a strided convolution's kernel is twice its stride.
The files written here have the published names too, so that the reference implementation reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .checkpoint import read_tensors
from .checkpoint_layout import (
    WRAPPER,
    Shapes,
    Written,
    check_exactly,
    fourier_head,
    refuse,
    seanet_encoder,
    vocos_decoder,
    wrapped_names,
    write_model,
)
from .errors import CodecError, WeightsCorrupt
from .layers.vocos import VocosConfig
from .wavtokenizer import WavTokenizer, WavTokenizerConfig
from .wavtokenizer_names import FORMAT

PREFIXES = {
    "encoder.": "feature_extractor.encodec.encoder.",
    "quantizer.": "feature_extractor.encodec.quantizer.vq.layers.0._codebook.",
    "decoder.": "feature_extractor.encodec.decoder.",
    "backbone.": "backbone.",
    "head.": "head.",
}
"""Our prefix -> the published one. After them the names agree but for the wrappers around convolutions."""

LEFT_OUT = ("multiperioddisc.", "multiresddisc.", "dac.", "dacdiscriminator.", "melspec_loss.")
"""Published prefixes of what only training needs."""


def read(path: Path, sample_rate: int | None = None) -> tuple[WavTokenizerConfig, dict[str, Tensor]]:
    """Hyper-parameters and the tensors of the model, under the names of `WavTokenizer.state_dict`.

    `sample_rate` in Hz for files that do not state it; None: 24 000. Raises WeightsMissing, WeightsCorrupt.
    """
    stored, metadata = read_tensors(path)
    tensors = _of_model(path, stored)
    stated_hz = _stated_sample_rate(path, metadata)
    if stated_hz and sample_rate not in (None, stated_hz):
        raise WeightsCorrupt(f"{path} is a model of {stated_hz} Hz; it was asked for one of {sample_rate} Hz.")
    config = infer_config(path, tensors, stated_hz or sample_rate or WavTokenizerConfig.sample_rate)
    try:
        with torch.device("meta"):
            model = WavTokenizer(config)
    except (ValueError, RuntimeError) as error:
        raise WeightsCorrupt(f"{path} holds tensors of shapes that no WavTokenizer has: {error}.") from error
    check_exactly(path, tensors, model.state_dict(), published_names(model), "WavTokenizer")
    return config, tensors


def write(
    model: WavTokenizer, path: Path, facts: Mapping[str, Any] | None = None, dtype: torch.dtype = torch.float32
) -> Written[WavTokenizerConfig]:
    """Write a model as safetensors under the published names, in one step; a folded kernel is given a norm again.

    `facts` are kept beside it and shown by `codeczoo info`: `training_data`, `weights_licence`, `domain`, `notes`.
    With float16 as `dtype` the file is half as large, and the model itself is rounded to what the file holds. Raises
    WeightsCorrupt where a tensor is out of float16's range; nothing is written then.
    """
    config = model.config
    stated = {
        **(facts or {}),
        "sample_rate": config.sample_rate,
        "hop": config.hop,
        "entries": config.entries,
        "parameters": sum(parameter.numel() for parameter in model.parameters()) + model.quantizer.embed.numel(),
    }
    metadata = {"format": FORMAT, "config": asdict(config), "facts": stated}
    sha256 = write_model(model, path, published_names(model), metadata, dtype)
    return Written(path, sha256, model.codebook_fingerprint, config)


def convert(
    checkpoint: Path, converted: Path, sample_rate: int | None = None, dtype: torch.dtype = torch.float32
) -> Written[WavTokenizerConfig]:
    """A checkpoint of any kind to safetensors, with what inference and further training of the model need.

    The facts that a file of this project states go with it. Raises WeightsMissing, WeightsCorrupt.
    """
    facts = _stated_facts(checkpoint)
    model = WavTokenizer.from_checkpoint(checkpoint, sample_rate=sample_rate, trainable=True)
    return write(model, converted, facts, dtype)


def published_names(model: WavTokenizer) -> dict[str, str]:
    """The name of each tensor of a model -> the name that published checkpoints give it."""
    names: dict[str, str] = {}
    for part, module in model.named_modules():
        wrapper, own = wrapped_names(module)
        for name in own:
            prefix = part.partition(".")[0] + "."
            inside = f"{part}.".removeprefix(prefix)
            names[f"{part}.{name}"] = f"{PREFIXES[prefix]}{inside}{wrapper}{name}"
    return names


def _of_model(path: Path, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that belong to the model, under our names."""
    tensors: dict[str, Tensor] = {}
    unknown: list[str] = []
    mirrored = not any(name.startswith(PREFIXES["backbone."]) for name in stored)
    for name, tensor in stored.items():
        own = next((own for own, published in PREFIXES.items() if name.startswith(published)), None)
        if own is None:
            if not name.startswith(LEFT_OUT):
                unknown.append(name)
        elif own != "decoder." or mirrored:
            rest = WRAPPER.sub(".", "." + name.removeprefix(PREFIXES[own]))
            tensors[own + rest.removeprefix(".")] = tensor
    if unknown or not tensors:
        refuse(path, "does not hold a WavTokenizer", "unexpected tensors", unknown or stored)
    return tensors


def _stated_facts(path: Path) -> dict[str, Any]:
    """What a file of this project says of itself; of another file, nothing."""
    metadata = read_tensors(path)[1] if path.suffix == ".safetensors" else {}
    if metadata.get("format") != FORMAT:
        return {}
    try:
        return dict(json.loads(metadata["facts"]))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsCorrupt(f"{path} states facts that cannot be read: {error}.") from error


def _stated_sample_rate(path: Path, metadata: Mapping[str, str]) -> int | None:
    if metadata.get("format") != FORMAT:
        return None
    try:
        stated = json.loads(metadata["config"])["sample_rate"]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise WeightsCorrupt(f"{path} states no sample rate in its metadata: {error}.") from error
    if not isinstance(stated, int) or not 1_000 <= stated <= 768_000:
        raise WeightsCorrupt(f"{path} states a sample rate of {stated!r}; it must be a number of Hz.")
    return stated


def infer_config(path: Path, tensors: Mapping[str, Tensor], sample_rate: int) -> WavTokenizerConfig:
    """The hyper-parameters that tensors (under our names) were made with. Raises WeightsCorrupt."""
    shapes = Shapes(path, tensors, "WavTokenizer")
    encoder = seanet_encoder(shapes)
    try:
        return WavTokenizerConfig(
            sample_rate=sample_rate,
            encoder=encoder,
            entries=shapes("quantizer.embed", 2)[0],
            decoder=_decoder(shapes),
            n_fft=_n_fft(shapes, encoder.hop),
        )
    except CodecError as error:
        raise WeightsCorrupt(f"{path} holds parts of different models: {error}") from error


def _decoder(shapes: Shapes) -> VocosConfig | None:
    return None if _mirrored(shapes) else vocos_decoder(shapes)


def _n_fft(shapes: Shapes, hop: int) -> int | None:
    return None if _mirrored(shapes) else fourier_head(shapes, hop)


def _mirrored(shapes: Shapes) -> bool:
    return any(name.startswith("decoder.") for name in shapes.tensors)
