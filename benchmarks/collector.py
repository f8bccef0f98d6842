"""Python's cyclic garbage collector, kept from walking through records.

A large run is millions of dicts and lists without a single cycle, which stay to the end. The collector goes through all
of them each time enough new objects were made: a fifth of the time of reading them, and a third of that of drawing
figures beside them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """No collections within. For code that makes many objects and no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def passing_over_what_is() -> Iterator[None]:
    """Collections within pass over everything that exists at the start."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
