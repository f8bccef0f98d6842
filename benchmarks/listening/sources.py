"""Where the audio of a listening test comes from: codecs that are run now, or a run whose records say what they made.

Both are asked for some clips at once, and go through them codec by codec, so that one set of weights is in memory at a
time. What a run measured comes from `page/sources.py`, which checks that it is what was measured.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from codeczoo.benchmarks import protocol
from codeczoo.benchmarks.audio import content_sha256, extent
from codeczoo.benchmarks.clip import Clip, Corpus
from codeczoo.benchmarks.coding import StepFailed, code
from codeczoo.benchmarks.errors import InvalidClip, InvalidListeningTest
from codeczoo.benchmarks.failures import describe
from codeczoo.benchmarks.measuring import alike_in_name, bind
from codeczoo.benchmarks.page.sources import NotHeard, Reference, RunAudio
from codeczoo.benchmarks.records import CODING_STEPS, Record
from codeczoo.benchmarks.request import Point
from codeczoo.codecs import Codec, CodecError
from codeczoo.codecs.decoded import DecodedAudio
from codeczoo.codecs.resampling import Audio


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a codec made of a clip."""

    audio: Audio
    sample_rate_hz: int
    fingerprint: str


@dataclass(eq=False)
class Heard:
    """A clip and what every codec made of it."""

    sha256: str
    reference: Audio
    sample_rate_hz: int
    estimates: dict[str, Estimate] = field(default_factory=dict[str, Estimate])


class Source(Protocol):
    """Clips that can be heard through some codecs."""

    @property
    def codecs(self) -> Sequence[str]: ...

    @property
    def corpus(self) -> str:
        """Its name."""
        ...

    def clips(self) -> Sequence[str]:
        """Names of the clips, each once."""
        ...

    def hear(self, clips: Sequence[str]) -> Mapping[str, Heard | str]:
        """Each of these clips through every codec; or why that is not to be had, as a sentence part."""
        ...


@dataclass(frozen=True)
class Fresh:
    """Codecs that are run now."""

    points: Sequence[Point]
    of: Corpus
    spool: Path
    device: str = "cpu"

    @property
    def codecs(self) -> tuple[str, ...]:
        return tuple(point.name for point in self.points)

    @property
    def corpus(self) -> str:
        return self.of.name

    def clips(self) -> list[str]:
        return [clip.name for clip in self.of]

    def hear(self, clips: Sequence[str]) -> dict[str, Heard | str]:
        wanted = set(clips)
        by_name = {clip.name: clip for clip in self.of if clip.name in wanted}
        found = {name: self._reference(by_name[name]) for name in clips}
        alike: frozenset[str] | None = None
        for point in self.points:
            loaded = point.load()
            if isinstance(loaded, DecodedAudio) and alike is None:
                alike = alike_in_name(self.of)
            for name, heard in found.items():
                if isinstance(heard, str):
                    continue
                try:
                    codec = (
                        bind(loaded, by_name[name], alike or frozenset())
                        if isinstance(loaded, DecodedAudio)
                        else loaded
                    )
                    heard.estimates[point.name] = self._estimate(codec, heard)
                except StepFailed as failure:
                    found[name] = f"{point.name} could not {failure.step} it: {describe(failure.cause)}"
                except CodecError as error:
                    found[name] = f"{point.name} has nothing of it: {error}"
        return found

    def _reference(self, clip: Clip) -> Heard | str:
        try:
            if extent(clip)[1] > protocol.LONG_S:
                return f"it is longer than {protocol.LONG_S:g} s; cut the corpus with --segment-s"
            sha256 = content_sha256(clip)
            signal, rate = protocol.read_reference(clip, self.spool, sha256)
            return Heard(sha256, np.asarray(signal[:]), rate)
        except InvalidClip as error:
            return str(error)

    def _estimate(self, codec: Codec, heard: Heard) -> Estimate:
        coded = code(codec, heard.reference, heard.sample_rate_hz, self.device, self.spool)
        return Estimate(np.asarray(coded.estimate[:]), codec.spec.decoded_sample_rate, codec.fingerprint)


class Measured:
    """What a run measured."""

    def __init__(self, run: Path, records: Sequence[Record], patterns: Sequence[str] | None, audio: RunAudio) -> None:
        names = tuple(dict.fromkeys(record["codec"] for record in records))
        if not names:
            raise InvalidListeningTest(f"{run} holds no record: nothing was measured that could be heard.")
        for pattern in patterns or ():
            if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
                raise InvalidListeningTest(f"No codec of {run} matches {pattern}; it holds {', '.join(names)}.")
        chosen = [name for name in names if patterns is None or any(fnmatch.fnmatchcase(name, p) for p in patterns)]
        corpora = sorted({record.get("corpus", "") for record in records if record["codec"] in chosen})
        if len(corpora) > 1:
            raise InvalidListeningTest(
                f"{run} holds several corpora ({', '.join(corpora)}); a listening test is of one: name a run of that."
            )
        self.codecs = chosen
        self.corpus = corpora[0]
        self._audio = audio
        self._run = run
        self._records = {
            (record["codec"], record["clip"]): record
            for record in records
            if record["codec"] in chosen and not any(step in record["failed"] for step in CODING_STEPS)
        }

    def clips(self) -> list[str]:
        """Those that every codec was measured on."""
        found = set.intersection(*({clip for of, clip in self._records if of == codec} for codec in self.codecs))
        if not found:
            raise InvalidListeningTest(
                f"{self._run} has no clip that all of {', '.join(self.codecs)} were measured on; name fewer --codecs."
            )
        return sorted(found)

    def hear(self, clips: Sequence[str]) -> dict[str, Heard | str]:
        self._audio.prepare([self._records[codec, clip] for codec in self.codecs for clip in clips])
        references: dict[str, Reference] = {}
        found: dict[str, Heard | str] = {}
        for clip in clips:
            record = self._records[self.codecs[0], clip]
            try:
                reference = references[clip] = self._audio.reference(record)
                found[clip] = Heard(record["clip_sha256"], reference.audio, reference.sample_rate_hz)
            except NotHeard as reason:
                found[clip] = str(reason)
        for codec in self.codecs:
            for clip, heard in found.items():
                if isinstance(heard, str):
                    continue
                record = self._records[codec, clip]
                try:
                    made = self._audio.version(record, references[clip]).audio
                except NotHeard as reason:
                    found[clip] = f"{codec}: {reason}"
                    continue
                heard.estimates[codec] = Estimate(made, heard.sample_rate_hz, record["codec_fingerprint"])
        return found
