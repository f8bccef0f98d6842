"""Where weights are looked for, and how they are fetched and verified.

Order: every folder of `$CODECZOO_WEIGHTS` (separated as in PATH), then the user's cache
(`$XDG_CACHE_HOME/codeczoo/weights`, by default `~/.cache/codeczoo/weights`), then, for repositories of the Hugging Face
hub, the hub's own cache; the official source is asked only by `fetch`.

Conventions. A file is known by its SHA-256, in full or as the leading digits that its publisher prints; a repository by
the full hash of a commit. Where neither is known as a fact, `fetch` pins on first use: it writes the commit and the
checksum of every file into a lock file beside them, and from then on they must not change. Checksums of all files that
were read are part of a codec's fingerprint, so that weights of another content are never taken for the same codec.
"""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from .errors import CodecError, WeightsCorrupt, WeightsMissing
from .fingerprint import sha256_of

ENVIRONMENT_VARIABLE = "CODECZOO_WEIGHTS"
LOCK_NAME = "codeczoo.lock.json"
HUB_PATTERNS = (
    "config.json",
    "preprocessor_config.json",
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
)
"""What is taken from a repository: what transformers reads of a codec, tensors without code. Never a pickle."""


Progress = Callable[[str, int, int | None], None]
"""(file, bytes so far, bytes in all or None)."""


@dataclass(frozen=True)
class WeightFile:
    """One file: its path below the weights' folder, its checksum and its official address."""

    path: str
    sha256: str = ""
    """Hexadecimal, in full or as its leading digits (8 or more); empty: pinned on first use."""
    size_bytes: int | None = None
    url: str = ""
    """Where `fetch` gets it; empty for files of a hub repository."""

    def __post_init__(self) -> None:
        check_relative(self.path)
        if self.sha256 and not (8 <= len(self.sha256) <= 64 and set(self.sha256) <= set("0123456789abcdef")):
            raise CodecError(f"{self.path}: {self.sha256!r} is not a SHA-256 (8 to 64 digits, 0-9 and a-f).")


@dataclass(frozen=True)
class Weights:
    """What a family needs on this machine."""

    name: str
    """Of the folder that holds the files."""
    files: tuple[WeightFile, ...]
    """For a hub repository: the files that must be there and those of known checksum; `HUB_PATTERNS` says what else is
    taken."""
    codec: str = ""
    """What `codeczoo fetch` is asked for; empty: the same as `name`."""
    repository: str = ""
    """`ORG/REPO` on the Hugging Face hub; empty for plain files."""
    revision: str = ""
    """Full hash of the commit; empty: pinned on first use."""
    licence: str = ""
    source: str = ""
    """Page that describes the weights."""
    endpoint: str = ""
    """Address of another hub of the same protocol (a mirror); empty: the Hugging Face hub."""
    converted: str = ""
    """A file that stands for `files` once it is there: what `convert` makes of them. Empty: there is none."""
    convert: Callable[[Path, Path], object] | None = None
    """(first of `files`, `converted`): makes a file of tensors alone out of a pickle, checked. `fetch` calls it."""

    def __post_init__(self) -> None:
        check_relative(self.name)
        if self.converted:
            check_relative(self.converted)
        if self.repository:
            check_relative(self.repository)

    @property
    def size_bytes(self) -> int | None:
        """Bytes of all files; None where the size of one is unknown."""
        sizes = [file.size_bytes for file in self.files]
        return sum(size for size in sizes if size is not None) if None not in sizes else None


def check_relative(path: str) -> None:
    """Raise CodecError unless `path` is relative and stays below the folder it is joined to."""
    parts = PurePosixPath(path).parts
    windows = PureWindowsPath(path)
    if not path or path.startswith("/") or ".." in parts or "\\" in path or windows.drive or windows.root:
        raise CodecError(f"{path!r} is not a path below the weights' folder; it must be relative, without `..`.")


def user_cache() -> Path:
    """The user's cache of weights: what `fetch` fills."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "codeczoo" / "weights"


def _hub_cache() -> Path:
    # The hub's library reads the same variables, but only once and at its import, which takes a while.
    if folder := os.environ.get("HF_HUB_CACHE"):
        return Path(folder)
    if home := os.environ.get("HF_HOME"):
        return Path(home) / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface" / "hub"


def _hub_snapshots(weights: Weights) -> Iterator[Path]:
    folder = _hub_cache() / f"models--{weights.repository.replace('/', '--')}"
    revision = weights.revision
    main = folder / "refs" / "main"
    if not revision and main.is_file():
        revision = main.read_text().strip()
    if revision:
        yield folder / "snapshots" / revision


def candidates(weights: Weights) -> tuple[Path, ...]:
    """Folders in which these weights are looked for, in order."""
    names = [weights.name]
    if weights.repository:
        names += [weights.repository, weights.repository.replace("/", "--")]
    roots = [Path(root).expanduser() for root in os.environ.get(ENVIRONMENT_VARIABLE, "").split(os.pathsep) if root]
    found: list[Path] = []
    for root in roots:
        found += [root / name for name in names]
        if not weights.repository:
            # Files of a repository have the same names in every repository (`config.json`): only a folder tells.
            found.append(root)
    found.append(user_cache() / weights.name)
    if weights.repository:
        found += _hub_snapshots(weights)
    return tuple(dict.fromkeys(found))


def find(weights: Weights) -> Path:
    """The folder that holds all files of `weights`, every one verified.

    Raises WeightsMissing saying how to get them, WeightsCorrupt if a file is not what it is declared to be.
    """
    folder = locate(weights)
    if folder is None:
        raise WeightsMissing(_missing(weights))
    checksums(weights, folder)
    return folder


def fetch(weights: Weights, progress: Progress | None = None) -> Path:
    """Download from the official source what is not yet in the user's cache; the folder of the weights.

    Raises WeightsMissing if the source cannot be reached or the download stops half-way (call again to continue),
    WeightsCorrupt if what arrives is not what is declared.
    """
    from filelock import FileLock

    from .weights_fetch import convert_files, fetch_files, fetch_repository

    folder = user_cache() / weights.name
    folder.mkdir(parents=True, exist_ok=True)
    bring = fetch_repository if weights.repository else fetch_files
    # Two processes that append to one partial file would spoil it.
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if not _is_converted(weights, folder):
            bring(weights, folder, progress or _silent)
            if weights.convert is not None:
                convert_files(weights, folder, weights.convert)
    return folder


def _silent(file: str, done: int, total: int | None) -> None:
    """The progress of a caller who does not ask for it."""


def locate(weights: Weights) -> Path | None:
    """The folder that `find` would verify; None where the files are not on this machine. No content is read."""
    return next((folder for folder in candidates(weights) if _complete(weights, folder)), None)


def _is_converted(weights: Weights, folder: Path) -> bool:
    return bool(weights.converted) and (folder / weights.converted).is_file()


def wants_conversion(weights: Weights, folder: Path) -> bool:
    """Whether `fetch` would still convert what lies in this folder: a conversion may have been cut off, or refused."""
    return weights.convert is not None and folder == user_cache() / weights.name and not _is_converted(weights, folder)


def paths(weights: Weights, folder: Path) -> tuple[Path, ...]:
    """The files of `weights` to read in a folder that `find` gave: the converted one where it is there."""
    names = [weights.converted] if _is_converted(weights, folder) else [file.path for file in weights.files]
    return tuple(folder / name for name in names)


def _complete(weights: Weights, folder: Path) -> bool:
    if _is_converted(weights, folder):
        return True
    if not all((folder / file.path).is_file() for file in weights.files):
        return False
    return not weights.repository or any(path.suffix == ".safetensors" for path in _hub_files(folder))


def _missing(weights: Weights) -> str:
    names = ", ".join(file.path for file in weights.files)
    names += f", or {weights.converted} made of it" if weights.converted else ""
    partial = [
        f" {folder} lacks {', '.join(absent)}."
        for folder in candidates(weights)
        if 0 < len(absent := [file.path for file in weights.files if not (folder / file.path).is_file()])
        and len(absent) < len(weights.files)
    ]
    size = f", {weights.size_bytes / 1e6:.0f} MB" if weights.size_bytes else ""
    return (
        f"The weights {weights.name} ({names}{size}) are not on this machine. Get them with "
        f"`codeczoo fetch {weights.codec or weights.name}` (from {_official(weights)}), or put them into a folder "
        f"{weights.name} and name the folder above it in ${ENVIRONMENT_VARIABLE}.{''.join(partial)}"
    )


def _official(weights: Weights) -> str:
    if weights.repository:
        return f"the hub repository {weights.repository}"
    return ", ".join(sorted({file.url.rpartition("/")[0] or file.url for file in weights.files if file.url})) or "?"


def _hub_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.name != LOCK_NAME and any(fnmatch.fnmatch(path.name, p) for p in HUB_PATTERNS)
    )


def checksums(weights: Weights, folder: Path) -> dict[str, str]:
    """Path -> SHA-256 of every file that belongs to `weights` in `folder`. Raises WeightsCorrupt."""
    declared = {file.path: file for file in weights.files}
    names = [path.relative_to(folder).as_posix() for path in paths(weights, folder)]
    if weights.repository:
        names += [path.name for path in _hub_files(folder) if path.name not in declared]
    lock = read_lock(folder)
    _check_revision(weights, folder, lock)
    locked = lock.get("files", {})
    found: dict[str, str] = {}
    for path in names:
        file = declared.get(path, WeightFile(path))
        found[path] = verified(folder / path, file)
        pinned = str(locked.get(path, ""))
        if pinned and found[path] != pinned:
            raise WeightsCorrupt(_differs(folder / path, f"SHA-256 {pinned} of {LOCK_NAME}", found[path]))
    return found


def _check_revision(weights: Weights, folder: Path, lock: dict[str, dict[str, str]]) -> None:
    revision = str(lock.get("revision", ""))
    if weights.revision and revision and revision != weights.revision:
        raise WeightsCorrupt(
            f"{folder} holds commit {revision} of {weights.repository}; {weights.codec or weights.name} is defined by "
            f"commit {weights.revision}. Remove the folder and run `codeczoo fetch {weights.codec or weights.name}`."
        )


def verified(path: Path, file: WeightFile) -> str:
    """SHA-256 of a file, once it is known to be the declared one. Raises WeightsCorrupt."""
    size = path.stat().st_size
    if file.size_bytes is not None and size != file.size_bytes:
        raise WeightsCorrupt(_differs(path, f"{file.size_bytes} bytes", f"{size} bytes"))
    digest = _sha256(path)
    if file.sha256 and not digest.startswith(file.sha256):
        raise WeightsCorrupt(_differs(path, f"SHA-256 {file.sha256}", digest))
    return digest


def _differs(path: Path, expected: str, got: str) -> str:
    return (
        f"{path} is not the file it should be: expected {expected}, got {got}. "
        "Remove it and fetch it again; if it still differs, its source has changed."
    )


_seen: dict[tuple[str, int, int], str] = {}


def _sha256(path: Path) -> str:
    # Gigabytes are read once in a process; a file that is written anew has another size or time.
    status = path.stat()
    key = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    if key not in _seen:
        _seen[key] = sha256_of(path)
    return _seen[key]


def read_lock(folder: Path) -> dict[str, dict[str, str]]:
    """What `fetch` recorded beside the files: `revision`, and `files`: path -> SHA-256. Empty where there is none."""
    path = folder / LOCK_NAME
    if not path.is_file():
        return {}
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise WeightsCorrupt(f"{path} is not JSON ({error}); remove its folder and fetch the weights again.") from error
    if not isinstance(lock, dict) or not isinstance(lock.get("files", {}), dict):
        raise WeightsCorrupt(f"{path} is not a lock file of codeczoo; remove its folder and fetch the weights again.")
    return lock


def fingerprint_parts(weights: Weights, folder: Path) -> tuple[str, ...]:
    """Checksums as text, for `codeczoo.codecs.fingerprint`."""
    return tuple(f"{path}={digest}" for path, digest in sorted(checksums(weights, folder).items()))
