"""Progress bars on standard error, where somebody is watching: none in a log file or a pipe."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self


class Bar:
    """A progress bar that counts to `total`; a context manager."""

    def __init__(self, total: int, unit: str, description: str = "", done: int = 0) -> None:
        from tqdm import tqdm

        # disable=None: only on a terminal.
        self._bar = tqdm(
            total=total,
            initial=done,
            unit=unit,
            unit_scale=unit == "B",
            desc=description,
            file=sys.stderr,
            dynamic_ncols=True,
            disable=None,
        )

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
        self._bar.set_description(description, refresh=False)
        self._bar.update(done)

    def say(self, line: str) -> None:
        """Print a line on standard error above the bar."""
        self._bar.write(line, file=sys.stderr)
