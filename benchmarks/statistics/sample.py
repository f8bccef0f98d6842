"""What a clip is to a statistic: what tells it from the others, and what it was drawn together with."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from codeczoo.benchmarks.records import Record
from codeczoo.codecs.clip_names import stretch_of

ClipKey = tuple[str, str, str]
"""(corpus, clip, SHA-256 of the clip)."""


class Passage(NamedTuple):
    """What pieces without a speaker were cut from."""

    corpus: str
    name: str


class File(NamedTuple):
    """What stretches without a speaker were cut from."""

    corpus: str
    name: str


def clip_key(record: Record) -> ClipKey:
    """What tells a clip from all others."""
    return record.get("corpus", ""), record["clip"], record.get("clip_sha256") or ""


def cluster(record: Record) -> Hashable:
    """What a clip was drawn with, as it says itself: its speaker; where that is not known its passage, if it is a piece
    of one; else it was drawn by itself."""
    if record.get("speaker") is not None:
        return record.get("dataset"), record["speaker"]
    piece = record.get("piece")
    return clip_key(record) if piece is None else Passage(record.get("corpus", ""), piece["passage"])


def clusters_of(records: Sequence[Record]) -> tuple[Hashable, ...]:
    """`cluster` of each clip. But of those that were drawn by themselves, clips of one content are one draw under
    several names; where some are stretches, so are those of one file, and of files that hold one content."""
    own = [cluster(record) for record in records]
    if not any("#" in record["clip"] and stretch_of(record["clip"])[0] != record["clip"] for record in records):
        return tuple(_twins_joined(own, records))
    joined: dict[File, File] = {}
    of_content: dict[str, File] = {}

    def first(file: File) -> File:
        while (known := joined.get(file, file)) != file:
            file = known
        return file

    for number, record in enumerate(records):
        if record.get("speaker") is None and record.get("piece") is None:
            own[number] = file = File(record.get("corpus", ""), stretch_of(record["clip"])[0])
            if sha256 := record.get("clip_sha256"):
                known, other = first(of_content.setdefault(sha256, file)), first(file)
                joined[max(known, other)] = min(known, other)
    return tuple(first(each) if isinstance(each, File) else each for each in own)


def _twins_joined(clusters: Sequence[Hashable], records: Sequence[Record]) -> list[Hashable]:
    keys = [clip_key(record) for record in records]
    alone = [key for key, own in zip(keys, clusters, strict=True) if own == key and key[2]]
    first: dict[str, ClipKey] = {}
    for key in sorted(alone, reverse=True):
        first[key[2]] = key
    return [first.get(key[2], own) if own == key else own for key, own in zip(keys, clusters, strict=True)]


def drawn_as(clusters: Iterable[Hashable]) -> str:
    """What clusters are called, in the singular."""
    kinds = {type(each) for each in clusters}
    if kinds == {Passage}:
        return "passage"
    if File not in kinds:
        return "speaker"
    return "file" if kinds == {File} else "speaker or file"


def counted(count: int, word: str) -> str:
    """`1 speaker`, `2 speakers or files`."""
    return f"{count} {word}" if count == 1 else f"{count} {' or '.join(f'{each}s' for each in word.split(' or '))}"


def score(record: Record, metric: str) -> float | None:
    """The clip's finite value of a metric; None where it has none."""
    value = record.get("scores", {}).get(metric)
    return float(value) if value is not None and math.isfinite(value) else None


def named_as(like: Iterable[Record], records: Sequence[Record]) -> list[Record]:
    """The records, clips named as in `like` where they are of the same content (SHA-256) under another corpus or name.

    A clip that `like` knows by its own name keeps it. Of several clips of one content, each gets a name that no other
    has: in the order of names, as far as `like` has names for them.
    """
    own = {clip_key(record) for record in records}
    known = {clip_key(record) for record in like}
    free: dict[str, list[ClipKey]] = {}
    for key in sorted(known - own, reverse=True):
        free.setdefault(key[2], []).append(key)
    renamed = {key: free[key[2]].pop() for key in sorted(own - known) if key[2] and free.get(key[2])}
    return [
        {**record, "corpus": renamed[key][0], "clip": renamed[key][1]} if key in renamed else record
        for record, key in ((record, clip_key(record)) for record in records)
    ]
