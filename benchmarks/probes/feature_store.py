"""Features on disk: one file a (codec, version, pooling), one entry a clip, found by the content of its audio.

A first line of JSON states what the features are and their width D; then come entries of fixed size, the 32 bytes of
the clip's SHA-256 and D float32 (little endian). Each is appended in one write, so that a killed process leaves whole
entries and at most one torn last one, which is cut off when the file is opened again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from codeczoo.benchmarks.errors import InvalidRun
from codeczoo.benchmarks.run_folder import file_stem, write_atomically

from .pooling import Vectors

_KEY_BYTES = 32


class FeatureStore:
    """The features of one identity in one folder."""

    def __init__(self, folder: Path, name: str, identity: str) -> None:
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        self.path = folder / f"{file_stem(name)}-{digest}.features"
        self.identity = identity
        self._width = 0
        self._start = 0
        self._count = 0
        self._at: dict[bytes, int] = {}
        """Place of each clip's entry in the file. Clips of one content share one."""
        if self.path.is_file():
            self._open()

    def _open(self) -> None:
        with self.path.open("rb+") as file:
            first = file.readline()
            try:
                head = json.loads(first)
                self._width, stated = int(head["width"]), head["identity"]
            except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError):
                raise InvalidRun(f"{self.path} is no file of features; delete it, and they are made again.") from None
            if stated != self.identity:
                raise InvalidRun(f"{self.path} holds features of {stated}; delete it, and they are made again.")
            self._start = len(first)
            size = _KEY_BYTES + 4 * self._width
            count = (self.path.stat().st_size - self._start) // size
            file.truncate(self._start + count * size)
            for index in range(count):
                file.seek(self._start + index * size)
                self._at[file.read(_KEY_BYTES)] = index
            self._count = count

    def __contains__(self, sha256: str) -> bool:
        return bytes.fromhex(sha256) in self._at

    def add(self, sha256: str, feature: Vectors) -> None:
        """Append the feature `[D]` of a clip, unless one of its content is there; it outlives a kill of this process
        when this returns."""
        if not np.isfinite(feature).all():
            raise ValueError("a feature is not finite")
        if not self._width:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            head = json.dumps({"identity": self.identity, "width": len(feature)}) + "\n"
            write_atomically(self.path, head)
            self._width, self._start = len(feature), len(head.encode())
        if sha256 in self:
            return
        if feature.shape != (self._width,):
            raise ValueError(f"a feature of {feature.shape} among features of ({self._width},)")
        entry = bytes.fromhex(sha256) + feature.astype("<f4").tobytes()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            if os.write(descriptor, entry) != len(entry):
                raise InvalidRun(f"{self.path} took only a part of a feature; is the disk full?")
        finally:
            os.close(descriptor)
        self._at[bytes.fromhex(sha256)] = self._count
        self._count += 1

    def read(self, hashes: Sequence[str]) -> Vectors:
        """The features of clips, `[clips, D]`; all of them must be there."""
        kind = np.dtype([("key", f"S{_KEY_BYTES}"), ("feature", "<f4", (self._width,))])
        entries = np.fromfile(self.path, dtype=kind, offset=self._start)
        places = [self._at[bytes.fromhex(sha256)] for sha256 in hashes]
        return np.ascontiguousarray(entries["feature"][places], dtype=np.float32)
