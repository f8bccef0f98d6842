"""The tokens of a run, counted: for every codec and group of clips, how often each entry of each codebook was chosen.

Tokens are those that `codeczoo bench` keeps under RUN/tokens: nothing is encoded again. Where a record's tokens are not
there, or are of other audio or of another version of the codec, the clip is not counted, and that is said.

Counting goes through any number of processes, which each count a part of the clips; parts add up exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeczoo.codecs import InvalidTokens, tokens
from codeczoo.metrics.huffman import HuffmanCode
from codeczoo.metrics.token_bitrate import TokenBitrates, bitrates
from codeczoo.metrics.token_counts import TokenCounts
from codeczoo.metrics.token_entropy import TokenStatistics, partition_utilisation, statistics

from . import records
from .errors import BenchmarkError, InvalidRun
from .records import Record
from .report.summary import GroupBy, default_grouping, group_name
from .run_folder import RunFolder
from .statistics.sample import clusters_of

_CHUNK = 200
"""Clips that a process counts at a time."""
_READ_BACK = 10
"""Clips whose Huffman streams are decoded again."""


@dataclass(frozen=True)
class CodecTokens:
    """One codec over the clips of one group."""

    codec: str
    group: str
    counts: tuple[TokenCounts, ...]
    """One a codebook."""
    seconds: float
    clips: int
    not_counted: int
    """Clips whose tokens are not there, or are of something else."""
    partitions: tuple[tuple[str, int, int], ...] = ()
    """Of its one codebook: `codeczoo.codecs.Spec.partitions`."""

    @property
    def utilisation_of_parts(self) -> dict[str, float]:
        """Share of the entries of each part of the codebook that occur; empty where it has no parts."""
        if not self.partitions:
            return {}
        return partition_utilisation(
            self.counts[0].counts, {name: range(first, end) for name, first, end in self.partitions}
        )

    @property
    def statistics(self) -> tuple[TokenStatistics, ...]:
        """One a codebook."""
        return tuple(statistics(counts) for counts in self.counts)

    @property
    def bitrates(self) -> TokenBitrates:
        """Of all codebooks together."""
        first, *others = (bitrates(counts, self.seconds) for counts in self.counts)
        return sum(others, first)

    @property
    def huffman_codes(self) -> tuple[HuffmanCode, ...]:
        """One a codebook, made for these clips."""
        return tuple(HuffmanCode.of(counts.counts) for counts in self.counts)


@dataclass(frozen=True)
class TokenSource:
    """Where the tokens of one record are, and what they must be of."""

    path: Path
    clip_sha256: str
    fingerprint: str
    seconds: float
    cluster: str
    """What the clip was drawn with: its speaker, or itself."""

    def codes(self) -> list[NDArray[np.int64]] | None:
        """The tokens of the clip, `[N_k]` a codebook; None where they are not those of its record."""
        if not self.path.is_file():
            return None
        try:
            found = tokens.read(self.path)
        except InvalidTokens:
            return None
        if (found.clip_sha256, found.codec_fingerprint) != (self.clip_sha256, self.fingerprint):
            return None
        return [codes[0].numpy() for codes in found.encoded.codes]


@dataclass(frozen=True)
class CodecSources:
    """The clips of one codec and group."""

    codec: str
    group: str
    sizes: tuple[int, ...]
    """Entries a codebook."""
    clips: tuple[TokenSource, ...]
    partitions: tuple[tuple[str, int, int], ...] = ()
    """Parts of its one codebook."""


def sources(
    run: Path,
    group_by: GroupBy | None = None,
    codecs: Callable[[str], bool] = lambda name: True,
    group_of: Callable[[Record], str] | None = None,
) -> tuple[CodecSources, ...]:
    """What a run has tokens of, in the order of its records; codecs of bytes alone are left out. `group_of` names the
    group of a record, instead of its field `group_by`. Raises InvalidRun."""
    with_tokens = [record for record in records.load(run) if _has_tokens(record)]
    if not with_tokens:
        raise InvalidRun(f"{run} holds no records of a codec with tokens; codeczoo bench makes some.")
    found = [record for record in with_tokens if codecs(record["codec"])]
    if not found:
        names = dict.fromkeys(record["codec"] for record in with_tokens)
        raise InvalidRun(f"No codec that was asked for has tokens in {run}; there are {', '.join(names)}.")
    grouping = group_by or default_grouping(found)
    folder = RunFolder(run)
    clips: dict[tuple[str, str], list[TokenSource]] = {}
    sizes: dict[str, tuple[int, ...]] = {}
    partitions: dict[str, tuple[tuple[str, int, int], ...]] = {}
    for record, drawn_with in zip(found, clusters_of(found), strict=True):
        source = TokenSource(
            folder.token_file(record["codec"], record["corpus"], record["clip"]),
            record["clip_sha256"],
            record["codec_fingerprint"],
            float(record["seconds"]),
            str(drawn_with),
        )
        group = group_name(record, grouping) if group_of is None else group_of(record)
        clips.setdefault((record["codec"], group), []).append(source)
        sizes[record["codec"]] = tuple(record["codec_facts"]["codebook_sizes"])
        # Records of before codecs declared parts have none.
        declared = record["codec_facts"].get("partitions", [])
        partitions[record["codec"]] = tuple((str(name), int(first), int(end)) for name, first, end in declared)
    return tuple(
        CodecSources(codec, group, sizes[codec], tuple(of), partitions[codec]) for (codec, group), of in clips.items()
    )


def gather(found: Sequence[CodecSources], jobs: int = 1) -> tuple[CodecTokens, ...]:
    """Count the tokens of a run's codecs. Raises InvalidRun where there are none."""
    made = tuple(_count_all(of, jobs) for of in found)
    if not any(codec.clips for codec in made):
        raise InvalidRun("This run holds no tokens that its records are of: was it made with --no-tokens?")
    return tuple(codec for codec in made if codec.clips)


def stream_bits(of: CodecSources, counted: CodecTokens) -> int:
    """Bits of all tokens of a group really written by its Huffman codes: a stream a clip and codebook, the first ones
    read back. Raises BenchmarkError where that is not what the counts say."""
    codes = counted.huffman_codes
    written = 0
    for number, source in enumerate(of.clips):
        rows = source.codes()
        if rows is None or len(rows) != len(codes):
            continue
        for code, row in zip(codes, rows, strict=True):
            stream, bits = code.encode(row)
            if number < _READ_BACK and not np.array_equal(code.decode(stream, len(row)), row):
                raise BenchmarkError(f"The Huffman stream of {source.path} does not give its tokens back.")
            written += bits
    expected = sum(code.bits(counts.counts) for code, counts in zip(codes, counted.counts, strict=True))
    if written != expected:
        raise BenchmarkError(f"{counted.codec}: Huffman streams of {written} bits, where {expected} were counted.")
    return written


def _has_tokens(record: Record) -> bool:
    facts = record.get("codec_facts") or {}
    coded = not any(step in record.get("failed", {}) for step in records.CODING_STEPS)
    return bool(facts.get("codebook_sizes")) and record.get("tokens") is not None and coded


def _count_all(of: CodecSources, jobs: int) -> CodecTokens:
    counts = tuple(TokenCounts(size) for size in of.sizes)
    seconds, clips = 0.0, 0
    for part in _parts(of.clips, of.sizes, jobs):
        for whole, counted in zip(counts, part.counts, strict=True):
            whole.merge(counted)
        seconds += part.seconds
        clips += part.clips
    return CodecTokens(of.codec, of.group, counts, seconds, clips, len(of.clips) - clips, of.partitions)


@dataclass(frozen=True)
class _Part:
    counts: tuple[TokenCounts, ...]
    seconds: float
    clips: int


def _parts(files: Sequence[TokenSource], sizes: Sequence[int], jobs: int) -> Iterable[_Part]:
    chunks = [files[at : at + _CHUNK] for at in range(0, len(files), _CHUNK)]
    if jobs == 1 or len(chunks) == 1:
        return (_count(chunk, sizes) for chunk in chunks)
    from joblib import Parallel, delayed

    parts: Any = Parallel(n_jobs=jobs, return_as="generator")(delayed(_count)(chunk, sizes) for chunk in chunks)
    return parts


def _count(files: Sequence[TokenSource], sizes: Sequence[int]) -> _Part:
    counts = tuple(TokenCounts(size) for size in sizes)
    seconds, clips = 0.0, 0
    for file in files:
        found = file.codes()
        if found is None or len(found) != len(counts):
            continue
        for of_codebook, row in zip(counts, found, strict=True):
            of_codebook.add(row)
        seconds += file.seconds
        clips += 1
    return _Part(counts, seconds, clips)
