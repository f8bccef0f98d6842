"""The layers of DNSMOS' networks, with the weights that the package carries in ONNX files.

Convolutions are 3 x 3 and followed by a ReLU; between some of them the maxima of 2 x 2 are taken; the global maximum of
each map goes through three dense layers. Maps are `[B, C, N, F]`, with channels last in memory: convolutions are a
little faster so, and maxima ten times.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from .onnx_tensors import float_tensors

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Network:
    """One network's weights."""

    tensors: dict[str, Tensor]
    prefix: str

    def convolved(self, maps: Tensor, name: str, padding: tuple[int, int] = (1, 1)) -> Tensor:
        """One convolution with its ReLU, padded by so many zeros in time and frequency."""
        from torch.nn import functional

        kernel, bias = self.tensors[f"{name}/kernel:0"], self.tensors[f"{name}/bias:0"]
        return functional.conv2d(maps, kernel, bias, padding=padding).relu_()

    def dense(self, values: Tensor, names: tuple[str, ...]) -> Tensor:
        """Dense layers with ReLUs between them."""
        for number, name in enumerate(names):
            stem = f"{self.prefix}/{name}"
            matrix = self.tensors[f"{stem}/MatMul/ReadVariableOp/resource:0"]
            bias = self.tensors[f"{stem}/BiasAdd/ReadVariableOp/resource:0"]
            values = (values.relu() if number else values) @ matrix + bias
        return values


def halved(maps: Tensor) -> Tensor:
    """Maxima of 2 x 2."""
    from torch.nn import functional

    return functional.max_pool2d(maps, 2)


@lru_cache(maxsize=2)
def network(file: str, prefix: str) -> Network:
    """The network of one of the package's files."""
    import torch

    path = Path(str(files("speechmos"))) / "dnsmos_models" / file
    tensors = {name: torch.from_numpy(values) for name, values in float_tensors(path).items()}
    return Network({name: _channels_last(tensor) for name, tensor in tensors.items()}, prefix)


def _channels_last(tensor: Tensor) -> Tensor:
    import torch

    if tensor.dim() != 4:
        return tensor
    # `contiguous` leaves a tensor of one channel as it is, and the maps that its kernel gives are then channels first.
    return torch.empty_like(tensor, memory_format=torch.channels_last).copy_(tensor)
