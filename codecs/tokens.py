"""Token files: one `Encoded` in one `.safetensors` file, small, without pickles, bound to the codec that made it.

    codes.0, codes.1, ...   [B, N_k], the smallest of uint8, uint16, uint32 that holds the codebook's entries
    payload                 [bytes] uint8, byte codecs only
    packet_sizes            [packets] int32, of all clips one after the other
    packet_counts           [B] int32, how many of them are of each clip
    side.NAME               [B, ...] float32

Metadata (strings): `format` (codeczoo-tokens), `version`, `codec`, `codec_fingerprint`, `sample_rate` (Hz), `length`
(samples), `codebook` (fingerprint of the codebooks), `clip` and `clip_sha256`, empty where they are not known, and
`checksum`, of all the others and the tensors: a code that was damaged into another one is still a code. Files of before
there was one are read as they are.

Tokens mean nothing to another codec, nor to another version of the same: `load` refuses both.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Codec, Encoded, check_codes
from .errors import InvalidTokens

FORMAT = "codeczoo-tokens"
VERSION = "1"
SUFFIX = ".safetensors"

_CODE_DTYPES = (np.uint8, np.uint16, np.uint32)
_REQUIRED = ("codec", "codec_fingerprint", "sample_rate", "length", "clip", "clip_sha256")


@dataclass(frozen=True)
class TokenFile:
    """What a token file holds, not yet compared with any codec."""

    encoded: Encoded
    codec: str
    codec_fingerprint: str
    sample_rate: int
    clip: str
    clip_sha256: str


def save(path: Path, encoded: Encoded, codec: Codec, *, clip: str = "", clip_sha256: str = "") -> None:
    """Write a token file in one step: at any instant there is the old file, or the new one, whole. Raises OSError."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    if not encoded.codes and encoded.payload is None:
        raise InvalidTokens(
            f"{codec.spec.name} gave neither codes nor packets: there are no tokens to store in {path}."
        )
    check_codes(encoded, codec.spec)
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "codec": codec.spec.name,
        "codec_fingerprint": codec.fingerprint,
        "sample_rate": str(codec.spec.sample_rate),
        "length": str(encoded.length),
        "codebook": encoded.codebook,
        "clip": clip,
        "clip_sha256": clip_sha256,
    }
    arrays = _arrays(encoded, codec.spec.codebook_sizes)
    metadata["checksum"] = _checksum(metadata, arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False) as file:
        part = Path(file.name)
    try:
        save_file(arrays, part, metadata)
        part.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def load(path: Path, codec: Codec) -> Encoded:
    """The tokens of a file that this very codec made. Raises InvalidTokens."""
    found = read(path)
    name = codec.spec.name
    if found.codec != name:
        raise InvalidTokens(f"{path} holds tokens of {found.codec}; {name} cannot decode them.")
    if found.codec_fingerprint != codec.fingerprint:
        raise InvalidTokens(
            f"{path} holds tokens of another version of {name}: they were made by {found.codec_fingerprint}, this one "
            f"is {codec.fingerprint}. Encode the audio again, or install the versions that made them."
        )
    if found.sample_rate != codec.spec.sample_rate:
        raise InvalidTokens(f"{path} is at {found.sample_rate} Hz; {name} works at {codec.spec.sample_rate} Hz.")
    check_codes(found.encoded, codec.spec)
    return found.encoded


def read(path: Path) -> TokenFile:
    """Whatever a token file holds. Raises InvalidTokens where it is none, or damaged."""
    metadata, arrays = _open(path)
    if metadata.get("format") != FORMAT:
        raise InvalidTokens(f"{path} is a safetensors file, but not of tokens: its format is not {FORMAT}.")
    if metadata.get("version") != VERSION:
        raise InvalidTokens(f"{path} is of version {metadata.get('version')!r}; this program reads version {VERSION}.")
    if "checksum" in metadata and metadata["checksum"] != _checksum(metadata, arrays):
        raise InvalidTokens(f"{path} is damaged: its content is not what its checksum says. Encode the audio again.")
    missing = [key for key in _REQUIRED if key not in metadata]
    if missing:
        raise InvalidTokens(f"{path} lacks {', '.join(missing)} in its metadata.")
    return TokenFile(
        encoded=_encoded(path, arrays, _count(path, metadata, "length"), metadata.get("codebook", "")),
        codec=metadata["codec"],
        codec_fingerprint=metadata["codec_fingerprint"],
        sample_rate=_count(path, metadata, "sample_rate"),
        clip=metadata["clip"],
        clip_sha256=metadata["clip_sha256"],
    )


def codec_of(path: Path) -> str:
    """The codec that a token file names; its tokens are not read. Raises InvalidTokens."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InvalidTokens(f"{path} is not a token file, or damaged: {error}.") from error
    if metadata.get("format") != FORMAT or "codec" not in metadata:
        raise InvalidTokens(f"{path} is a safetensors file, but not of tokens: its format is not {FORMAT}.")
    return metadata["codec"]


def _open(path: Path) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise InvalidTokens(f"There is no token file {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InvalidTokens(f"{path} is not a token file, or damaged: {error}.") from error


def _checksum(metadata: Mapping[str, str], arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for key in sorted(metadata.keys() - {"checksum"}):
        digest.update(f"{key}={metadata[key]}\n".encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def _count(path: Path, metadata: dict[str, str], key: str) -> int:
    text = metadata[key]
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise InvalidTokens(f"{path} states a {key} of {text!r}; it must be a positive whole number.")
    return int(text)


def _arrays(encoded: Encoded, codebook_sizes: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for index, (codes, size) in enumerate(zip(encoded.codes, codebook_sizes, strict=True)):
        dtype = next(dtype for dtype in _CODE_DTYPES if size - 1 <= np.iinfo(dtype).max)
        arrays[f"codes.{index}"] = codes.cpu().numpy().astype(dtype)
    if encoded.payload is not None:
        arrays["payload"] = np.frombuffer(encoded.payload, np.uint8)
        arrays["packet_sizes"] = np.array([size for sizes in encoded.packet_sizes for size in sizes], np.int32)
        arrays["packet_counts"] = np.array([len(sizes) for sizes in encoded.packet_sizes], np.int32)
    for name, values in encoded.side.items():
        arrays[f"side.{name}"] = np.ascontiguousarray(values.cpu().numpy(), np.float32)
    return arrays


def _encoded(path: Path, arrays: dict[str, NDArray[Any]], length: int, codebook: str) -> Encoded:
    import torch

    n_codebooks = sum(name.startswith("codes.") for name in arrays)
    payload: bytes | None = None
    packet_sizes: tuple[tuple[int, ...], ...] = ()
    try:
        stored = [arrays[f"codes.{index}"] for index in range(n_codebooks)]
        if "payload" in arrays:
            payload = _typed(arrays["payload"], np.uint8).tobytes()
            packet_sizes = _cut_sizes(arrays)
        codes = tuple(torch.from_numpy(_typed(values, *_CODE_DTYPES).astype(np.int64)) for values in stored)
        side = {
            name.removeprefix("side."): torch.from_numpy(_typed(values, np.float32))
            for name, values in arrays.items()
            if name.startswith("side.")
        }
    except KeyError as error:
        raise InvalidTokens(f"{path} is damaged: it lacks the tensor {error}.") from error
    except ValueError as error:
        raise InvalidTokens(f"{path} is damaged: {error}.") from error
    if any(values.ndim != 2 or len(values) != len(stored[0]) for values in stored):
        raise InvalidTokens(f"{path} is damaged: its codebooks are not [B, N] of one B.")
    if not codes and payload is None:
        raise InvalidTokens(f"{path} holds neither codes nor packets.")
    return Encoded(codes, length, payload, packet_sizes, side, codebook)


def _typed(values: NDArray[Any], *dtypes: type[np.generic]) -> NDArray[Any]:
    if not any(values.dtype == dtype for dtype in dtypes):
        raise ValueError(f"it holds {values.dtype} where {' or '.join(dtype.__name__ for dtype in dtypes)} is stored")
    return values


def _cut_sizes(arrays: dict[str, NDArray[Any]]) -> tuple[tuple[int, ...], ...]:
    """Packet sizes of each clip, after checking that they make up the payload."""
    sizes = _typed(arrays["packet_sizes"], np.int32).ravel()
    counts = _typed(arrays["packet_counts"], np.int32).ravel()
    if (sizes < 0).any() or (counts < 0).any():
        raise ValueError("it holds negative packet sizes")
    if int(counts.sum(dtype=np.int64)) != len(sizes) or int(sizes.sum(dtype=np.int64)) != arrays["payload"].size:
        raise ValueError("its packet sizes do not make up its payload")
    ends = np.cumsum(counts, dtype=np.int64)
    return tuple(tuple(sizes[end - count : end].tolist()) for end, count in zip(ends, counts, strict=True))
