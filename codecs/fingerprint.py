"""A short name for everything that decides a codec's tokens and audio: adapter, packages, weights.

Stored with every record and every token file, so that a result is measured anew when what made it has changed.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

_READ_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(name: str, *, adapter: str, packages: tuple[str, ...] = (), parts: tuple[str, ...] = ()) -> str:
    """16 hexadecimal digits of the operating point's name, the adapter's source (a module's `__file__`), the versions
    of the distributions in `packages`, and any further `parts` (checksums of weights, versions of libraries)."""
    lines = [name, sha256_of(Path(adapter)), *(f"{package}=={version(package)}" for package in packages), *parts]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
