"""One writer a run folder, also where the folder lies on a file system that several machines share.

On one machine the kernel's lock decides (`flock`), which ends with the process that holds it. Over NFS such locks may
hold on one machine alone, or not be there at all. So the writer also keeps a file of its name (`.owner`: machine,
process, and a count that goes up every `BEAT_S`), replaced in one step. Who finds another machine's name there waits
whether the count goes up, and refuses the folder if it does: no clock of another machine is believed. If it stands
still, that writer is dead, and its place is taken. A writer that was asleep for so long that its place was taken
notices before it writes again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from .errors import InvalidRun

BEAT_S = 5.0
STILL_S = 20.0
"""So long another machine's count must stand still to be taken for dead."""
SETTLE_S = 1.0
"""Of two that take a dead writer's place in the same moment, the later one stays."""

_log = logging.getLogger(__name__)


class RunLock:
    """Held from `acquire` to `release`; `check` raises where it was lost."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._owner = folder / ".owner"
        self._name = {"host": socket.gethostname(), "process": os.getpid(), "token": uuid.uuid4().hex}
        self._descriptor: int | None = None
        self._end = threading.Event()
        self._lost = False
        self._last_beat = 0.0
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Raises InvalidRun where somebody else writes to the folder."""
        self._descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._lock_here()
            self._wait_for_others()
            self._write(0)
        except BaseException:
            self._close()
            raise
        self._thread = threading.Thread(target=self._beat, name="run lock", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Let others write."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if not self._lost and not self._is_replaced():
            self._owner.unlink(missing_ok=True)
        self._close()

    def check(self) -> None:
        """Raise InvalidRun where another writer has taken over."""
        # Whoever takes over has looked for STILL_S: a writer whose last beat is younger is still the only one.
        if self._lost or (time.time() - self._last_beat > STILL_S / 2 and self._is_replaced()):
            raise InvalidRun(
                f"Another process has taken over {self._folder}: this one did not show itself for {STILL_S:g} s. "
                "It has written nothing since; let the other one go on."
            )

    def _lock_here(self) -> None:
        assert self._descriptor is not None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidRun(
                f"{self._folder} is in use by another process; wait for it or name another folder."
            ) from None
        except OSError as error:
            # No locks on this file system: then the count alone decides, of processes of this machine as well.
            _log.info("%s cannot be locked (%s).", self._folder, error.strerror)
            self._name["host"] = f"{self._name['host']}, process {os.getpid()}"

    def _wait_for_others(self) -> None:
        found = self._read()
        if not found or found.get("host") == self._name["host"]:
            return  # nobody's, or of this machine, where the kernel has just said that nobody holds it
        _log.warning("%s was last written by %s; looking whether it still is.", self._folder, found.get("host"))
        deadline = time.monotonic() + STILL_S
        while time.monotonic() < deadline:
            time.sleep(min(1.0, STILL_S / 10))
            now = self._read()
            if not now:
                return  # it has ended meanwhile
            if now != found:
                raise InvalidRun(
                    f"{self._folder} is in use by a process on {now.get('host')}; wait for it or name another folder."
                )
        self._write(0)
        time.sleep(SETTLE_S)
        if self._read().get("token") != self._name["token"]:
            raise InvalidRun(f"{self._folder} was taken by another process in this moment; name another folder.")

    def _beat(self) -> None:
        count = 0
        while not self._end.wait(BEAT_S):
            if self._is_replaced():
                self._lost = True
                return
            count += 1
            self._write(count)

    def _is_replaced(self) -> bool:
        return self._read().get("token", self._name["token"]) != self._name["token"]

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._owner.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, count: int) -> None:
        temporary = self._owner.with_name(f"{self._owner.name}.{self._name['token']}")
        try:
            temporary.write_text(json.dumps({**self._name, "count": count}), encoding="utf-8")
            temporary.replace(self._owner)
            self._last_beat = time.time()
        except OSError as error:
            # The folder may be away for a moment, or for good; the next record says so.
            _log.warning("%s: the owner's file could not be renewed: %s", self._folder, error)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
