"""What a stretch of work costs the machine: wall time, processor time and memory of this process and its children.

Memory is the largest sum of resident sets over the process tree, looked at ten times a second; pages that processes
share are counted in each. Processor time of others on the machine tells whether a timing was disturbed. Read from
`/proc`, so on Linux alone.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_EVERY_S = 0.1


@dataclass(frozen=True)
class _Clocks:
    wall_s: float
    own_s: float
    """Processor time of this process and of its children that have ended."""
    machine_s: float
    """Processor time of everything on the machine."""


def _now() -> _Clocks:
    own = os.times()
    ticks = [int(text) for text in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
    machine_s = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    own_s = own.user + own.system + own.children_user + own.children_system
    return _Clocks(time.perf_counter(), own_s, machine_s)


class Cost:
    """Measures the block it surrounds. Children must have ended by the end of the block, or their time is missed."""

    def __enter__(self) -> Self:
        self.peak_rss_mib = 0.0
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._began = _now()
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = _now()
        self._done.set()
        self._watcher.join()
        self.wall_s = ended.wall_s - self._began.wall_s
        self.cpu_s = ended.own_s - self._began.own_s
        self.others_cpu_s = max(0.0, ended.machine_s - self._began.machine_s - self.cpu_s)

    def _watch(self) -> None:
        page_mib = os.sysconf("SC_PAGE_SIZE") / 2**20
        while not self._done.wait(_EVERY_S):
            pages = sum(_resident_pages(process) for process in _tree(os.getpid()))
            self.peak_rss_mib = max(self.peak_rss_mib, pages * page_mib)


def _tree(root: int) -> list[int]:
    found = [root]
    for process in found:
        for listed in Path(f"/proc/{process}/task").glob("*/children"):
            found += _children(listed)
    return found


def _children(listed: Path) -> list[int]:
    try:
        return [int(child) for child in listed.read_text(encoding="ascii").split()]
    except OSError:
        return []  # ended meanwhile


def _resident_pages(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0  # ended meanwhile
