"""A process that does one unit of work at a time, and may die or hang of it without taking anything else with it.

    process = GuardedProcess(threads=1, environment={}, preparation=None)
    kind, value = process.work(payload, device="cpu", limit_s=60.0)      # raises ProcessDied, ProcessHung
    process.kill()

A payload is a pickled object with `run(device)`. The process is a fresh interpreter and not a fork or a child of
`multiprocessing`, for three reasons: workers of a Dask cluster are daemons and may not have children of that kind, a
fork would share the parent's threads and its GPU, and it can be killed at any moment without any queue being torn.

It ends when its parent does, however that ends (its pipe closes), and when nobody has given it work for `IDLE_S`. An
interrupt from the keyboard is for the parent alone.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from multiprocessing import Pipe, spawn
from multiprocessing.connection import Connection
from typing import Any, Literal

from .errors import WorkerUnfit

IDLE_S = 120.0
"""Time without work after which a process ends by itself."""

Kind = Literal["done", "unfit", "raised"]
"""What came of a unit: its result; a sentence why this machine cannot do it; the traceback of an error of ours."""


class ProcessDied(Exception):
    """The process ended in the middle of its work."""


class ProcessHung(Exception):
    """The process was not done in time, and was killed."""


def preparation_data() -> bytes:
    """What a process on the same machine needs to know the same modules: `sys.path` and the main script, which is
    imported there as `multiprocessing` would, so that metrics and codecs that a script registers are known."""
    data = spawn.get_preparation_data("codeczoo")
    del data["authkey"]  # a secret of this process, and of no use to the other
    return pickle.dumps(data)


class GuardedProcess:
    """The parent's end. Used by one thread at a time, `kill` apart."""

    def __init__(self, threads: int, environment: Mapping[str, str], preparation: bytes | None) -> None:
        self._connection, other = Pipe()
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(other.fileno())],
                env={**os.environ, **limits, **environment},
                stdin=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
            )
        self._preparation = preparation

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def work(self, payload: bytes, device: str, limit_s: float | None) -> tuple[Kind, Any]:
        """Do one unit. Raises ProcessDied; raises ProcessHung where it takes longer than `limit_s`, the start of the
        process not counted."""
        try:
            if self._preparation is not None:
                self._connection.send_bytes(self._preparation)
                self._preparation = None
            self._connection.send_bytes(pickle.dumps(device))
            self._connection.send_bytes(payload)
            self._connection.recv_bytes()  # it has begun
            if not self._connection.poll(limit_s):
                raise ProcessHung
            return pickle.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise ProcessDied(_how(self._process)) from error

    def kill(self) -> None:
        """End the process now. Safe at any time, from any thread, more than once."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process and free the pipe; for the thread that uses it."""
        self.kill()
        self._connection.close()


def _how(process: subprocess.Popen[bytes]) -> str:
    try:
        status = process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return "closed its pipe"
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def main() -> None:
    """The process' own end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(int(sys.argv[1]))
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    while True:
        try:
            first = pickle.loads(inbox.get(timeout=IDLE_S))
        except queue.Empty:
            return
        if isinstance(first, dict):
            spawn.prepare(first)
            continue
        payload = inbox.get()
        connection.send_bytes(b"begun")
        connection.send_bytes(_answer(payload, first))


def _listen(connection: Connection, inbox: queue.SimpleQueue[bytes]) -> None:
    """Also while the main thread works: the pipe closes when the parent ends, and nobody waits for an answer then."""
    while True:
        try:
            inbox.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)


def _answer(payload: bytes, device: str) -> bytes:
    answer: tuple[Kind, Any]
    try:
        answer = "done", pickle.loads(payload).run(device)
    except WorkerUnfit as error:
        answer = "unfit", str(error)
    except Exception:  # noqa: BLE001 - whatever it is, the coordinator raises it with this traceback
        answer = "raised", traceback.format_exc()
    return pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)


if __name__ == "__main__":
    main()
