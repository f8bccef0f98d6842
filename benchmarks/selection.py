"""Parts of a corpus: clips chosen by what is known of them, a drawn number of them, long ones cut into stretches."""

from __future__ import annotations

import fnmatch
import hashlib
import heapq
import itertools
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from codeczoo.codecs.clip_names import stretch_name

from .audio import probe
from .clip import Clip, Corpus
from .errors import InvalidClip, InvalidCorpus
from .listing import ListedCorpus, listed

Where = Mapping[str, str | Sequence[str]]
"""Conditions: field -> shell pattern, or several, one of which must match. All fields must match; a missing value
matches none."""

FIELDS = ("path", "name", "domain", "dataset", "speaker", "label", "split")
"""What clips are chosen by. `path` is the file's name in the corpus, `name` that with its stretch. A manifest's clips
are chosen by any of its columns."""


def parse_where(conditions: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """`FIELD=PATTERN` of the command line to conditions; a field that is given twice takes either pattern.

    >>> parse_where(["path=speech/*", "domain=speech", "domain=music"])
    {'path': ('speech/*',), 'domain': ('speech', 'music')}
    """
    where: dict[str, tuple[str, ...]] = {}
    for condition in conditions:
        field, equals, pattern = condition.partition("=")
        if not equals or not field.strip() or not pattern.strip():
            raise InvalidCorpus(f"{condition!r} is not a condition; they read FIELD=PATTERN, as in domain=speech.")
        where[field.strip()] = (*where.get(field.strip(), ()), pattern.strip())
    return where


def matches(values: Mapping[str, str | None], where: Where) -> bool:
    """Whether every field of `where` has a value that one of its patterns matches (case counts)."""
    for field, patterns in where.items():
        value = values.get(field)
        if not value or not any(fnmatch.fnmatchcase(value, pattern) for pattern in _several(patterns)):
            return False
    return True


def _several(patterns: str | Sequence[str]) -> Sequence[str]:
    return (patterns,) if isinstance(patterns, str) else patterns


def no_match(name: str, rows: Iterable[Mapping[str, str | None]], where: Where) -> str:
    """The sentence for conditions that leave nothing: it lists the values that there are."""
    asked = " and ".join(f"{field}={'|'.join(_several(patterns))}" for field, patterns in where.items())
    seen: dict[str, set[str]] = {field: set() for field in where}
    for row in rows:
        for field, values in seen.items():
            if (value := row.get(field)) and len(values) <= 8:
                values.add(value)
    known = "; ".join(f"{field} is {_some(values)}" for field, values in seen.items())
    return f"No clip of {name} has {asked}: {known}."


def _some(values: set[str]) -> str:
    if not values:
        return "nowhere given"
    shown = ", ".join(sorted(values)[:8])
    return f"{shown}, ..." if len(values) > 8 else shown


def fields_of(clip: Clip) -> dict[str, str | None]:
    """A clip's value for each of `FIELDS`."""
    return {
        "path": file_name(clip), "name": clip.name, "domain": clip.domain, "dataset": clip.dataset,
        "speaker": clip.speaker, "label": clip.label, "split": clip.split,
    }  # fmt: skip


def file_name(clip: Clip) -> str:
    """The clip's name without its stretch."""
    is_stretch = clip.start_s != 0.0 or clip.seconds is not None
    return clip.name.rpartition("#")[0] or clip.name if is_stretch else clip.name


def filtered(corpus: Corpus, where: Where) -> Corpus:
    """The clips that all conditions match. Raises InvalidCorpus where none is left or a field is none of `FIELDS`."""
    for field in where:
        if field not in FIELDS:
            raise InvalidCorpus(f"Clips of {corpus.name} are chosen by {', '.join(FIELDS)}; not by {field!r}.")
    if not where:
        return corpus
    chosen = ListedCorpus(corpus.name, lambda: (c for c in corpus if matches(fields_of(c), where)), 0, corpus.licence)
    length = sum(1 for _ in chosen)
    if length == 0:
        raise InvalidCorpus(no_match(corpus.name, map(fields_of, corpus), where))
    return replace(chosen, length=length)


def take(corpus: Corpus, n: int, seed: int = 0) -> Corpus:
    """`n` clips drawn by their names: the same on every machine, and the clips of a smaller `n` are among those of a
    larger one. They keep the corpus' order; where there are no more than `n`, it is the corpus itself."""
    if n < 1:
        raise InvalidCorpus(f"A corpus is limited to at least one clip; got {n}.")
    if n >= len(corpus):
        return corpus
    drawn = {name for _, name in heapq.nsmallest(n, ((rank(clip.name, seed), clip.name) for clip in corpus))}
    return ListedCorpus(corpus.name, lambda: (clip for clip in corpus if clip.name in drawn), n, corpus.licence)


def lasting(corpus: Corpus, least_s: float, most_s: float) -> Corpus:
    """The clips from `least_s` to `most_s` seconds long, by their headers; a file whose header cannot be read is kept,
    so that its own record says what is wrong with it."""
    if not (0 <= least_s <= most_s and math.isfinite(most_s)):
        raise InvalidCorpus(
            f"Clips are chosen by a least and a most number of seconds; got {least_s:g} and {most_s:g}."
        )
    lengths_s = array("d", (_length_s(clip) for clip in corpus))

    def clips() -> Iterator[Clip]:
        for clip, length_s in zip(corpus, lengths_s, strict=True):
            if math.isnan(length_s) or least_s <= length_s <= most_s:
                yield clip

    empty = f"No clip of {corpus.name} is from {least_s:g} to {most_s:g} s long."
    return listed(corpus.name, clips, empty=empty, licence=corpus.licence)


def rank(name: str, seed: int) -> bytes:
    """Where a name stands when names are drawn by `seed`: those of the smallest ranks are."""
    return hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).digest()


def cut(corpus: Corpus, seconds: float) -> Corpus:
    """Clips longer than `seconds` as consecutive stretches of at most that: `a.flac#0-120`, `a.flac#120-240`, ...

    Where the rest is shorter than half a stretch, the last two share their time equally: a stretch of a few samples
    could not be scored. Headers are read once, here; a file whose header cannot be read stays an uncut clip."""
    if not seconds > 0 or not math.isfinite(seconds):
        raise InvalidCorpus(f"Clips are cut into stretches of a positive number of seconds; got {seconds}.")
    seconds = float(seconds)
    lengths_s = array("d", (_length_s(clip) for clip in corpus))

    def clips() -> Iterator[Clip]:
        for clip, length_s in zip(corpus, lengths_s, strict=True):
            yield from _stretches(clip, length_s, seconds)

    return listed(corpus.name, clips, empty=f"{corpus.name} has no clips.", licence=corpus.licence)


def _length_s(clip: Clip) -> float:
    try:
        rest = probe(clip.path).seconds - clip.start_s
    except InvalidClip:
        return math.nan
    return rest if clip.seconds is None else min(rest, clip.seconds)


def _stretches(clip: Clip, length_s: float, seconds: float) -> Iterator[Clip]:
    if math.isnan(length_s) or length_s <= seconds:
        yield clip
        return
    starts = [index * seconds for index in range(math.ceil(length_s / seconds))]
    if length_s - starts[-1] < seconds / 2:
        starts[-1] = (starts[-2] + length_s) / 2
    bounds = [*(round(start, 3) for start in starts), length_s]
    for start, end in itertools.pairwise(bounds):
        to_the_end = end == length_s and clip.seconds is None
        yield replace(
            clip,
            name=stretch_name(file_name(clip), clip.start_s + start, clip.start_s + end),
            start_s=clip.start_s + start,
            seconds=None if to_the_end else end - start,
        )
