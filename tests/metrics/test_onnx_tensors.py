"""The tensors of an ONNX file: one written by hand, byte for byte, and what the runtime says of a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codeczoo.metrics.onnx_tensors import float_tensors


def _field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def _model(*tensors: bytes) -> bytes:
    return _field(7, b"".join(_field(5, tensor) for tensor in tensors))


def test_raw_and_float_data_and_other_types(tmp_path: Path) -> None:
    values = np.array([[1.5, -2.0, 3.25]], np.float32)
    shape = bytes([1 << 3, 1, 1 << 3, 3])
    packed_shape = _field(1, bytes([1, 3]))
    floats = bytes([2 << 3, 1])
    raw = shape + floats + _field(8, b"raw") + _field(9, values.tobytes())
    data = packed_shape + floats + _field(8, b"data") + _field(4, values.tobytes())
    integers = bytes([1 << 3, 1, 2 << 3, 7]) + _field(8, b"integers") + _field(9, bytes(8))
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes([1 << 3, 0x96, 0x01]) + _model(raw, data, integers))
    found = float_tensors(path)
    assert list(found) == ["raw", "data"]
    assert found["raw"].tolist() == found["data"].tolist() == values.tolist()


def test_another_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.onnx"
    path.write_bytes(b"these are not tensors")
    with pytest.raises(ValueError, match="no ONNX file: wire type 4 at byte"):
        float_tensors(path)
