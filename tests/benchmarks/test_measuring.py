"""A worker's numbers are the coordinator's, or it says what it lacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codeczoo import codecs
from codeczoo.benchmarks import protocol, records, runner
from codeczoo.benchmarks.audio import content_sha256
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import BenchmarkError, WorkerUnfit
from codeczoo.benchmarks.measuring import Conditions, MeasuringJob, Order
from codeczoo.benchmarks.request import NamedCodec, Request
from codeczoo.codecs import tokens
from codeczoo.codecs.decoded import DecodedAudio
from codeczoo.metrics import metric

NAME = "opus@12kbps"


@pytest.fixture
def job(demo_clips: list[Clip]) -> MeasuringJob:
    clip = demo_clips[0]
    order = Order(NAME, codecs.load(NAME).fingerprint, NamedCodec(NAME), ("si_sdr",), keep_tokens=True)
    identities = {"si_sdr": protocol.metric_identity_hash(metric("si_sdr"))}
    return MeasuringJob(clip, content_sha256(clip), (order,), identities, Conditions(1, 2), None)


def test_a_job_codes_and_scores(job: MeasuringJob) -> None:
    (measured,) = job.run("cpu")
    assert measured.failed is None
    assert measured.encoded is not None
    assert measured.encoded.payload is not None
    assert measured.facts["bits"]["payload"] == 8 * len(measured.encoded.payload)
    assert measured.facts["timing"]["busy_workers"] == 2
    assert measured.scores is not None
    assert set(measured.scores.scores) == {"si_sdr"}


def test_a_host_that_does_not_see_the_audio_is_told(job: MeasuringJob, tmp_path: Path) -> None:
    gone = replace(job.clip, path=tmp_path / "mount" / job.clip.path.name)
    with pytest.raises(WorkerUnfit, match=r"does not see the audio that this program sees: .*mount.* does not exist"):
        replace(job, clip=gone).run("cpu")
    other = tmp_path / "other.wav"
    other.write_bytes(job.clip.path.read_bytes() + b"x")
    with pytest.raises(WorkerUnfit, match=r"sees another file at .*other\.wav than this program does"):
        replace(job, clip=replace(job.clip, path=other)).run("cpu")


def test_a_host_without_the_weights_or_with_others_is_told(job: MeasuringJob) -> None:
    def missing() -> codecs.Codec:
        raise codecs.WeightsMissing("The weights of x are not here; codeczoo fetch x.")

    (order,) = job.orders
    lacking = replace(order, name="x", fingerprint="lacking", source=missing)
    with pytest.raises(WorkerUnfit, match="cannot load x: The weights of x are not here"):
        replace(job, orders=(lacking,)).run("cpu")
    with pytest.raises(WorkerUnfit, match=r"has another opus@12kbps \(fingerprint .*, here other\)"):
        replace(job, orders=(replace(order, fingerprint="other"),)).run("cpu")


def test_a_host_with_another_metric_is_told(job: MeasuringJob) -> None:
    with pytest.raises(WorkerUnfit, match=r"has another si_sdr \(identity .*, here 0badcafe\)"):
        replace(job, identities={"si_sdr": "0badcafe"}).run("cpu")


def test_a_host_that_does_not_see_decoded_audio_is_told(job: MeasuringJob, tmp_path: Path) -> None:
    estimate = tmp_path / job.clip.path.name
    estimate.write_bytes(job.clip.path.read_bytes())
    bound = DecodedAudio.from_folder(tmp_path, 6.0, "mine@6kbps").bind(job.clip.name)
    order = Order("mine@6kbps", bound.fingerprint, bound, ("si_sdr",))  # pyright: ignore[reportArgumentType]
    (measured,) = replace(job, orders=(order,)).run("cpu")
    assert measured.failed is None
    assert measured.facts["timing"] == {}
    estimate.unlink()
    with pytest.raises(WorkerUnfit, match="does not see the decoded audio that this program sees"):
        replace(job, orders=(order,)).run("cpu")


@pytest.mark.slow
def test_workers_that_code_give_the_same_records_and_tokens(
    request_of: Callable[..., Request], demo_clips: list[Clip], tmp_path: Path
) -> None:
    alone = request_of(demo_clips)
    together = replace(alone, out=tmp_path / "together", workers=2, code_in_workers=True)
    for request in (alone, together):
        runner.run(request)
    more = [replace(request, metrics=(*request.metrics, "si_sdr")) for request in (alone, together)]
    assert [runner.run(request).measured for request in more] == [8, 8]
    ignored = {"timing", "scoring_s"}
    found = [
        {
            (*records.key_of(one), *one["scores"]): {name: one[name] for name in one if name not in ignored}
            for one in map(json.loads, (request.out / records.RECORDS_FILE).read_text().splitlines())
        }
        for request in (alone, together)
    ]
    assert len(found[0]) == 16
    assert found[0] == found[1]
    kept = [sorted((request.out / "tokens").rglob("*.safetensors")) for request in (alone, together)]
    for one, other in zip(*kept, strict=True):
        assert one.name == other.name
        assert tokens.read(one).encoded.payload == tokens.read(other).encoded.payload


@pytest.mark.parametrize("how", [{"code_in_workers": True}, {"time_limit_s": 5.0}, {"device": "cuda:0,cuda:1"}])
def test_what_needs_workers_is_refused_without(
    request_of: Callable[..., Request], demo_clips: list[Clip], how: dict[str, object]
) -> None:
    with pytest.raises(BenchmarkError, match="give --workers 1 or more"):
        request_of(demo_clips, workers=0, **how)
