"""The clips of a page: the reference and what every codec made of it, at one loudness, with spectrograms.

A version whose audio is not to be had is listed with the reason. What is heard of a clip are its first `MOST_S`
seconds; the whole of it was coded and checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from codeczoo.benchmarks.records import Record
from codeczoo.benchmarks.report import columns
from codeczoo.benchmarks.statistics.sample import ClipKey, clip_key
from codeczoo.metrics import Metric
from codeczoo.metrics.base import Audio

from . import level, spectrogram
from .choice import Choice
from .embed import Embedded, Format, embed
from .facts import Json, clip_id
from .sources import NotHeard, Reference, RunAudio

MOST_S = 20.0
REFERENCE = "Reference"

Progress = Callable[[str, int, int], None]
"""Called with the codec, and how many (clip, codec) pairs of how many are finished."""


@dataclass
class Listening:
    """Clips as plain values for JSON, and the files they name."""

    clips: list[Json] = field(default_factory=list[Json])
    files: list[Embedded] = field(default_factory=list[Embedded])
    """A version's `file` is its place here."""


@dataclass
class _Heard:
    """A clip of which the reference is there."""

    reference: Reference
    audio: dict[str, Audio] = field(default_factory=dict[str, Audio])
    notes: dict[str, Json] = field(default_factory=dict[str, Json])


def make(
    choices: Sequence[Choice],
    records: Sequence[Record],
    codecs: Sequence[str],
    metrics: Sequence[Metric],
    audio: RunAudio,
    kind: Format,
    progress: Progress,
) -> Listening:
    """The clips of `choices`, in their order, each with those of `codecs` that have it, in theirs."""
    chosen = {choice.clip for choice in choices}
    by_codec: dict[str, dict[ClipKey, Record]] = {codec: {} for codec in codecs}
    for record in records:
        if (key := clip_key(record)) in chosen:
            by_codec[record["codec"]][key] = record
    of_clip = {key: record for own in by_codec.values() for key, record in own.items()}
    audio.prepare([record for own in by_codec.values() for record in own.values()])
    heard: dict[ClipKey, _Heard | str] = {}
    for choice in choices:
        try:
            heard[choice.clip] = _Heard(audio.reference(of_clip[choice.clip]))
        except NotHeard as reason:
            heard[choice.clip] = str(reason)
    # Codec by codec, so that one set of weights is in memory at a time.
    pairs = [(codec, key, record) for codec, own in by_codec.items() for key, record in own.items()]
    for done, (codec, key, record) in enumerate(pairs):
        progress(codec, done, len(pairs))
        _hear(codec, record, heard[key], audio)
    made = Listening()
    for choice in choices:
        own = {codec: records[choice.clip] for codec, records in by_codec.items() if choice.clip in records}
        made.clips.append(_clip(choice, heard[choice.clip], own, metrics, kind, made.files))
    return made


def _hear(codec: str, record: Record, clip: _Heard | str, audio: RunAudio) -> None:
    if isinstance(clip, str):
        return
    try:
        if codec == REFERENCE:
            raise NotHeard("its name is that of the reference; score it under another one")
        version = audio.version(record, clip.reference)
    except NotHeard as reason:
        clip.notes[codec] = {"missing": str(reason)}
        return
    clip.audio[codec] = version.audio[: _samples(clip.reference)]
    clip.notes[codec] = {"how": version.how, "checked": version.checked}


def _samples(reference: Reference) -> int:
    return min(len(reference.audio), round(MOST_S * reference.sample_rate_hz))


def _clip(
    choice: Choice,
    heard: _Heard | str,
    records: Mapping[str, Record],
    metrics: Sequence[Metric],
    kind: Format,
    files: list[Embedded],
) -> Json:
    found: Json = {"id": clip_id(choice.clip), "name": choice.clip[1], "group": choice.group}
    found |= {"reasons": list(choice.reasons), "versions": []}
    if isinstance(heard, str):
        return {**found, "missing": heard}
    reference, rate_hz = heard.reference, heard.reference.sample_rate_hz
    original = reference.audio[: _samples(reference)]
    levels = level.match(original, heard.audio, rate_hz)
    loud_db = spectrogram.levels_db(level.apply(original, levels.reference), rate_hz).max()

    def version(name: str, audio: Audio, own: level.Level) -> Json:
        matched = level.apply(audio, own)
        picture = spectrogram.png(spectrogram.levels_db(matched, rate_hz), float(loud_db))
        files.append(embed(matched, rate_hz, kind))
        gains: Json = {"name": name, "file": len(files) - 1, "gainDb": round(own.gain_db, 2), "note": own.note}
        gains["spectrogram"] = Embedded("image/png", picture).uri
        return gains

    own = next(iter(records.values()))
    found["versions"].append(
        {**version(REFERENCE, original, levels.reference), "scores": _scores(own.get("reference_scores", {}), metrics)}
    )
    for codec, record in records.items():
        facts: Json = {"name": codec, "scores": _scores(record.get("scores", {}), metrics, record)}
        facts |= heard.notes[codec]
        if codec in heard.audio:
            facts |= version(codec, heard.audio[codec], levels.estimates[codec])
            facts["delayMs"] = record.get("delay_ms")
        found["versions"].append(facts)
    return {
        **found,
        "seconds": round(len(original) / rate_hz, 6),
        "wholeSeconds": round(len(reference.audio) / rate_hz, 6),
        "sampleRateHz": rate_hz,
        "loweredDb": round(levels.lowered_db, 2),
        "axis": [{"hz": tick.hz, "height": round(tick.height, 4)} for tick in spectrogram.axis(rate_hz)],
    }


def _scores(scores: Mapping[str, float], metrics: Sequence[Metric], record: Record | None = None) -> dict[str, str]:
    """Each metric's value as it is printed, or why there is none."""
    found: dict[str, str] = {}
    for fact in metrics:
        if fact.name in scores:
            found[fact.name] = f"{scores[fact.name]:.{columns.digits(fact)}f}"
        elif record is not None and fact.name in record.get("undefined", {}):
            found[fact.name] = f"undefined: {record['undefined'][fact.name]}"
        elif record is not None and fact.name in record.get("failed", {}):
            found[fact.name] = f"failed: {record['failed'][fact.name]}"
    return found
