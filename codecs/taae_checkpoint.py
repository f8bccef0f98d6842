"""TAAE's checkpoints: the published tensor names, and the names that they have here.

A published file holds the autoencoder alone, without its configuration: heads, window and strides are not in the
tensors, so they are given, or those of the published model are taken. A training checkpoint (`.ckpt`) has `state_dict`,
its tensors under `autoencoder.`, and a discriminator beside them, which is left out. What remains must be exactly the
model: a tensor that is missing, of another shape, not finite, or known to nobody is an error that names it.

Files written here have the published names too, and state their configuration in the metadata.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .checkpoint import read_tensors
from .checkpoint_layout import check_exactly, write_model
from .errors import CodecError, WeightsCorrupt
from .layers.weight_norm import WeightNormed
from .taae import TAAE
from .taae_config import TAAEConfig
from .taae_names import FORMAT

LEFT_OUT = ("discriminator.",)
"""Published prefixes of what only training needs."""

_TRAINING_PREFIX = "autoencoder."
_PARTS = (
    ("attention_norm.", "pre_norm."),
    ("attention.rotary.", "rope."),
    ("attention_scale.", "self_attn_scale."),
    ("attention.", "self_attn."),
    ("mlp_norm.", "ff_norm."),
    ("mlp_scale.", "ff_scale."),
    ("mlp.project_in.", "ff.ff.0.proj."),
    ("mlp.project_out.", "ff.ff.2."),
)
"""Inside a transformer layer: our name, the published one."""

_OWN = re.compile(r"(encoder|decoder)\.(?:(conv_in|conv_out)|blocks\.(\d+)\.(?:(resample)|transformers\.(\d+)))\.(.+)")


def read(path: Path, config: TAAEConfig | None = None) -> tuple[TAAEConfig, dict[str, Tensor]]:
    """Hyper-parameters and the tensors of the model, under the names of `TAAE.state_dict`.

    Raises WeightsMissing, WeightsCorrupt.
    """
    stored, metadata = read_tensors(path)
    stated = _stated_config(path, metadata)
    if config is not None and stated is not None and stated != config:
        raise WeightsCorrupt(f"{path} states another configuration than the one it is to be read with: {stated}.")
    config = config or stated or TAAEConfig()
    with torch.device("meta"):
        model = TAAE(config)
    published = published_names(model)
    names = {name: own for own, name in published.items()}
    tensors: dict[str, Tensor] = {}
    unexpected: list[str] = []
    for name, tensor in stored.items():
        plain = name.removeprefix(_TRAINING_PREFIX)
        if plain in names:
            tensors[names[plain]] = tensor
        elif not name.startswith(LEFT_OUT):
            unexpected.append(name)
    what = "TAAE of this configuration"
    check_exactly(path, tensors, model.state_dict(), published, what, unknown=unexpected, asks="the configuration asks")
    return config, {name: tensor.float().contiguous() for name, tensor in tensors.items()}


def write(model: TAAE, path: Path, facts: Mapping[str, Any] | None = None) -> None:
    """Write a model as safetensors under the published names, in one step; a folded kernel is given a norm again.

    `facts` are kept beside it and shown by `codeczoo info`: `training_data`, `weights_licence`, `domain`, `notes`.
    """
    stated = {**(facts or {}), "parameters": parameters(model)}
    metadata = {"format": FORMAT, "config": model.config.table(), "facts": stated}
    write_model(model, path, published_names(model), metadata)


def parameters(model: TAAE) -> int:
    """Weights of encoder and decoder, a kernel as direction and length."""
    lengths = sum(
        len(part.weight) for part in model.modules() if isinstance(part, WeightNormed) and part.weight is not None
    )
    return lengths + sum(parameter.numel() for parameter in model.parameters())


def published_names(model: TAAE) -> dict[str, str]:
    """The name of each tensor of a model -> the name that published checkpoints give it."""
    names: list[str] = []
    for part, module in model.named_modules():
        if part.partition(".")[0] not in ("encoder", "decoder"):
            continue
        own = [name for name, _ in module.named_parameters(recurse=False)]
        own += [name for name, _ in module.named_buffers(recurse=False)]
        if isinstance(module, WeightNormed):
            own = ["weight_g", "weight_v", *(["bias"] if module.bias is not None else [])]
        names += [f"{part}.{name}" for name in own]
    return {name: _published(name, len(model.config.strides)) for name in names}


def _published(name: str, blocks: int) -> str:
    matched = _OWN.fullmatch(name)
    assert matched is not None, name
    side, end, block, resample, layer, rest = matched.groups()
    if end:
        # Between the blocks and the last convolution there is an activation that published models leave out.
        return f"{side}.layers.{0 if end == 'conv_in' else blocks + 2}.{rest}"
    inside = f"{side}.layers.{int(block) + 1}.layers"
    if resample:
        return f"{inside}.{1 if side == 'encoder' else 2}.{rest}"
    own, published = next(pair for pair in _PARTS if rest.startswith(pair[0]))
    # The list of layers begins and ends with a transposition.
    return f"{inside}.{2 if side == 'encoder' else 0}.{int(layer) + 1}.{published}{rest.removeprefix(own)}"


def _stated_config(path: Path, metadata: Mapping[str, str]) -> TAAEConfig | None:
    if metadata.get("format") != FORMAT:
        return None
    try:
        return TAAEConfig.from_table(json.loads(metadata["config"]))
    except (KeyError, TypeError, ValueError, CodecError) as error:
        raise WeightsCorrupt(f"{path} states a configuration that cannot be read: {error}") from error
