"""Passages: clips joined to one length and cut into pieces of several, so that every length hears the same audio.

What a codec does at 3 s and at 60 s can only be compared where both are the same seconds. A passage is as long as the
longest of the lengths that are asked for; it is cut into pieces of each length, end to end:

    passage-5d1f03c27a@3s-1 ... @3s-20, @5s-1 ... @5s-12, @10s-1 ... @10s-6, @30s-1, @30s-2, @60s-1

Which clips are joined

* only clips of one data set, domain, split and sample rate, so that nothing is resampled here; where the data set is
  not known, clips of one folder
* within these, one voice after the other (speaker, else label and folder), clips by name: a passage has one voice as
  long as this voice has the audio; what is left of the voices is joined to passages of several. A stretch below
  `SHORTEST_S` is not carried over, and what does not fill a passage is left out
* samples follow each other without a gap, a fade or a change of level. A piece says what it consists of
  (`Piece.parts`), which is where its joins are
* nothing is written: a piece is read from the files of its clips, by range. In memory stands a line a clip, no audio

A passage is named by a hash of what it consists of, so that its name means the same audio in any run, whatever else is
in the corpus and in whatever order. A piece begins at round(offset x rate), so that pieces share no sample and leave
none out.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import PurePosixPath

from .audio import frame_at, stretch_frames
from .clip import Clip, Corpus, Part, Piece
from .errors import InvalidClip, InvalidCorpus
from .listing import ListedCorpus
from .selection import file_name, rank

_log = logging.getLogger(__name__)

SHORTEST_S = 1.0
_HASH_DIGITS = 10


@dataclass(frozen=True)
class Passage:
    """Stretches of clips, in the order in which they are joined."""

    sample_rate: int
    """Hz."""
    parts: tuple[Part, ...]
    facts: Clip
    """Its first clip, without a speaker or label that not all its clips share."""

    @property
    def name(self) -> str:
        told = [f"{part.clip} {part.start} {part.samples}" for part in self.parts]
        text = "\n".join([str(self.sample_rate), *told])
        return f"passage-{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:_HASH_DIGITS]}"


def wrong_lengths(lengths_s: Sequence[float]) -> str:
    """What is wrong with these lengths, as a sentence; empty where nothing is."""
    if not lengths_s:
        return "there is none; name at least one, as in 3 5 10 30 60"
    for length in lengths_s:
        if not 0 < length < float("inf"):
            return f"{length:g} s is no length; positive numbers of seconds are needed"
    for one, other in itertools.pairwise(lengths_s):
        if other <= one:
            return f"{other:g} s follows {one:g} s; lengths rise, and each is named once"
    longest = lengths_s[-1]
    for length in lengths_s:
        if not _times(longest, length):
            return (
                f"{length:g} s does not fit a whole number of times into {longest:g} s, "
                "so that the lengths would not hear the same audio"
            )
    return ""


def passages(corpus: Corpus, lengths_s: Sequence[float], limit: int | None = None, seed: int = 0) -> Corpus:
    """The pieces of all passages that a corpus' clips make, or of `limit` of them drawn by `seed`; passage by passage,
    short pieces first. Raises InvalidCorpus where there is not one passage, or for lengths that do not go together."""
    if wrong := wrong_lengths(lengths_s):
        raise InvalidCorpus(f"Lengths of pieces are {', '.join(f'{s:g}' for s in lengths_s) or 'missing'}: {wrong}.")
    if limit is not None and limit < 1:
        raise InvalidCorpus(f"A corpus is limited to at least one passage; got {limit}.")
    lengths = tuple(float(length) for length in lengths_s)
    groups = _groups(corpus)
    found = [passage for group in groups for passage in _joined(group, lengths[-1])]
    if not found:
        raise InvalidCorpus(_too_little(corpus, groups, lengths[-1]))
    if limit is not None and limit < len(found):
        drawn = {passage.name for passage in heapq.nsmallest(limit, found, key=lambda one: rank(one.name, seed))}
        found = [passage for passage in found if passage.name in drawn]

    def clips() -> Iterator[Clip]:
        return (piece for passage in found for piece in pieces(passage, lengths))

    each = sum(_times(lengths[-1], length) for length in lengths)
    return ListedCorpus(corpus.name, clips, each * len(found), corpus.licence)


def pieces(passage: Passage, lengths_s: Sequence[float]) -> Iterator[Clip]:
    """The passage in pieces of each length, which all cover it from its beginning to its end."""
    name, rate = passage.name, passage.sample_rate
    for length in lengths_s:
        for number in range(_times(lengths_s[-1], length)):
            offset_s = number * length
            parts = tuple(_stretch(passage.parts, frame_at(offset_s, rate), frame_at(offset_s + length, rate)))
            facts = passage.facts
            yield Clip(
                name=f"{name}@{length:g}s-{number + 1}",
                path=parts[0].path,
                domain=facts.domain,
                dataset=facts.dataset,
                speaker=facts.speaker,
                label=facts.label,
                split=facts.split,
                piece=Piece(name, length, offset_s, rate, parts),
            )


def _times(longest: float, length: float) -> int:
    """How often a length fits into the longest; 0 where not a whole number of times."""
    # As decimal fractions, as they were written: 0.3 fits three times into 0.9.
    times = Fraction(repr(longest)) / Fraction(repr(length))
    return times.numerator if times.denominator == 1 else 0


@dataclass(frozen=True)
class _Source:
    """A clip whose header could be read."""

    clip: Clip
    part: Part
    sample_rate: int

    @property
    def group(self) -> tuple[str, ...]:
        """What all clips of a passage have in common."""
        clip = self.clip
        home = ("data set", clip.dataset) if clip.dataset else ("folder", self.folder)
        return (*home, clip.domain or "", clip.split or "", f"{self.sample_rate:09}")

    @property
    def folder(self) -> str:
        return str(PurePosixPath(file_name(self.clip)).parent)

    @property
    def voice(self) -> tuple[str, ...]:
        """Whose audio is joined before any other's: the speaker's; where that is not known, a label's in a folder."""
        if self.clip.speaker:
            return (self.clip.speaker,)
        return "", self.clip.label or "", self.folder

    @property
    def order(self) -> tuple[object, ...]:
        return self.voice, file_name(self.clip).split("/"), self.part.start


def _groups(corpus: Corpus) -> list[list[_Source]]:
    """Clips that may be joined, each group in the order in which they are."""
    found: dict[tuple[str, ...], list[_Source]] = {}
    unread = 0
    for clip in corpus:
        try:
            sample_rate, start, end = stretch_frames(clip)
        except InvalidClip as error:
            unread += 1
            _log.warning("Left out of the passages: %s", error)
            continue
        source = _Source(clip, Part(clip.name, clip.path, start, end - start), sample_rate)
        found.setdefault(source.group, []).append(source)
    if not found:
        raise InvalidCorpus(f"None of the {unread} clips of {corpus.name} can be read, so that there is no passage.")
    return [sorted(found[key], key=lambda source: source.order) for key in sorted(found)]


def _joined(group: Sequence[_Source], seconds: float) -> Iterator[Passage]:
    """Passages of one voice each, then those of what is left."""
    rate = group[0].sample_rate
    clips = {source.part.clip: source.clip for source in group}
    left: list[Part] = []
    for _, members in itertools.groupby(group, key=lambda source: source.voice):
        full, rest = _filled((source.part for source in members), frame_at(seconds, rate))
        yield from (_passage(rate, parts, clips) for parts in full)
        left += [part for part in rest if part.samples >= SHORTEST_S * rate]
    full, _ = _filled(left, frame_at(seconds, rate))
    yield from (_passage(rate, parts, clips) for parts in full)


def _filled(parts: Iterable[Part], samples: int) -> tuple[list[list[Part]], list[Part]]:
    """Stretches of exactly `samples` each, one after the other, and the parts that do not fill one."""
    full: list[list[Part]] = []
    open_: list[Part] = []
    missing = samples
    for part in parts:
        start, end = part.start, part.start + part.samples
        while end - start >= missing:
            full.append([*open_, Part(part.clip, part.path, start, missing)])
            start, open_, missing = start + missing, [], samples
        if end > start:
            open_.append(Part(part.clip, part.path, start, end - start))
            missing -= end - start
    return full, open_


def _passage(sample_rate: int, parts: Sequence[Part], clips: dict[str, Clip]) -> Passage:
    members = [clips[part.clip] for part in parts]
    facts = replace(
        members[0],
        speaker=_shared(clip.speaker for clip in members),
        label=_shared(clip.label for clip in members),
    )
    return Passage(sample_rate, tuple(parts), facts)


def _shared(values: Iterable[str | None]) -> str | None:
    """The one value that all have, if they have one."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _stretch(parts: Sequence[Part], start: int, end: int) -> Iterator[Part]:
    """What of the parts lies between two samples of the passage."""
    begins = 0
    for part in parts:
        first, last = max(start, begins), min(end, begins + part.samples)
        if first < last:
            yield Part(part.clip, part.path, part.start + first - begins, last - first)
        begins += part.samples


def _too_little(corpus: Corpus, groups: Sequence[Sequence[_Source]], seconds: float) -> str:
    def length_s(group: Sequence[_Source]) -> float:
        return sum(source.part.samples for source in group) / group[0].sample_rate

    largest = max(groups, key=length_s)
    kind, name = largest[0].group[:2]
    what = f"{kind} {name!r}" if name not in ("", ".") else "one folder"
    return (
        f"{corpus.name} has too little audio for one passage of {seconds:g} s: clips are joined within one {kind} and "
        f"sample rate, and the most, {what} at {largest[0].sample_rate} Hz, has {length_s(largest):.1f} s. "
        "Name a larger corpus, or shorter lengths with --lengths-s."
    )
