"""Batches of crops, made ahead of the training by worker processes.

Batch n of process r of w holds the crops (n w + r) B to (n w + r) B + B - 1 of `crops.TrainingCrops`: the processes'
parts are disjoint, together they are what one process would draw with batches of w B, and no number of workers changes
anything. To resume after n batches, ask for `batches(first=n)`; nothing else has to be saved. (Exactly the same batches
need the same clips: save `ClipSet.fingerprint` beside n.)

* a file that has gone bad since it was described costs its crop only: another clip, drawn from the same (seed, index),
  takes the place. It is named in the log once, kept in `unreadable` with the reason, and every crop that it cost is
  counted in `replaced`. After 16 bad ones in a row the data as a whole is taken for gone, which is an error
* workers are forked from a server process and not from this one, whose GPU and threads a copy may hang on: a script
  that starts a training needs `if __name__ == "__main__":`. They leave SIGINT and SIGTERM to the training, which may
  want to write a checkpoint first, and end when it ends, whatever ended it
* a crop of 1 s (3 s) takes one processor 3.6 (6.5) ms out of an hour of Ogg Opus, .7 (1.4) ms of FLAC, .2 (.4) ms of
  WAV, resampling .5 (1) ms more: two workers feed most trainings, and no decoded copy is kept. Where they do not,
  convert the files to WAV at the training's rate once; long MP3 (15 ms a crop) asks for it first
* batches come through shared memory: containers often have 64 MiB of it, and a batch of 64 x 3 s at 24 kHz takes 18
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerContext

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from codeczoo.codecs.errors import InvalidAudioFile, InvalidClips
from codeczoo.codecs.resampling import Audio

from .clips import Domain
from .crops import Crop, CropSettings, TrainingCrops

logger = logging.getLogger(__name__)

_ATTEMPTS = 16


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops of one length, and where they are from."""

    audio: Tensor
    """Float32 `[B, 1, T]` in [-1, 1]."""
    domains: tuple[Domain | None, ...]
    clips: tuple[str, ...]
    """Names."""
    start_s: tuple[float, ...]
    """Of the crop within its clip."""

    def to(self, device: torch.device) -> Batch:
        """The same with its audio on a device."""
        return replace(self, audio=self.audio.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """The same in page-locked memory; torch's loader calls it."""
        return replace(self, audio=self.audio.pin_memory())


@dataclass(frozen=True)
class _Made:
    """What a worker hands over: a batch, or None where there are no good files; what was bad on the way."""

    batch: Batch | None
    bad: tuple[tuple[str, str], ...]
    """(name, reason), one a crop that could not be read."""

    def pin_memory(self) -> _Made:
        return self if self.batch is None else replace(self, batch=self.batch.pin_memory())


class _Batches(Dataset[_Made]):
    """Batch number -> batch: runs in the workers."""

    def __init__(self, crops: TrainingCrops, batch_size: int, rank: int, world_size: int) -> None:
        self._crops = crops
        self._batch_size = batch_size
        self._rank = rank
        self._world_size = world_size

    def __getitem__(self, number: int) -> _Made:
        first = (number * self._world_size + self._rank) * self._batch_size
        bad: list[tuple[str, str]] = []
        read: list[tuple[Crop, Audio]] = []
        for index in range(first, first + self._batch_size):
            for attempt in range(_ATTEMPTS):
                crop = self._crops.crop(index, attempt)
                try:
                    read.append((crop, crop.read(self._crops.settings)))
                    break
                except InvalidAudioFile as error:
                    bad.append((crop.clip.name, str(error)))
            else:
                return _Made(None, tuple(bad))
        return _Made(_batch(read, self._crops.settings), tuple(bad))


class BatchLoader:
    """The training batches of one process."""

    def __init__(
        self,
        crops: TrainingCrops,
        batch_size: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
        ahead: int = 4,
        pin_memory: bool = False,
    ) -> None:
        """`workers` processes (0: this one) each keep `ahead` batches ready; `pin_memory` speeds up the way to a GPU.
        Raises InvalidClips."""
        if batch_size < 1 or not 0 <= rank < world_size or workers < 0 or ahead < 1:
            given = f"{batch_size=}, {rank=}, {world_size=}, {workers=}, {ahead=}"
            allowed = "a batch and the batches ahead hold at least one, and ranks count from 0 to world_size - 1"
            raise InvalidClips(f"Batches cannot be made with {given}: {allowed}.")
        self._dataset = _Batches(crops, batch_size, rank, world_size)
        self._workers = workers
        self._ahead = ahead
        self._pin_memory = pin_memory
        self.unreadable: dict[str, str] = {}
        """Name of a clip that has gone bad -> why."""
        self.replaced = 0
        """Crops that another one stands in for."""

    def batches(self, first: int = 0, *, counted: bool = True) -> Generator[Batch, None, None]:
        """Batches `first`, `first + 1` and so on without end; close the iterator to stop the workers. Not `counted`,
        they are looked at before their turn, and leave `replaced` to it. Raises InvalidClips where no file can be read
        any more."""
        if first < 0:
            raise InvalidClips(f"Batches count from 0; got {first}.")
        loader = DataLoader(
            self._dataset,
            batch_size=None,
            # A plain iterable: torch's samplers draw from its global generator, which belongs to the training.
            sampler=_Counting(first),
            num_workers=self._workers,
            prefetch_factor=self._ahead if self._workers else None,
            multiprocessing_context=_fork_server() if self._workers else None,
            worker_init_fn=_start_worker if self._workers else None,
            pin_memory=self._pin_memory,
            # Given one, torch does not draw a seed from its global generator, which a resumed run must find untouched.
            generator=torch.Generator(),
        )
        for made in loader:
            self._note(made.bad, counted)
            if made.batch is None:
                name, reason = made.bad[-1]
                raise InvalidClips(f"{_ATTEMPTS} clips in a row cannot be read any more, the last ({name}): {reason}")
            yield made.batch

    def _note(self, bad: Sequence[tuple[str, str]], counted: bool) -> None:
        self.replaced += len(bad) * counted
        for name, reason in bad:
            if name not in self.unreadable:
                self.unreadable[name] = reason
                logger.warning("Training clip %s has gone bad; others take its place: %s", name, reason)


def validation_batches(crops: Sequence[Crop], settings: CropSettings, batch_size: int) -> Iterator[Batch]:
    """All of `crops` in their order; the last batch may be smaller. A process of several takes `crops[rank::world]`.
    Raises InvalidAudioFile where one cannot be read: a validation of other clips is not comparable with the last."""
    if batch_size < 1:
        raise InvalidClips(f"A batch holds at least one crop; got {batch_size}.")
    for at in range(0, len(crops), batch_size):
        yield _batch([(crop, crop.read(settings)) for crop in crops[at : at + batch_size]], settings)


def _batch(read: Sequence[tuple[Crop, Audio]], settings: CropSettings) -> Batch:
    crops = [crop for crop, _ in read]
    return Batch(
        torch.from_numpy(np.stack([audio for _, audio in read]))[:, None],
        tuple(crop.clip.domain for crop in crops),
        tuple(crop.clip.name for crop in crops),
        tuple(crop.start / settings.sample_rate for crop in crops),
    )


class _Counting:
    """first, first + 1, ...: an iterable, which a generator is not twice."""

    def __init__(self, first: int) -> None:
        self._first = first

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self._first)


def _fork_server() -> ForkServerContext:
    # Spawned workers abort as they exit, on a thread of torch's; the server imports torch once for all workers.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _start_worker(worker: int) -> None:
    del worker
    # torch's own watchdog looks at the parent, which here is the server; and that lives while one of its workers does.
    threading.Thread(target=_end_with_the_training, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end_with_the_training() -> None:
    training = multiprocessing.parent_process()
    if training is not None:
        training.join()
        os._exit(1)
