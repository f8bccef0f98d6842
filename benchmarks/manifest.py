"""Manifests: a corpus as a table, one row a clip. CSV, TSV (both with a header) or JSON lines, by suffix.

    path,domain,speaker,start_s,seconds
    speech/a.flac,speech,p225,,
    music/b.flac,music,,30,10

Columns: `path` is required and relative to the manifest's folder; `name`, `start_s`, `seconds`, `domain`, `dataset`,
`speaker`, `label`, `split`, `fold` are taken where they are there; others serve only to choose rows by.

* `seconds` cuts where the row also has a `start_s`; alone it is a fact about the file and changes nothing
* a path must lie below the manifest's folder, or below `root` where that is given; this is decided by its text, before
  anything is opened, so that a manifest from elsewhere cannot reach other files
* names (the path relative to that folder, with the stretch, or the column `name`) are unique
* the rows are read anew at every iteration: a million of them cost eight bytes each
"""

from __future__ import annotations

import difflib
import logging
import math
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codeczoo.codecs.clip_names import located, stretch_name
from codeczoo.codecs.errors import InvalidTable
from codeczoo.codecs.tables import SUFFIXES, Row, rows

from .clip import Clip, Corpus
from .errors import InvalidCorpus
from .listing import ListedCorpus
from .selection import Where, matches, no_match

logger = logging.getLogger(__name__)

FACTS = ("domain", "dataset", "speaker", "label", "split", "fold")
COLUMNS = ("path", "name", "start_s", "seconds", *FACTS)


def manifest(path: Path, *, where: Where | None = None, root: Path | None = None) -> Corpus:
    """The clips of a manifest whose rows meet all conditions, in its order. Raises InvalidCorpus."""
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidCorpus(f"{path} is not a manifest: they end in {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise InvalidCorpus(f"The manifest {path} does not exist.")
    folder = os.path.abspath(path.parent)  # noqa: PTH100 -- `resolve` would follow links, which are the user's own
    allowed = (folder,) if root is None else (os.path.abspath(root), folder)  # noqa: PTH100
    table = _Table(path, folder, tuple(at.rstrip(os.sep) for at in allowed), where or {})
    hashes = array("q", (hash(clip.name) for _, clip in table.clips()))
    if not hashes:
        rows = (row for _, row in table.rows())
        raise InvalidCorpus(no_match(str(path), rows, where) if where else f"{path} has no rows.")
    _refuse_duplicates(table, hashes)
    # `manifest.csv` says nothing; the folder that it describes does.
    name = Path(folder).name if path.stem == "manifest" else path.stem
    return ListedCorpus(name or path.stem, lambda: (clip for _, clip in table.clips()), len(hashes))


@dataclass(frozen=True)
class _Table:
    path: Path
    folder: str
    """Absolute, of the manifest."""
    allowed: tuple[str, ...]
    """Absolute folders that paths may lie below, the preferred one first."""
    where: Where

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Line numbers and rows, columns checked. Raises InvalidCorpus."""
        checked: set[frozenset[str]] = set()
        for line, row in table_rows(self.path):
            columns = frozenset(row)
            if columns not in checked:
                checked.add(columns)
                self._check_columns(columns)
            yield line, row

    def clips(self) -> Iterator[tuple[int, Clip]]:
        """Line numbers and clips of the rows that meet all conditions. Raises InvalidCorpus."""
        for line, row in self.rows():
            if matches(row, self.where):
                yield line, self._clip(line, row)

    def _check_columns(self, columns: frozenset[str]) -> None:
        if "path" not in columns:
            given = ", ".join(sorted(columns)) or "none"
            raise InvalidCorpus(f"{self.path} has no column `path`, the audio file of each row; its columns: {given}.")
        for column in sorted(columns.difference(COLUMNS)):
            near = difflib.get_close_matches(column.strip().lower(), COLUMNS, n=1, cutoff=0.8)
            if near and near[0] not in columns:
                raise InvalidCorpus(f"{self.path} has a column {column!r}; if `{near[0]}` is meant, rename it.")
        # JSON rows may leave a key out, so that only a table with a header can be told that it lacks one.
        if self.path.suffix.lower() != ".jsonl":
            for field in self.where:
                if field not in columns:
                    raise InvalidCorpus(f"{self.path} has no column {field!r}; it has {', '.join(sorted(columns))}.")
        if unused := sorted(columns.difference(COLUMNS)):
            logger.debug("Columns of %s that say nothing about clips: %s.", self.path, ", ".join(unused))

    def _clip(self, line: int, row: Row) -> Clip:
        path, name = self._located(line, row["path"])
        start_s = self._seconds(line, row, "start_s")
        seconds = self._seconds(line, row, "seconds") if start_s is not None else None
        if seconds == 0.0:
            raise InvalidCorpus(f"{self.path}:{line}: a stretch of 0 seconds holds nothing.")
        if start_s is not None and (start_s or seconds is not None):
            name = stretch_name(name, start_s, None if seconds is None else start_s + seconds)
        given = row.get("name", "")
        if given and (given.startswith("/") or ".." in given.split("/") or not given.isprintable()):
            raise InvalidCorpus(f"{self.path}:{line}: {given!r} cannot name a clip: names are relative, without `..`.")
        domain, dataset, speaker, label, split, fold = (row.get(fact) or None for fact in FACTS)
        return Clip(given or name, path, start_s or 0.0, seconds, domain, dataset, speaker, label, split, fold)

    def _located(self, line: int, text: str) -> tuple[Path, str]:
        if not text or "\0" in text:
            raise InvalidCorpus(f"{self.path}:{line} has no usable `path`.")
        if found := located(text, self.folder, self.allowed):
            return found
        outside = f"{text} lies outside {self.allowed[0]}"
        raise InvalidCorpus(f"{self.path}:{line}: {outside}; move the manifest above it or give its root.")

    def _seconds(self, line: int, row: Row, column: str) -> float | None:
        text = row.get(column, "")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise InvalidCorpus(f"{self.path}:{line}: {column} is {text!r}; seconds are numbers from 0 on.")
        return value


def table_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Line numbers and rows of a table. Raises InvalidCorpus."""
    try:
        yield from rows(path, single=COLUMNS)
    except InvalidTable as error:
        raise InvalidCorpus(str(error)) from error


def _refuse_duplicates(table: _Table, hashes: array[int]) -> None:
    # Names are compared by hash first: a set of a million of them would take 200 MB.
    values = np.frombuffer(hashes, dtype=np.int64)
    values.sort()
    suspects = set(values[1:][values[1:] == values[:-1]].tolist())
    if not suspects:
        return
    first: dict[str, int] = {}
    for line, clip in table.clips():
        if hash(clip.name) in suspects and first.setdefault(clip.name, line) != line:
            where = f"lines {first[clip.name]} and {line}"
            raise InvalidCorpus(f"{table.path}: {where} are both named {clip.name}; give them a column `name`.")
