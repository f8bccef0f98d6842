"""Requests: checked before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeczoo import codecs, metrics
from codeczoo.benchmarks import corpora
from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.request import (
    Request,
    check_loading,
    check_metrics,
    first_of_families,
    points,
    usable,
    usable_metrics,
)


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CODECZOO_WEIGHTS", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_patterns_stand_for_points_in_order_each_once() -> None:
    found = [point.name for point in points(["opus@12kbps", "opus@*", "pcm:16"])]
    assert found == ["opus@12kbps", *(name for name in codecs.expand("opus@*") if name != "opus@12kbps"), "pcm:16"]


def test_each_point_loads_its_own_rate() -> None:
    assert [point.load().spec.name for point in points(["opus@6kbps", "opus@12kbps"])] == ["opus@6kbps", "opus@12kbps"]


def test_families_are_checked_once() -> None:
    found = points(["opus@*", "pcm:*", "mimi:24khz@*"])
    assert [point.name for point in first_of_families(found)] == [
        "mimi:24khz@1q",
        "pcm:16",
        "pcm:12",
        "pcm:8",
        "opus@6kbps",
    ]
    check_loading(points(["opus@*", "pcm:*"]))
    with pytest.raises(codecs.WeightsMissing, match="`codeczoo fetch mimi:24khz`"):
        check_loading(found)


def test_all_missing_weights_are_named_at_once() -> None:
    with pytest.raises(codecs.WeightsMissing) as caught:
        check_loading(points(["opus@6kbps", "mimi:24khz@8q", "dac:16khz@1q"]))
    assert len(str(caught.value).splitlines()) == 2
    assert all(f"`codeczoo fetch {name}`" in str(caught.value) for name in ("mimi:24khz", "dac:16khz"))


def test_what_cannot_run_is_named_with_its_cure() -> None:
    kept, left_out = usable(points(["opus@6kbps", "mimi:24khz@8q", "dac:16khz@1q"]))
    assert [point.name for point in kept] == ["opus@6kbps"]
    assert left_out == (
        ("mimi:24khz@8q", "weights: codeczoo fetch mimi:24khz"),
        ("dac:16khz@1q", "weights: codeczoo fetch dac:16khz"),
    )
    assert usable_metrics(["stoi", "utmos"]) == (("stoi",), (("utmos", "weights: codeczoo fetch utmos"),))
    with pytest.raises(metrics.MetricWeightsMissing, match="`codeczoo fetch utmos` downloads it"):
        check_metrics(["stoi", "utmos"])
    assert check_metrics(["stoi", "si_sdr", "stoi"]) == ("stoi", "si_sdr")


def test_a_request_measures_something_once(tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    pcm, demo = points(["pcm:16"]), corpora.demo()
    with pytest.raises(BenchmarkError, match="There is no codec to measure"):
        Request((), demo, ("stoi",), tmp_path)
    with pytest.raises(BenchmarkError, match="pcm:16 would be measured twice under one name"):
        Request((*pcm, *pcm), demo, ("stoi",), tmp_path)
    with pytest.raises(BenchmarkError, match="A metric is named twice in stoi, stoi"):
        Request(pcm, demo, ("stoi", "stoi"), tmp_path)
    with pytest.raises(metrics.UnknownMetric, match="Nearest: pesq_wb"):
        Request(pcm, demo, ("pesq",), tmp_path)
