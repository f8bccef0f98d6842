"""UniCodec's checkpoints: which tensors belong to the model, and what their shapes say of it.

The published `.ckpt` is a training checkpoint (Lightning). Left out are discriminators, the mel filterbank, a SEANet
decoder and a feed-forward layer a block that are never run, and, of a model for inference, what masked prediction
needs. What remains must be exactly the model: a tensor that is missing, of another shape, not finite, or known to
nobody is an error that names it.

Files written here have the published names and lack what is dead, so the reference implementation, which asks for
every tensor, reads them only with these made up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
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
from .layers.expert_transformer import ExpertTransformerConfig
from .unicodec import UniCodec, UniCodecConfig
from .unicodec_names import FORMAT

_ENCODER = "feature_extractor.encodec.encoder."
_CONTRASTIVE = "wav2vec_contrastive_loss."

PREFIXES = {
    "transformer.": f"{_ENCODER}transformer_enocoder.transformer.",
    "semantic.mask_embedding": f"{_ENCODER}mask_emb",
    "semantic.query.": f"{_CONTRASTIVE}final_proj.",
    "semantic.target.": f"{_CONTRASTIVE}project_y.",
    "encoder.": _ENCODER,
    "quantizer.": "feature_extractor.encodec.quantizer.vq.",
    "backbone.": "backbone.",
    "head.": "head.",
}
"""Our prefix -> the published one (its misspelling included), the more special ones first."""

_MIXTURE, _PUBLISHED_MIXTURE = ".mixture.", ".FFNMOE."

LEFT_OUT = (
    "multiperioddisc.",
    "multiresddisc.",
    "dac.",
    "dacdiscriminator.",
    "melspec_loss.",
    "feature_extractor.encodec.decoder.",
)
"""Published prefixes of what only training needs, and of what nothing does."""

_DEAD = re.compile(r"transformer\.layers\.\d+\.(?:linear1\.weight|linear2\.weight|layer_scale_2\.scale)$")
"""Under our names: the feed-forward layer beside each mixture."""

_SEMANTIC = "semantic."

PUBLISHED = UniCodecConfig()
"""What a file is taken for that says nothing of itself."""


def read(path: Path, config: UniCodecConfig | Mapping[str, Any] | None) -> tuple[UniCodecConfig, dict[str, Tensor]]:
    """Hyper-parameters and tensors under the names of `UniCodec.state_dict`, with those of `semantic` that the file
    has. `config` as in `UniCodec.from_checkpoint`. Raises WeightsMissing, WeightsCorrupt."""
    stored, metadata = read_tensors(path)
    tensors, stored_as = _of_model(path, stored)
    found = _config(path, tensors, metadata, config)
    try:
        with torch.device("meta"):
            model = UniCodec(found, trainable=True)
    except (ValueError, RuntimeError) as error:
        raise WeightsCorrupt(f"{path} holds tensors of shapes that no UniCodec has: {error}.") from error
    # What masked prediction needs may be there or not.
    expected = {
        name: tensor for name, tensor in model.state_dict().items() if name in tensors or not name.startswith(_SEMANTIC)
    }
    check_exactly(path, tensors, expected, published_names(model), "UniCodec", stored_as=stored_as)
    return found, tensors


def write(
    model: UniCodec, path: Path, facts: Mapping[str, Any] | None = None, dtype: torch.dtype = torch.float32
) -> Written[UniCodecConfig]:
    """Write a model as safetensors under the published names, in one step; a folded kernel is given a norm again, and
    `semantic` goes with it where there is one.

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
        "parameters": parameters(model),
    }
    metadata = {"format": FORMAT, "config": asdict(config), "facts": stated}
    sha256 = write_model(model, path, published_names(model), metadata, dtype)
    return Written(path, sha256, model.codebook_fingerprint, config)


def convert(
    checkpoint: Path,
    converted: Path,
    config: UniCodecConfig | Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Written[UniCodecConfig]:
    """A checkpoint of any kind to safetensors, with what inference and further training of the model need.

    The facts that a file of this project states go with it. Raises WeightsMissing, WeightsCorrupt.
    """
    model = UniCodec.from_checkpoint(checkpoint, config, trainable=True)
    return write(model, converted, _stated(checkpoint, _metadata(checkpoint), "facts"), dtype)


def parameters(model: UniCodec) -> int:
    """Weights that encoding and decoding need: those of `semantic` are none."""
    return sum(parameter.numel() for name, parameter in model.named_parameters() if not name.startswith(_SEMANTIC))


def published_names(model: UniCodec) -> dict[str, str]:
    """The name of each tensor of a model -> the name that the published checkpoint gives it."""
    names: dict[str, str] = {}
    for part, module in model.named_modules():
        wrapper, own = wrapped_names(module)
        for name in own:
            full = f"{part}.{name}" if part else name
            prefix = next(prefix for prefix in PREFIXES if full.startswith(prefix))
            inside = f"{part}.".removeprefix(prefix) if prefix.endswith(".") else ""
            rest = f"{inside}{wrapper}{name}" if prefix.endswith(".") else ""
            names[full] = PREFIXES[prefix] + rest.replace(_MIXTURE, _PUBLISHED_MIXTURE)
    return names


def _of_model(path: Path, stored: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors that belong to the model, under our names, and what the file calls them."""
    tensors: dict[str, Tensor] = {}
    stored_as: dict[str, str] = {}
    unknown: list[str] = []
    for name, tensor in stored.items():
        if name.startswith(LEFT_OUT):
            continue
        own = _own_name(name)
        if own is None:
            unknown.append(name)
        elif not _DEAD.match(own):
            if own in tensors:
                # With and without the wrapper's name: which of both it is to be cannot be told.
                unknown += [stored_as[own], name]
            tensors[own], stored_as[own] = tensor, name
    if unknown or not tensors:
        refuse(path, "does not hold a UniCodec", {"unexpected tensors": unknown or list(stored)})
    return tensors, stored_as


def _own_name(published: str) -> str | None:
    for own, prefix in PREFIXES.items():
        if published.startswith(prefix):
            rest = WRAPPER.sub(".", "." + published.removeprefix(prefix)).removeprefix(".")
            return own + rest.replace(_PUBLISHED_MIXTURE, _MIXTURE)
    return None


def _published_name(own: str) -> str:
    return published_name(own, PREFIXES).replace(_MIXTURE, _PUBLISHED_MIXTURE)


def _config(
    path: Path,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    given: UniCodecConfig | Mapping[str, Any] | None,
) -> UniCodecConfig:
    if isinstance(given, UniCodecConfig):
        return given
    if given is not None:
        return _from_table(path, tensors, given)
    if metadata.get("format") == FORMAT:
        return _from_metadata(path, tensors, metadata)
    return PUBLISHED


def _from_metadata(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> UniCodecConfig:
    """The hyper-parameters that shapes tell, with what a file of this project says of the others."""
    stated = _stated(path, metadata, "config")
    try:
        transformer, sample_rate, projected = stated["transformer"], stated["sample_rate"], int(stated["projected"])
        table = {"heads": transformer["heads"], "topk": transformer["chosen"], "sample_rate": sample_rate}
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsCorrupt(f"{path} states a configuration that cannot be used: {error}.") from error
    return replace(_from_table(path, tensors, table), projected=projected)


def _from_table(path: Path, tensors: Mapping[str, Tensor], table: Mapping[str, Any]) -> UniCodecConfig:
    """The hyper-parameters that shapes tell, with what the table says of the others; where both say something, they
    must agree."""
    shapes = Shapes(path, tensors, "UniCodec", _published_name)
    given = dict(_flat(table))
    encoder = seanet_encoder(shapes)
    heads, chosen, sample_rate = (given.pop(key, usual) for key, usual in _NOT_IN_SHAPES.items())
    if any(type(value) is not int or value < 1 for value in (heads, chosen, sample_rate)):
        raise WeightsCorrupt(
            f"{', '.join(_NOT_IN_SHAPES)} of a UniCodec are whole numbers from 1 on; got {heads!r}, {chosen!r}, "
            f"{sample_rate!r} for {path}."
        )
    experts = shapes.count(r"transformer\.layers\.0\.mixture\.experts\.(\d+)\.")
    layers = shapes.count(r"transformer\.layers\.(\d+)\.")
    if not experts or not layers:
        shapes.lacks("transformer.layers.0.mixture.experts.0.w1.weight")
    expert_width = shapes("transformer.layers.0.mixture.experts.0.w1.weight", 2)[0]
    shared_width = shapes("transformer.layers.0.mixture.shared_experts.w1.weight", 2)[0]
    projected = tensors.get("semantic.query.weight")
    try:
        found = UniCodecConfig(
            sample_rate=sample_rate,
            encoder=encoder,
            transformer=ExpertTransformerConfig(
                layers=layers,
                heads=heads,
                expert_width=expert_width,
                routed=experts,
                shared=max(1, shared_width // expert_width),
                chosen=chosen,
            ),
            entries=shapes("quantizer.embedding.weight", 2)[0],
            decoder=vocos_decoder(shapes, encoder.dimension),
            n_fft=fourier_head(shapes, encoder.hop),
        )
        if projected is not None:
            found = replace(found, projected=len(projected))
    except (CodecError, ValueError) as error:
        raise WeightsCorrupt(f"{path} holds parts of different models: {error}") from error
    _check_agreement(path, found, given)
    return found


def _check_agreement(path: Path, found: UniCodecConfig, given: Mapping[str, Any]) -> None:
    decoder, transformer = found.decoder, found.transformer
    known = {
        "dimension": found.encoder.dimension,
        "n_filters": found.encoder.width,
        "ratios_given": list(reversed(found.encoder.strides)),
        "layers": transformer.layers,
        "moe_inter_dim": transformer.expert_width,
        "n_routed": transformer.routed,
        "n_shared": transformer.shared,
        "codebook": found.entries,
        "backbone.input_channels": decoder.dimension,
        "backbone.dim": decoder.width,
        "backbone.intermediate_dim": decoder.intermediate,
        "backbone.num_layers": decoder.layers,
        "backbone.adanorm": decoder.bandwidths,
        "head.n_fft": found.window,
        "head.hop": found.hop,
    }
    for key, value in given.items():
        stated = list(value) if isinstance(value, tuple) else value
        if key in _OF_TRAINING:
            continue
        if key not in known:
            raise WeightsCorrupt(
                f"{key!r} is not known of a UniCodec's configuration; there are {', '.join(_NOT_IN_SHAPES)}, "
                f"{', '.join(known)}."
            )
        if stated != known[key]:
            raise WeightsCorrupt(f"{path}: {key} is {value!r} in the configuration; the tensors say {known[key]!r}.")


_NOT_IN_SHAPES = {
    "heads": ExpertTransformerConfig.heads,
    "topk": ExpertTransformerConfig.chosen,
    "sample_rate": UniCodecConfig.sample_rate,
}
"""Keys of a configuration that the tensors say nothing of, and their published values."""

_OF_TRAINING = (
    "dim_feedforward_dead",
    "contrastive.final_dim",
    "contrastive.num_negatives",
    "contrastive.temp",
    "contrastive.mask_prob",
    "contrastive.mask_length",
)
"""Keys of a configuration that do not concern the codec."""


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _metadata(path: Path) -> Mapping[str, str]:
    return read_tensors(path)[1] if path.suffix == ".safetensors" else {}


def _stated(path: Path, metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    """A table that a file of this project states; of another file, nothing."""
    if metadata.get("format") != FORMAT:
        return {}
    try:
        return dict(json.loads(metadata[key]))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsCorrupt(f"{path} states a {key} that cannot be read: {error}.") from error
