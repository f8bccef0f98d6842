"""Ours beside the published number: beyond the interval, within it, or shown and not compared, with the reason.

The two are compared only where everything that decides the number is the same as far as the paper tells: the operating
point (systems.py), the data set (sets.py), the definition of the metric (quantities.py) and, of the value at hand, the
metric's identity, which the record carries. `beyond` says that the printed number lies outside our 95 % interval even
if its rounding is granted. Numbers without clips behind them (parameters, receptive fields) have no interval: there
`beyond` says that ours does not round to the printed one.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.statistics.sample_size import LEAST_CLUSTERS

from .ours import Measured, Ours
from .papers import PaperTable
from .quantities import Quantity, item, quantity
from .rows import PublishedRow
from .sets import of_name
from .systems import REFERENCE, Points, points

Verdict = Literal["beyond", "within", "shown", "absent"]


@dataclass(frozen=True)
class Pair:
    """One printed number and one of ours."""

    row: PublishedRow
    codec: str
    """Empty where there is nothing of ours."""
    measured: Measured | None
    verdict: Verdict
    reason: str
    """Why the two are not compared, or why there is nothing of ours; empty where they are."""
    by_hand: bool = False
    """Whether the user set the two side by side."""

    @property
    def difference(self) -> float | None:
        """Ours minus the published one."""
        if self.measured is None or self.row.value is None or not math.isfinite(self.row.value):
            return None
        return self.measured.value - self.row.value


def label(row: PublishedRow) -> str:
    """A row's system as it is named in tables: `WavTokenizer, codebook 1024`."""
    return f"{row.system}, {row.variant}" if row.variant else row.system


def compare(rows: Sequence[PublishedRow], ours: Ours, matches: Mapping[str, str]) -> tuple[Pair, ...]:
    """Every row with everything of ours that stands beside it, at least one pair a row.

    `matches` are the user's own: codec -> label of a printed system. Raises BenchmarkError for one of no codec or row.
    """
    by_hand = _by_hand(rows, ours, matches)
    known = {(one.codec, one.dataset, one.quantity, one.item): one for one in ours.measured}
    measured_codecs = list(dict.fromkeys([*ours.codecs, *(one.codec for one in ours.measured)]))
    pairs: list[Pair] = []
    for row in rows:
        found, where = quantity(row), points(row)
        made = [
            _pair(row, codec, found, where, row in by_hand.get(codec, ()), known, ours)
            for codec in measured_codecs
            if where.covers(codec) or row in by_hand.get(codec, ())
        ]
        pairs += made or [Pair(row, "", None, "absent", _absent(found, where))]
    return tuple(pairs)


def with_rate(row: PublishedRow) -> str:
    """`Vocos@6kbps`: what tells a system's rows apart."""
    if row.kbps is not None:
        return f"{label(row)}@{row.kbps:g}kbps"
    return label(row) if row.tokens_per_second is None else f"{label(row)}@{row.tokens_per_second:g}"


def _by_hand(
    rows: Sequence[PublishedRow], ours: Ours, matches: Mapping[str, str]
) -> dict[str, frozenset[PublishedRow]]:
    found: dict[str, frozenset[PublishedRow]] = {}
    for codec, wanted in matches.items():
        if codec not in ours.codecs:
            known = ", ".join(ours.codecs) or "none"
            raise BenchmarkError(f"--match names {codec}, which was not measured; measured were: {known}.")
        named = [row for row in rows if wanted in (label(row), with_rate(row))] or [
            row
            for row in rows
            if fnmatch.fnmatchcase(label(row), wanted) or fnmatch.fnmatchcase(with_rate(row), wanted)
        ]
        if not named:
            there = "; ".join(dict.fromkeys(map(with_rate, rows)))
            raise BenchmarkError(f"--match names {wanted!r}; the systems of this table are: {there}.")
        found[codec] = frozenset(named)
    return found


def _absent(found: Quantity, where: Points) -> str:
    if found.kind == "none":
        return found.why
    if where.same == (REFERENCE,):
        return "the score of the clips themselves was not measured"
    return where.why if not where.patterns else f"not measured: {', '.join(where.patterns)}"


def _pair(
    row: PublishedRow,
    codec: str,
    found: Quantity,
    where: Points,
    by_hand: bool,
    known: Mapping[tuple[str, str, str, str], Measured],
    ours: Ours,
) -> Pair:
    dataset = row.dataset if found.kind in ("score", "probe", "tokens") else ""
    places = [(codec, dataset, name, item(row)) for name in found.ours]
    measured = next((known[place] for place in places if place in known), None)
    if measured is None:
        return Pair(row, codec, None, "absent", found.why if found.kind == "none" else "not measured")
    reason = (
        ("" if by_hand or where.is_same(codec) else where.why)
        or _other_definition(found, measured)
        or of_name(row.dataset).why_not
        or _other_identity(found, measured, ours)
        or _not_printed(row, measured)
        or _without_interval(found, measured)
    )
    if reason:
        return Pair(row, codec, measured, "shown", reason, by_hand)
    return Pair(row, codec, measured, _verdict(row, found, measured), "", by_hand)


def _other_definition(found: Quantity, measured: Measured) -> str:
    if not found.same:
        return found.why
    if measured.quantity != found.ours[0]:
        return f"ours is {measured.quantity}, the printed number is by the definition of {found.ours[0]}"
    return ""


def _other_identity(found: Quantity, measured: Measured, ours: Ours) -> str:
    if found.kind != "score":
        return ""
    if len(measured.identities) > 1:
        return f"{measured.quantity} was computed under several identities: {', '.join(sorted(measured.identities))}"
    # A reference's own score carries no identity; the estimates' is that of the same run and metric.
    named = next(iter(measured.identities), "") or _identity_of(measured.quantity, ours)
    text = ours.identities.get(named)
    if text is None:
        return (
            f"the record states the identity {named or 'none'} of {measured.quantity}, which neither run.json nor this "
            "version knows"
        )
    given = text.split("|")
    lacking = [part for part in found.parts if part not in given]
    wrong = [part for part in found.absent if part in given]
    if lacking or wrong:
        return f"{measured.quantity} is {text}, which is not the printed definition ({', '.join(lacking or wrong)})"
    return ""


def _identity_of(name: str, ours: Ours) -> str:
    named = {hash_ for one in ours.measured if one.quantity == name for hash_ in one.identities if hash_}
    return named.pop() if len(named) == 1 else ""


def _not_printed(row: PublishedRow, measured: Measured) -> str:
    if row.value is None:
        return "the printed number cannot be read"
    if row.note.startswith("~"):
        return "the paper prints it as approximate"
    if math.isinf(row.value) != math.isinf(measured.value):
        return "the paper prints unlimited" if math.isinf(row.value) else "ours is unlimited"
    return ""


def _without_interval(found: Quantity, measured: Measured) -> str:
    if found.kind in ("fact", "reach"):
        return ""
    if measured.interval is None:
        return "no interval is known of ours"
    if measured.independent is not None and measured.independent < LEAST_CLUSTERS:
        return f"an interval over fewer than {LEAST_CLUSTERS} speakers or clips decides nothing"
    return ""


def _verdict(row: PublishedRow, found: Quantity, measured: Measured) -> Verdict:
    assert row.value is not None
    if found.kind in ("fact", "reach"):
        same = measured.value == row.value or abs(measured.value - row.value) <= row.rounding * (1 + 1e-9)
        return "within" if same else "beyond"
    assert measured.interval is not None
    low, high = measured.interval
    # The last digit was rounded; the margin is a billionth, for sums of binary fractions.
    margin = row.rounding * (1 + 1e-9)
    return "within" if low - margin <= row.value <= high + margin else "beyond"


def tally(pairs: Iterable[Pair]) -> Mapping[Verdict, int]:
    """How many pairs have each verdict."""
    counts: dict[Verdict, int] = {"beyond": 0, "within": 0, "shown": 0, "absent": 0}
    for pair in pairs:
        counts[pair.verdict] += 1
    return counts


@dataclass(frozen=True)
class Beside:
    """A table with everything of ours beside it."""

    table: PaperTable
    ours: Ours
    pairs: tuple[Pair, ...]


def beside(table: PaperTable, ours: Ours, matches: Mapping[str, str]) -> Beside:
    """Compare. Raises BenchmarkError for a match of nothing."""
    return Beside(table, ours, compare(table.rows, ours, matches))
