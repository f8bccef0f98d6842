"""Units of work given to joblib, one at a time, and their results taken back as they come.

    with Distribution(backend, charge, workers=4) as distribution:
        for unit in units:
            for done, results in distribution.run(unit): ...
        for done, results in distribution.finish(): ...

One call of `joblib.Parallel` runs for as long as units come, in a thread of its own, since the units may be made in
this one (coding) while others are worked on. Only this thread writes anything, so that a run has one writer however
many machines work for it.

What is lost is done again, and nothing is counted twice: a unit's result is taken once, by its number. A unit whose
process died or hung is tried again at the end, each of its parts alone, and a part that kills its process once more is
the unit's to report. Where joblib itself gives up (a worker of a cluster was lost with its work), what is missing is
given out anew, up to `_ATTEMPTS` times without any progress. A worker that lacks something ends the run, named.
"""

from __future__ import annotations

import pickle
import queue
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol, Self, cast

from . import crew
from .backend_names import Backend
from .backends import Connection, connect
from .crew import Answer, Charge
from .environment import software
from .errors import ClusterUnavailable, WorkerUnfit
from .guarded_process import preparation_data

_ATTEMPTS = 3
_LOOK_EVERY_S = 2.0


class Unit(Protocol):
    """Operating points of one clip, or one file; pickled to a worker, so that its class is importable there."""

    def run(self, device: str) -> list[Any]:
        """The work itself, in a process of a worker; one result an operating point. Raises WorkerUnfit."""
        ...

    def parts(self) -> tuple[Self, ...]:
        """The same work, an operating point each."""
        ...

    def given_up(self, reason: str) -> list[Any]:
        """Results that say why there are none."""
        ...


@dataclass(frozen=True)
class _Flying:
    unit: Any
    again: bool


class Distribution:
    """See above. With 0 local workers units are done in this process, unguarded, one after the other."""

    def __init__(
        self,
        backend: Backend,
        *,
        workers: int | None,
        threads: int = 1,
        device: str = "cpu",
        limit_s: float | None = None,
    ) -> None:
        self._backend = backend
        self._workers = workers
        self._device = device
        self._charge = Charge(uuid.uuid4().hex, "", threads, device, limit_s)
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._round: _Round | None = None
        self._flying: dict[int, _Flying] = {}
        self._again: list[Any] = []
        self._given = 0
        self._setbacks = 0

    @property
    def n_jobs(self) -> int:
        """Units that are worked on at a time; 0: in this process."""
        return self._connection.n_jobs if self._connection is not None else 0

    def __enter__(self) -> Self:
        if self._workers == 0 and not self._backend.is_cluster:
            return self
        self._connection = self._stack.enter_context(connect(self._backend, self._workers, self._device))
        preparation = None if self._backend.is_cluster else preparation_data()
        self._charge = replace(self._charge, software=software(), preparation=preparation)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        crew.end(self._charge)
        if self._round is not None:
            self._round.close()
        self._stack.close()

    def run(self, unit: Any) -> Iterator[tuple[Any, list[Any]]]:
        """Take one unit and give what has finished meanwhile; blocks while enough units are in flight."""
        if self._connection is None:
            yield unit, unit.run(self._device)
            return
        self._give(unit, again=False)
        yield from self._finished(wait=False)

    def finish(self) -> Iterator[tuple[Any, list[Any]]]:
        """Give all that is still in flight."""
        while self._flying or self._again:
            again, self._again = self._again, []
            for unit in again:
                self._give(unit, again=True)
            yield from self._finished(wait=True)

    def _give(self, unit: Any, *, again: bool) -> None:
        self._given += 1
        self._flying[self._given] = _Flying(unit, again)
        task = (self._given, pickle.dumps(unit, pickle.HIGHEST_PROTOCOL), len(unit.parts()), self._charge)
        current = self._running()
        # What a round that has ended did not take is in flight all the same: the next round is given it.
        while not current.ended.is_set() and not current.give(task):
            self._check()

    def _running(self) -> _Round:
        assert self._connection is not None
        if self._round is None:
            self._round = _Round(self._connection)
        return self._round

    def _finished(self, *, wait: bool) -> Iterator[tuple[Any, list[Any]]]:
        """What has come back; all that is in flight where it is waited for."""
        while self._round is not None:
            if wait:
                self._round.close()
            try:
                news = self._round.news.get(timeout=_LOOK_EVERY_S) if wait else self._round.news.get_nowait()
            except queue.Empty:
                if not wait:
                    return
                self._check()
                continue
            if news is None:
                self._round = None
            elif isinstance(news, BaseException):
                self._start_anew(news)
            else:
                yield from self._taken(news)

    def _taken(self, answer: Answer) -> Iterator[tuple[Any, list[Any]]]:
        flying = self._flying.pop(answer.number, None)
        if flying is None:
            return  # done before it was given out a second time
        unit = flying.unit
        if answer.fate == "done":
            self._setbacks = 0
            yield unit, answer.value
        elif answer.fate in {"died", "hung"}:
            if flying.again:
                yield unit, unit.given_up(self._reason(answer))
            else:
                self._again += unit.parts()
        elif answer.fate == "unfit":
            raise WorkerUnfit(
                f"The worker on {answer.host} cannot do its part: it {answer.value}. What was measured is kept; "
                "mend or stop that worker, and give the same command again."
            )
        else:
            raise RuntimeError(f"A worker on {answer.host} met an error of the harness:\n{answer.value}")

    def _reason(self, answer: Answer) -> str:
        if answer.fate == "hung":
            return f"twice not done within {self._charge.limit_s:g} s, and killed"
        return f"the worker process died twice on this clip ({answer.value}: out of memory, or a crash in a library)"

    def _check(self) -> None:
        assert self._connection is not None
        if lost := self._connection.lost():
            raise _given_up(lost)

    def _start_anew(self, error: BaseException) -> None:
        """joblib has stopped: give out what is missing again, in a new call."""
        self._setbacks += 1
        if self._setbacks >= _ATTEMPTS:
            raise _given_up(f"The {self._backend.name} backend failed {_ATTEMPTS} times ({_told(error)})") from error
        self._check()
        self._round = None
        missing, self._flying = self._flying, {}
        for flying in missing.values():
            self._give(flying.unit, again=flying.again)


def _given_up(what: str) -> ClusterUnavailable:
    return ClusterUnavailable(f"{what}. What was measured is kept; give the same command again to continue.")


def _told(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__


class _Round:
    """One call of joblib.Parallel, in a thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tasks: queue.Queue[tuple[Any, ...]] = queue.Queue(max(1, connection.n_jobs))
        self._closed = False
        self.news: queue.SimpleQueue[Answer | BaseException | None] = queue.SimpleQueue()
        """Answers as they come; at the end None, or the error that ended it."""
        self.ended = threading.Event()
        threading.Thread(target=self._run, name="joblib", daemon=True).start()

    def give(self, task: tuple[Any, ...]) -> bool:
        """Whether the task was taken within a while."""
        try:
            self._tasks.put(task, timeout=_LOOK_EVERY_S)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """No more tasks; those that were taken are done. Never blocks, more than once is no error."""
        self._closed = True

    def _feed(self) -> Iterator[Any]:
        """In threads of joblib, the event loop of Dask's client among them: it must not wait for tasks to come. And an
        end would be the end of the call, so that an idle worker is given a pause instead."""
        from joblib import delayed

        while True:
            try:
                yield delayed(crew.work)(*self._tasks.get_nowait())
            except queue.Empty:
                if self._closed:
                    return
                yield delayed(crew.pause)(self._connection.pause_s)

    def _run(self) -> None:
        from joblib import Parallel

        options = {"pre_dispatch": "2*n_jobs", "batch_size": 1, **self._connection.options}
        try:
            with self._connection.config():
                call: Any = Parallel(n_jobs=self._connection.n_jobs, return_as="generator_unordered", **options)
                answers = cast("Iterator[Answer | None]", call(self._feed()))
                for answer in answers:
                    if answer is not None:
                        self.news.put(answer)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which raises or tries again
            self.news.put(error)
        else:
            self.news.put(None)
        finally:
            self.ended.set()
