"""How an exception reads in a record: one line, without the paths of the machine that ran it."""

from __future__ import annotations

import re

_PATH = re.compile(r"(?<![\w.])/(?:[\w.+-]+/)+")
_LENGTH = 300


def describe(error: BaseException) -> str:
    """`TypeName: message` on one line; folders in it are dropped, so that records of two machines are equal."""
    message = _PATH.sub("", " ".join(str(error).split()))[:_LENGTH]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
