"""What every worker of joblib runs, whether it is a thread of this program, or a process of a Dask or Ray cluster: it
hands a unit of work to a guarded process and watches it.

So a crash, a kill or a hang costs one unit on every backend alike, and is known to the unit; the worker itself, whose
loss would cost what else it holds, never runs a codec or a metric. Processes are kept from unit to unit, since what
they have loaded is dear, and are as many as units run at a time here.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import Any, Literal

from . import devices
from .environment import software
from .errors import WorkerUnfit
from .guarded_process import GuardedProcess, ProcessDied, ProcessHung


@dataclass(frozen=True)
class Charge:
    """What is the same for every unit of a run."""

    run: str
    """Of this one invocation."""
    software: str
    """What the coordinator is; see `environment.software`."""
    threads: int = 1
    """Of a process."""
    device: str = "cpu"
    """As it was asked for; see `devices`."""
    limit_s: float | None = None
    """Longest time that one part of a unit may take; None: any."""
    preparation: bytes | None = None
    """See `guarded_process.preparation_data`; None on other machines, which may not have the coordinator's paths."""


Fate = Literal["done", "died", "hung", "unfit", "raised", "abandoned"]


@dataclass(frozen=True)
class Answer:
    """What became of a unit."""

    number: int
    fate: Fate
    value: Any = None
    """The result where it is done, else a phrase or sentence."""
    host: str = ""


def work(number: int, payload: bytes, parts: int, charge: Charge) -> Answer:
    """Do the unit of this number, which has so many parts, in a process of this machine. Never raises for the unit."""
    if charge.software != software():
        return _answer(number, "unfit", f"has {software()}, and the coordinator {charge.software}")
    crew = _crew(charge)
    limit_s = None if charge.limit_s is None else charge.limit_s * parts
    with crew.lock:
        if crew.ended:
            return _answer(number, "abandoned")
        try:
            member = crew.take()
        except WorkerUnfit as reason:
            return _answer(number, "unfit", str(reason))
    try:
        kind, value = member.process.work(payload, member.device, limit_s)
    except ProcessDied as how:
        fate: Fate = "abandoned" if crew.ended else "died"
        crew.drop(member)
        return _answer(number, fate, str(how))
    except ProcessHung:
        crew.drop(member)
        return _answer(number, "hung")
    except BaseException:
        crew.drop(member)
        raise
    crew.give_back(member)
    return _answer(number, kind, value)


def pause(seconds: float) -> None:
    """What a worker does while there is no work."""
    time.sleep(seconds)


def _answer(number: int, fate: Fate, value: Any = None) -> Answer:
    return Answer(number, fate, value, socket.gethostname())


@dataclass(frozen=True, eq=False)
class _Member:
    slot: int
    device: str
    process: GuardedProcess


class _Crew:
    """The guarded processes of one run in this process."""

    def __init__(self, charge: Charge) -> None:
        self.charge = charge
        self.lock = threading.RLock()
        self.ended = False
        self._idle: list[_Member] = []
        self._busy: list[_Member] = []

    def take(self) -> _Member:
        """An idle process, or a new one. Under the lock."""
        while self._idle:
            member = self._idle.pop()
            if member.process.alive:
                self._busy.append(member)
                return member
            member.process.close()
        taken = {member.slot for member in self._busy}
        slot = next(number for number in range(len(taken) + 1) if number not in taken)
        place = devices.place(self.charge.device, slot)
        process = GuardedProcess(self.charge.threads, place.environment, self.charge.preparation)
        self._busy.append(_Member(slot, place.device, process))
        return self._busy[-1]

    def give_back(self, member: _Member) -> None:
        with self.lock:
            self._busy.remove(member)
            if not self.ended:
                self._idle.append(member)
                return
        member.process.close()

    def drop(self, member: _Member) -> None:
        """The process is dead, or must be."""
        member.process.close()
        with self.lock:
            self._busy.remove(member)

    def end(self) -> None:
        with self.lock:
            self.ended = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for member in idle:
            member.process.close()
        for member in busy:
            member.process.kill()  # closed by the thread that waits for it


_crews: dict[str, _Crew] = {}
_crews_lock = threading.Lock()


def _crew(charge: Charge) -> _Crew:
    with _crews_lock:
        return _crews.setdefault(charge.run, _Crew(charge))


def end(charge: Charge) -> None:
    """Kill the run's processes that this process has started; units that are still under way are abandoned."""
    _crew(charge).end()
