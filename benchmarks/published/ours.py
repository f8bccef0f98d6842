"""What was measured here, in the terms of a published table: one value a (codec, data set, quantity, item).

A source is what another command left: a run folder of bench (records, and with them tokens and timings) or of probe,
or the JSON of `codeczoo info NAME --measure --json`. Nothing is measured here that these do not hold.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeczoo.benchmarks import records
from codeczoo.benchmarks.errors import InvalidRun
from codeczoo.benchmarks.probes import probe_records
from codeczoo.benchmarks.protocol import metric_identity
from codeczoo.benchmarks.records import Record
from codeczoo.benchmarks.report.lengths import is_piece, length_of
from codeczoo.benchmarks.report.probe_summary import summarise as summarise_probes
from codeczoo.benchmarks.report.summary import Cell, Row, summarise
from codeczoo.benchmarks.statistics.bootstrap import mean_interval
from codeczoo.benchmarks.statistics.sample import clusters_of
from codeczoo.metrics import names as metric_names
from codeczoo.metrics.registry import metric

from .sets import is_of
from .systems import NATIVE_SPEED, REFERENCE

OWN = "\0own"
"""Stands for the clips of a run that are of none of the table's data sets."""


@dataclass(frozen=True)
class Measured:
    """One number of ours."""

    codec: str
    dataset: str
    """As results/published names it, or `OWN`."""
    quantity: str
    """A metric's name; `arch`, `utilisation`, `rtf`, ... (quantities.py)."""
    value: float
    interval: tuple[float, float] | None = None
    n: int = 0
    """Clips."""
    lost: int = 0
    """Clips without a value."""
    item: str = ""
    """A codebook's number from 0, a part of it, a length in seconds."""
    identities: frozenset[str] = frozenset()
    """Short hashes, of metrics."""
    note: str = ""
    """What must be said of it."""
    independent: int | None = None
    """Speakers, or clips where these are not known, that the interval was drawn over; None where not counted."""


@dataclass(frozen=True)
class Operating:
    """What a table prints of a codec beside its numbers."""

    kbps: float | None = None
    codebooks: int | None = None
    tokens_per_second: float | None = None


@dataclass
class Ours:
    """Everything that sources hold for one table."""

    measured: list[Measured] = field(default_factory=list[Measured])
    codecs: dict[str, Operating] = field(default_factory=dict[str, Operating])
    """In the order in which they appear."""
    identities: dict[str, str] = field(default_factory=dict[str, str])
    """Short hash -> full identity, as runs wrote it down or as this version computes it."""
    own: dict[str, int] = field(default_factory=dict[str, int])
    """Corpora that are none of the table's sets -> clips."""
    notes: list[str] = field(default_factory=list[str])


def known_identities(runs: Iterable[Path]) -> dict[str, str]:
    """Full identities by their short hash: those of this version, and those that `run.json` of the runs states."""
    texts = [metric_identity(metric(name)) for name in metric_names()]
    for run in runs:
        for invocation in records.invocations(run):
            given = invocation.get("metrics", {})
            texts += [str(text) for text in given.values()] if isinstance(given, dict) else []
    return {hashlib.sha256(text.encode()).hexdigest()[:8]: text for text in texts}


def of_records(found: Sequence[Record], sets: Sequence[str], names: Sequence[str], ours: Ours) -> None:
    """Means and intervals of metrics, by data set; pieces of passages are not clips and are passed over."""
    clips = [record for record in found if not is_piece(record)]
    for record in clips:
        ours.codecs.setdefault(record["codec"], _operating(record))
    for dataset in sets:
        _summarised([record for record in clips if is_of(record, dataset)], dataset, names, ours)
    others = [record for record in clips if not any(is_of(record, dataset) for dataset in sets)]
    if others and not any(is_of(record, dataset) for record in clips for dataset in sets):
        for corpus in dict.fromkeys(str(record.get("corpus", "")) for record in others):
            of_corpus = [record for record in others if str(record.get("corpus", "")) == corpus]
            ours.own[corpus] = len({record["clip"] for record in of_corpus})
            _summarised(of_corpus, OWN + corpus, names, ours)
    elif others:
        clips_of = len({(record.get("corpus"), record["clip"]) for record in others})
        ours.notes.append(f"{clips_of} clips of the run are of none of the table's data sets and are left out.")


def _summarised(members: Sequence[Record], dataset: str, names: Sequence[str], ours: Ours) -> None:
    if not members:
        return
    # One group: a set may have been measured under several corpus names.
    one = [{**record, "corpus": dataset} for record in members]
    asked = {name for record in one for field_ in ("scores", "undefined", "failed") for name in record.get(field_, ())}
    wanted = [name for name in names if name in asked]
    if not wanted:
        return
    (group,) = summarise(one, "corpus", wanted).groups
    for row in (*((group.reference,) if group.reference else ()), *group.rows):
        ours.notes += [
            f"{name} of {row.codec} on {dataset} was computed under several identities "
            f"({', '.join(sorted(row.cells[name].identities))}): there is no mean of them, and none is shown."
            for name in wanted
            if name in row.cells and len(row.cells[name].identities) > 1
        ]
        ours.measured += [
            made for name in wanted if (made := _of_cell(row, row.cells.get(name), dataset, name)) is not None
        ]


def _of_cell(row: Row, cell: Cell | None, dataset: str, name: str) -> Measured | None:
    if cell is None or cell.mean is None:
        return None
    interval, note, independent = cell.interval, "", len(set(cell.clusters))
    if interval is None and cell.n > 1:
        # Clips of one speaker, or one passage: what is asked is whether these clips give the printed number.
        interval, independent = mean_interval(cell.values.tolist(), range(cell.n)), cell.n
        note = "one speaker, so that the interval is over clips"
    lost = sum(cell.undefined.values()) + sum(cell.failed.values()) + cell.missing
    return Measured(row.codec, dataset, name, cell.mean, interval, cell.n, lost, "", cell.identities, note, independent)


def _operating(record: Record) -> Operating:
    facts = record.get("codec_facts") or {}
    return Operating(facts.get("bitrate_kbps"), facts.get("n_codebooks") or None, facts.get("tokens_per_second"))


def of_facts(found: Sequence[Record], ours: Ours) -> None:
    """Parameters and samples a token, out of the facts of the codecs that the records name."""
    from codeczoo import codecs

    for name, record in {record["codec"]: record for record in found}.items():
        ours.codecs.setdefault(name, _operating(record))
        facts = record.get("codec_facts") or {}
        if facts.get("tokens_per_second") and facts.get("sample_rate"):
            samples = facts["sample_rate"] / facts["tokens_per_second"]
            ours.measured.append(Measured(name, "", "samples_a_token", samples))
        try:
            parameters = codecs.spec(name).parameters
        except codecs.CodecError:
            continue
        if parameters:
            ours.measured.append(Measured(name, "", "parameters", float(parameters)))


def of_timings(found: Sequence[Record], ours: Ours) -> None:
    """Real-time factors of encoding and decoding together, by the length of the pieces."""
    timed: dict[tuple[str, float], list[Record]] = {}
    for record in filter(is_piece, found):
        timing = record.get("timing") or {}
        if timing.get("encode_rtf") is not None and timing.get("decode_rtf") is not None:
            timed.setdefault((record["codec"], length_of(record)), []).append(record)
    for (codec, length), members in timed.items():
        ours.codecs.setdefault(codec, _operating(members[0]))
        values = [record["timing"]["encode_rtf"] + record["timing"]["decode_rtf"] for record in members]
        interval = mean_interval(values, clusters_of(members))
        devices = sorted({str(record["timing"].get("device", "")) for record in members})
        mean = math.fsum(values) / len(values)
        note = f"on {' and '.join(devices)}"
        ours.measured.append(Measured(codec, "", "rtf", mean, interval, len(values), 0, f"{length:g}", note=note))


def of_probes(run: Path, sets: Sequence[str], ours: Ours) -> None:
    """Accuracies of linear probes on the table's data sets. Raises InvalidRun."""
    from .sets import of_name

    by_task = {of_name(name).dataset: name for name in sets}
    others: list[str] = []
    for result in summarise_probes(probe_records.load(run)):
        if not result.is_codec or result.mean is None:
            continue
        facts = result.facts
        ours.codecs.setdefault(
            result.features,
            Operating(facts.get("bitrate_kbps"), facts.get("n_codebooks"), facts.get("tokens_per_second")),
        )
        if result.task not in by_task:
            others.append(result.task)
            continue
        note = f"by {result.metric}" if result.metric != "accuracy" else ""
        ours.measured.append(
            Measured(
                result.features, by_task[result.task], result.mode, result.mean, result.interval,
                result.test_clips, result.failed, "", frozenset(), note, result.test_groups,
            )
        )  # fmt: skip
    if others:
        named = ", ".join(dict.fromkeys(others))
        ours.notes.append(f"Probes of {named} have no column in this table and are left out.")


def _json(file: Path, what: str) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidRun(f"{file} is not the JSON of {what}: {error}.") from error


def of_native_speed(file: Path, ours: Ours) -> None:
    """`native_speed.json` of codeczoo.benchmarks.native_speed: encoding and decoding of models of published size with
    random weights, the least of several runs. Raises InvalidRun."""
    what = "python -m codeczoo.benchmarks.native_speed"
    figures = _json(file, what)
    try:
        device, found = str(figures["device"]), [
            (f"{NATIVE_SPEED}{row['model']}", float(row["seconds"]), float(row["real_time_factor"]), row["parameters"])
            for row in figures["rows"]
        ]  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRun(f"{file} is not the JSON of {what}.") from error
    for codec, seconds, factor, parameters in found:
        if codec not in ours.codecs:
            ours.codecs[codec] = Operating()
            ours.measured.append(Measured(codec, "", "parameters", float(parameters)))
        note = f"on {device}, random weights"
        ours.measured.append(Measured(codec, "", "rtf", factor, item=f"{seconds:g}", note=note))


def of_reach(file: Path, ours: Ours) -> None:
    """What `codeczoo info NAME --measure --json` printed. Raises InvalidRun."""
    facts = _json(file, "codeczoo info NAME --measure --json")
    name = facts.get("codec") or facts.get("family") if isinstance(facts, dict) else None
    if not isinstance(name, str):
        raise InvalidRun(f"{file} names no codec; codeczoo info NAME --measure --json prints what is wanted here.")
    points = facts.get("operating_points")
    # A family at several rates has one geometry: its first rate stands for all.
    codec = points[0]["codec"] if isinstance(points, list) and points else name
    ours.codecs.setdefault(codec, Operating())
    for quantity, keys in _REACH.items():
        value = next((_seconds(file, key, facts[key]) for key in keys if key in facts), None)
        if value is not None:
            ours.measured.append(Measured(codec, "", quantity, value))


_REACH = {
    "latency_s": ("measured_latency_s", "latency_s"),
    "receptive_field_s": ("measured_receptive_field_s",),
    "layer_s": ("measured_layer_s",),
}


def _seconds(file: Path, key: str, value: Any) -> float | None:
    if value is None:
        return None
    if value == "infinite":
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRun(f"{file}: {key} is {value!r}; seconds are a number, or infinite.")
    return float(value)


def own_scores(measured: Iterable[Measured]) -> Mapping[str, list[Measured]]:
    """Those of the run's own clips, by corpus."""
    found: dict[str, list[Measured]] = {}
    for one in measured:
        if one.dataset.startswith(OWN):
            found.setdefault(one.dataset.removeprefix(OWN), []).append(one)
    return found


def is_reference(codec: str) -> bool:
    """Whether a row is of the clips themselves."""
    return codec == REFERENCE
