"""The runner: every operating point over every clip, one record each, resumable.

The main process codes; scoring processes measure meanwhile. Families are taken one after the other, so that one set of
weights is in memory at a time; within a family clips are the outer loop, so that each is read, hashed and resampled
once for all its operating points. A record is written when its scores are there; what is written is never measured
again as long as codec, clip and metric are the same by content.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from codeczoo.codecs import Codec, CodecError, Encoded, Spec, tokens
from codeczoo.codecs.decoded import BoundAudio, DecodedAudio
from codeczoo.metrics import metric as metric_facts
from codeczoo.metrics.base import Signal

from . import protocol
from .audio import content_sha256
from .clip import Clip, Piece
from .coding import Coded, StepFailed, code, warm_up
from .environment import invocation
from .errors import InvalidClip
from .failures import describe
from .records import CODING_STEPS, SCHEMA, Record
from .request import Loaded, Point, Request
from .run_folder import RunFolder
from .scoring import Estimate, ScoringJob, ScoringResult
from .scoring_pool import ScoringPool

_log = logging.getLogger(__name__)

_FEW_CLIPS_A_WORKER = 4

Warm = tuple[str, float | None]
"""An operating point that has worked before, on pieces of this length (None: on clips)."""


@dataclass
class Summary:
    """What a run did, and what is in its records for the (codec, clip) pairs that were asked for."""

    pairs: int = 0
    measured: int = 0
    """Pairs that this invocation wrote a record of."""
    known: int = 0
    """Pairs that an earlier invocation had already measured in full."""
    failed: dict[str, int] = field(default_factory=dict[str, int])
    """Failures by step or metric."""
    undefined: dict[str, int] = field(default_factory=dict[str, int])
    """Undefined scores by metric."""
    seconds: float = 0.0

    def count(self, record: Record) -> None:
        for counts, field_name in ((self.failed, "failed"), (self.undefined, "undefined")):
            for name in record.get(field_name, {}):
                counts[name] = counts.get(name, 0) + 1

    def add(self, other: Summary) -> None:
        """Take another request's share of the same run into this one."""
        self.pairs += other.pairs
        self.measured += other.measured
        self.known += other.known
        self.seconds += other.seconds
        for own, more in ((self.failed, other.failed), (self.undefined, other.undefined)):
            for name, count in more.items():
                own[name] = own.get(name, 0) + count

    @property
    def exit_status(self) -> int:
        """0 all well, 1 something failed, 3 nothing failed but some scores are undefined."""
        if self.failed:
            return 1
        return 3 if self.undefined else 0


Progress = Callable[[str, int], None]
"""Called with a family's name and how many (codec, clip) pairs have just been finished."""


def run(request: Request, progress: Progress = lambda _family, _done: None) -> Summary:
    """Run a request. Raises a user error before anything is written, if the request cannot be run."""
    RunFolder.check(request.out)
    identities = {name: protocol.metric_identity(metric_facts(name)) for name in request.metrics}
    hashes = {name: protocol.metric_identity_hash(metric_facts(name)) for name in request.metrics}
    began = time.perf_counter()
    summary = Summary()
    with RunFolder(request.out) as folder, ScoringPool(request.workers) as pool:
        folder.describe(invocation(request, identities))
        runner = _Runner(request, folder, pool, hashes, summary, progress)
        for family, points in itertools.groupby(request.points, key=lambda point: point.family):
            runner.run_family(family, tuple(points))
        runner.finish()
    summary.seconds = time.perf_counter() - began
    return summary


class _Runner:
    def __init__(
        self,
        request: Request,
        folder: RunFolder,
        pool: ScoringPool,
        hashes: dict[str, str],
        summary: Summary,
        progress: Progress,
    ) -> None:
        self.request = request
        self.folder = folder
        self.pool = pool
        self.hashes = hashes
        self.summary = summary
        self.progress = progress
        self.pending: dict[tuple[str, str], Record] = {}
        """(codec, clip) -> its record, coded and waiting for its scores."""
        self.family = ""
        self.threads_set = False
        self.split_jobs = len(request.corpus) < _FEW_CLIPS_A_WORKER * max(1, request.workers)

    def run_family(self, family: str, points: tuple[Point, ...]) -> None:
        self.family = family
        loaded: dict[str, Loaded | CodecError] = {}
        for point in points:
            try:
                loaded[point.name] = point.load()
            except CodecError as error:
                loaded[point.name] = error
        warm: set[Warm] = set()
        for clip in self.request.corpus:
            covering = {point.name: loaded[point.name] for point in points if point.covers(clip.name)}
            if covering:
                self._clip(clip, covering, warm)

    def finish(self) -> None:
        for job, results in self.pool.finish():
            self._write(job, results)

    def _clip(self, clip: Clip, loaded: dict[str, Loaded | CodecError], warm: set[Warm]) -> None:
        self.summary.pairs += len(loaded)
        try:
            sha256 = content_sha256(clip)
        except InvalidClip as error:
            for name in loaded:
                self._failed(self._base(name, clip, "", None), "read", error)
            return
        todo: list[tuple[str, Codec, Record | None]] = []
        for name, codec in loaded.items():
            bound = self._bound(name, codec, clip, sha256)
            if bound is None:
                continue
            known = self._known(name, clip, sha256, bound.fingerprint)
            if known is not None and not self._missing(known):
                self.summary.known += 1
                self.summary.count(known)
                self.progress(self.family, 1)
            else:
                todo.append((name, bound, known))
        if todo:
            self._measure(clip, sha256, todo, warm)

    def _bound(self, name: str, codec: Loaded | CodecError, clip: Clip, sha256: str) -> Codec | None:
        try:
            if isinstance(codec, CodecError):
                raise codec
            return codec.bind(clip.name) if isinstance(codec, DecodedAudio) else codec
        except CodecError as error:
            self._failed(self._base(name, clip, sha256, None), "load", error)
            return None

    def _known(self, name: str, clip: Clip, sha256: str, fingerprint: str) -> Record | None:
        known = self.folder.find((name, self.request.corpus.name, clip.name))
        if known is None or (known["clip_sha256"], known["codec_fingerprint"]) != (sha256, fingerprint):
            return None
        if self.request.retry_failed and any(step in known["failed"] for step in CODING_STEPS):
            return None
        return known

    def _missing(self, known: Record) -> tuple[str, ...]:
        """Metrics that were asked for and that the record does not have, or has under another identity."""
        if any(step in known["failed"] for step in CODING_STEPS):
            return ()
        retried = set(known["failed"]) if self.request.retry_failed else set[str]()
        return tuple(
            name
            for name in self.request.metrics
            if known["identities"].get(name) != self.hashes[name] or name in retried
        )

    def _measure(self, clip: Clip, sha256: str, todo: list[tuple[str, Codec, Record | None]], warm: set[Warm]) -> None:
        try:
            reference, sample_rate = protocol.read_reference(clip, self.folder.spool)
        except InvalidClip as error:
            for name, codec, _ in todo:
                self._failed(self._base(name, clip, sha256, codec), "read", error)
            return
        self._use_threads()
        estimates: list[Estimate] = []
        try:
            for name, codec, known in todo:
                estimate = self._code(name, codec, known, clip, sha256, reference, sample_rate, warm)
                if estimate is not None:
                    estimates.append(estimate)
        finally:
            protocol.release(reference)
        groups = [(estimate,) for estimate in estimates] if self.split_jobs else [tuple(estimates)] if estimates else []
        for group in groups:
            for job, results in self.pool.run(ScoringJob(clip, sha256, group, self.folder.spool)):
                self._write(job, results)

    def _use_threads(self) -> None:
        """Once, before the first codec works: torch is not imported where all is known."""
        if not self.threads_set:
            import torch

            torch.set_num_threads(self.request.threads)
            self.threads_set = True

    def _code(
        self,
        name: str,
        codec: Codec,
        known: Record | None,
        clip: Clip,
        sha256: str,
        reference: Signal,
        sample_rate: int,
        warm: set[Warm],
    ) -> Estimate | None:
        metrics = self.request.metrics if known is None else self._missing(known)
        base = self._base(name, clip, sha256, codec)
        base["seconds"] = len(reference) / sample_rate
        base["sample_rate"] = sample_rate
        try:
            # A length of its own has plans and buffers of its own: its first piece must not pay for them in its time.
            length_s = None if clip.piece is None else clip.piece.length_s
            if (name, length_s) not in warm and not _is_decoded(codec):
                warm_up(codec, reference, sample_rate, self.request.device, length_s)
                warm.add((name, length_s))
            stored = self._stored_tokens(codec, clip, sha256) if known is not None else None
            coded = code(codec, reference, sample_rate, self.request.device, self.folder.spool, stored)
        except StepFailed as failure:
            self._failed(base, failure.step, failure.cause)
            return None
        if known is None:
            base.update(self._facts(coded, codec))
            if self.request.keep_tokens and not _is_decoded(codec):
                path = self.folder.token_file(name, self.request.corpus.name, clip.name)
                tokens.save(path, coded.encoded, codec, clip=clip.name, clip_sha256=sha256)
        self.pending[name, clip.name] = base
        return Estimate(name, coded.estimate, codec.spec.decoded_sample_rate, metrics)

    def _stored_tokens(self, codec: Codec, clip: Clip, sha256: str) -> Encoded | None:
        """The clip's tokens of an earlier invocation; None where they were not kept or are of something else."""
        path = self.folder.token_file(codec.spec.name, self.request.corpus.name, clip.name)
        try:
            if not path.is_file() or tokens.read(path).clip_sha256 != sha256:
                return None
            return tokens.load(path, codec)
        except CodecError as error:
            _log.warning("%s is encoded again: %s", clip.name, error)
            return None

    def _facts(self, coded: Coded, codec: Codec) -> Record:
        timing = {
            **coded.timing,
            "threads": self.request.threads,
            "device": self.request.device,
            "warm_up": not _is_decoded(codec),
            "busy_workers": self.request.workers,
        }
        return {
            "bits": coded.bits,
            "tokens": coded.tokens,
            "clipped": coded.clipped,
            "timing": {} if _is_decoded(codec) else timing,
        }

    def _base(self, name: str, clip: Clip, sha256: str, codec: Codec | None) -> Record:
        record: Record = {
            "schema": SCHEMA,
            "codec": name,
            "codec_fingerprint": codec.fingerprint if codec is not None else "",
            "corpus": self.request.corpus.name,
            "clip": clip.name,
            "clip_sha256": sha256,
            "scores": {},
            "undefined": {},
            "failed": {},
            "identities": {},
        }
        record.update((field_name, value) for field_name in _CLIP_FIELDS if (value := getattr(clip, field_name)))
        if clip.piece is not None:
            record["piece"] = _piece_facts(clip.piece)
        if codec is not None:
            record["codec_facts"] = codec_facts(codec.spec)
        return record

    def _failed(self, record: Record, step: str, error: Exception) -> None:
        """Write a record of a step that failed, unless the same failure is on record already."""
        record["failed"] = {step: describe(error)}
        known = self.folder.find((record["codec"], record["corpus"], record["clip"]))
        if known is not None and known["failed"] == record["failed"] and not self.request.retry_failed:
            self.summary.known += 1
            self.summary.count(known)
        else:
            _log.warning("%s, %s: %s failed: %s", record["codec"], record["clip"], step, record["failed"][step])
            self._append(record)
        self.progress(self.family, 1)

    def _write(self, job: ScoringJob, results: list[ScoringResult]) -> None:
        for result in results:
            record = self.pending.pop((result.codec, job.clip.name))
            record.update(
                scores=result.scores,
                undefined=result.undefined,
                failed=result.failed,
                identities=result.identities,
                reference_scores=result.reference_scores,
                delay_ms=result.delay_ms,
                delay_correlation=result.delay_correlation,
                length_difference=result.length_difference,
            )
            record["scoring_s"] = result.metric_s
            self._append(record)
            self.progress(self.family, 1)

    def _append(self, record: Record) -> None:
        self.folder.append(record)
        self.summary.measured += 1
        merged = self.folder.find((record["codec"], record["corpus"], record["clip"]))
        self.summary.count(merged if merged is not None else record)


_CLIP_FIELDS = ("domain", "dataset", "speaker", "label", "split")


def _piece_facts(piece: Piece) -> dict[str, Any]:
    parts = [
        {"clip": part.clip, "start_s": part.start / piece.sample_rate, "seconds": part.samples / piece.sample_rate}
        for part in piece.parts
    ]
    return {"passage": piece.passage, "length_s": piece.length_s, "offset_s": piece.offset_s, "parts": parts}


def _is_decoded(codec: Codec) -> bool:
    """Whether another program did the coding, so that there is nothing here to time or to keep."""
    return isinstance(codec, BoundAudio)


def codec_facts(spec: Spec) -> dict[str, Any]:
    """Facts of an operating point, as records carry them."""
    return {
        "bitrate_kbps": spec.bitrate_kbps,
        "tokens_per_second": spec.tokens_per_second,
        "n_codebooks": spec.n_codebooks,
        "codebook_sizes": list(spec.codebook_sizes),
        "partitions": [list(part) for part in spec.partitions],
        "sample_rate": spec.sample_rate,
        "channels": spec.channels,
        "domain": spec.domain,
        "licence": spec.licence,
        "weights_licence": spec.weights_licence,
    }
