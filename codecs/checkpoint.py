"""Tensors from a file of unknown origin: a safetensors file, or a pickle of PyTorch of which nothing is executed.

A pickle is read with `weights_only=True`: one that holds more than tensors and plain containers is refused. A zip
archive, which `torch.save` writes, states a checksum of every member; they are checked, since PyTorch does not. It is
mapped into memory, so its members must lie in it as they are: of a compressed one, PyTorch would take the compressed
bytes for numbers.
"""

from __future__ import annotations

import pickle
import re
import uuid
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .errors import WeightsCorrupt, WeightsMissing

_ASKED_FOR = re.compile(r"GLOBAL ([\w.]+)")
"""In PyTorch's refusal of a pickle: the function or class that it wants."""


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, and the metadata of a safetensors file. Of a training checkpoint: those of its `state_dict`.

    Raises WeightsMissing where there is no such file, WeightsCorrupt where it is damaged or not of tensors.
    """
    if not path.is_file():
        raise WeightsMissing(f"There is no checkpoint {path}.")
    if path.suffix == ".safetensors":
        return _safetensors(path)
    return _pickled(path), {}


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsCorrupt(f"{path} is not a safetensors file, or damaged: {error}.") from error


def _pickled(path: Path) -> dict[str, Tensor]:
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            # That a pickle is of an unusual protocol is no fault where it loads, and no news where it does not.
            warnings.simplefilter("ignore", UserWarning)
            # Mapped, so that the optimizer's states, half of a training checkpoint, are never read.
            stored: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        # Not PyTorch's own sentence, which recommends to load it with all that it wants to run.
        asked = _ASKED_FOR.search(str(error))
        what = (
            f"it asks for {asked[1]}"
            if asked
            else "it is no pickle of PyTorch (a safetensors file ends in .safetensors)"
        )
        raise WeightsCorrupt(
            f"{path} is not a checkpoint of tensors alone: {what}. Nothing of it was executed. If it is your own, save "
            "its state_dict by itself and read that."
        ) from error
    except (RuntimeError, EOFError, KeyError, TypeError, ValueError, AttributeError, IndexError, OSError) as error:
        raise WeightsCorrupt(f"{path} is not a checkpoint of PyTorch, or damaged: {_first_line(error)}") from error
    state = stored.get("state_dict", stored) if isinstance(stored, dict) else None
    if not isinstance(state, dict) or not state:
        raise WeightsCorrupt(f"{path} holds no state_dict; a checkpoint is a table from names to tensors.")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsCorrupt(
                f"{path}: {name!r} of its state_dict is {type(value).__name__}; names stand for tensors there."
            )
        _check_stored(path, name, value)
    # Parameters are tensors that want a gradient.
    return {name: value.detach() for name, value in state.items()}


def _check_stored(path: Path, name: str, tensor: Tensor) -> None:
    """Raise WeightsCorrupt unless the file holds every number of a tensor. One of a few bytes may claim a terabyte."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        raise WeightsCorrupt(
            f"{path}: {name} is not a plain tensor ({tensor.layout}, {tensor.dtype}, {tensor.device})."
        )
    claimed = tensor.numel() * tensor.element_size()
    if claimed > tensor.untyped_storage().nbytes():
        held = tensor.untyped_storage().nbytes()
        raise WeightsCorrupt(f"{path}: {name} of shape {list(tensor.shape)} is {claimed} bytes; the file has {held}.")


def _check_archive(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [member.filename for member in archive.infolist() if member.compress_type != zipfile.ZIP_STORED]
            damaged = None if packed else archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise WeightsCorrupt(f"{path} is a damaged archive: {error}.") from error
    if packed:
        raise WeightsCorrupt(
            f"{path} is a compressed archive ({packed[0]}), which PyTorch writes none of. Unpack it, and pack it again "
            "without compression (zip -0), or fetch it again."
        )
    if damaged is not None:
        raise WeightsCorrupt(f"{path} is damaged: {damaged} in it differs from its checksum. Fetch it again.")


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file in one step: at any instant there is the old file, or the new one, whole. Raises
    OSError."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    # Not by tempfile, whose files nobody else may read.
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        kept = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
        save_file(kept, part, dict(metadata))
        part.replace(path)
    except SafetensorError as error:
        # What a full disk is to that package is no OSError.
        raise OSError(_first_line(error)) from error
    finally:
        part.unlink(missing_ok=True)
