"""What is known of references alone (pitch tracks, MOS), computed once a clip and kept between runs, by content.

The key holds the clip's hash, the sample rate and length it was analysed at, and the identities of the measure's
metrics, so that nothing stale can be believed. Files are `.npz` without pickles under
`$XDG_CACHE_HOME/codeczoo/references` (by default `~/.cache/codeczoo/references`); deleting them is always safe.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Features = Mapping[str, NDArray[np.generic]]


def folder() -> Path:
    """The cache's folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "codeczoo" / "references"


def key(clip_sha256: str, sample_rate: int, length: int, identities: tuple[str, ...]) -> str:
    """Name of one analysis of one signal."""
    text = "\n".join([clip_sha256, str(sample_rate), str(length), *identities])
    return hashlib.sha256(text.encode()).hexdigest()


def get(name: str, compute: Callable[[], Features]) -> Features:
    """The cached features, or those that `compute` gives, then cached. Processes that want the same wait for one."""
    path = folder() / name[:2] / f"{name}.npz"
    known = _read(path)
    if known is not None:
        return known
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_suffix(".lock")):
        known = _read(path)
        if known is not None:
            return known
        features = compute()
        temporary = path.with_suffix(f".{uuid.uuid4().hex}.npz")  # machines that share the folder share process numbers
        np.savez(temporary, **{name: np.asarray(values) for name, values in features.items()})  # pyright: ignore[reportArgumentType]
        temporary.replace(path)
        return features


def _read(path: Path) -> Features | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (FileNotFoundError, zipfile.BadZipFile, ValueError, EOFError):
        return None  # absent, or torn by a power cut: computed again


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        # Where the file system has no locks, two may compute the same: the file is replaced in one step either way.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
