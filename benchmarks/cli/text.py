"""How facts are printed: values as words, rows as a table that fits the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH = 120
"""Columns where there is no terminal."""
_NARROWEST = 30
"""A last column is not wrapped to less than this."""


def words(value: object) -> str:
    """A value as a reader wants it: `yes`, `0.75`, `1024 x 8`, `a, b`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
    if isinstance(value, list | tuple):
        parts = [words(part) for part in value]
        return f"{parts[0]} x {len(parts)}" if len(parts) > 2 and len(set(parts)) == 1 else ", ".join(parts)
    return str(value)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows under the names of their columns; the last column is wrapped to the terminal."""
    columns = list(rows[0])
    cells = [columns, *([words(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns) - 1)]
    return "\n".join(
        _hanging("".join(f"{text:<{width}}  " for text, width in zip(line[:-1], widths, strict=True)), line[-1])
        for line in cells
    )


def facts(found: Mapping[str, Any]) -> str:
    """One fact a line, those without a value left out."""
    width = max(len(name) for name in found)
    return "\n".join(
        _hanging(f"{name:<{width}}  ", words(value)) for name, value in found.items() if value not in (None, "", [], ())
    )


def _hanging(start: str, text: str) -> str:
    columns = shutil.get_terminal_size((_WIDTH, 24)).columns
    room = max(_NARROWEST, columns - len(start))
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    return ("\n" + " " * len(start)).join([start + lines[0], *lines[1:]]).rstrip()
