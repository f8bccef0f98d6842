"""WavTokenizer's checkpoints: which tensors belong to the model, and what their shapes say of it.

A published `.ckpt` is a training checkpoint (Lightning): discriminators, the mel filterbank, EnCodec's own decoder and
the optimizers' states lie beside the model and are left out. What remains must be exactly the model: a tensor that is
missing, of another shape, not finite, or known to nobody is an error that names it.

Every hyper-parameter that decides a shape is read off the shapes; a strided convolution's kernel is twice its stride.
The files written here have the published names too, so that the reference implementation reads them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from .checkpoint import read_tensors, write_tensors
from .errors import CodecError, WeightsCorrupt
from .fingerprint import sha256_of
from .layers.convolution import ConvTranspose1d
from .layers.seanet import SeanetConfig
from .layers.vocos import ATTENTION, VocosConfig
from .layers.weight_norm import WeightNormed, norm
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

_WRAPPER = re.compile(r"\.(?:conv\.conv|convtr\.convtr)\.")
_NAMED_AT_ONCE = 5


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
    _check(path, tensors, model)
    return config, tensors


@dataclass(frozen=True)
class Written:
    """What a checkpoint was written as."""

    path: Path
    sha256: str
    """Of the file."""
    codebook: str
    """Fingerprint of the codebook."""
    config: WavTokenizerConfig


def write(
    model: WavTokenizer, path: Path, facts: Mapping[str, Any] | None = None, dtype: torch.dtype = torch.float32
) -> Written:
    """Write a model as safetensors under the published names, in one step; a folded kernel is given a norm again.

    `facts` are kept beside it and shown by `codeczoo info`: `training_data`, `weights_licence`, `domain`, `notes`.
    With float16 as `dtype` the file is half as large, and the model itself is rounded to what the file holds. Raises
    WeightsCorrupt where a tensor is out of float16's range; nothing is written then.
    """
    if dtype != torch.float32:
        _round(model, dtype)
    names = published_names(model)
    state = model.state_dict()
    for part, module in model.named_modules():
        if isinstance(module, WeightNormed) and module.weight is not None:
            kernel = state.pop(f"{part}.weight")
            state[f"{part}.weight_v"], state[f"{part}.weight_g"] = kernel, norm(kernel)
    config = model.config
    stated = {
        **(facts or {}),
        "sample_rate": config.sample_rate,
        "hop": config.hop,
        "entries": config.entries,
        "parameters": sum(parameter.numel() for parameter in model.parameters()) + model.quantizer.embed.numel(),
    }
    metadata = {"format": FORMAT, "config": json.dumps(asdict(config)), "facts": json.dumps(stated)}
    write_tensors(path, {names[name]: tensor.to(dtype) for name, tensor in state.items()}, metadata)
    return Written(path, sha256_of(path), model.codebook_fingerprint, config)


def convert(
    checkpoint: Path, converted: Path, sample_rate: int | None = None, dtype: torch.dtype = torch.float32
) -> Written:
    """A checkpoint of any kind to safetensors, with what inference and further training of the model need.

    The facts that a file of this project states go with it. Raises WeightsMissing, WeightsCorrupt.
    """
    facts = _stated_facts(checkpoint)
    model = WavTokenizer.from_checkpoint(checkpoint, sample_rate=sample_rate, trainable=True)
    return write(model, converted, facts, dtype)


@torch.no_grad()
def _round(model: WavTokenizer, dtype: torch.dtype) -> None:
    state = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    rounded = {name: tensor.to(dtype).to(tensor.dtype) for name, tensor in state.items()}
    lost = [name for name, tensor in rounded.items() if not tensor.isfinite().all()]
    if lost:
        raise WeightsCorrupt(f"{lost[0]} is out of the range of {dtype}; keep this model in float32.")
    for name, tensor in state.items():
        tensor.copy_(rounded[name])


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors and their names, whatever file they lie in."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].to(torch.float32).contiguous().numpy().astype("<f4", copy=False).data)
    return found.hexdigest()


def published_names(model: WavTokenizer) -> dict[str, str]:
    """The name of each tensor of a model -> the name that published checkpoints give it."""
    names: dict[str, str] = {}
    for part, module in model.named_modules():
        own = [name for name, _ in module.named_parameters(recurse=False)]
        own += [name for name, _ in module.named_buffers(recurse=False)]
        wrapper = ""
        if isinstance(module, WeightNormed):
            wrapper = "convtr.convtr." if isinstance(module, ConvTranspose1d) else "conv.conv."
            own = ["weight_g", "weight_v", "bias"]
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
            rest = _WRAPPER.sub(".", "." + name.removeprefix(PREFIXES[own]))
            tensors[own + rest.removeprefix(".")] = tensor
    if unknown or not tensors:
        _refuse(path, "does not hold a WavTokenizer", "unexpected tensors", unknown or stored)
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


@dataclass(frozen=True)
class _Shapes:
    """Shapes by name; what is missing is an error that names it."""

    path: Path
    tensors: Mapping[str, Tensor]

    def __call__(self, name: str, axes: int) -> tuple[int, ...]:
        if name not in self.tensors:
            _refuse(self.path, "is not a whole WavTokenizer", "missing tensors", [name])
        shape = tuple(self.tensors[name].shape)
        if len(shape) != axes or 0 in shape:
            raise WeightsCorrupt(f"{self.path}: {name} has the shape {list(shape)}; it must have {axes} axes.")
        return shape

    def numbers(self, pattern: str) -> list[int]:
        """What stands for the number in names of this pattern, rising, each once."""
        found = (re.match(pattern, name) for name in self.tensors)
        return sorted({int(match[1]) for match in found if match})


def infer_config(path: Path, tensors: Mapping[str, Tensor], sample_rate: int) -> WavTokenizerConfig:
    """The hyper-parameters that tensors (under our names) were made with. Raises WeightsCorrupt."""
    shapes = _Shapes(path, tensors)
    encoder = _encoder(shapes)
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


def _encoder(shapes: _Shapes) -> SeanetConfig:
    convolutions = shapes.numbers(r"encoder\.model\.(\d+)\.(?:weight_g|weight_v|bias)$")
    if len(convolutions) < 3:
        _refuse(shapes.path, "is not a whole WavTokenizer", "missing tensors", ["encoder.model.0.weight_v"])
    first, *strided, last = (shapes(f"encoder.model.{index}.weight_v", 3) for index in convolutions)
    residuals = shapes.numbers(r"encoder\.model\.(\d+)\.(?:block|shortcut)\.")
    if not residuals:
        _refuse(shapes.path, "is not a whole WavTokenizer", "missing tensors", ["encoder.model.1.block.1.weight_v"])
    hidden, channels, residual_kernel = shapes(f"encoder.model.{residuals[0]}.block.1.weight_v", 3)
    return SeanetConfig(
        strides=tuple(max(1, kernel // 2) for *_, kernel in strided),
        width=first[0],
        dimension=last[0],
        residual_layers=max(1, len(residuals) // len(strided)),
        lstm_layers=len(shapes.numbers(r"encoder\.model\.\d+\.lstm\.\w+_l(\d+)$")),
        kernel=first[2],
        last_kernel=last[2],
        residual_kernel=residual_kernel,
        compress=max(1, channels // hidden),
    )


def _decoder(shapes: _Shapes) -> VocosConfig | None:
    if any(name.startswith("decoder.") for name in shapes.tensors):
        return None
    width, dimension, kernel = shapes("backbone.embed.weight", 3)
    return VocosConfig(
        dimension=dimension,
        width=width,
        intermediate=shapes("backbone.convnext.0.pwconv1.weight", 2)[0],
        layers=shapes.numbers(r"backbone\.convnext\.(\d+)\.")[-1] + 1,
        bandwidths=shapes("backbone.norm.scale.weight", 2)[0],
        kernel=kernel,
        attention=any(name.startswith(f"backbone.pos_net.{ATTENTION}.") for name in shapes.tensors),
    )


def _n_fft(shapes: _Shapes, hop: int) -> int | None:
    if any(name.startswith("decoder.") for name in shapes.tensors):
        return None
    n_fft = shapes("head.out.weight", 2)[0] - 2
    return None if n_fft == 4 * hop else n_fft


def _check(path: Path, tensors: Mapping[str, Tensor], model: WavTokenizer) -> None:
    """Raise WeightsCorrupt unless `tensors` are exactly the finite tensors of `model`."""
    expected = model.state_dict()
    names = published_names(model)
    missing = [names[name] for name in expected if name not in tensors]
    unexpected = [name for name in tensors if name not in expected]
    if missing or unexpected:
        kind = "missing tensors" if missing else "unexpected tensors"
        _refuse(path, "is not exactly a WavTokenizer", kind, missing or unexpected)
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            wanted, got = list(expected[name].shape), list(tensor.shape)
            raise WeightsCorrupt(f"{path}: {names[name]} has the shape {got}; the other tensors ask for {wanted}.")
        if not tensor.is_floating_point():
            raise WeightsCorrupt(f"{path}: {names[name]} is {tensor.dtype}; it must be of floating-point numbers.")
        if not torch.isfinite(tensor).all():
            raise WeightsCorrupt(f"{path} is damaged: {names[name]} holds NaN or infinite numbers.")


def _refuse(path: Path, what: str, kind: str, names: Iterable[str]) -> NoReturn:
    listed = list(names)
    more = f" and {len(listed) - _NAMED_AT_ONCE} more" if len(listed) > _NAMED_AT_ONCE else ""
    raise WeightsCorrupt(f"{path} {what}: {kind} {', '.join(listed[:_NAMED_AT_ONCE])}{more}.")
