"""Published numbers as typed rows: `results/published/PAPER.csv`, one line a printed number.

Columns: table, dataset, system, variant, bitrate_kbps, n_quantizers, tokens_per_second (what the table prints of the
row, empty where it prints nothing), metric, unit (of the printed value), value, plus_minus, note. A value is a number
with the printed digits, `unlimited`, or `illegible`. Keys (all but unit, value, plus_minus and note) are unique.

The files have one place: `results/published` beside this package, in a checkout and in an installed wheel alike, since
`codeczoo` is the repository's root (pyproject.toml maps it).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path

from codeczoo.benchmarks.errors import InvalidPublished
from codeczoo.codecs.errors import InvalidTable
from codeczoo.codecs.tables import rows as table_rows

FOLDER = Path(__file__).resolve().parents[2] / "results" / "published"
PAPERS = ("wavtokenizer", "unicodec", "taae")
COLUMNS = (
    "table", "dataset", "system", "variant", "bitrate_kbps", "n_quantizers", "tokens_per_second", "metric", "unit",
    "value", "plus_minus", "note",
)  # fmt: skip

UNITS: dict[str, float] = {
    "1": 1.0, "percent": 0.01, "MOS": 1.0, "dB": 1.0, "nats": 1.0, "points": 1.0, "s": 1.0, "ms": 0.001, "1e6": 1e6,
    "bit/s": 1.0, "kbit/s": 1000.0, "samples": 1.0,
}  # fmt: skip
"""Printed unit -> factor to ours: fractions, seconds, bit/s, counts."""


@dataclass(frozen=True)
class PublishedRow:
    """One printed number."""

    paper: str
    table: int
    dataset: str
    """As the files name it, `libritts-test-clean`; empty where the paper does not name the clips."""
    system: str
    variant: str
    kbps: float | None
    codebooks: int | None
    tokens_per_second: float | None
    metric: str
    unit: str
    value: float | None
    """In our unit (fractions, seconds, bit/s, counts); infinite where printed as unlimited, None where illegible."""
    printed: str
    """As printed, or `unlimited` or `illegible`."""
    plus_minus: float | None
    """What follows a ± sign, in our unit; the papers do not say what it is."""
    note: str
    line: int = field(compare=False)

    @property
    def suite(self) -> str:
        """Name of its table: `wavtokenizer-table1`."""
        return f"{self.paper}-table{self.table}"

    @property
    def factor(self) -> float:
        """From the printed unit to ours."""
        return UNITS[self.unit]

    @property
    def decimals(self) -> int:
        """Printed digits behind the point."""
        return len(self.printed.partition(".")[2]) if self.value is not None and math.isfinite(self.value) else 0

    @property
    def rounding(self) -> float:
        """Half a unit of the last printed digit, in our unit: the value before printing lay this near."""
        return 0.5 * 10.0**-self.decimals * self.factor


@cache
def published(paper: str) -> tuple[PublishedRow, ...]:
    """The rows of a paper in the order of its tables. Raises InvalidPublished."""
    return read(FOLDER / f"{paper}.csv")


def every() -> Iterator[PublishedRow]:
    """All rows of all papers."""
    for paper in PAPERS:
        yield from published(paper)


def read(path: Path) -> tuple[PublishedRow, ...]:
    """The rows of a file, whose stem names the paper. Raises InvalidPublished with the line that is wrong."""
    if not path.is_file():
        raise InvalidPublished(f"The published numbers {path} are not there: reinstall codeczoo, or restore the file.")
    found: dict[tuple[object, ...], PublishedRow] = {}
    try:
        for line, cells in table_rows(path):
            if set(cells) != set(COLUMNS):
                given = ", ".join(cells)
                raise InvalidPublished(f"{path}:{line} has the columns {given}; they are {', '.join(COLUMNS)}.")
            row = _row(path, line, cells)
            key = (row.table, row.dataset, row.system, row.variant, row.kbps, row.codebooks, row.tokens_per_second)
            earlier = found.setdefault((*key, row.metric), row)
            if earlier is not row:
                raise InvalidPublished(f"{path}: lines {earlier.line} and {line} are of one cell, {_cell(row)}.")
    except InvalidTable as error:
        raise InvalidPublished(str(error)) from error
    if not found:
        raise InvalidPublished(f"{path} has no rows.")
    return tuple(found.values())


def _row(path: Path, line: int, cells: Mapping[str, str]) -> PublishedRow:
    at = f"{path}:{line}"
    for column in ("table", "system", "metric", "unit", "value"):
        if not cells[column]:
            raise InvalidPublished(f"{at} has no {column}.")
    if cells["unit"] not in UNITS:
        raise InvalidPublished(f"{at}: {cells['unit']!r} is no unit known here; they are {', '.join(UNITS)}.")
    factor = UNITS[cells["unit"]]
    plus_minus = _number(at, "plus_minus", cells["plus_minus"], 0.0)
    return PublishedRow(
        paper=path.stem,
        table=_whole(at, "table", cells["table"]) or 0,
        dataset=cells["dataset"],
        system=cells["system"],
        variant=cells["variant"],
        kbps=_number(at, "bitrate_kbps", cells["bitrate_kbps"], 0.0),
        codebooks=_whole(at, "n_quantizers", cells["n_quantizers"]),
        tokens_per_second=_number(at, "tokens_per_second", cells["tokens_per_second"], 0.0),
        metric=cells["metric"],
        unit=cells["unit"],
        value=_value(at, cells["value"], factor),
        printed=cells["value"],
        plus_minus=None if plus_minus is None else plus_minus * factor,
        note=cells["note"],
        line=line,
    )


def _value(at: str, text: str, factor: float) -> float | None:
    if text == "illegible":
        return None
    if text == "unlimited":
        return math.inf
    _number(at, "value", text, -math.inf)
    # Exactly what was printed, moved by the unit: 35.63 percent is 0.3563 and no digit more.
    return float(Decimal(text) * Decimal(str(factor)))


def _number(at: str, column: str, text: str, lowest: float) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < lowest or not text.isascii():
        raise InvalidPublished(f"{at}: {column} is {text!r}; a number is needed (a value may be unlimited, illegible).")
    return number


def _whole(at: str, column: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise InvalidPublished(f"{at}: {column} is {text!r}; a whole number from 1 on is needed.")
    return int(text)


def _cell(row: PublishedRow) -> str:
    return ", ".join(part for part in (f"table {row.table}", row.dataset, row.system, row.variant, row.metric) if part)
