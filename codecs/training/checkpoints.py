"""Checkpoints on disk: one file a step, whole or not there at all.

    RUN/checkpoints/step-00012000.pt

A file is written under another name, brought to the disk, and renamed: a process killed or a disk filled half way
leaves the files before it as they are. The latest `keep` stay, and that of the best validation; older ones go once a
newer one is safe. They are read with `weights_only`: tensors and plain containers, of which nothing is executed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from codeczoo.codecs.errors import InvalidTraining, TrainingFailed

_NAME = re.compile(r"step-(\d+)\.pt")


class Checkpoints:
    """The checkpoints of one run folder."""

    def __init__(self, run: Path, keep: int = 2) -> None:
        self.folder = run / "checkpoints"
        self._keep = keep

    def steps(self) -> tuple[int, ...]:
        """Of which there are checkpoints, rising."""
        if not self.folder.is_dir():
            return ()
        return tuple(sorted(int(match[1]) for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))))

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08}.pt"

    def write(self, step: int, state: dict[str, Any], best: int | None = None) -> Path:
        """Save the state of a step, then remove what is neither among the latest nor of the step `best`. Raises
        TrainingFailed where it cannot be written."""
        path = self.path(step)
        part = self.folder / f".{path.name}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                _save(state, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            _sync_folder(self.folder)
        except OSError as error:
            # Where not even that can be done, what is said is why the writing failed.
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise TrainingFailed(self._unwritten(path, error)) from error
        for old in self.steps()[: -self._keep]:
            if old not in (best, step):
                self.path(old).unlink(missing_ok=True)
        return path

    def read(self, step: int) -> Any:
        """The state of a step, on the CPU. Raises InvalidTraining where the file is damaged."""
        try:
            return read_state(self.path(step))
        except InvalidTraining as error:
            raise InvalidTraining(f"{error} {self._others(step)}") from error

    def _others(self, step: int) -> str:
        others = [other for other in self.steps() if other != step]
        if not others:
            return "There is no other checkpoint in its folder."
        return f"Remove it, and training goes on from step {others[-1]}."

    def _unwritten(self, path: Path, error: OSError) -> str:
        steps = self.steps()
        last = f"The checkpoint of step {steps[-1]} is intact" if steps else "There is none before it"
        return (
            f"The checkpoint {path} cannot be written: {error.strerror}. {last}; the same command goes on from there."
        )


def read_state(path: Path) -> Any:
    """What a checkpoint file holds, on the CPU. Raises InvalidTraining where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            # PyTorch does not look at the checksums that its own files have.
            damaged = archive.testzip()
        if damaged is not None:
            raise InvalidTraining(f"{path} is damaged ({damaged}).")
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidTraining(f"{path} cannot be read: {reason}.") from error


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Watched:
    """A file that keeps the error of a write: PyTorch's writer turns it into one that does not say what it was."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _save(state: dict[str, Any], file: BinaryIO) -> None:
    watched = _Watched(file)
    try:
        torch.save(state, watched)  # pyright: ignore[reportArgumentType]
    except RuntimeError:
        if watched.error is None:
            raise
        raise watched.error from None
