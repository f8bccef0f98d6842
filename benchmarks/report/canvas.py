"""What all figures share: settings, an empty figure, notes at its foot, files.

Files are PNG at 200 dpi, PDF and SVG with text as text, without dates, so that they change only when the numbers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .style import METADATA, RC

NOTE_HEIGHT = 0.135
"""Inches that a line of notes takes."""
_DPI = 200
_NOTE_POINTS = 6.6


@contextmanager
def settings() -> Iterator[None]:
    """Matplotlib's defaults and ours, whatever the user's own settings are, which are left as they were."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield


def blank(width: float, height: float) -> Figure:
    """A figure of some inches with a canvas of its own: nothing of pyplot is touched."""
    drawn = Figure(figsize=(width, height))
    FigureCanvasAgg(drawn)
    return drawn


def save(drawn: Figure, stem: Path, formats: Sequence[str]) -> list[Path]:
    """Write a figure as STEM.png and so on; gives the paths."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{form}") for form in formats]
    for path, form in zip(paths, formats, strict=True):
        drawn.savefig(path, format=form, dpi=_DPI, metadata=METADATA[form])
    return paths


def write_notes(drawn: Figure, lines: Sequence[str]) -> None:
    """Small print at the foot of a figure."""
    bottom = 0.05 / drawn.get_figheight()
    drawn.text(0.012, bottom, "\n".join(lines), fontsize=_NOTE_POINTS, color="0.3", va="bottom", linespacing=1.2)
