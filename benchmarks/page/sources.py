"""Where the audio of a record comes from: the corpus that the run read, and what the codec made of it.

A run keeps tokens and no audio, so that an estimate is decoded again:

* from the tokens that the run kept, by the very codec that made them;
* from the file that was scored, where another program had decoded it;
* else by coding the clip again.

Nothing is believed. The clip must have the content hash of the record; bits must be those of the record; and up to two
of the record's scores, under the same metric identity, must come out again within the tolerance of the gate for the
metric. Where nothing could be compared, the codec's fingerprint must be that of the record. Whatever fails, raises
NotHeard with the reason, and the page says it: another codec's output is never heard under the name of this one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from codeczoo.benchmarks import protocol, scoring
from codeczoo.benchmarks.audio import content_sha256, extent
from codeczoo.benchmarks.clip import Clip, Corpus
from codeczoo.benchmarks.coding import Coded, StepFailed, code
from codeczoo.benchmarks.errors import USER_ERRORS, InvalidClip
from codeczoo.benchmarks.failures import describe
from codeczoo.benchmarks.gate import tolerance
from codeczoo.benchmarks.measuring import bind
from codeczoo.benchmarks.records import CODING_STEPS, Key, Record, key_of
from codeczoo.benchmarks.request import Loaded
from codeczoo.benchmarks.run_folder import RunFolder
from codeczoo.codecs import Codec, CodecError, Encoded, resampling, tokens
from codeczoo.codecs.decoded import BoundAudio, DecodedAudio
from codeczoo.metrics import UnknownMetric, metric
from codeczoo.metrics.base import Audio

CHECKED_BY = (
    "si_sdr_aligned", "mel_distance", "stft_distance", "si_sdr", "mel_distance_taae", "stft_distance_taae", "stoi",
    "estoi", "pesq_wb", "pesq_nb",
)  # fmt: skip
"""Metrics that are cheap, the first of them first: one of the waveform and one of the spectrum where both are there."""
_CHECKS = 2


class NotHeard(Exception):
    """Why the audio of a record is not to be had, as a sentence part."""


@dataclass(frozen=True)
class RunSource:
    """What is known of one run beside its records."""

    folder: Path
    """Where its tokens are, if it kept any."""
    corpora: tuple[Corpus, ...]
    """Where its clips are looked for."""
    load: Callable[[str], Loaded]
    """A codec by the name that records have for it. Raises CodecError."""
    problem: str = ""
    """Why there is no corpus."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A clip, checked against its record."""

    clip: Clip
    audio: Audio
    sample_rate_hz: int


@dataclass(frozen=True, eq=False)
class Version:
    """What a codec made of a clip, at the reference's rate and of its length."""

    audio: Audio
    how: str
    """Where it comes from."""
    checked: str
    """What shows that it is what was measured."""


@dataclass
class RunAudio:
    """The audio of several runs' records. Codecs are loaded when they are first heard, and the last one is kept."""

    owners: Mapping[Key, RunSource]
    """The run of each record."""
    spool: Path
    """Folder for what a codec writes while it works."""
    device: str = "cpu"
    _clips: dict[int, dict[str, list[Clip]]] = field(default_factory=dict[int, dict[str, list[Clip]]])
    _loaded: tuple[str, Loaded] | None = None

    def prepare(self, records: Collection[Record]) -> None:
        """Look the clips of these records up, in one pass over each corpus."""
        wanted: dict[int, tuple[RunSource, set[str]]] = {}
        for record in records:
            source = self.owners[key_of(record)]
            wanted.setdefault(id(source), (source, set()))[1].add(record["clip"])
        for place, (source, names) in wanted.items():
            found = self._clips.setdefault(place, {})
            for corpus in source.corpora:
                for clip in corpus:
                    if clip.name in names:
                        found.setdefault(clip.name, []).append(clip)

    def reference(self, record: Record) -> Reference:
        """The clip that a record is of. Raises NotHeard."""
        source = self.owners[key_of(record)]
        candidates = self._clips.get(id(source), {}).get(record["clip"], [])
        if not candidates:
            raise NotHeard(source.problem or f"the corpus {record.get('corpus', '')} no longer has this clip")
        try:
            # Two corpora of one run may have clips of one name: the content tells which is meant.
            clip = next((clip for clip in candidates if content_sha256(clip) == record["clip_sha256"]), None)
            if clip is None:
                raise NotHeard("the clip's file has changed since it was measured")
            if extent(clip)[1] > protocol.LONG_S:
                raise NotHeard(f"the clip is longer than {protocol.LONG_S:g} s")
            signal, sample_rate_hz = protocol.read_reference(clip, self.spool, record["clip_sha256"])
        except InvalidClip as error:
            raise NotHeard(str(error)) from error
        return Reference(clip, np.asarray(signal[:]), sample_rate_hz)

    def version(self, record: Record, reference: Reference) -> Version:
        """What the codec of a record made of its clip. Raises NotHeard."""
        failures = record.get("failed", {})
        failed = next((step for step in CODING_STEPS if step in failures), None)
        if failed is not None:
            raise NotHeard(f"{failed} failed when it was measured: {failures[failed]}")
        try:
            codec = self._codec(record, reference.clip)
            same = codec.fingerprint == record["codec_fingerprint"]
            known = self._kept_tokens(record, codec) if same else None
            coded = code(codec, reference.audio, reference.sample_rate_hz, self.device, self.spool, known)
        except StepFailed as failure:
            raise NotHeard(f"{failure.step} failed now: {describe(failure.cause)}") from failure
        except USER_ERRORS as error:
            raise NotHeard(str(error)) from error
        estimate = np.asarray(coded.estimate[:])
        checked = _check(record, reference, coded, estimate, codec, same, self.spool)
        at_rate = resampling.resample(estimate, codec.spec.decoded_sample_rate, reference.sample_rate_hz)
        return Version(_of_length(at_rate, len(reference.audio)), _how(codec, known, same), checked)

    def _codec(self, record: Record, clip: Clip) -> Codec:
        name = record["codec"]
        if self._loaded is None or self._loaded[0] != name:
            self._loaded = (name, self.owners[key_of(record)].load(name))
        loaded = self._loaded[1]
        return bind(loaded, clip, frozenset()) if isinstance(loaded, DecodedAudio) else loaded

    def _kept_tokens(self, record: Record, codec: Codec) -> Encoded | None:
        folder = self.owners[key_of(record)].folder
        path = RunFolder(folder).token_file(record["codec"], record.get("corpus", ""), record["clip"])
        try:
            if not path.is_file() or tokens.read(path).clip_sha256 != record["clip_sha256"]:
                return None
            return tokens.load(path, codec)
        except CodecError:
            return None  # coded again, and checked all the same


def _how(codec: Codec, known: Encoded | None, same: bool) -> str:
    if isinstance(codec, BoundAudio):
        return "the file that was scored"
    if known is not None:
        return "decoded from the tokens that the run kept"
    return "coded again by the version that was measured" if same else "coded again by another version of the codec"


def _of_length(audio: Audio, samples: int) -> Audio:
    return audio[:samples] if len(audio) >= samples else np.pad(audio, (0, samples - len(audio)))


def _check(
    record: Record, reference: Reference, coded: Coded, estimate: Audio, codec: Codec, same: bool, spool: Path
) -> str:
    """What shows that this is the audio of the record, in words. Raises NotHeard where it is not."""
    bits = record.get("bits") or {}
    for kind in ("payload", "packed"):
        if bits.get(kind) is not None and coded.bits.get(kind) != bits[kind]:
            found = coded.bits.get(kind)
            raise NotHeard(f"it now takes {found} bits where the record says {bits[kind]}: not what was measured")
    names = comparable(record)[:_CHECKS]
    if not names:
        if not same:
            raise NotHeard("the codec is of another version, and the record has no score that could be compared")
        return "same version of the codec, same clip; no score could be compared"
    job = scoring.ScoringJob(
        reference.clip,
        record["clip_sha256"],
        (scoring.Estimate(record["codec"], estimate, codec.spec.decoded_sample_rate, names),),
        spool,
    )
    found = scoring.score_job(job)[0]
    for name in names:
        value, said = found.scores.get(name, math.nan), record["scores"][name]
        if not abs(value - said) <= tolerance.default(metric(name)):
            raise NotHeard(f"it now scores {name} {value:.4g} where the record says {said:.4g}: not what was measured")
    return f"{' and '.join(names)} came out again as in the record"


def comparable(record: Record) -> tuple[str, ...]:
    """Metrics of `CHECKED_BY` that the record scores as they are defined now."""
    return tuple(name for name in CHECKED_BY if name in record.get("scores", {}) and _defined_alike(record, name))


def _defined_alike(record: Record, name: str) -> bool:
    try:
        return record.get("identities", {}).get(name) == protocol.metric_identity_hash(metric(name))
    except UnknownMetric:
        return False


def owners_of(runs: Sequence[tuple[RunSource, Sequence[Record]]]) -> dict[Key, RunSource]:
    """The run of each record; of several runs that have one, the last, as `records.merge` has it."""
    return {key_of(record): source for source, records in runs for record in records}
