"""The runner: every operating point over every clip, one record each, resumable.

This process codes, and workers score meanwhile; or workers do both: on a cluster, with several devices, or where that
is asked for. Either way it is this process alone that plans and writes. Families are taken one after the other, so that
one set of weights is in memory at a time; within a family clips are the outer loop, so that each is read, hashed and
resampled once for all its operating points. A record is written when its scores are there; what is written is never
measured again as long as codec, clip and metric are the same by content.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from codeczoo.codecs import Codec, CodecError, Encoded, Spec, tokens
from codeczoo.codecs.decoded import BoundAudio, DecodedAudio
from codeczoo.metrics import metric as metric_facts
from codeczoo.metrics.base import Signal

from . import protocol
from .audio import content_sha256
from .clip import Clip, Piece
from .coding import StepFailed
from .distribution import Distribution
from .environment import invocation
from .errors import ChangedClip, InvalidClip
from .failures import describe
from .measuring import Coder, Conditions, Measured, MeasuringJob, Order, alike_in_name, bind, is_decoded
from .records import CODING_STEPS, SCHEMA, Record
from .request import Loaded, Loader, NamedCodec, Point, Request
from .run_folder import RunFolder
from .run_summary import Summary
from .scoring import Estimate, ScoringJob, ScoringResult
from .stretches import check_unmixed

_log = logging.getLogger(__name__)

_FEW_CLIPS_A_WORKER = 4
_T = TypeVar("_T")


Progress = Callable[[str, int], None]
"""Called with a family's name and how many (codec, clip) pairs have just been finished."""


def run(request: Request, progress: Progress = lambda _family, _done: None) -> Summary:
    """Run a request. Raises a user error before anything is written, if the request cannot be run."""
    RunFolder.check(request.out)
    identities = {name: protocol.metric_identity(metric_facts(name)) for name in request.metrics}
    hashes = {name: protocol.metric_identity_hash(metric_facts(name)) for name in request.metrics}
    began = time.perf_counter()
    summary = Summary()
    # The workers first: a cluster that cannot be reached leaves no folder behind.
    with _distribution(request) as distribution, RunFolder(request.out) as folder:
        check_unmixed(request.corpus, request.points, folder)
        folder.describe(invocation(request, identities))
        runner = _Runner(request, folder, distribution, hashes, summary, progress)
        for family, points in itertools.groupby(request.points, key=lambda point: point.family):
            runner.run_family(family, tuple(points))
        runner.finish()
    summary.seconds = time.perf_counter() - began
    return summary


def _distribution(request: Request) -> Distribution:
    """The workers. Those that only score compute on one thread each, on the processor."""
    coding = request.codes_in_workers
    return Distribution(
        request.backend,
        workers=request.workers,
        threads=request.threads if coding else 1,
        device=request.device if coding else "cpu",
        limit_s=request.time_limit_s,
    )


@dataclass(frozen=True)
class _Pending:
    """A (codec, clip) that is coded or scored somewhere."""

    record: Record
    codec: Codec
    sha256: str


class _Runner:
    def __init__(
        self,
        request: Request,
        folder: RunFolder,
        distribution: Distribution,
        hashes: dict[str, str],
        summary: Summary,
        progress: Progress,
    ) -> None:
        self.request = request
        self.folder = folder
        self.distribution = distribution
        self.hashes = hashes
        self.summary = summary
        self.progress = progress
        self.pending: dict[tuple[str, str], _Pending] = {}
        self.family = ""
        self.conditions = Conditions(request.threads, distribution.n_jobs)
        self.coder = Coder(request.device, self.conditions)
        self.threads_set = False
        self.alike = frozenset[str]()
        """Bare names of several clips; known where decoded audio is looked for by name."""
        self.split_jobs = len(request.corpus) < _FEW_CLIPS_A_WORKER * max(1, distribution.n_jobs)

    def run_family(self, family: str, points: tuple[Point, ...]) -> None:
        self.family = family
        loaded: dict[str, Loaded | CodecError] = {}
        for point in points:
            try:
                loaded[point.name] = point.load()
            except CodecError as error:
                loaded[point.name] = error
        if any(isinstance(codec, DecodedAudio) for codec in loaded.values()):
            self.alike = alike_in_name(self.request.corpus)
        loaders = {point.name: point.load for point in points}
        self.coder.warm.clear()
        for clip in self.request.corpus:
            covering = {point.name: loaded[point.name] for point in points if point.covers(clip.name)}
            if covering:
                self._clip(clip, covering, loaders)

    def finish(self) -> None:
        for job, results in self.distribution.finish():
            self._write(job, results)

    def _clip(self, clip: Clip, loaded: dict[str, Loaded | CodecError], loaders: dict[str, Loader]) -> None:
        self.summary.pairs += len(loaded)
        try:
            sha256 = content_sha256(clip)
        except InvalidClip as error:
            for name in loaded:
                self._failed(self._base(name, clip, "", None), "read", describe(error))
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
        if todo and self.request.codes_in_workers:
            self._hand_out(clip, sha256, todo, loaders)
        elif todo:
            self._measure(clip, sha256, todo)

    def _bound(self, name: str, codec: Loaded | CodecError, clip: Clip, sha256: str) -> Codec | None:
        try:
            if isinstance(codec, CodecError):
                raise codec
            return bind(codec, clip, self.alike) if isinstance(codec, DecodedAudio) else codec
        except CodecError as error:
            self._failed(self._base(name, clip, sha256, None), "load", describe(error))
            return None

    def _known(self, name: str, clip: Clip, sha256: str, fingerprint: str) -> Record | None:
        known = self.folder.find((name, self.request.corpus.name, clip.name))
        if known is None:
            return None
        if (known["clip_sha256"], known["codec_fingerprint"]) != (sha256, fingerprint):
            # A failure before anything was read or loaded is of no audio and no version.
            self.summary.replaced += bool(known["clip_sha256"] and known["codec_fingerprint"])
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

    def _hand_out(
        self, clip: Clip, sha256: str, todo: list[tuple[str, Codec, Record | None]], loaders: dict[str, Loader]
    ) -> None:
        """Have a worker code and score."""
        orders: list[Order] = []
        for name, codec, known in todo:
            self.pending[name, clip.name] = _Pending(self._base(name, clip, sha256, codec), codec, sha256)
            source = codec if isinstance(codec, BoundAudio) else _travelling(loaders[name])
            stored = self._stored_tokens(codec, clip, sha256) if known is not None else None
            keep = known is None and self.request.keep_tokens and not is_decoded(codec)
            coded = known is not None
            orders.append(Order(name, codec.fingerprint, source, self._wanted(known), coded, stored, keep))
        spool = None if self.request.backend.is_cluster else self.folder.spool
        for group in self._groups(orders):
            self._distribute(MeasuringJob(clip, sha256, group, self.hashes, self.conditions, spool))

    def _measure(self, clip: Clip, sha256: str, todo: list[tuple[str, Codec, Record | None]]) -> None:
        """Code here and have a worker score."""
        try:
            reference, sample_rate = protocol.read_reference(clip, self.folder.spool, sha256)
        except InvalidClip as error:
            # What is known of no content is measured again by the next command.
            of = "" if isinstance(error, ChangedClip) else sha256
            for name, codec, _ in todo:
                self._failed(self._base(name, clip, of, codec), "read", describe(error))
            return
        self._use_threads()
        estimates: list[Estimate] = []
        try:
            for name, codec, known in todo:
                estimate = self._code(name, codec, known, clip, sha256, reference, sample_rate)
                if estimate is not None:
                    estimates.append(estimate)
        finally:
            protocol.release(reference)
        for group in self._groups(estimates):
            self._distribute(ScoringJob(clip, sha256, group, self.folder.spool))

    def _groups(self, items: list[_T]) -> list[tuple[_T, ...]]:
        """What one worker is given at a time: all operating points of a clip, or one where clips are few."""
        return [(item,) for item in items] if self.split_jobs else [tuple(items)] if items else []

    def _distribute(self, job: ScoringJob | MeasuringJob) -> None:
        for done, results in self.distribution.run(job):
            self._write(done, results)

    def _use_threads(self) -> None:
        """Once, before the first codec works: torch is not imported where all is known."""
        if not self.threads_set:
            import torch

            torch.set_num_threads(self.request.threads)
            self.threads_set = True

    def _wanted(self, known: Record | None) -> tuple[str, ...]:
        return self.request.metrics if known is None else self._missing(known)

    def _code(
        self,
        name: str,
        codec: Codec,
        known: Record | None,
        clip: Clip,
        sha256: str,
        reference: Signal,
        sample_rate: int,
    ) -> Estimate | None:
        base = self._base(name, clip, sha256, codec)
        base["seconds"] = len(reference) / sample_rate
        base["sample_rate"] = sample_rate
        try:
            stored = self._stored_tokens(codec, clip, sha256) if known is not None else None
            coded = self.coder.code(codec, clip, reference, sample_rate, self.folder.spool, stored)
        except StepFailed as failure:
            self._failed(base, failure.step, describe(failure.cause))
            return None
        if known is None:
            base.update(self.coder.facts(coded, codec))
            if self.request.keep_tokens and not is_decoded(codec):
                self._keep_tokens(coded.encoded, codec, clip, sha256)
        self.pending[name, clip.name] = _Pending(base, codec, sha256)
        return Estimate(name, coded.estimate, codec.spec.decoded_sample_rate, self._wanted(known))

    def _keep_tokens(self, encoded: Encoded, codec: Codec, clip: Clip, sha256: str) -> None:
        path = self.folder.token_file(codec.spec.name, self.request.corpus.name, clip.name)
        tokens.save(path, encoded, codec, clip=clip.name, clip_sha256=sha256)

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

    def _failed(self, record: Record, step: str, reason: str) -> None:
        """Write a record of a step that failed, unless the same failure is on record already."""
        record["failed"] = {step: reason}
        known = self.folder.find((record["codec"], record["corpus"], record["clip"]))
        if known is not None and known["failed"] == record["failed"] and not self.request.retry_failed:
            self.summary.known += 1
            self.summary.count(known)
        else:
            _log.warning("%s, %s: %s failed: %s", record["codec"], record["clip"], step, reason)
            self._append(record)
        self.progress(self.family, 1)

    def _write(self, job: ScoringJob | MeasuringJob, results: list[ScoringResult] | list[Measured]) -> None:
        for result in results:
            pending = self.pending.pop((result.codec, job.clip.name))
            if isinstance(result, ScoringResult):
                self._scored(pending.record, result)
            else:
                self._measured(pending, job.clip, result)
        if isinstance(job, ScoringJob):
            for estimate in job.estimates:
                protocol.release(estimate.audio)

    def _measured(self, pending: _Pending, clip: Clip, result: Measured) -> None:
        pending.record.update(result.facts)
        if result.failed is not None:
            self._failed(pending.record, *result.failed)
            return
        if result.encoded is not None:
            self._keep_tokens(result.encoded, pending.codec, clip, pending.sha256)
        assert result.scores is not None, "what did not fail was scored"
        self._scored(pending.record, result.scores)

    def _scored(self, record: Record, result: ScoringResult) -> None:
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


def _travelling(loader: Loader) -> Loader:
    """A loader that can be pickled, also where it was made in a function."""
    from joblib import wrap_non_picklable_objects

    return loader if isinstance(loader, NamedCodec) else wrap_non_picklable_objects(loader)


_CLIP_FIELDS = ("domain", "dataset", "speaker", "label", "split")


def _piece_facts(piece: Piece) -> dict[str, Any]:
    parts = [
        {"clip": part.clip, "start_s": part.start / piece.sample_rate, "seconds": part.samples / piece.sample_rate}
        for part in piece.parts
    ]
    return {"passage": piece.passage, "length_s": piece.length_s, "offset_s": piece.offset_s, "parts": parts}


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
