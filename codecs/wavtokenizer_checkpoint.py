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
from functools import partial
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
    published_name,
    refuse,
    seanet_encoder,
    vocos_decoder,
    wrapped_names,
    write_model,
)
from .errors import CodecError, WeightsCorrupt
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

_LEAST_HZ, _MOST_HZ = 1_000, 768_000


def read(path: Path, sample_rate: int | None = None) -> tuple[WavTokenizerConfig, dict[str, Tensor]]:
    """Hyper-parameters and the tensors of the model, under the names of `WavTokenizer.state_dict`.

    `sample_rate` in Hz for files that do not state it; None: 24 000. Raises WeightsMissing, WeightsCorrupt.
    """
    stored, metadata = read_tensors(path)
    tensors, stored_as = _of_model(path, stored)
    stated_hz = _stated_sample_rate(path, metadata)
    if sample_rate is not None and not _is_rate(sample_rate):
        raise CodecError(f"A sample rate is a whole number of Hz, {_LEAST_HZ} to {_MOST_HZ}; got {sample_rate!r}.")
    if stated_hz and sample_rate not in (None, stated_hz):
        raise WeightsCorrupt(f"{path} is a model of {stated_hz} Hz; it was asked for one of {sample_rate} Hz.")
    try:
        config = infer_config(path, tensors, stated_hz or sample_rate or WavTokenizerConfig.sample_rate)
        with torch.device("meta"):
            model = WavTokenizer(config)
    except (ValueError, RuntimeError) as error:
        raise WeightsCorrupt(f"{path} holds tensors of shapes that no WavTokenizer has: {error}.") from error
    check_exactly(path, tensors, model.state_dict(), published_names(model), "WavTokenizer", stored_as=stored_as)
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


def _of_model(path: Path, stored: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors that belong to the model, under our names, and what the file calls them."""
    tensors: dict[str, Tensor] = {}
    stored_as: dict[str, str] = {}
    unknown: list[str] = []
    mirrored = not any(name.startswith(PREFIXES["backbone."]) for name in stored)
    for name, tensor in stored.items():
        prefix = next((own for own, published in PREFIXES.items() if name.startswith(published)), None)
        if prefix is None:
            if not name.startswith(LEFT_OUT):
                unknown.append(name)
        elif prefix != "decoder." or mirrored:
            own = prefix + WRAPPER.sub(".", "." + name.removeprefix(PREFIXES[prefix])).removeprefix(".")
            if own in tensors:
                # With and without the wrapper's name: which of both it is to be cannot be told.
                unknown += [stored_as[own], name]
            tensors[own], stored_as[own] = tensor, name
    if unknown or not tensors:
        refuse(path, "does not hold a WavTokenizer", {"unexpected tensors": unknown or list(stored)})
    return tensors, stored_as


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
    if not _is_rate(stated):
        raise WeightsCorrupt(f"{path} states a sample rate of {stated!r}; it must be {_LEAST_HZ} to {_MOST_HZ} Hz.")
    return int(stated)


def _is_rate(hz: object) -> bool:
    return type(hz) is int and _LEAST_HZ <= hz <= _MOST_HZ


def infer_config(path: Path, tensors: Mapping[str, Tensor], sample_rate: int) -> WavTokenizerConfig:
    """The hyper-parameters that tensors (under our names) were made with. Raises WeightsCorrupt."""
    shapes = Shapes(path, tensors, "WavTokenizer", partial(published_name, prefixes=PREFIXES))
    encoder = seanet_encoder(shapes)
    mirrored = any(name.startswith("decoder.") for name in tensors)
    codebook = [("quantizer.embed", 0), ("quantizer.embed_avg", 0), ("quantizer.cluster_size", 0)]
    return WavTokenizerConfig(
        sample_rate=sample_rate,
        encoder=encoder,
        entries=shapes.most(*codebook),
        decoder=None if mirrored else vocos_decoder(shapes, encoder.dimension),
        n_fft=None if mirrored else fourier_head(shapes, encoder.hop),
    )
