"""Tiny folders in the layouts of data sets, and what a task made of one."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from codeczoo.benchmarks.probes.task import Task

from .conftest import write_wav


def wavs(root: Path, names: Iterable[str]) -> None:
    for name in names:
        write_wav(root / name, 0.01)


def table(path: Path, rows: Sequence[Sequence[object]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)


def parts(task: Task) -> Counter[str | None]:
    return Counter(example.part for example in task.examples)


def labels(task: Task, name: str) -> tuple[str, ...]:
    return next(example.labels for example in task.examples if example.clip.name.endswith(name))
