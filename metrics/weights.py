"""Weights of metrics that do not come with a package: where they are looked for and how they are fetched.

Order: `FOLDER/FILE` in each folder of `$CODECZOO_WEIGHTS` (separated as in PATH), then in the user's cache
(`$XDG_CACHE_HOME/codeczoo/weights`, by default `~/.cache/codeczoo/weights`), then the local cache of huggingface_hub.
`find` never downloads: a benchmark does not fetch in silence. `fetch` does, into the user's cache, when the user asks.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .base import MetricWeightsMissing


@dataclass(frozen=True)
class MetricWeights:
    """One file of weights, and where it officially is."""

    metric: str
    folder: str
    """In a folder of weights."""
    file: str
    hub_repo: str
    """Of the Hugging Face hub."""
    hub_revision: str
    licence: str
    size: str


UTMOS = MetricWeights(
    metric="utmos",
    folder="utmos",
    file="utmos_state_dict.pt",
    hub_repo="Blinorot/UTMOS-PyTorch",
    hub_revision="main",
    licence="MIT",
    size="about 400 MB",
)
ALL = {weights.metric: weights for weights in (UTMOS,)}
"""By metric; other metrics need none or carry theirs inside their package."""


def user_cache() -> Path:
    """Where fetched weights go."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "codeczoo" / "weights"


def find(weights: MetricWeights) -> Path:
    """The file on this machine. Raises MetricWeightsMissing, saying how to get it."""
    listed = [Path(folder) for folder in os.environ.get("CODECZOO_WEIGHTS", "").split(os.pathsep) if folder]
    for folder in [*listed, user_cache()]:
        path = folder / weights.folder / weights.file
        if path.is_file():
            return path
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(weights.hub_repo, weights.file, revision=weights.hub_revision)
    if isinstance(cached, str):
        return Path(cached)
    raise MetricWeightsMissing(
        f"{weights.metric} needs {weights.file} ({weights.size}), which is not on this machine. "
        f"`codeczoo fetch {weights.metric}` downloads it from {weights.hub_repo} on the Hugging Face hub; or put it at "
        f"{weights.folder}/{weights.file} in a folder and name that folder in CODECZOO_WEIGHTS."
    )


def fetch(weights: MetricWeights) -> Path:
    """Download the file into the user's cache, with a progress bar, and return where it lies. Raises
    MetricWeightsMissing where the hub cannot be reached, or sends something else than it states."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]

    folder = user_cache() / weights.folder
    try:
        # Asked first: where there is no network, a download retries for half a minute before it says so.
        info = HfApi().model_info(weights.hub_repo, revision=weights.hub_revision, files_metadata=True)
        path = Path(hf_hub_download(weights.hub_repo, weights.file, revision=info.sha, local_dir=folder))
    except (HTTPError, OSError) as error:
        first = str(error).strip().splitlines()
        reason = first[0].rstrip(".") if first else type(error).__name__
        raise MetricWeightsMissing(
            f"{weights.file} of {weights.hub_repo} cannot be fetched from the Hugging Face hub: {reason}. Where it can "
            f"be had elsewhere, put it at {weights.folder}/{weights.file} in a folder named in CODECZOO_WEIGHTS."
        ) from error
    stated = next(
        (file.lfs.sha256 for file in info.siblings or [] if file.rfilename == weights.file and file.lfs), None
    )
    if stated is not None and sha256(path) != stated:
        path.unlink()
        raise MetricWeightsMissing(
            f"{weights.file} of {weights.hub_repo} arrived damaged (its SHA-256 is not the stated one); fetch it again."
        )
    return path


def sha256(path: Path) -> str:
    """Of a file's content; computed once for a file that has not changed."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
