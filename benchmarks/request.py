"""What a run is asked to do, checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeczoo import codecs, metrics
from codeczoo.codecs import Codec, MissingDependency, WeightsMissing
from codeczoo.codecs.decoded import DecodedAudio

from .clip import Corpus
from .errors import BenchmarkError

Loaded = Codec | DecodedAudio
"""A codec, or the output of another program, which becomes a codec for one clip at a time."""


@dataclass(frozen=True)
class Point:
    """One operating point to be measured, not yet loaded."""

    name: str
    load: Callable[[], Loaded]
    only: frozenset[str] | None = None
    """Names of the clips that it has, where these are not all (decoded audio); None: any clip."""

    @property
    def family(self) -> str:
        """Points of one family share weights and are measured together."""
        return codecs.parse(self.name).base

    def covers(self, clip: str) -> bool:
        """Whether it is to be measured on the clip of this name."""
        return self.only is None or clip in self.only


@dataclass(frozen=True)
class Request:
    """One invocation of the runner."""

    points: tuple[Point, ...]
    corpus: Corpus
    metrics: tuple[str, ...]
    out: Path
    workers: int = 1
    """Scoring processes; 0: score in this process, so that nothing disturbs the codec's timing."""
    threads: int = 1
    """Threads of torch for the codec."""
    device: str = "cpu"
    retry_failed: bool = False
    keep_tokens: bool = True
    command: str = ""
    """As it was typed, for `run.json`."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Operating points left out, with the reason."""

    def __post_init__(self) -> None:
        if not self.points:
            raise BenchmarkError("There is no codec to measure; name some with --codecs, as in --codecs opus@12kbps.")
        twice = sorted({point.name for point in self.points if [p.name for p in self.points].count(point.name) > 1})
        if twice:
            raise BenchmarkError(f"{', '.join(twice)} would be measured twice under one name; give them other names.")
        for name in self.metrics:
            metrics.metric(name)


def points(patterns: Iterable[str], device: str = "cpu") -> tuple[Point, ...]:
    """The operating points that names and patterns stand for, each once. Raises UnknownCodec, UnknownRate."""
    names = dict.fromkeys(name for pattern in patterns for name in codecs.expand(pattern))
    return tuple(Point(name, lambda name=name: codecs.load(name, device)) for name in names)


def usable(candidates: Sequence[Point]) -> tuple[tuple[Point, ...], tuple[tuple[str, str], ...]]:
    """The points that load on this machine, and the others with the reason (weights or a package are not here)."""
    reasons: dict[str, str] = {}
    kept: list[Point] = []
    skipped: list[tuple[str, str]] = []
    tried: set[str] = set()
    for point in candidates:
        if point.family not in tried:
            tried.add(point.family)
            try:
                point.load()
            except (WeightsMissing, MissingDependency) as error:
                reasons[point.family] = str(error)
        if point.family in reasons:
            skipped.append((point.name, reasons[point.family]))
        else:
            kept.append(point)
    return tuple(kept), tuple(skipped)
