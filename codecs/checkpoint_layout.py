"""What a checkpoint's tensors are held against: the shapes and names of the model that they are to become; and how a
model is written.

Used by every native model. Whatever does not fit is an error that names the file and the tensor.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

import torch
from torch import Tensor, nn

from .checkpoint import write_tensors
from .errors import WeightsCorrupt
from .fingerprint import sha256_of
from .layers.convolution import ConvTranspose1d
from .layers.seanet import SeanetConfig
from .layers.vocos import ATTENTION, VocosConfig
from .layers.weight_norm import WeightNormed, norm

Config = TypeVar("Config")

_NAMED_AT_ONCE = 5

WRAPPER = re.compile(r"\.(?:conv\.conv|convtr\.convtr)\.")
"""What the published names have around a convolution's own."""


@dataclass(frozen=True)
class Shapes:
    """Shapes by name; what is missing is an error that names it."""

    path: Path
    tensors: Mapping[str, Tensor]
    model: str
    """What the file should hold: `WavTokenizer`."""

    def __call__(self, name: str, axes: int) -> tuple[int, ...]:
        if name not in self.tensors:
            self.lacks(name)
        shape = tuple(self.tensors[name].shape)
        if len(shape) != axes or 0 in shape:
            raise WeightsCorrupt(f"{self.path}: {name} has the shape {list(shape)}; it must have {axes} axes.")
        return shape

    def lacks(self, name: str) -> NoReturn:
        """Raise WeightsCorrupt: there is no such tensor."""
        refuse(self.path, f"is not a whole {self.model}", "missing tensors", [name])

    def numbers(self, pattern: str) -> list[int]:
        """What stands for the number in names of this pattern, rising, each once."""
        found = (re.match(pattern, name) for name in self.tensors)
        return sorted({int(match[1]) for match in found if match})


def seanet_encoder(shapes: Shapes) -> SeanetConfig:
    """The hyper-parameters of the encoder under `encoder.`; a strided convolution's kernel is twice its stride."""
    convolutions = shapes.numbers(r"encoder\.model\.(\d+)\.(?:weight_g|weight_v|bias)$")
    if len(convolutions) < 3:
        shapes.lacks("encoder.model.0.weight_v")
    first, *strided, last = (shapes(f"encoder.model.{index}.weight_v", 3) for index in convolutions)
    residuals = shapes.numbers(r"encoder\.model\.(\d+)\.(?:block|shortcut)\.")
    if not residuals:
        shapes.lacks("encoder.model.1.block.1.weight_v")
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


def vocos_decoder(shapes: Shapes) -> VocosConfig:
    """The hyper-parameters of the decoder under `backbone.`."""
    width, dimension, kernel = shapes("backbone.embed.weight", 3)
    blocks = shapes.numbers(r"backbone\.convnext\.(\d+)\.")
    return VocosConfig(
        dimension=dimension,
        width=width,
        intermediate=shapes("backbone.convnext.0.pwconv1.weight", 2)[0],
        layers=blocks[-1] + 1,
        bandwidths=shapes("backbone.norm.scale.weight", 2)[0],
        kernel=kernel,
        attention=any(name.startswith(f"backbone.pos_net.{ATTENTION}.") for name in shapes.tensors),
    )


def fourier_head(shapes: Shapes, hop: int) -> int | None:
    """n_fft of the head under `head.`, None where it is the usual four hops."""
    n_fft = shapes("head.out.weight", 2)[0] - 2
    return None if n_fft == 4 * hop else n_fft


def wrapped_names(module: nn.Module) -> tuple[str, list[str]]:
    """The wrapper that published names put around a module's own tensors, and these tensors as files have them."""
    if isinstance(module, WeightNormed):
        wrapper = "convtr.convtr." if isinstance(module, ConvTranspose1d) else "conv.conv."
        return wrapper, ["weight_g", "weight_v", "bias"]
    own = [name for name, _ in module.named_parameters(recurse=False)]
    return "", own + [name for name, _ in module.named_buffers(recurse=False)]


def unfolded_state(model: nn.Module) -> dict[str, Tensor]:
    """The model's tensors; a folded kernel is given a norm again."""
    state = model.state_dict()
    for part, module in model.named_modules():
        if isinstance(module, WeightNormed) and module.weight is not None:
            kernel = state.pop(f"{part}.weight")
            state[f"{part}.weight_v"], state[f"{part}.weight_g"] = kernel, norm(kernel)
    return state


@torch.no_grad()
def round_to(model: nn.Module, dtype: torch.dtype) -> None:
    """Round a model to what a file of `dtype` would hold. Raises WeightsCorrupt, and changes nothing, where a tensor is
    out of its range."""
    state = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    rounded = {name: tensor.to(dtype).to(tensor.dtype) for name, tensor in state.items()}
    lost = [name for name, tensor in rounded.items() if not tensor.isfinite().all()]
    if lost:
        raise WeightsCorrupt(f"{lost[0]} is out of the range of {dtype}; keep this model in float32.")
    for name, tensor in state.items():
        tensor.copy_(rounded[name])


@dataclass(frozen=True)
class Written(Generic[Config]):
    """What a checkpoint was written as."""

    path: Path
    sha256: str
    """Of the file."""
    codebook: str
    """Fingerprint of the codebook."""
    config: Config


def write_model(
    model: nn.Module,
    path: Path,
    names: Mapping[str, str],
    stated: Mapping[str, Any],
    dtype: torch.dtype = torch.float32,
) -> str:
    """Write a model as safetensors under the published `names`, in one step, and give the file's SHA-256; a
    folded kernel is given a norm again. What is `stated` goes beside them, tables as JSON.

    With float16 as `dtype` the file is half as large, and the model itself is rounded to what the file holds. Raises
    WeightsCorrupt where a tensor is out of float16's range; nothing is written then.
    """
    if dtype != torch.float32:
        round_to(model, dtype)
    metadata = {key: value if isinstance(value, str) else json.dumps(value) for key, value in stated.items()}
    state = {names[name]: tensor.to(dtype) for name, tensor in unfolded_state(model).items()}
    write_tensors(path, state, metadata)
    return sha256_of(path)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors and their names, whatever file they lie in."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].to(torch.float32).contiguous().numpy().astype("<f4", copy=False).data)
    return found.hexdigest()


def check_exactly(
    path: Path,
    tensors: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    names: Mapping[str, str],
    model: str,
    unknown: Sequence[str] = (),
    asks: str = "the other tensors ask",
) -> None:
    """Raise WeightsCorrupt unless `tensors` are finite and exactly of the names and shapes of `expected`; `names` says
    what these are called in the file, `unknown` what else is in it, and `asks` what it is that asks for a shape."""
    missing = [names[name] for name in expected if name not in tensors]
    unexpected = [*unknown, *(name for name in tensors if name not in expected)]
    if missing or unexpected:
        kind = "missing tensors" if missing else "unexpected tensors"
        refuse(path, f"is not exactly a {model}", kind, missing or unexpected)
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            wanted, got = list(expected[name].shape), list(tensor.shape)
            raise WeightsCorrupt(f"{path}: {names[name]} has the shape {got}; {asks} for {wanted}.")
        if not tensor.is_floating_point():
            raise WeightsCorrupt(f"{path}: {names[name]} is {tensor.dtype}; it must be of floating-point numbers.")
        if not torch.isfinite(tensor).all():
            raise WeightsCorrupt(f"{path} is damaged: {names[name]} holds NaN or infinite numbers.")


def refuse(path: Path, what: str, kind: str, names: Iterable[str]) -> NoReturn:
    """Raise WeightsCorrupt with the first of the tensors."""
    listed = list(names)
    more = f" and {len(listed) - _NAMED_AT_ONCE} more" if len(listed) > _NAMED_AT_ONCE else ""
    raise WeightsCorrupt(f"{path} {what}: {kind} {', '.join(listed[:_NAMED_AT_ONCE])}{more}.")
