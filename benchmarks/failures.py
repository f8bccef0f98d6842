"""How an exception reads in a record: one line, without the paths of the machine that ran it."""

from __future__ import annotations

import re

_PATH = re.compile(r"(?<![\w.])/(?:[\w.+-]+/)+")
_LENGTH = 300


def without_folders(text: str) -> str:
    """A message on one line, of files their names alone."""
    return _PATH.sub("", " ".join(text.split()))[:_LENGTH]


def describe(error: BaseException) -> str:
    """`TypeName: message` on one line; folders in it are dropped, so that records of two machines are equal."""
    message = without_folders(str(error))
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
