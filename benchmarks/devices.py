"""Which device each worker process gets: `--device` names one, or several that are given out in turn.

    cpu                 every process computes on the processor
    cuda                the one GPU that programs take by default
    cuda:0,cuda:2       these GPUs in turn: process 0 the first, process 1 the second, process 2 the first again
    cuda:all            all that are visible where the process runs, in turn

On a cluster, the numbers count what is visible to the worker there (`CUDA_VISIBLE_DEVICES`, which `dask cuda worker`
and Ray set), and so does `all`. A process sees its own GPU alone, under the name `cuda`: libraries that allocate on
"the first GPU" do it there.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .errors import BenchmarkError, WorkerUnfit

ALL = "cuda:all"
_NUMBERED = re.compile(r"cuda:(\d+)")


@dataclass(frozen=True)
class Place:
    """Where one process computes."""

    device: str
    """The name to give to torch in the process."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """What must be in its environment before it starts."""


def named(text: str) -> tuple[str, ...]:
    """The devices of a `--device`, as they were written. Raises BenchmarkError."""
    names = tuple(name.strip() for name in text.split(","))
    if len(names) > 1:
        if wrong := [name for name in names if _NUMBERED.fullmatch(name) is None]:
            raise BenchmarkError(f"--device lists numbered GPUs, as in cuda:0,cuda:1; got {wrong[0]!r} in {text!r}.")
        if len(set(names)) < len(names):
            raise BenchmarkError(f"--device {text} names a GPU twice; several processes share one by --workers.")
    return names


def several(text: str) -> bool:
    """Whether a `--device` may mean more than one device."""
    return text == ALL or len(named(text)) > 1


def count(text: str) -> int:
    """How many devices a `--device` means here."""
    return max(1, len(_visible())) if text == ALL else len(named(text))


def place(text: str, slot: int, visible: Sequence[str] | None = None) -> Place:
    """The place of process number `slot` of those that one program has started. `visible`: names or numbers of the GPUs
    that this program sees; None looks. Raises WorkerUnfit where there is no such GPU."""
    names = named(text)
    if not several(text) and _NUMBERED.fullmatch(names[0]) is None:
        return Place(names[0])
    gpus = _visible() if visible is None else tuple(visible)
    if not gpus:
        raise WorkerUnfit(f"sees no GPU, and --device {text} asks for one")
    numbers = range(len(gpus)) if text == ALL else [int(name.removeprefix("cuda:")) for name in names]
    number = numbers[slot % len(numbers)]
    if number >= len(gpus):
        raise WorkerUnfit(
            f"sees {len(gpus)} GPUs (cuda:0 to cuda:{len(gpus) - 1}), and --device asks for cuda:{number}"
        )
    return Place("cuda", {"CUDA_VISIBLE_DEVICES": gpus[number]})


def _visible() -> tuple[str, ...]:
    """In the order of the bus. Without torch: the program that hands out work must not hold a GPU itself."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return tuple(part.strip() for part in given.split(",") if part.strip() and part.strip() != "-1")
    try:
        command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()  # no driver, so no GPU
    return tuple(line.strip() for line in listed.stdout.splitlines() if line.strip())
