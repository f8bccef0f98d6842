"""Stand-ins for published checkpoints: the real package's model with random weights, in the published file layout.

A stand-in's checksums are its own, so it is loaded through a `Weights` made here, never through the registered one.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from codeczoo.codecs.fingerprint import sha256_of
from codeczoo.codecs.weights import WeightFile, Weights


def plain(folder: Path, name: str, file: str) -> Weights:
    """Weights of one plain file that lies at `folder / name / file`."""
    return Weights(name=name, files=(WeightFile(file, sha256_of(folder / name / file)),))


def repository(folder: Path, repository: str) -> Weights:
    """Weights of a hub repository that lies at `folder / ORG / REPO`."""
    home = folder / repository
    files = tuple(WeightFile(path.name, sha256_of(path)) for path in sorted(home.iterdir()))
    return Weights(name=repository.replace("/", "--"), files=files, repository=repository)


def use(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("CODECZOO_WEIGHTS", str(folder))


def noise(*shape: int, seed: int = 0, level: float = 0.1) -> torch.Tensor:
    """Gaussian noise within [-1, 1], the same at every call."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, generator=generator) * level).clamp(-1, 1)
