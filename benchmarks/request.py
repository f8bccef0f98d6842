"""What a run is asked to do, checked before anything is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from codeczoo import codecs, metrics
from codeczoo.codecs import Codec, WeightsMissing
from codeczoo.codecs.availability import why_not
from codeczoo.codecs.decoded import DecodedAudio
from codeczoo.metrics import weights

from . import devices
from .backend_names import Backend
from .clip import Corpus
from .errors import BenchmarkError

Loaded = Codec | DecodedAudio
"""A codec, or the output of another program, which becomes a codec for one clip at a time."""


Loader = Callable[[], Loaded]


@dataclass(frozen=True)
class NamedCodec:
    """Loads a codec of the registry, in this process or in another."""

    name: str
    device: str = "cpu"

    def __call__(self) -> Loaded:
        return codecs.load(self.name, self.device)

    def on(self, device: str) -> NamedCodec:
        """The same codec on another device."""
        return replace(self, device=device)


@dataclass(frozen=True)
class Point:
    """One operating point to be measured, not yet loaded."""

    name: str
    load: Loader
    only: frozenset[str] | None = None
    """Names of the clips that it has, where these are not all (decoded audio); None: any clip."""

    @property
    def family(self) -> str:
        """Points of one family share weights and are measured together."""
        return codecs.parse(self.name).base

    def covers(self, clip: str) -> bool:
        """Whether it is to be measured on the clip of this name, or on this stretch of it."""
        return self.only is None or clip in self.only or clip.rpartition("#")[0] in self.only


@dataclass(frozen=True)
class Request:
    """One invocation of the runner."""

    points: tuple[Point, ...]
    corpus: Corpus
    metrics: tuple[str, ...]
    out: Path
    workers: int | None = 1
    """Processes beside this one; 0: none, so that nothing disturbs the codec's timing; None: all that a cluster has."""
    threads: int = 1
    """Threads of torch for a codec."""
    device: str = "cpu"
    """Where codecs run; see `devices`."""
    backend: Backend = field(default_factory=Backend)
    code_in_workers: bool = False
    """Whether workers code as well as score; always so on a cluster, and where there are several devices."""
    time_limit_s: float | None = None
    """Longest time that a worker may take for an operating point on a clip; None: any."""
    retry_failed: bool = False
    keep_tokens: bool = True
    command: str = ""
    """As it was typed, for `run.json`."""
    suite: str = ""
    """Name of the suite that it is of; empty where it is of none."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Operating points left out, with the reason."""

    def __post_init__(self) -> None:
        if not self.points:
            raise BenchmarkError("There is no codec to measure; name some with --codecs, as in --codecs opus@12kbps.")
        twice = sorted({point.name for point in self.points if [p.name for p in self.points].count(point.name) > 1})
        if twice:
            raise BenchmarkError(f"{', '.join(twice)} would be measured twice under one name; give them other names.")
        if len(set(self.metrics)) < len(self.metrics):
            raise BenchmarkError(f"A metric is named twice in {', '.join(self.metrics)}.")
        for name in self.metrics:
            metrics.metric(name)
        if self.time_limit_s is not None and not 0 < self.time_limit_s < math.inf:
            raise BenchmarkError(f"A time limit is a positive number of seconds; got {self.time_limit_s:g}.")
        if self.workers is None and not self.backend.is_cluster:
            raise BenchmarkError("How many workers this machine shall have must be said: workers=N.")
        if self.workers == 0 and (self.codes_in_workers or self.time_limit_s is not None):
            raise BenchmarkError(
                "Without workers there is nobody else to code or to be limited in time; give --workers 1 or more."
            )

    @property
    def codes_in_workers(self) -> bool:
        return self.code_in_workers or self.backend.is_cluster or devices.several(self.device)


def points(patterns: Iterable[str], device: str = "cpu") -> tuple[Point, ...]:
    """The operating points that names and patterns stand for, each once. Raises UnknownCodec, UnknownRate."""
    names = dict.fromkeys(name for pattern in patterns for name in codecs.expand(pattern))
    return tuple(Point(name, NamedCodec(name, device)) for name in names)


def usable(candidates: Sequence[Point]) -> tuple[tuple[Point, ...], tuple[tuple[str, str], ...]]:
    """The points that can run on this machine, and the others with what is missing (weights, a package)."""
    missing = {point.family: why_not(codecs.family(point.name)) for point in first_of_families(candidates)}
    kept = tuple(point for point in candidates if not missing[point.family])
    return kept, tuple((point.name, missing[point.family]) for point in candidates if missing[point.family])


def check_loading(candidates: Sequence[Point]) -> None:
    """Raise WeightsMissing, WeightsCorrupt or MissingDependency if one of the points cannot be loaded. Where weights of
    several families are missing, one error names all."""
    missing: list[WeightsMissing] = []
    for point in first_of_families(candidates):
        try:
            point.load()
        except WeightsMissing as error:
            missing.append(error)
    if missing:
        raise missing[0] if len(missing) == 1 else WeightsMissing("\n".join(map(str, missing)))


def check_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """The metrics of these names, each once. Raises UnknownMetric, MetricWeightsMissing."""
    wanted = tuple(dict.fromkeys(names))
    for name in wanted:
        metrics.metric(name)
        if name in weights.ALL:
            weights.find(weights.ALL[name])
    return wanted


def usable_metrics(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The metrics that can be computed on this machine, and the others with what is missing."""
    kept: list[str] = []
    left_out: list[tuple[str, str]] = []
    for name in names:
        try:
            kept += check_metrics([name])
        except metrics.MetricWeightsMissing:
            left_out.append((name, f"weights: codeczoo fetch {name}"))
    return tuple(kept), tuple(left_out)


def first_of_families(candidates: Sequence[Point]) -> tuple[Point, ...]:
    """One point of each family: what one needs to run, all of its family need."""
    return tuple({point.family: point for point in reversed(candidates)}.values())
