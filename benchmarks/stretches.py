"""Stretches of one file that overlap: audio that one mean would count twice.

Where a clip lies in its file is read from its name (`a.flac#120-240`; codeczoo.codecs.clip_names), which every record
has. Names are to the millisecond: what overlaps by less does not. Pieces of a passage lie in their passage.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from codeczoo.codecs.clip_names import stretch_name, stretch_of

from .errors import InvalidRun
from .records import Record

if TYPE_CHECKING:
    from .clip import Corpus
    from .request import Point
    from .run_folder import RunFolder

Bounds = tuple[float, float]
"""Seconds at which a stretch begins and ends in its file; of a whole file, 0 and infinity."""

WHOLE: Bounds = (0.0, math.inf)

_LEAST_S = 1.5e-3


class Overlaps(NamedTuple):
    """Of the clips of one codec, those that share audio with another one of them."""

    clips: int = 0
    files: int = 0
    """Files, or passages, that these clips are of."""


NO_OVERLAPS = Overlaps()


def overlapping(records: Iterable[Record]) -> Overlaps:
    """How many of the scored clips of one codec overlap."""
    scored = [record for record in records if record.get("scores")]
    if not any("#" in record["clip"] or record.get("piece") for record in scored):
        return NO_OVERLAPS
    within: dict[tuple[str, str], list[Bounds]] = {}
    for record in scored:
        piece = record.get("piece")
        if piece is not None:
            file, start_s, end_s = piece["passage"], piece["offset_s"], piece["offset_s"] + piece["length_s"]
        else:
            file, start_s, end_s = stretch_of(record["clip"])
        within.setdefault((record.get("corpus", ""), file), []).append((start_s, end_s))
    counts = [count for count in map(_sharing, within.values()) if count]
    return Overlaps(sum(counts), len(counts))


def _sharing(stretches: list[Bounds]) -> int:
    """How many stretches overlap another one."""
    found: set[int] = set()
    order = sorted(range(len(stretches)), key=stretches.__getitem__)
    # A stretch that overlaps any before it overlaps the one of these that ends last.
    last = order[0]
    for number in order[1:]:
        if _overlap(stretches[last], stretches[number]):
            found |= {last, number}
        if stretches[number][1] > stretches[last][1]:
            last = number
    return len(found)


def check_unmixed(corpus: Corpus, points: Sequence[Point], folder: RunFolder) -> None:
    """Raise InvalidRun where an open run folder has scores of other stretches that clips of a corpus overlap."""
    if folder.empty:
        return  # a corpus may be long to list, and nothing of it is there
    clips = ((stretch_of(clip.name), clip.name) for clip in corpus if clip.piece is None)
    for file, same in itertools.groupby(clips, key=lambda each: each[0][0]):
        asked = {name: (start_s, end_s) for (_, start_s, end_s), name in same}
        for point in points:
            known = folder.stretches(point.name, corpus.name, file) - set(asked.values())
            if file not in asked and (folder.find((point.name, corpus.name, file)) or {}).get("scores"):
                known.add(WHOLE)
            for name, own in asked.items():
                both = next((each for each in known if _overlap(each, own)), None)
                if both is None or not point.covers(name):
                    continue
                start_s, end_s = both
                measured = file if both == WHOLE else stretch_name(file, start_s, None if end_s == math.inf else end_s)
                raise InvalidRun(
                    f"{folder.path} has scores of {point.name} on {measured}, and {name} is to be measured, which "
                    "overlaps it: means over both would count audio twice. Name another folder with --out, or cut "
                    "clips as they were cut for this one."
                )


def _overlap(one: Bounds, other: Bounds) -> bool:
    return min(one[1], other[1]) - max(one[0], other[0]) > _LEAST_S
