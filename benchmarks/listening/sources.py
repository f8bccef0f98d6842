"""Where the audio of a listening test comes from: codecs that are run now, or a run folder's tokens decoded again."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from codeczoo.benchmarks import records
from codeczoo.benchmarks.audio import content_sha256
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.coding import StepFailed, code
from codeczoo.benchmarks.errors import InvalidListeningTest
from codeczoo.benchmarks.failures import describe
from codeczoo.benchmarks.records import CODING_STEPS, Key, Record
from codeczoo.benchmarks.request import Loaded, Point
from codeczoo.benchmarks.run_folder import RunFolder
from codeczoo.codecs import Codec, CodecError, Encoded, tokens
from codeczoo.codecs.decoded import DecodedAudio
from codeczoo.codecs.resampling import Audio

_log = logging.getLogger(__name__)


class Unusable(Exception):
    """A clip cannot be part of the test; the text says why."""


@dataclass
class Sources:
    """Operating points, and what a run knows of them."""

    points: Sequence[Point]
    run: Path | None = None
    records: Mapping[Key, Record] = field(default_factory=dict[Key, Record])
    device: str = "cpu"
    _loaded: dict[str, Loaded] = field(default_factory=dict[str, Loaded], repr=False)

    @property
    def codecs(self) -> tuple[str, ...]:
        return tuple(point.name for point in self.points)

    def clips(self, corpus: str) -> frozenset[str] | None:
        """Names of the clips that every codec was measured on; None without a run: any."""
        if self.run is None:
            return None
        coded = [
            {clip for (codec, of, clip), record in self.records.items()
             if (codec, of) == (name, corpus) and not any(step in record["failed"] for step in CODING_STEPS)}
            for name in self.codecs
        ]  # fmt: skip
        return frozenset(set.intersection(*coded))

    def estimates(
        self, clip: Clip, corpus: str, reference: Audio, sample_rate_hz: int, spool: Path
    ) -> tuple[str, dict[str, tuple[Audio, int, str]]]:
        """The clip's content hash, and of every codec its audio, its rate and its fingerprint. Raises Unusable."""
        sha256 = content_sha256(clip)
        found = {}
        for name in self.codecs:
            try:
                codec = self._codec(name, clip)
                known = self._tokens(name, codec, corpus, clip, sha256)
                coded = code(codec, reference, sample_rate_hz, self.device, spool, known)
            except StepFailed as failure:
                raise Unusable(f"{name} failed to {failure.step} it: {describe(failure.cause)}") from failure
            except CodecError as error:
                raise Unusable(f"{name} has nothing of it: {error}") from error
            audio = np.asarray(coded.estimate[:])
            found[name] = (audio, codec.spec.decoded_sample_rate, codec.fingerprint)
        return sha256, found

    def _codec(self, name: str, clip: Clip) -> Codec:
        if name not in self._loaded:
            point = next(point for point in self.points if point.name == name)
            self._loaded[name] = point.load()
        codec = self._loaded[name]
        return codec.bind(clip.name) if isinstance(codec, DecodedAudio) else codec

    def _tokens(self, name: str, codec: Codec, corpus: str, clip: Clip, sha256: str) -> Encoded | None:
        """What the run kept; None where it kept nothing. What has changed since raises InvalidListeningTest."""
        if self.run is None:
            return None
        record = self.records[name, corpus, clip.name]
        if record["clip_sha256"] != sha256:
            raise Changed(f"{clip.name} is not the audio that {self.run} measured: give the corpus it was made with.")
        if record["codec_fingerprint"] != codec.fingerprint:
            raise Changed(
                f"{name} is another version than {self.run} measured; run `codeczoo bench` again, or make the test "
                "without the run."
            )
        path = RunFolder(self.run).token_file(name, corpus, clip.name)
        if not path.is_file() or tokens.read(path).clip_sha256 != sha256:
            return None
        return tokens.load(path, codec)


class Changed(InvalidListeningTest):
    """A file or a codec is not what a run measured."""


def matching(run: Path, patterns: Sequence[str] | None) -> tuple[tuple[str, ...], dict[Key, Record]]:
    """Codecs of a run that patterns stand for, in the order of its records, and its records. Raises InvalidRun,
    InvalidListeningTest."""
    found = {records.key_of(record): record for record in records.load(run)}
    names = tuple(dict.fromkeys(codec for codec, _, _ in found))
    for pattern in patterns or ():
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise InvalidListeningTest(f"No codec of {run} matches {pattern}; it holds {', '.join(names)}.")
    chosen = tuple(
        name for name in names if patterns is None or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    )
    return chosen, found
