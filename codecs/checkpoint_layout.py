"""What a checkpoint's tensors are held against: the shapes and names of the model that they are to become; and how a
model is written.

Used by every native model. Whatever does not fit is an error that names the file and the tensor.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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

_OF_CONVOLUTION = re.compile(r"\.(weight_g|weight_v|bias)$")

_MOST_STACKED = 16
"""Stages of an encoder, and residual units of a stage, that are looked for."""


def published_name(own: str, prefixes: Mapping[str, str]) -> str:
    """The published name of a tensor that a configuration is read from; `prefixes` are ours and the published ones."""
    prefix = next(prefix for prefix in prefixes if own.startswith(prefix))
    if prefix == "encoder.":
        own = _OF_CONVOLUTION.sub(r".conv.conv.\1", own)
    return prefixes[prefix] + own.removeprefix(prefix)


@dataclass(frozen=True)
class Shapes:
    """Shapes by name; what is missing is an error that names it.

    A size that several tensors state is what most of them state: one that is of a wrong shape is then at odds with the
    configuration, and `check_exactly` names it and not the others.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    model: str
    """What the file should hold: `WavTokenizer`."""
    published: Callable[[str], str]
    """What the file calls a tensor."""

    def __call__(self, name: str, axes: int) -> tuple[int, ...]:
        if name not in self.tensors:
            self.lacks(name)
        shape = tuple(self.tensors[name].shape)
        if len(shape) != axes or 0 in shape:
            got = f"{self.published(name)} has the shape {list(shape)}"
            raise WeightsCorrupt(f"{self.path}: {got}; it must have {axes} axes, none of them 0 long.")
        return shape

    def lacks(self, name: str) -> NoReturn:
        """Raise WeightsCorrupt: there is no such tensor."""
        refuse(self.path, f"is not a whole {self.model}", {"missing tensors": [self.published(name)]})

    def most(self, *places: tuple[str, int]) -> int:
        """The size that most of these tensors have along these axes; the first one's where they are at odds."""
        found = [
            self.tensors[name].shape[axis]
            for name, axis in places
            if name in self.tensors and self.tensors[name].dim() > axis
        ]
        sizes = Counter(size for size in found if size)
        if not sizes:
            self.lacks(places[0][0])
        return max(sizes, key=lambda size: sizes[size])

    def numbers(self, pattern: str) -> list[int]:
        """What stands for the number in names of this pattern, rising, each once."""
        found = (re.match(pattern, name) for name in self.tensors)
        # Nothing has a million layers, and a number of thousands of digits is none that Python reads.
        return sorted({int(match[1]) for match in found if match and len(match[1]) <= 6})

    def count(self, pattern: str) -> int:
        """How many there are of what is numbered from 0 on: that of which the fewest are missing or left over."""
        numbers = self.numbers(pattern)
        ends = {number + 1: number - index + len(numbers) - index - 1 for index, number in enumerate(numbers)}
        return min(reversed(ends), key=lambda end: ends[end]) if ends else 0


@dataclass(frozen=True)
class _EncoderLayout:
    """Which layers of a SEANet encoder are what; activations are counted and hold nothing."""

    stages: int
    units: int
    """Residual units a stage."""
    lstm: bool

    @property
    def layers(self) -> set[tuple[str, int]]:
        kinds = {("convolution", index) for index in (0, *self.strided, self.last)}
        kinds |= {("residual", index) for index in self.residuals}
        return kinds | {("lstm", self.strided[-1] + 1)} if self.lstm else kinds

    @property
    def strided(self) -> list[int]:
        return [stage * (self.units + 2) for stage in range(1, self.stages + 1)]

    @property
    def residuals(self) -> list[int]:
        return [end - 1 - unit for end in self.strided for unit in range(self.units, 0, -1)]

    @property
    def last(self) -> int:
        return self.strided[-1] + 2 + self.lstm


def _encoder_layout(shapes: Shapes) -> _EncoderLayout:
    """The layout that has the fewest layers missing or left over among the tensors."""
    patterns = {
        "convolution": r"encoder\.model\.(\d+)\.(?:weight_g|weight_v|bias)$",
        "residual": r"encoder\.model\.(\d+)\.(?:block|shortcut)\.",
        "lstm": r"encoder\.model\.(\d+)\.lstm\.",
    }
    found = {(kind, number) for kind, pattern in patterns.items() for number in shapes.numbers(pattern)}
    known = [
        _EncoderLayout(stages, units, lstm)
        for stages in range(1, _MOST_STACKED + 1)
        for units in range(1, _MOST_STACKED + 1)
        for lstm in (True, False)
    ]
    return min(known, key=lambda layout: len(layout.layers ^ found))


def seanet_encoder(shapes: Shapes) -> SeanetConfig:
    """The hyper-parameters of the encoder under `encoder.`; a strided convolution's kernel is twice its stride."""
    layout = _encoder_layout(shapes)

    def kernel(index: int) -> int:
        return shapes(f"encoder.model.{index}.weight_v", 3)[2]

    def channels(layer: str) -> int:
        names = ("weight_v", "weight_g", "bias")
        return shapes.most(*((f"encoder.model.{layer}.{name}", 0) for name in names))

    width = channels("0")
    return SeanetConfig(
        strides=tuple(max(1, kernel(index) // 2) for index in layout.strided),
        width=width,
        dimension=channels(f"{layout.last}"),
        residual_layers=layout.units,
        lstm_layers=shapes.count(r"encoder\.model\.\d+\.lstm\.\w+_l(\d+)$") if layout.lstm else 0,
        kernel=kernel(0),
        last_kernel=kernel(layout.last),
        residual_kernel=shapes.most(*((f"encoder.model.{index}.block.1.weight_v", 2) for index in layout.residuals)),
        compress=max(1, width // channels(f"{layout.residuals[0]}.block.1")),
    )


def vocos_decoder(shapes: Shapes, dimension: int) -> VocosConfig:
    """The hyper-parameters of the decoder under `backbone.`, which takes features of `dimension` channels."""
    layers = shapes.count(r"backbone\.convnext\.(\d+)\.")
    blocks = [f"backbone.convnext.{index}." for index in range(max(1, layers))]
    tables = ["backbone.norm.", *(f"{block}norm." for block in blocks)]
    return VocosConfig(
        dimension=dimension,
        width=shapes.most(
            ("backbone.embed.weight", 0), ("backbone.embed.bias", 0), ("backbone.final_layer_norm.weight", 0)
        ),
        intermediate=shapes.most(
            *((f"{block}pwconv1.weight", 0) for block in blocks), *((f"{block}pwconv1.bias", 0) for block in blocks)
        ),
        layers=layers,
        bandwidths=shapes.most(
            *((f"{table}scale.weight", 0) for table in tables), *((f"{table}shift.weight", 0) for table in tables)
        ),
        kernel=shapes("backbone.embed.weight", 3)[2],
        attention=any(name.startswith(f"backbone.pos_net.{ATTENTION}.") for name in shapes.tensors),
    )


def fourier_head(shapes: Shapes, hop: int) -> int | None:
    """n_fft of the head under `head.`, None where it is the usual four hops."""
    rows = [("head.out.weight", 0), ("head.out.bias", 0)]
    n_fft = shapes.most(*rows) - 2
    window = shapes.tensors.get("head.istft.window")
    if window is not None and any(
        shapes.most(place) == len(window) + 2 for place in rows if place[0] in shapes.tensors
    ):
        n_fft = len(window)
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


_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""What tensors may be stored as; they are computed with as float32."""


def check_exactly(
    path: Path,
    tensors: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    names: Mapping[str, str],
    model: str,
    *,
    unknown: Sequence[str] = (),
    stored_as: Mapping[str, str] | None = None,
    asks: str = "the other tensors ask",
) -> None:
    """Raise WeightsCorrupt unless `tensors` are finite and exactly of the names and shapes of `expected`.

    `names` says what these must be called in the file and `stored_as` what they are called there (unless given, as they
    must be); `unknown` is what else is in it, and `asks` what it is that asks for a shape.
    """
    calls = {name: names.get(name, name) for name in tensors} | dict(stored_as or {})
    missing = [names[name] for name in expected if name not in tensors]
    unexpected = [
        *unknown,
        *(calls[name] for name in tensors if calls[name] != names.get(name) or name not in expected),
    ]
    if missing or unexpected:
        refuse(path, f"is not exactly a {model}", {"missing tensors": missing, "unexpected tensors": unexpected})
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            wanted, got = list(expected[name].shape), list(tensor.shape)
            raise WeightsCorrupt(f"{path}: {names[name]} has the shape {got}; {asks} for {wanted}.")
        if tensor.dtype not in _FLOATS:
            allowed = ", ".join(str(dtype) for dtype in _FLOATS)
            raise WeightsCorrupt(
                f"{path}: {names[name]} is {tensor.dtype}; it must be of floating-point numbers ({allowed})."
            )
        # float64 holds numbers that float32, which is computed with, does not.
        if not torch.isfinite(tensor.float()).all():
            raise WeightsCorrupt(f"{path} is damaged: {names[name]} holds NaN or infinite numbers, in float32.")
        if name.endswith(".weight_v") and not bool(norm(tensor.float()).all()):
            raise WeightsCorrupt(f"{path} is damaged: {names[name]} holds a kernel of zeros, which has no direction.")


def refuse(path: Path, what: str, found: Mapping[str, Sequence[str]]) -> NoReturn:
    """Raise WeightsCorrupt with the first tensors of each kind that was found."""
    kinds: list[str] = []
    for kind, names in found.items():
        more = f" and {len(names) - _NAMED_AT_ONCE} more" if len(names) > _NAMED_AT_ONCE else ""
        kinds += [f"{kind} {', '.join(names[:_NAMED_AT_ONCE])}{more}"] if names else []
    raise WeightsCorrupt(f"{path} {what}: {'; '.join(kinds)}.")
