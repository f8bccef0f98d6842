"""Corpora: which clips are measured. Their sources are folders, manifests, official data sets and the demo clips.

Conventions

* iterating opens no audio: a missing or broken file costs its own record and nothing else (`cut` reads headers)
* clips come in one order on every machine, by the parts of their names; names are relative to the corpus' root
* a corpus is listed again at every iteration and never held as a list, so that memory does not grow with it
* a corpus without clips is an error, never an empty table

What the command line's `--corpus` takes is `resolve`: `demo`, `librispeech:/data/LibriSpeech`, a folder, a glob, a
manifest.
"""

from __future__ import annotations

import fnmatch
import heapq
import logging
import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from .audio import AUDIO_SUFFIXES
from .clip import Clip, Corpus
from .errors import InvalidCorpus

logger = logging.getLogger(__name__)

Where = Mapping[str, Sequence[str]]
"""Conditions by field: each is a list of shell patterns, of which one must match; all fields must."""

FIELDS = ("name", "path", "domain", "dataset", "speaker", "label", "split")
"""What a clip can be chosen by; `path` is its name, without the stretch."""


@dataclass(frozen=True)
class ListedCorpus:
    """A corpus whose clips are listed anew by `clips` at every iteration."""

    name: str
    clips: Callable[[], Iterator[Clip]]
    length: int
    licence: str = ""

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Clip]:
        return self.clips()


def listed(name: str, clips: Callable[[], Iterator[Clip]], empty: str, licence: str = "") -> ListedCorpus:
    """A corpus of what `clips` lists now. Raises InvalidCorpus with the sentence `empty` where that is nothing."""
    length = sum(1 for _ in clips())
    if length == 0:
        raise InvalidCorpus(empty)
    return ListedCorpus(name, clips, length, licence)


def folder(root: Path) -> Corpus:
    """Every audio file below a folder; hidden files and files of other suffixes are left out.

    Links are followed; a folder that several links lead to is visited once. Raises InvalidCorpus."""
    _check_folder(root)
    _warn_of_unread(root)
    return listed(
        _folder_name(root),
        lambda: (Clip(name, root / name) for name in audio_names(root)),
        f"{root} holds no audio: no file below it ends in {', '.join(AUDIO_SUFFIXES)}.",
    )


def matching(pattern: str) -> Corpus:
    """The audio files that a shell pattern stands for (`**` goes through folders). Names are relative to the longest
    folder before the first wildcard. Raises InvalidCorpus."""
    parts = PurePath(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if any(letter in part for letter in "*?["))
    root, rest = Path(*parts[:fixed]), str(PurePath(*parts[fixed:]))
    _check_folder(root)

    def clips() -> Iterator[Clip]:
        names = (
            path.relative_to(root).as_posix()
            for path in root.glob(rest)
            if path.suffix.lower() in AUDIO_SUFFIXES and not path.is_dir()
        )
        for name in sorted(names, key=lambda name: name.split("/")):
            if not any(part.startswith(".") for part in name.split("/")):
                yield Clip(name, root / name)

    return listed(_folder_name(root), clips, f"No audio file ({', '.join(AUDIO_SUFFIXES)}) matches {pattern}.")


def single(path: Path) -> Corpus:
    """One audio file as a corpus."""
    return ListedCorpus(path.stem, lambda: iter((Clip(path.name, path),)), 1)


def audio_names(root: Path) -> Iterator[str]:
    """Names of the audio files below a folder, relative to it with `/`, in the order of their parts."""
    return _names(root, "", set(), AUDIO_SUFFIXES)


def filtered(corpus: Corpus, where: Where) -> Corpus:
    """The clips of which every field of `where` matches one of its patterns. Raises InvalidCorpus where none does."""
    unknown = [field for field in where if field not in FIELDS]
    if unknown:
        raise InvalidCorpus(
            f"Clips of {corpus.name} cannot be chosen by {unknown[0]!r}; by one of {', '.join(FIELDS)}."
        )
    if not where:
        return corpus

    def clips() -> Iterator[Clip]:
        return (clip for clip in corpus if matches(_fields(clip), where))

    asked = " and ".join(f"{field}={'|'.join(patterns)}" for field, patterns in where.items())
    return listed(corpus.name, clips, f"None of the {len(corpus)} clips of {corpus.name} has {asked}.", corpus.licence)


def matches(values: Mapping[str, str | None], where: Where) -> bool:
    """Whether each condition has a pattern that matches the value; a value that is missing matches none."""
    return all(
        any(fnmatch.fnmatchcase(values.get(field) or "", pattern) for pattern in patterns) and values.get(field)
        for field, patterns in where.items()
    )


def take(corpus: Corpus, n: int, seed: int = 0) -> Corpus:
    """`n` clips, drawn by their names: the same on every machine, and those of a smaller `n` are among those of a
    larger one. The order is the corpus'."""
    if n < 1:
        raise InvalidCorpus(f"A corpus is limited to at least one clip; got {n}.")
    if n >= len(corpus):
        return corpus
    drawn = {name for _, name in heapq.nsmallest(n, ((_rank(clip.name, seed), clip.name) for clip in corpus))}
    return ListedCorpus(corpus.name, lambda: (clip for clip in corpus if clip.name in drawn), n, corpus.licence)


def cut(corpus: Corpus, seconds: float) -> Corpus:
    """Clips longer than `seconds` become consecutive stretches of at most that: `a.flac#0-120`, `a.flac#120-240`.

    A rest shorter than half a stretch shares the last two stretches' time equally, so that no stretch is too short to
    score. Headers are read once, when the corpus is made; a file without a readable one stays an uncut clip."""
    if not seconds > 0 or not math.isfinite(seconds):
        raise InvalidCorpus(f"Clips are cut into stretches of a positive number of seconds; got {seconds}.")
    lengths = array("d", (_length_s(clip) for clip in corpus))

    def clips() -> Iterator[Clip]:
        for clip, length in zip(corpus, lengths, strict=True):
            yield from _stretches(clip, length, seconds)

    return listed(corpus.name, clips, f"{corpus.name} has no clips.", corpus.licence)


def stretch_name(name: str, start_s: float, end_s: float | None) -> str:
    """A file's name with a stretch of it, to the millisecond."""
    end = "" if end_s is None else f"{round(end_s, 3):g}" if end_s < 1000 else f"{round(end_s, 3)}".removesuffix(".0")
    return f"{name}#{start_s}-{end}"


def _stretches(clip: Clip, length_s: float, seconds: float) -> Iterator[Clip]:
    if math.isnan(length_s) or length_s <= seconds:
        yield clip
        return
    bounds = [index * seconds for index in range(math.ceil(length_s / seconds))] + [length_s]
    if len(bounds) > 2 and bounds[-1] - bounds[-2] < seconds / 2:
        bounds[-2] = round((bounds[-3] + bounds[-1]) / 2, 3)
    base = clip.name.rpartition("#")[0] if clip.start_s or clip.seconds else clip.name
    for start, end in zip(bounds, bounds[1:], strict=False):
        last = end == length_s
        yield replace(
            clip,
            name=stretch_name(base, clip.start_s + start, clip.start_s + end),
            start_s=clip.start_s + start,
            seconds=None if last and clip.seconds is None else end - start,
        )
