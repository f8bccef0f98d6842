"""Tables of text: CSV and TSV (both with a header) or JSON lines, told by the suffix. Manifests are made of them.

* UTF-8, with or without a byte order mark; texts are stripped, what is absent is the empty text
* a row with more fields than the header has columns, and two columns of one name, are refused
* rows are read as they are asked for, so that a table of any length costs no memory
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from .errors import InvalidTable

SUFFIXES = (".csv", ".tsv", ".jsonl")

Row = Mapping[str, str]
"""Column -> text, empty where there is none."""


def rows(path: Path, *, single: Collection[str] = ()) -> Iterator[tuple[int, Row]]:
    """Line numbers and rows. Columns in `single` must not hold lists, objects or true and false, which JSON allows.
    Raises InvalidTable."""
    try:
        yield from _json_rows(path, single) if path.suffix.lower() == ".jsonl" else _csv_rows(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidTable(f"{path} is not a readable table in UTF-8: {error}.") from error
    except OSError as error:
        raise InvalidTable(f"{path} cannot be read: {error.strerror}.") from error


def _csv_rows(path: Path) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        if reader.fieldnames and len(set(reader.fieldnames)) < len(reader.fieldnames):
            raise InvalidTable(f"{path} has two columns of one name: {', '.join(reader.fieldnames)}.")
        for row in reader:
            if None in row:
                raise InvalidTable(f"{path}:{reader.line_num} has more fields than the header has columns.")
            yield reader.line_num, {column.strip(): (value or "").strip() for column, value in row.items()}


def _json_rows(path: Path, single: Collection[str]) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except json.JSONDecodeError as error:
                raise InvalidTable(f"{path}:{line} is not JSON: {error.msg}.") from error
            if not isinstance(row, dict):
                raise InvalidTable(f"{path}:{line} is not a JSON object; a row reads " + '{"path": "a.flac"}.')
            for column in single:
                if isinstance(row.get(column), dict | list | bool):
                    raise InvalidTable(f"{path}:{line}: {column} is {row[column]!r}; text or a number is needed.")
            yield line, {column: "" if value is None else str(value).strip() for column, value in row.items()}
