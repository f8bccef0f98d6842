"""The tensors of an ONNX file, by name, for networks that are run by other means than their graph.

An ONNX file is a protocol buffer. Of its fields four levels are read here: model.graph (7), graph.initializer (5), and
of each tensor dims (1), data_type (2; 1 is float32), name (8), and its values as float_data (4) or raw_data (9), both
little-endian float32.

Source: onnx/onnx.proto of the ONNX project; protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_GRAPH, _INITIALIZER = 7, 5
_DIMS, _DATA_TYPE, _FLOAT_DATA, _NAME, _RAW_DATA = 1, 2, 4, 8, 9
_FLOAT32 = 1
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def float_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Every float32 initializer of a model."""
    tensors: dict[str, NDArray[np.float32]] = {}
    for number, graph in _fields(memoryview(path.read_bytes())):
        if number != _GRAPH or isinstance(graph, int):
            continue
        for inner, tensor in _fields(graph):
            if inner == _INITIALIZER and not isinstance(tensor, int):
                name, values = _tensor(tensor)
                if values is not None:
                    tensors[name] = values
    return tensors


def _tensor(message: memoryview) -> tuple[str, NDArray[np.float32] | None]:
    dims: list[int] = []
    name, data_type, raw = "", 0, b""
    for number, value in _fields(message):
        if number == _DIMS:
            dims += [value] if isinstance(value, int) else _varints(value)
        elif number == _DATA_TYPE and isinstance(value, int):
            data_type = value
        elif number == _NAME and not isinstance(value, int):
            name = bytes(value).decode("utf-8")
        elif number in (_FLOAT_DATA, _RAW_DATA) and not isinstance(value, int):
            raw += bytes(value)
    if data_type != _FLOAT32:
        return name, None
    return name, np.frombuffer(raw, dtype="<f4").astype(np.float32).reshape(dims)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values: an integer, or the bytes of anything else."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"This is no ONNX file: wire type {wire} at byte {at}.")
        yield number, message[at : at + length]
        at += length


def _varints(packed: memoryview) -> list[int]:
    values: list[int] = []
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        values.append(value)
    return values


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Seven bits a byte, least significant first; the top bit says that more follow."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
