"""Records: one JSON object a (codec, clip), append-only, never an average. Every report is a pure function of them.

A run is a folder with `run.json` (what was asked, versions, hardware) and `records.jsonl`. One line of the latter:

    {"schema": 1,
     "codec": "opus@12kbps",             operating point, rate resolved
     "codec_fingerprint": "3f0c...",     codec, packages, weights: see codeczoo.codecs.fingerprint
     "codec_facts": {"bitrate_kbps": 12.0, "tokens_per_second": null, "n_codebooks": 0, "sample_rate": 48000, ...},
     "corpus": "speech",
     "clip": "speech/a.flac",            name in the corpus
     "clip_sha256": "9a1f...",           of the audio file, with the stretch where one was cut
     "seconds": 3.2, "domain": "speech", "dataset": "libritts", "speaker": "p225",
     "sample_rate": 24000,               Hz, of the reference file
     "piece": {"passage": "passage-5d1f03c27a", "length_s": 3.0, "offset_s": 6.0,    of pieces of passages alone:
               "parts": [{"clip": "speech/a.flac", "start_s": 4.2, "seconds": 2.1}, ...]},   see passages.py
     "bits": {"nominal": ..., "packed": ..., "payload": ..., "side": ...},   bits of this clip, see below
     "tokens": 240,                      over all codebooks; null for byte codecs
     "scores": {"pesq_wb": 3.91},        plain numbers under the metric's name
     "undefined": {"utmos": "reason"},   the metric has no value for this clip
     "failed": {"encode": "reason"},     a step (read, load, encode, decode) or a metric that raised; `process`: the
                                         process that coded and scored it died twice, or was not done in time
     "identities": {"pesq_wb": "1c9d04aa"},        short hash of each metric's identity, for scores and undefined
     "reference_scores": {"utmos": 4.05},          the reference's own, for metrics that look at one signal
     "delay_ms": 6.5,                    of the estimate behind the reference, by cross-correlation; null if unknown
     "delay_correlation": 0.97,          coefficient of the two signals at that delay: near 0, the delay means little
     "clipped": {"input": 0, "output": 3},         samples outside [-1, 1]
     "length_difference": 0,             samples of the estimate minus samples of the reference, before trimming
     "timing": {"encode_s": ..., "decode_s": ..., "encode_rtf": ..., "decode_rtf": ..., "threads": 1,
                "device": "cpu", "warm_up": true, "busy_workers": 2,
                "processor": "..."},     where a worker of a cluster coded it
     "scoring_s": {"pesq_wb": 0.1}}      processor seconds, under the first metric of each measure

Bits: `nominal` sum of frame rate x log2(entries) x seconds; `packed` the tokens really produced at ceil(log2(entries))
bits each, plus `side`; `side` side information alone; `payload` bytes really produced, for byte codecs; `stated` for
audio that another program decoded.

A later line of the same (codec, clip) adds its scores to the earlier one; if its fingerprint or clip hash differs, it
replaces it. Real-time factors are seconds of computing a second of audio: below 1 is faster than real time.
"""

from __future__ import annotations

import gzip
import json
import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from . import collector
from .errors import InvalidRun

_log = logging.getLogger(__name__)

SCHEMA = 1
RECORDS_FILE = "records.jsonl"
RUN_FILE = "run.json"
_DAMAGED = "the run folder is damaged. Restore that file, or name another folder."

CODING_STEPS = ("read", "load", "encode", "decode", "process")
"""Names under `failed` that are no metrics: where one of them failed, there is nothing to score."""

Record = dict[str, Any]
Key = tuple[str, str, str]
"""(codec, corpus, clip)."""

_BY_METRIC = ("scores", "undefined", "failed", "identities", "reference_scores")
_ADDED_TO = ("timing", "scoring_s")


def key_of(record: Record) -> Key:
    """What a record is about."""
    return record["codec"], record.get("corpus", ""), record["clip"]


def read_offsets(path: Path) -> Iterator[tuple[int, Record]]:
    """Byte offset and record of each line of a file, without merging. A torn last line is passed over; a torn line
    elsewhere, or one of another schema, raises InvalidRun."""
    torn: str | None = None
    offset = 0
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if torn is not None:
                raise InvalidRun(torn)
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, UnicodeDecodeError):
                torn = f"{path}:{number} is not a JSON record; the file was edited or damaged. Restore or delete it."
                continue
            schema = record.get("schema") if isinstance(record, dict) else None
            if schema != SCHEMA:
                raise InvalidRun(f"{path}:{number} has schema {schema!r}; this version reads schema {SCHEMA}.")
            if (wrong := _wrong_number(record)) is not None:
                raise InvalidRun(f"{path}:{number} {wrong}; the file was edited or damaged. Restore or delete it.")
            yield offset, record
            offset += len(line)


def _wrong_number(record: Record) -> str | None:
    """What is wrong with the numbers of a record that means and bitrates are made of; None where nothing is. Scores
    that are not finite are counted as failed where means are made."""
    for field, values in (("scores", record.get("scores")), ("bits", record.get("bits"))):
        for name, value in (values or {}).items():
            if value is None:
                continue  # as good as absent
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return f"says that {name} is {value!r}, which is no number"
            if field == "bits" and not 0 <= value < math.inf:
                return f"says that its {name} bits are {value}, which nothing can have"
    return None


def read_lines(path: Path) -> Iterator[Record]:
    """The records of a file, one a line, without merging; see `read_offsets`."""
    return (record for _, record in read_offsets(path))


def merge(records: Iterable[Record]) -> dict[Key, Record]:
    """Records by key, later lines added to earlier ones, or replacing them where codec or clip have changed."""
    merged: dict[Key, Record] = {}
    for record in records:
        key = key_of(record)
        known = merged.get(key)
        same = known is not None and all(
            known.get(field) == record.get(field) for field in ("codec_fingerprint", "clip_sha256")
        )
        if known is None or not same:
            merged[key] = record
            continue
        renewed = record.get("identities", {})
        updated = {**known, **record}
        for field in _BY_METRIC:
            kept = {name: value for name, value in known.get(field, {}).items() if name not in renewed}
            if field == "failed" and "bits" in record:
                # Coded anew after a step of coding had failed, which it then did not.
                kept = {name: reason for name, reason in kept.items() if name not in CODING_STEPS}
            updated[field] = {**kept, **record.get(field, {})}
        for field in _ADDED_TO:
            updated[field] = {**known.get(field, {}), **record.get(field, {})}
        merged[key] = updated
    return merged


_TEXTS = (
    "codec", "codec_fingerprint", "corpus", "clip", "clip_sha256", "domain", "dataset", "speaker", "label", "split",
)  # fmt: skip
_ALIKE = ("codec_facts", "identities", "undefined", "failed", "clipped")
"""Fields that are the same in most records of a codec."""
_OWN = ("scores", "reference_scores", "bits", "timing", "scoring_s")
"""Fields that differ between records, under the same names."""


def _shared(lines: Iterable[Record]) -> Iterator[Record]:
    """The records with equal parts, names and texts held once: a third of the memory of a large run."""
    parts: dict[tuple[str, str], Any] = {}
    texts: dict[str, str] = {}
    layouts: dict[tuple[str, ...], tuple[str, ...]] = {}

    def named_alike(part: Record) -> Record:
        names = tuple(part)
        return dict(zip(layouts.setdefault(names, names), part.values(), strict=True))

    for record in lines:
        for name in _TEXTS:
            if (text := record.get(name)) is not None:
                record[name] = texts.setdefault(text, text)
        for name in _ALIKE:
            if (part := record.get(name)) is not None:
                known = parts.setdefault((name, record["codec"]), part)
                record[name] = known if known == part else named_alike(part)
        for name in _OWN:
            if (part := record.get(name)) is not None:
                record[name] = named_alike(part)
        yield named_alike(record)


def description(file: Path) -> dict[str, Any]:
    """What a `run.json` holds, its commands under `invocations`. Raises InvalidRun where it is damaged."""
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise InvalidRun(f"{file} is not JSON; {_DAMAGED}") from None
    entries = described.setdefault("invocations", []) if isinstance(described, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidRun(f"{file} is no object with a list of objects under `invocations`; {_DAMAGED}")
    return described


def invocations(run: Path) -> list[dict[str, Any]]:
    """What `run.json` says of each command of a run, of which `run` is the folder or the file of records; empty where
    there is no such file. Raises InvalidRun where it is damaged."""
    file = (run if run.is_dir() else run.parent) / RUN_FILE
    return description(file)["invocations"] if file.is_file() else []


def load(path: Path) -> list[Record]:
    """The merged records of a run folder, or of one `.jsonl` or `.jsonl.gz` file. They share parts: to be read, not
    changed. Raises InvalidRun."""
    file = path
    if path.is_dir():
        file = path / RECORDS_FILE
        if not file.is_file():
            file = path / f"{RECORDS_FILE}.gz"
    if not file.is_file():
        raise InvalidRun(f"{path} holds no records ({RECORDS_FILE}). A run folder is made by `codeczoo bench`.")
    with collector.paused():
        return list(merge(_shared(read_lines(file))).values())


def load_runs(paths: Sequence[Path]) -> list[Record]:
    """The merged records of several runs, as one. Where two runs measured one clip by two versions of a codec, those of
    the later run count, and a warning says of which codecs. Raises InvalidRun where two runs call different audio by
    one name: one of them would be left out."""
    merged: dict[Key, Record] = {}
    of: dict[Key, Path] = {}
    replaced: Counter[tuple[str, Path, Path]] = Counter()
    with collector.paused():
        for path in paths:
            for record in load(path):
                key = key_of(record)
                known = merged.get(key)
                if known is not None and of[key] != path:
                    _check_same_audio(known, record, of[key], path)
                    if known.get("codec_fingerprint") != record.get("codec_fingerprint"):
                        replaced[record["codec"], of[key], path] += 1
                merged[key] = record if known is None else next(iter(merge((known, record)).values()))
                of[key] = path
    for (codec, first, second), count in replaced.items():
        _log.warning(
            "%s: %d records of %s are left out, those of %s count: the same clips under another version of the codec.",
            codec, count, first, second,
        )  # fmt: skip
    return list(merged.values())


def _check_same_audio(known: Record, record: Record, first: Path, second: Path) -> None:
    sha256 = {each.get("clip_sha256") for each in (known, record)} - {None, ""}
    if len(sha256) > 1:
        corpus, clip = record.get("corpus", ""), record["clip"]
        raise InvalidRun(
            f"{clip} of corpus {corpus!r} is not the same audio in {first} and in {second}. Were two folders of one "
            "name measured, or did the file change? Read the runs one by one, or measure one again under another name."
        )
