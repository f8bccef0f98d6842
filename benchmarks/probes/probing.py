"""Probing: every feature set of a task through every mode, seed and fold, one record each, resumable."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeczoo.benchmarks.environment import fact_sheet
from codeczoo.benchmarks.errors import InvalidProbe
from codeczoo.benchmarks.request import Loaded, Point
from codeczoo.benchmarks.run_folder import RunFolder
from codeczoo.benchmarks.runner import codec_facts
from codeczoo.codecs import Codec, Spec
from codeczoo.codecs.base import EmbeddingCodec

from . import arch, features, linear, scores, spectral
from .division import Division, divisions
from .features import Features
from .heads import MODES, Answers, Set
from .probe_records import SCHEMA, ProbeRecords, Record
from .task import Task

_log = logging.getLogger(__name__)

MAJORITY, UNIFORM = "chance (majority)", "chance (uniform)"
NO_EMBEDDINGS = "no embeddings: its decoder is given bytes or samples, not a vector a token"
_IDENTITIES = {"linear": linear.IDENTITY, "arch": arch.IDENTITY}

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class ProbeRequest:
    """One invocation."""

    task: Task
    corpus: str
    """Name of the corpus, under which a bench in the same folder keeps tokens."""
    points: tuple[Point, ...]
    out: Path
    modes: tuple[str, ...] = ("linear",)
    seeds: int = 3
    pooling: str = "mean"
    workers: int = 1
    threads: int = 1
    device: str = "cpu"
    command: str = ""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise InvalidProbe(f"A probe is made under at least one seed; got {self.seeds}.")
        if unknown := sorted(set(self.modes) - set(MODES)):
            raise InvalidProbe(f"There is no mode {', '.join(unknown)}; there are {', '.join(MODES)}.")


@dataclass
class Summary:
    """What an invocation did."""

    probes: int = 0
    measured: int = 0
    undefined: list[str] = field(default_factory=list[str])
    unread: dict[str, str] = field(default_factory=dict[str, str])
    """Clips that cannot be read, left out for all."""
    failed: dict[str, int] = field(default_factory=dict[str, int])
    """Clips without a feature, by codec."""

    @property
    def exit_status(self) -> int:
        """0 all well, 1 clips were lost, 3 a codec has no embeddings."""
        if self.unread or self.failed:
            return 1
        return 3 if self.undefined else 0


def run(request: ProbeRequest, progress: Progress = lambda name, done: None) -> Summary:
    """Probe. Raises a user error before any audio is read, if the request cannot be run."""
    RunFolder.check(request.out)
    # Wrong labels and divisions are found before hours of encoding.
    for mode in request.modes:
        divisions(request.task, 0, published=mode == "arch")
    with RunFolder(request.out) as folder:
        folder.describe(_invocation(request))
        return _Probing(request, folder, progress).run()


class _Probing:
    def __init__(self, request: ProbeRequest, folder: RunFolder, progress: Progress) -> None:
        self.request = request
        self.folder = folder
        self.progress = progress
        self.records = ProbeRecords(request.out)
        self.summary = Summary()
        self.sha256, self.summary.unread = features.hashes(request.task, progress)
        self.task = self._readable(request.task)
        self.task_identity = self.task.identity(self.sha256)
        self.groups = self.task.groups()
        self.labels = _labels(self.task)
        self.plan = tuple(self._planned())

    def _readable(self, task: Task) -> Task:
        """The task without the clips that cannot be read: they are left out of it for every codec alike."""
        if not self.summary.unread:
            return task
        for name, reason in self.summary.unread.items():
            _log.warning("%s is left out: %s", name, reason)
        kept = tuple(example for example in task.examples if example.clip.name in self.sha256)
        if not kept:
            raise InvalidProbe(
                f"None of the {len(task.examples)} clips of {task.name} can be read; the first: "
                f"{next(iter(self.summary.unread.values()))}"
            )
        note = f"left out: {len(self.summary.unread)} clips, not readable as audio"
        return replace(task, examples=kept, notes=(*task.notes, note))

    def run(self) -> Summary:
        self._chance()
        how = {"pooling": self.request.pooling, "workers": self.request.workers, "progress": self.progress}
        for baseline in spectral.BASELINES:
            self._probe(features.of_baseline(baseline, self.task, self.sha256, self.folder, **how), None)
        if self.request.points:
            self._set_threads()
        for point in self.request.points:
            self._point(point, how)
        return self.summary

    def _set_threads(self) -> None:
        import torch

        torch.set_num_threads(self.request.threads)

    def _point(self, point: Point, how: dict[str, Any]) -> None:
        codec = point.load()
        if not isinstance(codec, EmbeddingCodec):
            self.progress(point.name, len(self.task.examples))
            self._undefined(point.name, codec)
            return
        found = features.of_codec(
            codec, self.task, self.sha256, self.folder, self.request.corpus, device=self.request.device, **how
        )
        if found.failed:
            self.summary.failed[point.name] = len(found.failed)
        self._probe(found, codec.spec)

    def _undefined(self, name: str, codec: Loaded) -> None:
        self.summary.undefined.append(name)
        identity, spec = (codec.fingerprint, codec.spec) if isinstance(codec, Codec) else ("", None)
        for mode in self.request.modes:
            record = self._base(name, f"{name}|{identity}", mode, 0, "", spec)
            record["undefined"] = NO_EMBEDDINGS
            self._append(record, ())

    def _planned(self) -> Iterator[tuple[str, int, Division]]:
        """Modes, seeds and divisions, the same for all features; no seed that changes nothing."""
        for mode in self.request.modes:
            for seed in range(self.request.seeds):
                for division in divisions(self.task, seed, published=mode == "arch"):
                    if seed == 0 or division.drawn or mode == "arch":
                        yield mode, seed, division

    def _probe(self, found: Features, spec: Spec | None) -> None:
        row = {index: place for place, index in enumerate(found.indices)}
        for mode, seed, division in self.plan:
            parts = [
                [index for index in part.tolist() if index in row]
                for part in (division.train, division.validation, division.test)
            ]
            record = self._base(found.name, found.identity, mode, seed, division.name, spec)
            record["leak"] = self._leak(division)
            if not self._known(record, parts):
                record["failed"] = found.failed
                learnt, tested = self.labels[parts[0]].any(axis=0).sum(), self.labels[parts[2]].any()
                if all(parts) and learnt > 1 and tested:
                    sets = [Set(found.vectors[[row[index] for index in part]], self.labels[part]) for part in parts]
                    self._scored(record, self._answers(mode, sets, seed), parts[2])
                else:
                    # A codec that fails on most clips must not cost the others their results.
                    record["undefined"] = _too_few(found)
            self._append(record, parts)

    def _answers(self, mode: str, sets: Sequence[Set], seed: int) -> Answers:
        train, validation, test = sets
        if mode == "arch":
            return arch.probe(train, test, self.task.multi_label, seed)
        return linear.probe(train, validation, test, self.task.multi_label)

    def _scored(self, record: Record, answers: Answers, test: Sequence[int]) -> None:
        labels = self.labels[test]
        groups = [self.groups[index] for index in test]
        record["chosen"] = answers.facts
        if self.task.multi_label:
            macro, weighted, scored = scores.mean_average_precision(labels, answers.scores)
            record["scores"] = {"map": macro, "map_weighted": weighted, "labels_scored": scored}
            record["interval"] = scores.map_interval(labels, answers.scores, groups)
            return
        truth, told = labels.argmax(axis=1), answers.scores.argmax(axis=1)
        record["scores"] = {
            "accuracy": float(np.mean(truth == told)),
            "macro_f1": scores.macro_f1(truth, told, labels.shape[1]),
        }
        record["groups"] = _by_group(groups, (truth == told).astype(float))

    def _chance(self) -> None:
        """What knows nothing: the value that probes are to be read against."""
        for mode, seed, division in self.plan:
            if seed and not division.drawn:
                continue
            test = division.test.tolist()
            parts = [division.train.tolist(), [], test]
            for name in (UNIFORM,) if self.task.multi_label else (MAJORITY, UNIFORM):
                record = self._base(name, name, mode, seed, division.name, None)
                record["leak"] = self._leak(division)
                if not self._known(record, parts):
                    groups = [self.groups[index] for index in test]
                    if self.task.multi_label:
                        shares = self.labels[test].mean(axis=0)
                        shares = shares[shares > 0]
                        weighted = float(np.sum(shares**2) / np.sum(shares))
                        record["scores"] = {
                            "map": float(shares.mean()), "map_weighted": weighted, "labels_scored": len(shares)
                        }  # fmt: skip
                    else:
                        likeliest = int(self.labels[division.train].sum(axis=0).argmax())
                        hits = self.labels[test, likeliest].astype(float)
                        if name == UNIFORM:
                            hits = np.full(len(test), 1 / len(self.task.classes))
                        record["scores"] = {"accuracy": float(hits.mean())}
                        record["groups"] = _by_group(groups, hits)
                self._append(record, parts)

    def _leak(self, division: Division) -> str:
        """What is known of the division, and clips that are in train and test under two names."""
        learnt = {self.sha256[self.task.examples[index].clip.name] for index in division.train.tolist()}
        twice = sum(self.sha256[self.task.examples[index].clip.name] in learnt for index in division.test.tolist())
        said = [division.leak] if division.leak else []
        return "; ".join([*said, *([f"{twice} test clips are in train as well, byte for byte"] if twice else [])])

    def _base(self, name: str, identity: str, mode: str, seed: int, fold: str, spec: Spec | None) -> Record:
        task = self.task
        return {
            "schema": SCHEMA, "task": task.name, "metric": task.metric, "classes": len(task.classes),
            "domain": task.domain, "features": name, "codec_facts": None if spec is None else codec_facts(spec),
            "features_identity": identity, "mode": mode, "mode_identity": _IDENTITIES[mode],
            "pooling": self.request.pooling, "task_identity": self.task_identity, "seed": seed, "fold": fold,
            "scores": {}, "failed": {}, "group_is": task.group_is, "leak": task.leak, "notes": list(task.notes),
            "licence": task.licence,
        }  # fmt: skip

    def _known(self, record: Record, parts: Sequence[Sequence[int]]) -> bool:
        return self.records.find(_identity(record, parts)) is not None

    def _append(self, record: Record, parts: Sequence[Sequence[int]]) -> None:
        self.summary.probes += 1
        if self._known(record, parts):
            return
        record["identity"] = _identity(record, parts)
        if parts:
            record["clips"] = dict(zip(("train", "validation", "test"), map(len, parts), strict=True))
        self.records.append(record)
        self.summary.measured += 1


def _labels(task: Task) -> NDArray[np.bool_]:
    """`[clips, classes]`."""
    place = {name: number for number, name in enumerate(task.classes)}
    found = np.zeros((len(task.examples), len(place)), dtype=np.bool_)
    for index, example in enumerate(task.examples):
        found[index, [place[label] for label in example.labels]] = True
    return found


def _identity(record: Record, parts: Sequence[Sequence[int]]) -> str:
    stated = [record[name] for name in ("task_identity", "features_identity", "mode", "mode_identity", "seed", "fold")]
    return hashlib.sha256(repr((stated, record["pooling"], [list(part) for part in parts])).encode()).hexdigest()[:16]


def _too_few(found: Features) -> str:
    if not found.failed:
        return "the clips of one part have no label, or but one"
    return f"too few clips have a feature; the first reason: {next(iter(found.failed.values()))}"


def _by_group(groups: Sequence[str], hits: NDArray[np.float64]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for group, hit in zip(groups, hits.tolist(), strict=True):
        of = found.setdefault(group, [0.0, 0])
        of[0] = round(of[0] + hit, 9)
        of[1] += 1
    return found


def _invocation(request: ProbeRequest) -> dict[str, Any]:
    return {
        **fact_sheet(request.command),
        "probe": request.task.name,
        "codecs": [point.name for point in request.points],
        "clips": len(request.task.examples),
        "modes": {mode: _IDENTITIES[mode] for mode in request.modes},
        "pooling": request.pooling,
        "seeds": request.seeds,
        "workers": request.workers,
        "threads": request.threads,
        "device": request.device,
    }
