"""Progress bars on standard error: one line a piece of work, none where nobody is watching."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self


class Bar:
    """A progress bar that counts to `total`; a context manager."""

    def __init__(self, total: int, unit: str, description: str = "") -> None:
        from tqdm import tqdm

        # mininterval: a log file that captures standard error gets a line a second at most.
        self._bar = tqdm(total=total, unit=unit, desc=description, file=sys.stderr, dynamic_ncols=True, mininterval=1.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def watch(self, name: str, done: int, total: int | None) -> None:
        """Show `done` of `total` units of the file `name`."""
        self._bar.set_description(name, refresh=False)
        self._bar.total = total
        self._bar.n = done
        self._bar.refresh()

    def advance(self, description: str, done: int) -> None:
        """Note `done` more units of work."""
        if description != self._bar.desc.removesuffix(": "):
            self._bar.set_description(description, refresh=False)
        self._bar.update(done)
