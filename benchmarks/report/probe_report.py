"""The report of a run's probes: a table as Markdown, LaTeX and CSV, and a figure a mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import probe_figure, probe_table, writers
from .probe_summary import summarise

FORMATS = ("png", "pdf", "svg")


def write(records: Sequence[dict[str, Any]], folder: Path) -> tuple[str, list[Path]]:
    """Write everything; gives the table as Markdown, and the paths."""
    found = summarise(records)
    folder.mkdir(parents=True, exist_ok=True)
    table = probe_table.table(found)
    text = writers.markdown(table)
    paths = [folder / name for name in ("probes.md", "probes.tex", "probes.csv")]
    contents = (text, writers.latex(table, "tab:probes"), probe_table.csv_text(found))
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    return text, paths + probe_figure.write(found, folder, FORMATS)
