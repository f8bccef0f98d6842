"""References and what other programs decoded of them: the input of `codeczoo score`.

A table of pairs is CSV, TSV or JSONL with the columns reference, estimate (paths, relative to the table), codec (its
name in tables) and kbps (stated, may be empty), and where known domain, dataset, speaker. One codec may have several
rows, each of another reference; codecs need not cover the same references.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from codeczoo import codecs
from codeczoo.codecs.decoded import DecodedAudio
from codeczoo.codecs.tables import SUFFIXES, Row

from . import corpora
from .clip import Clip, Corpus
from .errors import InvalidCorpus
from .listing import ListedCorpus
from .manifest import table_rows
from .request import Point


@dataclass(frozen=True)
class Pairs:
    """What is to be scored, as a run of the harness: references, and operating points that are files."""

    corpus: Corpus
    points: tuple[Point, ...]
    unused: tuple[str, ...] = ()
    """Estimates that belong to no reference."""
    missing: int = 0
    """References without an estimate: recorded as failed."""


def from_folders(
    reference: Path, estimate: Path, name: str | None = None, kbps: float | None = None, domain: str | None = None
) -> Pairs:
    """Two folders whose files have the same relative paths up to the suffix. Raises InvalidCorpus."""
    references = _by_stem(reference)
    estimates = _by_stem(estimate)
    common = [stem for stem in references if stem in estimates]
    if not common:
        raise InvalidCorpus(
            f"No file of {estimate} has the relative path of one of {reference}, suffixes aside: there are "
            f"{_such_as(estimates)} and {_such_as(references)}."
        )
    corpus = corpora.folder(reference)
    if domain is not None:
        corpus = _of_domain(corpus, domain)
    point = _point(_display(name or estimate.resolve().name, kbps), {s: estimates[s] for s in common}, kbps, estimate)
    unused = tuple(sorted(stem for stem in estimates if stem not in references))
    return Pairs(corpus, (point,), unused, len(references) - len(common))


def _of_domain(corpus: Corpus, domain: str) -> Corpus:
    return ListedCorpus(corpus.name, lambda: (replace(clip, domain=domain) for clip in corpus), len(corpus))


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for clip in corpora.folder(folder):
        stem = _stem(clip.name)
        if stem in found:
            twice = f"{found[stem].name} and {clip.path.name}"
            raise InvalidCorpus(f"{folder} holds two files of one name, {twice}; keep one of them.")
        found[stem] = clip.path
    return found


def _such_as(files: Mapping[str, Path]) -> str:
    return ", ".join(path.name for path in list(files.values())[:3]) + (", ..." if len(files) > 3 else "")


def from_table(path: Path) -> Pairs:
    """A table of pairs. Raises InvalidCorpus."""
    rows = list(_rows(path))
    if not rows:
        raise InvalidCorpus(f"{path} has no rows.")
    clips: dict[str, Clip] = {}
    names: dict[str, str] = {}
    decoded: dict[tuple[str, float | None], dict[str, Path]] = {}
    for number, row in rows:
        missing = [column for column in ("reference", "estimate", "codec") if not row.get(column)]
        if missing:
            needed = "reference, estimate, codec"
            raise InvalidCorpus(f"{path}, row {number} has no {' and no '.join(missing)}; every pair needs {needed}.")
        name = row["reference"]
        if (other := names.setdefault(_stem(name), name)) != name:
            raise InvalidCorpus(f"{path}, row {number}: {name} and {other} are two references of one name.")
        clips.setdefault(name, _clip(name, path, row))
        files = decoded.setdefault((row["codec"], _kbps(row, path, number)), {})
        if name in files:
            raise InvalidCorpus(f"{path}, row {number}: {row['codec']} has {name} twice at one bitrate.")
        files[name] = path.parent / row["estimate"]
    corpus = ListedCorpus(path.stem, lambda: iter(clips.values()), len(clips))
    points = tuple(
        _point(_display(codec, kbps), {_stem(name): file for name, file in files.items()}, kbps, path, frozenset(files))
        for (codec, kbps), files in decoded.items()
    )
    return Pairs(corpus, points)


def _clip(name: str, path: Path, row: Row) -> Clip:
    return Clip(
        name,
        path.parent / name,
        domain=row.get("domain") or None,
        dataset=row.get("dataset") or None,
        speaker=row.get("speaker") or None,
    )


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    if not path.is_file():
        raise InvalidCorpus(f"The table of pairs {path} does not exist.")
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidCorpus(f"{path} is not a table of pairs: they end in {', '.join(SUFFIXES)}.")
    return table_rows(path)


def _kbps(row: Mapping[str, str], path: Path, number: int) -> float | None:
    text = row.get("kbps", "")
    if not text:
        return None
    try:
        kbps = float(text)
    except ValueError:
        kbps = math.nan
    if not 0 < kbps < math.inf:
        raise InvalidCorpus(f"{path}, row {number}: kbps is {text!r}; it takes a positive number or nothing.")
    return kbps


def _display(name: str, kbps: float | None) -> str:
    """How tables call it. Raises InvalidCorpus where the name cannot stand in one."""
    try:
        parsed = codecs.parse(name)
    except codecs.UnknownCodec as error:
        raise InvalidCorpus(f"{name!r} cannot name a codec in tables: {error}") from error
    return name if kbps is None or parsed.rate else f"{name}@{kbps:g}kbps"


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _point(
    name: str, files: Mapping[str, Path], kbps: float | None, place: Path, only: frozenset[str] | None = None
) -> Point:
    by_stem = {stem: (file,) for stem, file in files.items()}
    return Point(name, lambda: DecodedAudio(name, by_stem, kbps, str(place), exact=True), only)
