"""A `Table` as Markdown (GitHub's) and as LaTeX (booktabs).

Markdown makes one table a section, under a heading; LaTeX one tabular with a line of italics above each section, as
papers print it. Both escape whatever a codec's name, a group or a reason may hold.
"""

from __future__ import annotations

import re

from .table import NOTHING, Section, Table, TextCell

_MARKDOWN_SPECIAL = re.compile(r"([\\|*<>\[\]])")
_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",  # \textquotedbl needs a font encoding that a plain document has not
    "–": "--",
    "…": r"\ldots{}",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "×": r"$\times$",
    "≠": r"$\neq$",
    "◇": r"$\diamond$",
}


def markdown(table: Table, heading_level: int = 3) -> str:
    """GitHub-flavoured Markdown."""
    parts = [f"{'#' * (heading_level - 1)} {table.caption}"]
    for section in table.sections:
        parts.append(f"{'#' * heading_level} {_markdown_text(section.title)}")
        parts.append(_markdown_section(table, section))
        parts.append("\n".join(f"- {_markdown_note(note)}" for note in section.notes))
    parts.append("\n".join(f"- {_markdown_note(note)}" for note in table.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_section(table: Table, section: Section) -> str:
    keep = _columns_in_use(table, section)
    left = table.n_text_columns
    lines = [[_markdown_text(table.head[index]) for index in keep]]
    lines.append([":---" if index < left else "---:" for index in keep])
    lines += [[_markdown_cell(row[index]) for index in keep] for row in section.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _columns_in_use(table: Table, section: Section) -> list[int]:
    """Columns with at least one value: a metric of speech is no column of the music section."""
    return [
        index
        for index in range(len(table.head))
        if index < table.n_text_columns or any(row[index].text != NOTHING for row in section.rows)
    ]


def _markdown_text(text: str) -> str:
    return _MARKDOWN_SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _markdown_code(name: str) -> str:
    # Names are set as code: `v2@3.2kbps` would otherwise become a mail address.
    return f"`{' '.join(name.split()).replace('`', '').replace('|', chr(92) + '|')}`"


def _markdown_cell(cell: TextCell) -> str:
    text = _markdown_code(cell.text) if cell.is_name else _markdown_text(cell.text)
    text = {"best": f"**{text}**", "second": f"<u>{text}</u>", "": text}[cell.emphasis]
    return f"{text} {cell.mark}" if cell.mark else text


def _markdown_note(note: str) -> str:
    pieces = note.split("`")
    return "".join(_markdown_code(piece) if odd % 2 else _markdown_keep(piece) for odd, piece in enumerate(pieces))


def _markdown_keep(text: str) -> str:
    return _MARKDOWN_SPECIAL.sub(r"\\\1", re.sub(r"\s+", " ", text))


def latex(table: Table, label: str = "tab:codeczoo") -> str:
    r"""A `table` environment for a document with `\usepackage{booktabs}`."""
    width = len(table.head)
    spec = "l" * table.n_text_columns + "r" * (width - table.n_text_columns)
    lines = [
        r"\begin{table}",
        r"\centering",
        r"\small",
        rf"\caption{{{latex_text(table.caption)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        " & ".join(map(latex_text, table.head)) + r" \\",
    ]
    for section in table.sections:
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{\textit{{{latex_text(section.title)}}}}} \\"]
        lines += [" & ".join(map(_latex_cell, row)) + r" \\" for row in section.rows]
    lines += [r"\bottomrule", r"\end{tabular}", ""]
    notes = [(section.title, note) for section in table.sections for note in section.notes]
    titled = len(table.sections) > 1
    written = [f"{title}: {note}" if titled else note for title, note in notes] + list(table.notes)
    if written:
        lines += [r"\begin{minipage}{\linewidth}", r"\footnotesize"]
        lines += [latex_text(note) + r"\par" for note in written]
        lines += [r"\end{minipage}"]
    lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


def latex_text(text: str) -> str:
    """Text that LaTeX prints as it is; backticks, which only set names as code, go."""
    return "".join(_LATEX_SPECIAL.get(character, character) for character in " ".join(text.split()).replace("`", ""))


def _latex_cell(cell: TextCell) -> str:
    text = latex_text(cell.text)
    text = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}", "": text}[cell.emphasis]
    if not cell.mark:
        return text
    mark = latex_text(cell.mark)
    return rf"{text}\textsuperscript{{{mark}}}" if "(" in cell.mark else f"{text}{mark}"
