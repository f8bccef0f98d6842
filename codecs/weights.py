"""Where weights are looked for, and how they are fetched and verified.

Order: every folder of `$CODECZOO_WEIGHTS` (separated as in PATH), then the user's cache
(`$XDG_CACHE_HOME/codeczoo/weights`, by default `~/.cache/codeczoo/weights`), then, only when asked by `fetch`, the
official source. Every file is known by its SHA-256 or by a pinned revision of its repository.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """What a family needs on this machine."""

    name: str
