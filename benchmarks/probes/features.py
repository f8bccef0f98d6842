"""Features of a task's clips: encoded by the harness's own path, embedded, pooled, kept by content.

A codec's feature is made of `Codec.embed`: what its decoder is given for the tokens (for residual codecs the sum over
codebooks), not the encoder's output before quantisation. Tokens are written to RUN/tokens as by `codeczoo bench`, and
taken from there where a bench has left them; features to RUN/features. Either is made once a (codec version, clip),
however often a command is killed, and for however many tasks and modes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from codeczoo.benchmarks import protocol
from codeczoo.benchmarks.audio import check_unchanged, content_sha256
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import InvalidClip
from codeczoo.benchmarks.failures import describe, without_folders
from codeczoo.benchmarks.files import EncodeJob, run_jobs
from codeczoo.benchmarks.run_folder import RunFolder
from codeczoo.codecs import Codec, CodecError, tokens
from codeczoo.codecs.base import EmbeddingCodec

from . import spectral
from .feature_store import FeatureStore
from .pooling import Vectors, pool
from .task import Task

_log = logging.getLogger(__name__)

Progress = Callable[[str, int], None]


@dataclass(frozen=True, eq=False)
class Features:
    """One feature a clip."""

    name: str
    identity: str
    vectors: Vectors
    """Of the clips in `indices`."""
    indices: tuple[int, ...]
    """Which examples of the task they are of."""
    failed: dict[str, str] = field(default_factory=dict[str, str])
    """Clip -> why it has no feature."""


def hashes(task: Task, progress: Progress = lambda name, done: None) -> tuple[dict[str, str], dict[str, str]]:
    """SHA-256 of every clip's content by name; and of what cannot be read, why."""
    found: dict[str, str] = {}
    broken: dict[str, str] = {}
    for example in task.examples:
        try:
            found[example.clip.name] = content_sha256(example.clip)
        except InvalidClip as error:
            broken[example.clip.name] = describe(error)
        progress("hashing", 1)
    return found, broken


def codec_identity(codec: Codec, pooling: str) -> str:
    """Everything that decides a codec's features: version, layer, pooling, resampler."""
    return f"{codec.spec.name}|{codec.fingerprint}|layer:embed|pooling:{pooling}|{_front_end()}"


def baseline_identity(baseline: str, pooling: str) -> str:
    """Everything that decides a baseline's features."""
    return f"{spectral.identity(baseline)}|pooling:{pooling}"


def _front_end() -> str:
    from codeczoo.codecs import resampling

    return f"mono|{resampling.identity()}|whole clip"


def has_embeddings(codec: object) -> bool:
    """Whether a codec shows what its decoder is given for the tokens."""
    return isinstance(codec, EmbeddingCodec)


def of_codec(
    codec: EmbeddingCodec,
    task: Task,
    sha256: dict[str, str],
    folder: RunFolder,
    corpus: str,
    *,
    pooling: str = "mean",
    workers: int = 1,
    device: str = "cpu",
    progress: Progress = lambda name, done: None,
) -> Features:
    """The features of a task under a codec. Clips that cannot be encoded are named in `failed`."""
    name = codec.spec.name
    store = FeatureStore(folder.path / "features", name, codec_identity(codec, pooling))
    clips = [example.clip for example in task.examples if example.clip.name in sha256]
    todo = {clip.name: clip for clip in clips if sha256[clip.name] not in store}
    progress(name, len(clips) - len(todo))
    failed: dict[str, str] = {}
    of_jobs = name if workers > 1 else codec
    jobs = (EncodeJob(clip, of_jobs, folder.path, folder.token_file(name, corpus, clip.name)) for clip in todo.values())
    for outcome in run_jobs(jobs, workers, device):
        if outcome.failure:
            failed[outcome.name] = without_folders(outcome.failure)
            _log.warning("%s, %s has no feature: %s", name, outcome.name, outcome.failure)
        else:
            path = folder.token_file(name, corpus, outcome.name)
            try:
                store.add(sha256[outcome.name], _embedded(codec, path, pooling, device))
            except (CodecError, ValueError) as error:
                failed[outcome.name] = describe(error)
        progress(name, 1)
    return _features(name, store, task, sha256, failed)


def _embedded(codec: EmbeddingCodec, path: Path, pooling: str, device: str) -> Vectors:
    import torch

    encoded = protocol.on_device(tokens.load(path, codec), device)
    with torch.inference_mode():
        embedding = codec.embed(encoded).float().cpu().numpy()
    return pool(embedding, [embedding.shape[2]], pooling)[0]


def of_baseline(
    baseline: str,
    task: Task,
    sha256: dict[str, str],
    folder: RunFolder,
    *,
    pooling: str = "mean",
    workers: int = 1,
    progress: Progress = lambda name, done: None,
) -> Features:
    """The features of a task without any codec."""
    from joblib import Parallel, delayed

    store = FeatureStore(folder.path / "features", baseline, baseline_identity(baseline, pooling))
    clips = [example.clip for example in task.examples if example.clip.name in sha256]
    todo = [clip for clip in clips if sha256[clip.name] not in store]
    progress(baseline, len(clips) - len(todo))
    failed: dict[str, str] = {}
    jobs = (delayed(_baseline)(clip, sha256[clip.name], baseline, pooling) for clip in todo)
    made: Any = Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch="3*n_jobs")(jobs)
    for name, feature in made:
        if isinstance(feature, str):
            failed[name] = feature
        else:
            store.add(sha256[name], feature)
        progress(baseline, 1)
    return _features(baseline, store, task, sha256, failed)


def _baseline(clip: Clip, sha256: str, baseline: str, pooling: str) -> tuple[str, Vectors | str]:
    try:
        feature = spectral.feature(clip, baseline, pooling)
        check_unchanged(clip, sha256)
        return clip.name, feature
    except InvalidClip as error:
        return clip.name, describe(error)


def _features(name: str, store: FeatureStore, task: Task, sha256: dict[str, str], failed: dict[str, str]) -> Features:
    indices = [
        index
        for index, example in enumerate(task.examples)
        if example.clip.name in sha256 and sha256[example.clip.name] in store
    ]
    wanted: Sequence[str] = [sha256[task.examples[index].clip.name] for index in indices]
    vectors = store.read(wanted) if wanted else np.zeros((0, 0), np.float32)
    return Features(name, store.identity, vectors, tuple(indices), failed)
