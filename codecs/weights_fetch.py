"""Download of weights from their official source, verified before they appear under their names.

Plain files come over https (http only from this machine, file:// from a disk) into a `.part` file that a later call
continues; a hub repository comes through huggingface_hub at a full commit, limited to tensors and configurations.
Nothing appears under its final name before its SHA-256 is known to be right: the declared one, else the one the hub
states, else (pinned on first use) the one recorded in the lock file.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .errors import CodecError, WeightsCorrupt, WeightsMissing
from .fingerprint import sha256_of
from .weights import HUB_PATTERNS, LOCK_NAME, Progress, WeightFile, Weights, check_relative, read_lock, verified

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

_BLOCK_BYTES = 1 << 18
_TIMEOUT_S = 60
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def fetch_files(weights: Weights, folder: Path, progress: Progress) -> None:
    """Download the files of `weights` that `folder` lacks; `codeczoo.codecs.weights.fetch` says what is raised."""
    lock = read_lock(folder)
    files = dict(lock.get("files", {}))
    for file in weights.files:
        target = folder / file.path
        if target.is_file():
            files[file.path] = verified(target, _pinned(file, files))
            continue
        if not file.url:
            raise WeightsMissing(f"{weights.name}: no official address of {file.path} is known; see {weights.source}.")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        _download(file, part, progress)
        files[file.path] = _accept(part, target, _pinned(file, files))
        _write_lock(folder, {"files": files})


def convert_files(weights: Weights, folder: Path, convert: Callable[[Path, Path], object]) -> None:
    """Make the converted file of what was fetched, pin it, and remove what it stands for. Raises WeightsCorrupt."""
    fetched = [folder / file.path for file in weights.files]
    try:
        convert(fetched[0], folder / weights.converted)
    except WeightsCorrupt as error:
        raise WeightsCorrupt(f"{error} The file is kept; to fetch it anew, remove {fetched[0]} first.") from error
    lock = read_lock(folder)
    files = {**lock.get("files", {}), weights.converted: sha256_of(folder / weights.converted)}
    _write_lock(folder, {**lock, "files": files})
    for path in fetched:
        path.unlink()


def _pinned(file: WeightFile, locked: dict[str, str]) -> WeightFile:
    if file.sha256 or file.path not in locked:
        return file
    return WeightFile(file.path, locked[file.path], file.size_bytes, file.url)


def _accept(part: Path, target: Path, file: WeightFile) -> str:
    """Move a complete download under its name, if it is the declared file; else remove it."""
    digest = sha256_of(part)
    size = part.stat().st_size
    right_size = file.size_bytes is None or size == file.size_bytes
    if not right_size or not digest.startswith(file.sha256):
        part.unlink()
        expected = f"SHA-256 {file.sha256 or 'any'}, {file.size_bytes or 'any number of'} bytes"
        raise WeightsCorrupt(
            f"{file.url or file.path} is not the file it should be: expected {expected}; got SHA-256 {digest}, "
            f"{size} bytes. Nothing was kept. Try again; if it still differs, its source has changed."
        )
    part.replace(target)
    return digest


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme in {"https", "file"} or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise CodecError(f"{url} is not an address that weights are fetched from; it must be https:// or file://.")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(file: WeightFile, part: Path, progress: Progress) -> None:
    _check_address(file.url)
    have = part.stat().st_size if part.is_file() else 0
    if file.size_bytes is not None and have == file.size_bytes:
        return
    if file.size_bytes is not None and have > file.size_bytes:
        part.unlink()
        have = 0
    request = urllib.request.Request(file.url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    opener = urllib.request.build_opener(_CheckedRedirects)
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            _receive(answer, file, part, have, progress)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:
            # The rest of a complete file was asked for: its checksum decides.
            return
        raise WeightsMissing(f"{file.url} cannot be fetched: HTTP {error.code} {error.reason}.") from error
    except (OSError, HTTPException) as error:
        raise WeightsMissing(_stopped(file, part, str(error))) from error


def _receive(answer: HTTPResponse, file: WeightFile, part: Path, have: int, progress: Progress) -> None:
    # A server that does not know ranges answers 200 with the whole file; a file:// answer has no status.
    resumed = have > 0 and getattr(answer, "status", None) == 206
    done = have if resumed else 0
    length = answer.headers.get("Content-Length")
    total = done + int(length) if length else None
    with part.open("ab" if resumed else "wb") as out:
        while block := answer.read(_BLOCK_BYTES):
            out.write(block)
            done += len(block)
            progress(file.path, done, total)
    if total is not None and done < total:
        raise ConnectionError(f"{done} of {total} bytes arrived")


def _stopped(file: WeightFile, part: Path, reason: str) -> str:
    kept = part.stat().st_size if part.is_file() else 0
    again = f" {kept} bytes are kept; the same command continues." if kept else ""
    return f"{file.url} cannot be fetched: {reason}.{again}"


def _write_lock(folder: Path, lock: dict[str, object]) -> None:
    temporary = folder / (LOCK_NAME + f".{os.getpid()}.part")
    temporary.write_text(json.dumps(lock, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(folder / LOCK_NAME)


def fetch_repository(weights: Weights, folder: Path, progress: Progress) -> None:
    """Download tensors and configurations of a hub repository at one commit into `folder`."""
    from huggingface_hub import HfApi

    # HTTPError: of all network errors, from whichever library this release of the hub's client stands on.
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        HTTPError,  # pyright: ignore[reportPrivateImportUsage]
    )

    lock = read_lock(folder)
    revision = weights.revision or str(lock.get("revision", "")) or "main"
    try:
        info = HfApi(endpoint=weights.endpoint or None).model_info(
            weights.repository, revision=revision, files_metadata=True
        )
        commit = str(info.sha)
        if weights.revision and commit != weights.revision:
            raise WeightsCorrupt(f"{weights.repository}: asked for commit {weights.revision}, was answered {commit}.")
        wanted = [sibling for sibling in info.siblings or [] if _is_wanted(sibling.rfilename)]
        _check_listed(weights, [sibling.rfilename for sibling in wanted])
        staging = folder / ".part"
        files = {
            sibling.rfilename: _fetch_sibling(weights, commit, sibling, folder, staging, lock, progress)
            for sibling in wanted
        }
    except GatedRepoError as error:
        raise WeightsMissing(
            f"The hub repository {weights.repository} is gated: accept its licence at "
            f"{weights.source or weights.repository}, log in by `hf auth login`, and fetch again."
        ) from error
    except (HTTPError, HFValidationError, OSError) as error:
        first = str(error).strip().splitlines()
        reason = first[0] if first else type(error).__name__
        raise WeightsMissing(f"The hub repository {weights.repository} cannot be fetched: {reason}") from error
    shutil.rmtree(staging, ignore_errors=True)
    _write_lock(folder, {"repository": weights.repository, "revision": commit, "files": files})


def _is_wanted(name: str) -> bool:
    # Sub-folders of codec repositories hold training states and other libraries' copies.
    return "/" not in name and any(fnmatch.fnmatch(name, pattern) for pattern in HUB_PATTERNS)


def _check_listed(weights: Weights, names: list[str]) -> None:
    absent = [file.path for file in weights.files if file.path not in names]
    if not any(name.endswith(".safetensors") for name in names):
        absent.append("model.safetensors")
    if absent:
        raise WeightsMissing(
            f"The hub repository {weights.repository} lacks {', '.join(absent)}; codeczoo loads no pickled weights."
        )


def _fetch_sibling(
    weights: Weights,
    commit: str,
    sibling: RepoSibling,
    folder: Path,
    staging: Path,
    lock: dict[str, dict[str, str]],
    progress: Progress,
) -> str:
    from huggingface_hub import hf_hub_download

    name = sibling.rfilename
    check_relative(name)
    stated = sibling.lfs.sha256 if sibling.lfs is not None else ""
    known = {file.path: file for file in weights.files}.get(name, WeightFile(name, size_bytes=sibling.size))
    expected = _pinned(known if known.sha256 else WeightFile(name, stated or "", sibling.size), lock.get("files", {}))
    target = folder / name
    if target.is_file():
        return verified(target, expected)
    progress(name, 0, sibling.size)
    arrived = hf_hub_download(
        weights.repository, name, revision=commit, local_dir=staging, endpoint=weights.endpoint or None
    )
    digest = _accept(Path(arrived), target, expected)
    progress(name, target.stat().st_size, sibling.size)
    return digest
