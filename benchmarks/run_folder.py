"""A run folder: the records on disk, kept so that a run can be killed at any instant and continued by the same command.

    RUN/
      run.json        what was asked, by which command, with which versions on which hardware; one entry an invocation
      records.jsonl   see codeczoo.benchmarks.records; append-only, one write a line
      tokens/         what the codecs produced, a file a (codec, clip)

A record is written in one `write` to a file opened for appending, and then to the disk itself, so that a killed process
or a power cut leaves whole lines and at most one torn last one; opening the folder again removes that. Two processes
cannot use one folder at a time, nor two machines that share its file system (`run_lock`): however many workers a run
has, one process writes. In memory stands only where each record begins, so that a run of a million clips takes tens of
megabytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from array import array
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codeczoo.codecs.clip_names import stretch_of

from . import records
from .errors import InvalidRun
from .records import Key, Record
from .run_lock import RunLock
from .stretches import Bounds

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_LENGTH = 80
_READ_BYTES = 8192


def file_stem(name: str) -> str:
    """A readable file name for any text, distinct for distinct texts on any file system."""
    readable = _UNSAFE.sub("_", name).strip("._")[-_NAME_LENGTH:]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content so that a reader sees the old or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


class RunFolder:
    """The records of a run, read once at opening and appended to; a context manager that holds the folder's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets: dict[bytes, tuple[int, ...]] = {}
        self._stretches: dict[bytes, array[float]] = {}
        self._file: int | None = None
        self._lock = RunLock(path)

    @staticmethod
    def check(path: Path) -> None:
        """Raise InvalidRun if `path` cannot become or continue a run; changes nothing."""
        if path.exists() and not path.is_dir():
            raise InvalidRun(f"{path} is a file; --out takes a folder, new or made by an earlier run.")
        if path.is_dir():
            description = path / records.RUN_FILE
            packed = path / f"{records.RECORDS_FILE}.gz"
            if packed.is_file() and not (path / records.RECORDS_FILE).is_file():
                raise InvalidRun(f"The records of {path} are packed; unpack them first: gunzip {packed}")
            if description.is_file():
                _read_description(description)
            elif any(not _is_ours(entry.name) for entry in path.iterdir()):
                raise InvalidRun(f"{path} is not empty and not a run folder (no {records.RUN_FILE}); name another one.")
            file = path / records.RECORDS_FILE
            if file.is_file():
                next(records.read_lines(file), None)

    def __enter__(self) -> Self:
        self.check(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidRun(
                f"The run folder {self.path} cannot be made ({error.strerror}); name another one by --out."
            ) from error
        self._lock.acquire()
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _open(self) -> None:
        file = self.path / records.RECORDS_FILE
        drop_torn_line(file)
        if file.is_file():
            for offset, record in records.read_offsets(file):
                self._index(records.key_of(record), offset)
                if "#" in record["clip"] and record.get("scores"):
                    file_name, *bounds = stretch_of(record["clip"])
                    key = _digest((record["codec"], record.get("corpus", ""), file_name))
                    self._stretches.setdefault(key, array("d")).extend(bounds)
        shutil.rmtree(self.spool, ignore_errors=True)
        self._file = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.spool, ignore_errors=True)
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._lock.release()

    def describe(self, invocation: dict[str, Any]) -> None:
        """Add an invocation to `run.json`."""
        path = self.path / records.RUN_FILE
        known = _read_description(path) if path.is_file() else {"schema": records.SCHEMA, "invocations": []}
        known["invocations"].append(invocation)
        write_atomically(path, json.dumps(known, indent=2, sort_keys=True) + "\n")

    def _index(self, key: Key, offset: int) -> None:
        digest = _digest(key)
        self._offsets[digest] = (*self._offsets.get(digest, ()), offset)

    @property
    def empty(self) -> bool:
        """Whether it holds no record."""
        return not self._offsets

    def find(self, key: Key) -> Record | None:
        """What is known of a (codec, corpus, clip), all its lines merged."""
        lines = [self._read(offset) for offset in self._offsets.get(_digest(key), ())]
        return records.merge(lines).get(key)

    def stretches(self, codec: str, corpus: str, file: str) -> set[Bounds]:
        """Where the stretches of a file begin and end that the codec had scores on when the folder was opened."""
        flat = self._stretches.get(_digest((codec, corpus, file)), ()) if self._stretches else ()
        return set(zip(flat[::2], flat[1::2], strict=True))

    def _read(self, offset: int) -> Record:
        assert self._file is not None, "the run folder is not open"
        line = b""
        while not line.endswith(b"\n"):
            line += os.pread(self._file, _READ_BYTES, offset + len(line))
            end = line.find(b"\n")
            if end >= 0:
                line = line[: end + 1]
        return json.loads(line)

    def append(self, record: Record) -> None:
        """Write one record; it outlives this process and this machine when this returns. Raises InvalidRun."""
        assert self._file is not None, "the run folder is not open"
        self._lock.check()
        line = (json.dumps(record, sort_keys=True, allow_nan=False) + "\n").encode()
        offset = os.lseek(self._file, 0, os.SEEK_END)
        if os.write(self._file, line) != len(line):
            raise InvalidRun(f"{self.path} took only a part of a record; is the disk full?")
        os.fsync(self._file)
        self._index(records.key_of(record), offset)

    @property
    def spool(self) -> Path:
        """Where long signals lie while they are worked on; emptied when the folder is opened."""
        return self.path / ".spool"

    def token_file(self, codec: str, corpus: str, clip: str) -> Path:
        """Where the tokens of a (codec, clip) are kept."""
        return self.path / "tokens" / file_stem(codec) / file_stem(corpus) / f"{file_stem(clip)}.safetensors"


def _is_ours(name: str) -> bool:
    """Whether a run that was killed before it could write its description may have left this."""
    return name in {".lock", ".spool", records.RECORDS_FILE} or name.startswith((f".{records.RUN_FILE}.", ".owner"))


def _digest(key: Key) -> bytes:
    return hashlib.blake2b("\0".join(key).encode(), digest_size=12).digest()


def _read_description(path: Path) -> dict[str, Any]:
    description = records.description(path)
    schema = description.get("schema")
    if schema != records.SCHEMA:
        wanted = records.SCHEMA
        raise InvalidRun(f"{path.parent} is a run of schema {schema!r}; this version continues schema {wanted} only.")
    return description


def drop_torn_line(path: Path) -> None:
    """Cut off what follows the last newline: a record whose writing was interrupted."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65_536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
