"""What a training writes down as it goes: scalars as JSON lines and for TensorBoard, audio for TensorBoard.

    RUN/scalars.jsonl     {"step": 100, "generator/mel": 1.9, ..., "steps_per_second": 2.1}
                          {"step": 1000, "validation/mel": 1.2, "validation/pesq_wb": 1.31, ...}
    RUN/tensorboard/      the same, and reconstructions of held-out crops

Scalars are those of one step, not averages, over all of its batch, and counts are of all processes. What tells of the
codebook is there once there is one. A training that is resumed first removes the lines of steps after its checkpoint:
every step is in the file once, as if nothing had happened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codeczoo.codecs.errors import MissingDependency
from codeczoo.codecs.resampling import Audio


class TrainLog:
    """The log of one run; a context manager."""

    def __init__(self, run: Path, resumed_at: int, tensorboard: bool = True) -> None:
        """Raises MissingDependency."""
        self._path = run / "scalars.jsonl"
        self._forget_after(resumed_at)
        self._file = self._path.open("a", encoding="utf-8")
        self._writer: Any = _writer(run / "tensorboard", resumed_at) if tensorboard else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._writer is not None:
            self._writer.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write down what was measured at a step."""
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def audio(self, step: int, name: str, samples: Audio, sample_rate: int) -> None:
        """Keep audio float32 `[T]` to be listened to."""
        if self._writer is not None:
            self._writer.add_audio(name, samples, step, sample_rate)

    def _forget_after(self, step: int) -> None:
        if not self._path.exists():
            return
        kept = [line for line in self._path.read_text(encoding="utf-8").splitlines() if _step_of(line) <= step]
        part = self._path.with_name(f".{self._path.name}.part")
        part.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        part.replace(self._path)


def read(run: Path) -> list[dict[str, float]]:
    """The lines of `scalars.jsonl` of a run."""
    lines = (run / "scalars.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if _step_of(line) < float("inf")]


def _step_of(line: str) -> float:
    """The step of a line; infinitely late where a kill has torn it."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _writer(folder: Path, resumed_at: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingDependency("Training logs need TensorBoard: pip install 'codeczoo[train]'") from error
    return SummaryWriter(folder, purge_step=resumed_at + 1 if resumed_at else None)
