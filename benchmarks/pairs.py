"""References and what other programs decoded of them: the input of `codeczoo score`.

A table of pairs is CSV, TSV or JSONL with the columns reference, estimate (paths, relative to the table), codec (its
name in tables) and kbps (stated, may be empty), and where known domain, dataset, speaker. One codec may have several
rows, each of another reference; codecs need not cover the same references.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from codeczoo.codecs.decoded import DecodedAudio

from . import corpora
from .clip import Clip, Corpus
from .errors import InvalidCorpus
from .listing import ListedCorpus
from .manifest import SUFFIXES, Row, csv_rows, json_rows
from .request import Point


def from_folders(
    reference: Path, estimate: Path, name: str | None = None, kbps: float | None = None, domain: str | None = None
) -> tuple[Corpus, tuple[Point, ...]]:
    """Two folders whose files have the same relative paths up to the suffix. Raises InvalidCorpus."""
    corpus = corpora.folder(reference)
    files = {_stem(clip.name): clip.path for clip in corpora.folder(estimate)}
    if len(files) != len(corpora.folder(estimate)):
        raise InvalidCorpus(f"{estimate} holds two files of one name up to the suffix; only one can be the estimate.")
    display = f"{name or estimate.resolve().name}{_rate(kbps)}"
    if domain is not None:
        corpus = ListedCorpus(
            corpus.name, lambda: (_of_domain(clip, domain) for clip in corpora.folder(reference)), len(corpus)
        )
    stems = [_stem(clip.name) for clip in corpus]
    if len(set(stems)) != len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise InvalidCorpus(f"{reference} holds two files named {twice} up to the suffix; which is the reference?")
    if not set(stems) & set(files):
        raise InvalidCorpus(f"No file of {estimate} has the name of one of {reference}, suffixes aside.")
    return corpus, (_point(display, {stem: files[stem] for stem in stems if stem in files}, kbps, None, estimate),)


def from_table(path: Path) -> tuple[Corpus, tuple[Point, ...]]:
    """A table of pairs. Raises InvalidCorpus."""
    rows = list(_rows(path))
    if not rows:
        raise InvalidCorpus(f"{path} has no rows.")
    clips: dict[str, Clip] = {}
    decoded: dict[tuple[str, float | None], dict[str, Path]] = {}
    for number, row in rows:
        missing = [column for column in ("reference", "estimate", "codec") if not row.get(column)]
        if missing:
            needed = "reference, estimate, codec"
            raise InvalidCorpus(f"{path}, row {number} has no {' and no '.join(missing)}; every pair needs {needed}.")
        name = row["reference"]
        clips.setdefault(
            name,
            Clip(
                name,
                path.parent / name,
                domain=row.get("domain") or None,
                dataset=row.get("dataset") or None,
                speaker=row.get("speaker") or None,
            ),
        )
        files = decoded.setdefault((row["codec"], _kbps(row, path, number)), {})
        if name in files:
            raise InvalidCorpus(f"{path}, row {number}: {row['codec']} has {name} twice at one bitrate.")
        files[name] = path.parent / row["estimate"]
    corpus = ListedCorpus(path.stem, lambda: iter(clips.values()), len(clips))
    points = tuple(
        _point(
            f"{codec}{_rate(kbps)}", {_stem(name): file for name, file in files.items()}, kbps, frozenset(files), path
        )
        for (codec, kbps), files in decoded.items()
    )
    return corpus, points


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    if not path.is_file():
        raise InvalidCorpus(f"The table of pairs {path} does not exist.")
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidCorpus(f"{path} is not a table of pairs: they end in {', '.join(SUFFIXES)}.")
    return json_rows(path) if path.suffix.lower() == ".jsonl" else csv_rows(path)


def _kbps(row: Mapping[str, str], path: Path, number: int) -> float | None:
    text = row.get("kbps", "")
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidCorpus(f"{path}, row {number}: kbps is {text!r}; it takes a number or nothing.") from None


def _rate(kbps: float | None) -> str:
    return "" if kbps is None else f"@{kbps:g}kbps"


def _of_domain(clip: Clip, domain: str) -> Clip:
    from dataclasses import replace

    return replace(clip, domain=domain)


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _point(name: str, files: Mapping[str, Path], kbps: float | None, only: frozenset[str] | None, place: Path) -> Point:
    by_stem = {stem: (file,) for stem, file in files.items()}
    return Point(name, lambda: DecodedAudio(name, by_stem, kbps, str(place)), only)
