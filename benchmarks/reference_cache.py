"""What is known of references alone (pitch tracks, MOS), computed once a clip and kept between runs, by content.

The key holds the clip's hash, the sample rate and length it was analysed at, and the identities of the measure's
metrics, so that nothing stale can be believed. Files are `.npz` without pickles under
`$XDG_CACHE_HOME/codeczoo/references` (by default `~/.cache/codeczoo/references`); deleting them is always safe.
Where the folder cannot be written to, everything is computed, and that is said once.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import logging
import os
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)

Features = Mapping[str, NDArray[np.generic]]


_NAMES = "__names__"
"""First member of a file, the names of the others: a zip whose directory is damaged may show fewer. Files of before
there was one are taken as they are."""


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
    with ExitStack() as held:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(_locked(path.with_suffix(".lock")))
        except OSError as error:
            _say_once(error)
            return compute()
        known = _read(path)
        if known is not None:
            return known
        features = compute()
        _keep(path, features)
        return features


def _keep(path: Path, features: Features) -> None:
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.npz")  # machines that share the folder share process numbers
    try:
        arrays = {_NAMES: np.array(sorted(features)), **{name: np.asarray(of) for name, of in features.items()}}
        np.savez(temporary, **arrays)  # pyright: ignore[reportArgumentType]
        temporary.replace(path)
    except OSError as error:
        _say_once(error)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def _warned() -> list[str]:
    return []


def _say_once(error: OSError) -> None:
    if not _warned():
        _warned().append(str(error))
        _log.warning("What is known of references is not kept between runs: %s", error)


def _read(path: Path) -> Features | None:
    try:
        # Members as a whole: their checksums are looked at where they end, which numpy.load need not come to.
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            members = {name.removesuffix(".npy"): io.BytesIO(archive.read(name)) for name in archive.namelist()}
        found = {name: np.lib.format.read_array(member, allow_pickle=False) for name, member in members.items()}
    except (OSError, zipfile.BadZipFile, ValueError, EOFError, RuntimeError):
        return None  # absent, torn by a power cut or damaged: computed again
    names = found.pop(_NAMES, None)
    return found if names is None or sorted(found) == names.tolist() else None


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
