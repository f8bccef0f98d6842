"""Audio files to token files and back, many at a time: what `codeczoo encode` and `codeczoo decode` do.

Every file is a job of its own; one that cannot be done is an outcome with its reason, and the others go on.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from codeczoo import codecs
from codeczoo.codecs import Codec, Encoded, InvalidTokens, StreamingCodec, resampling, tokens

from . import protocol
from .audio import AUDIO_SUFFIXES, check_unchanged, clip_blocks, clip_samples, content_sha256, extent
from .backend_names import Backend
from .clip import Clip
from .distribution import Distribution
from .environment import cores
from .errors import USER_ERRORS, InvalidCorpus
from .failures import describe

_LARGEST_WAV_BYTES = 4_000_000_000
_SOURCE = re.compile(rf"(.+)(?:{'|'.join(map(re.escape, AUDIO_SUFFIXES))})(#[0-9.]+-[0-9.]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    name: str
    known: bool = False
    """It was there already."""
    failure: str = ""


class Job(Protocol):
    """One file's work; pickled to a process."""

    @property
    def name(self) -> str: ...

    def run(self, device: str) -> Outcome: ...


@lru_cache(maxsize=2)
def _codec(name: str, device: str) -> Codec:
    return codecs.load(name, device)


@dataclass(frozen=True)
class EncodeJob:
    """One clip to a token file below `out`."""

    clip: Clip
    codec: str | Codec
    """Its name, which every process loads once; the codec itself only where jobs run in this process."""
    out: Path
    path: Path | None = None
    """The token file; None: below `out` by the clip's name."""

    @property
    def name(self) -> str:
        return self.clip.name

    def run(self, device: str) -> Outcome:
        """Encode, unless the token file is there and of this very clip and codec."""
        codec = _codec(self.codec, device) if isinstance(self.codec, str) else self.codec
        path = self.path or self.out / f"{self.clip.name}{tokens.SUFFIX}"
        sha256 = content_sha256(self.clip)
        if path.is_file() and _is_of(path, codec, sha256):
            return Outcome(self.name, known=True)
        sample_rate, seconds = extent(self.clip)
        if seconds > protocol.LONG_S and isinstance(codec, StreamingCodec):
            source = clip_blocks(self.clip, round(protocol.BLOCK_S * sample_rate))
            resampled = resampling.resample_blocks(source, sample_rate, codec.spec.sample_rate)
            encoded = codec.encode_blocks(protocol.to_codec(block, codec.spec).to(device) for block in resampled)
        else:
            mono, _ = clip_samples(self.clip)
            mono = resampling.resample(mono, sample_rate, codec.spec.sample_rate)
            encoded = codec.encode(protocol.to_codec(mono, codec.spec).to(device))
        check_unchanged(self.clip, sha256)
        tokens.save(path, encoded, codec, clip=self.clip.name, clip_sha256=sha256)
        return Outcome(self.name)


def _is_of(path: Path, codec: Codec, sha256: str) -> bool:
    try:
        tokens.load(path, codec)
        return tokens.read(path).clip_sha256 == sha256
    except InvalidTokens:
        return False


@dataclass(frozen=True)
class DecodeJob:
    """One token file to a WAV file."""

    path: Path
    out: Path
    """The WAV file."""

    @property
    def name(self) -> str:
        return str(self.path)

    def run(self, device: str) -> Outcome:
        """Decode to 32-bit float WAV, in blocks where the codec can; unless the WAV is there and newer."""
        codec = _codec(tokens.read(self.path).codec, device)
        encoded = protocol.on_device(tokens.load(self.path, codec), device)
        if self.out.is_file() and self.out.stat().st_mtime_ns >= self.path.stat().st_mtime_ns:
            return Outcome(self.name, known=True)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.out.with_name(f".{self.out.name}.{os.getpid()}.part")
        try:
            _write_wav(temporary, codec, encoded)
            temporary.replace(self.out)
        finally:
            temporary.unlink(missing_ok=True)
        return Outcome(self.name)


def _write_wav(path: Path, codec: Codec, encoded: Encoded) -> None:
    import numpy as np
    import soundfile

    spec = codec.spec
    blocks = codec.decode_blocks(encoded) if isinstance(codec, StreamingCodec) else iter([codec.decode(encoded)])
    seconds = encoded.length / spec.sample_rate
    # WAV states its size in 32 bits; its successor of the same layout does not.
    large = 4 * spec.channels * spec.decoded_sample_rate * seconds > _LARGEST_WAV_BYTES
    with soundfile.SoundFile(
        path, "w", spec.decoded_sample_rate, spec.channels, "FLOAT", format="RF64" if large else "WAV"
    ) as file:
        for block in blocks:
            file.write(np.ascontiguousarray(block[0].T.cpu().numpy()))


def codecs_of(paths: Iterable[Path]) -> list[str]:
    """Names of the codecs that made token files; files that cannot be read are passed over."""
    names: dict[str, None] = {}
    for path in paths:
        try:
            names[tokens.codec_of(path)] = None
        except InvalidTokens:
            continue  # named when its turn comes
    return list(names)


def token_files(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Token files named or below named folders, each with the relative name of its WAV file: `speech/a.wav` for the
    tokens of `speech/a.flac`, but `a.flac.wav` and `a.mp3.wav` where both are there. Raises InvalidCorpus."""
    found: list[tuple[Path, str]] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob(f"*{tokens.SUFFIX}"))
            if not inside:
                raise InvalidCorpus(f"{path} holds no token files (*{tokens.SUFFIX}).")
            found += [(file, file.relative_to(path).as_posix().removesuffix(tokens.SUFFIX)) for file in inside]
        elif path.is_file():
            found.append((path, path.name.removesuffix(tokens.SUFFIX)))
        else:
            raise InvalidCorpus(f"{path} does not exist; name token files (*{tokens.SUFFIX}) or folders of them.")
    short = Counter(_without_suffix(name) for _, name in found)
    full = Counter(name for _, name in found)
    if twice := next((name for name, count in full.items() if count > 1), None):
        raise InvalidCorpus(f"Two token files of {twice} would be decoded to one WAV; decode their folders one by one.")
    return [
        (path, f"{name if short[_without_suffix(name)] > 1 else _without_suffix(name)}.wav") for path, name in found
    ]


def _without_suffix(name: str) -> str:
    """`speech/a.flac#0-30` -> `speech/a#0-30`: what a scorer looks for beside `speech/a.flac`."""
    cut = _SOURCE.fullmatch(name)
    return f"{cut[1]}{cut[2] or ''}" if cut else name


@dataclass(frozen=True)
class _Unit:
    """A job as workers are given it; see `distribution.Unit`."""

    job: Job

    def run(self, device: str) -> list[Outcome]:
        try:
            return [self.job.run(device)]
        except USER_ERRORS as error:
            return self.given_up(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a codec's library raises must cost one file, not the others
            return self.given_up(describe(error))

    def parts(self) -> tuple[_Unit, ...]:
        return (self,)

    def given_up(self, reason: str) -> list[Outcome]:
        return [Outcome(self.job.name, failure=reason)]


def run_jobs(jobs: Iterable[Job], workers: int, device: str = "cpu") -> Iterator[Outcome]:
    """Run jobs on `workers` processes (1: in this one), in any order; reads ahead only a few jobs. A process that dies
    costs what it had in hand, and that only after a second try."""
    threads = max(1, cores() // max(1, workers))
    with Distribution(Backend(), workers=workers if workers > 1 else 0, threads=threads, device=device) as distribution:
        for job in jobs:
            for _, outcomes in distribution.run(_Unit(job)):
                yield from outcomes
        for _, outcomes in distribution.finish():
            yield from outcomes
