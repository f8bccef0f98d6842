"""Processes that score estimates while the codec works in the main process.

A worker that dies (killed, out of memory, a crash in a native library) costs no other work: the jobs in flight are run
again one by one, and only the one that kills its worker a second time is reported as failed. Workers end with the
main process, however that ends.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_sentinel
from types import TracebackType
from typing import Self

from .scoring import ScoringJob, ScoringResult, score_job

_JOBS_A_WORKER = 3
"""In flight, so that no worker waits for the codec, and few decoded clips wait in memory."""


class ScoringPool:
    """Runs scoring jobs; with 0 workers in this process, one after the other."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._executor: ProcessPoolExecutor | None = None
        self._running: dict[Future[list[ScoringResult]], ScoringJob] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shut_down(wait=kind is None)

    def _shut_down(self, *, wait: bool) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=wait, cancel_futures=True)
            self._executor = None

    def _start(self) -> ProcessPoolExecutor:
        if self._executor is None:
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_prepare_worker)
        return self._executor

    def run(self, job: ScoringJob) -> Iterator[tuple[ScoringJob, list[ScoringResult]]]:
        """Take one job and give what has finished meanwhile; blocks while enough jobs are in flight."""
        if self.workers == 0:
            yield job, score_job(job)
            return
        self._submit(job)
        while len(self._running) >= self.workers * _JOBS_A_WORKER:
            yield from self._collect()

    def finish(self) -> Iterator[tuple[ScoringJob, list[ScoringResult]]]:
        """Give all that is still in flight."""
        while self._running:
            yield from self._collect()

    def _submit(self, job: ScoringJob) -> None:
        try:
            future = self._start().submit(score_job, job)
        except (BrokenProcessPool, ValueError, OSError):
            # The pool broke between two calls, or is being torn down just now: a worker that it starts for this job
            # then fails for want of a pipe. Its other jobs are found broken or cancelled, and run again, by `_collect`.
            self._shut_down(wait=True)
            future = self._start().submit(score_job, job)
        self._running[future] = job

    def _collect(self) -> Iterator[tuple[ScoringJob, list[ScoringResult]]]:
        finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
        broken: list[ScoringJob] = []
        for future in finished:
            job = self._running.pop(future)
            try:
                yield job, future.result()
            except (BrokenProcessPool, CancelledError):
                broken.append(job)
        if broken:
            self._shut_down(wait=True)
            # Cancelled: submitted to the pool that replaced the broken one, and shut down with it.
            survivors = [
                future
                for future in self._running
                if future.done() and not future.cancelled() and future.exception() is None
            ]
            for future in survivors:
                yield self._running.pop(future), future.result()
            suspects = [*broken, *self._running.values()]
            self._running.clear()
            yield from (self._retry(job) for job in suspects)

    def _retry(self, job: ScoringJob) -> tuple[ScoringJob, list[ScoringResult]]:
        try:
            return job, self._start().submit(score_job, job).result()
        except BrokenProcessPool:
            self._shut_down(wait=True)
            reason = "the scoring process died twice on this clip (out of memory, or a crash in a native library)"
            return job, [ScoringResult.all_failed(estimate, reason) for estimate in job.estimates]


def _prepare_worker() -> None:
    """One thread for whatever the worker loads later, and no worker outlives its parent."""
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        wait_for_sentinel([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
