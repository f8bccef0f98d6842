"""Versions of installed packages, for the identities of metrics: read from their metadata, without importing them."""

from __future__ import annotations

import importlib.metadata


def tagged(*packages: str) -> str:
    """`pesq:0.0.4|scipy:1.17.1`; a package that is not installed is `absent`."""
    return "|".join(f"{package}:{_version(package)}" for package in packages)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
