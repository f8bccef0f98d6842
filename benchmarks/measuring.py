"""Coding one clip at some operating points, and what a record says of it: in the coordinator, whose results are scored
by workers, or in a worker, which then scores them as well (`MeasuringJob`).

A worker's numbers must be those that the coordinator would have had. So a job says what everything is by content (the
clip, the codecs, the metrics), and a worker that finds anything else, or lacks it, refuses the job with a sentence.
Nothing is written to the run folder by a worker: tokens travel back with the results.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from codeczoo.codecs import Codec, CodecError, Encoded
from codeczoo.codecs.decoded import BoundAudio, DecodedAudio, without_suffix
from codeczoo.metrics import MetricError
from codeczoo.metrics import metric as metric_facts
from codeczoo.metrics.base import Signal

from . import protocol
from .audio import content_sha256
from .clip import Clip
from .coding import Coded, StepFailed, code, warm_up
from .environment import processor
from .errors import InvalidClip, WorkerUnfit
from .failures import describe
from .records import Record
from .request import Loaded, Loader, NamedCodec, check_metrics
from .scoring import Estimate, ScoringJob, ScoringResult, forget_references

Warm = tuple[str, float | None]
"""An operating point that has worked before, on pieces of this length (None: on clips)."""


@dataclass(frozen=True)
class Conditions:
    """What was the case while a codec was timed."""

    threads: int
    busy_workers: int


def is_decoded(codec: Codec) -> bool:
    """Whether another program did the coding, so that there is nothing here to time or to keep."""
    return isinstance(codec, BoundAudio)


def alike_in_name(clips: Iterable[Clip]) -> frozenset[str]:
    """Bare names, without suffix, that several files of a corpus have in folders of their own."""
    paths: dict[str, Path] = {}
    alike: set[str] = set()
    for clip in clips:
        if paths.setdefault(bare := PurePosixPath(without_suffix(clip.name)).name, clip.path) != clip.path:
            alike.add(bare)
    return frozenset(alike)


def bind(codec: DecodedAudio, clip: Clip, alike: frozenset[str]) -> BoundAudio:
    """Decoded audio of one clip. Raises DecodedAudioMissing."""
    bare = PurePosixPath(without_suffix(clip.name)).name
    return codec.bind(clip.name, (clip.start_s, clip.seconds), exact=bare in alike)


@dataclass
class Coder:
    """Codes clip after clip in one process; knows what is warm."""

    device: str
    conditions: Conditions
    warm: set[Warm] = field(default_factory=set[Warm])

    def code(
        self, codec: Codec, clip: Clip, reference: Signal, sample_rate: int, spool: Path, known: Encoded | None
    ) -> Coded:
        """Code one clip, after a warm-up where the codec is new here; `known`: its tokens. Raises StepFailed."""
        # A length of its own has plans and buffers of its own: its first piece must not pay for them in its time.
        length_s = None if clip.piece is None else clip.piece.length_s
        name = codec.spec.name
        if (name, length_s) not in self.warm and not is_decoded(codec):
            warm_up(codec, reference, sample_rate, self.device, length_s)
            self.warm.add((name, length_s))
        return code(codec, reference, sample_rate, self.device, spool, known)

    def facts(self, coded: Coded, codec: Codec) -> Record:
        """What a record says of the coding."""
        timing = {
            **coded.timing,
            "threads": self.conditions.threads,
            "device": self.device,
            "warm_up": not is_decoded(codec),
            "busy_workers": self.conditions.busy_workers,
        }
        return {
            "bits": coded.bits,
            "tokens": coded.tokens,
            "clipped": coded.clipped,
            "timing": {} if is_decoded(codec) else timing,
        }


@dataclass(frozen=True)
class Order:
    """One operating point of a job."""

    name: str
    fingerprint: str
    source: Loader | BoundAudio
    """How it is loaded; or the codec itself, where it is a file that was decoded elsewhere."""
    metrics: tuple[str, ...]
    coded: bool = False
    """Whether an earlier invocation has coded it, so that its record says what coding it took."""
    tokens: Encoded | None = None
    """Of an earlier invocation, where they were kept."""
    keep_tokens: bool = False
    """Whether the tokens are wanted back."""


@dataclass
class Measured:
    """What came of one order."""

    codec: str
    failed: tuple[str, str] | None = None
    """Step and reason, where it could not be coded."""
    facts: Record = field(default_factory=dict[str, Any])
    encoded: Encoded | None = None
    scores: ScoringResult | None = None


@dataclass(frozen=True)
class MeasuringJob:
    """Operating points of one family on one clip, to be coded and scored by a worker."""

    clip: Clip
    clip_sha256: str
    orders: tuple[Order, ...]
    identities: Mapping[str, str]
    """Of the metrics, as the coordinator has them."""
    conditions: Conditions
    spool: Path | None
    """Folder for signals on disk; None: this machine's temporary one, on a cluster."""

    def parts(self) -> tuple[MeasuringJob, ...]:
        """A job an operating point."""
        return tuple(replace(self, orders=(order,)) for order in self.orders)

    def given_up(self, reason: str) -> list[Measured]:
        """Every operating point failed for one reason."""
        return [Measured(order.name, ("process", reason)) for order in self.orders]

    def run(self, device: str) -> list[Measured]:
        """Code and score. Raises WorkerUnfit."""
        self._check()
        codecs = [_codec(order, device) for order in self.orders]
        coder = _coder(device, self.conditions)
        if self.spool is not None:
            self.spool.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="codeczoo-", dir=self.spool) as folder:
            spool = Path(folder)
            try:
                reference, sample_rate = protocol.read_reference(self.clip, spool, self.clip_sha256)
            except InvalidClip as error:
                return [Measured(order.name, ("read", describe(error))) for order in self.orders]
            try:
                return [
                    self._measure(order, codec, coder, reference, sample_rate, spool)
                    for order, codec in zip(self.orders, codecs, strict=True)
                ]
            finally:
                forget_references()

    def _measure(
        self, order: Order, codec: Codec, coder: Coder, reference: Signal, sample_rate: int, spool: Path
    ) -> Measured:
        facts: Record = {"seconds": len(reference) / sample_rate, "sample_rate": sample_rate}
        try:
            coded = coder.code(codec, self.clip, reference, sample_rate, spool, order.tokens)
        except StepFailed as failure:
            return Measured(order.name, (failure.step, describe(failure.cause)), facts)
        if not order.coded:
            facts.update(coder.facts(coded, codec))
            if self.spool is None and facts["timing"]:
                facts["timing"]["processor"] = processor()
        estimate = Estimate(order.name, coded.estimate, codec.spec.decoded_sample_rate, order.metrics)
        try:
            (scores,) = ScoringJob(self.clip, self.clip_sha256, (estimate,), spool).run(device=coder.device)
        finally:
            protocol.release(coded.estimate)
        encoded = protocol.on_device(coded.encoded, "cpu") if order.keep_tokens else None
        return Measured(order.name, None, facts, encoded, scores)

    def _check(self) -> None:
        """Raise WorkerUnfit where clip or metrics are not what the coordinator has."""
        try:
            found = content_sha256(self.clip)
        except InvalidClip as error:
            raise WorkerUnfit(f"does not see the audio that this program sees: {error}") from error
        if found != self.clip_sha256:
            raise WorkerUnfit(f"sees another file at {self.clip.path} than this program does")
        names = {name for order in self.orders for name in order.metrics}
        try:
            check_metrics(names)
            here = {name: protocol.metric_identity_hash(metric_facts(name)) for name in names}
        except MetricError as error:
            raise WorkerUnfit(f"cannot measure: {error}") from error
        for name, identity in here.items():
            if identity != self.identities[name]:
                raise WorkerUnfit(f"has another {name} (identity {identity}, here {self.identities[name]})")


_coders: dict[tuple[str, Conditions], Coder] = {}
_codecs: dict[tuple[str, str], Loaded] = {}
"""By name and fingerprint, of one family at a time."""


def _coder(device: str, conditions: Conditions) -> Coder:
    if (device, conditions) not in _coders:
        import torch

        torch.set_num_threads(conditions.threads)
        _coders[device, conditions] = Coder(device, conditions)
    return _coders[device, conditions]


def _codec(order: Order, device: str) -> Codec:
    """The codec of an order in this process. Raises WorkerUnfit."""
    source = order.source
    if isinstance(source, BoundAudio):
        if not source.path.is_file():
            raise WorkerUnfit(f"does not see the decoded audio that this program sees: {source.path}")
        return source
    key = order.name, order.fingerprint
    if key not in _codecs:
        family = order.name.partition("@")[0]
        for other in [known for known in _codecs if known[0].partition("@")[0] != family]:
            del _codecs[other]
        try:
            made = source.on(device)() if isinstance(source, NamedCodec) else source()
        except CodecError as error:
            raise WorkerUnfit(f"cannot load {order.name}: {error}") from error
        if made.fingerprint != order.fingerprint:
            raise WorkerUnfit(
                f"has another {order.name} (fingerprint {made.fingerprint}, here {order.fingerprint}): its weights or "
                "the versions of its packages differ"
            )
        _codecs[key] = made
    codec = _codecs[key]
    assert isinstance(codec, Codec), "decoded audio is bound to a clip by the coordinator"
    return codec
