"""One model in memory for all operating points that share it.

A model lives as long as a codec uses it. The last one is kept a little longer, so that a bench that loads the rates of
a family one after the other reads the weights once, and does not keep the models of all families.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

M = TypeVar("M")

_lock = threading.RLock()
_models: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
_last: list[Any] = []


def of_file(path: Path) -> Hashable:
    """A part of a key that is another one whenever the file is: a copy may have kept its time, but is another file."""
    status = path.stat()
    return str(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns


def shared(key: Hashable, make: Callable[[], M]) -> M:
    """The model made before under `key` (kind, checksums of the weights, device), else `make()`."""
    with _lock:
        model = _models.get(key)
        if model is None:
            _last.clear()  # before the next one is made: two large models need not fit
            model = make()
            _models[key] = model
        _last[:] = [model]
        return model
