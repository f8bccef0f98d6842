"""The plain loop and the runner give the same numbers; differences are found and told."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from codeczoo.benchmarks import plain_loop, process_tree, throughput
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.listing import ListedCorpus
from codeczoo.benchmarks.plain_loop import PACKAGES

CODECS = ["opus@12kbps", "g722@64kbps"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="costs are read from /proc, which Linux alone has")
def test_the_plain_loop_and_the_runner_agree(demo_clips: list[Clip]) -> None:
    clips = demo_clips[:2]
    metrics = [name for package in PACKAGES for name in package.metrics if name != "distillmos"]
    with warnings.catch_warnings():
        # speechmos imports requests, which warns of the versions of what it imports; audiotools warns at import and of
        # its own cached STFT.
        warnings.simplefilter("ignore")
        figures = throughput.compare(CODECS, ListedCorpus("test", lambda: iter(clips), 2), metrics, workers=0)
    throughput.check_agreement(figures["differences"])
    assert set(figures["differences"]) == set(metrics)
    assert all(one["compared"] + one["without"] == 4 for one in figures["differences"].values())
    for metric, allowed in (("pesq_wb", 1e-6), ("stoi", 1e-9), ("si_sdr_aligned", 1e-9), ("dnsmos_ovrl", 1e-5)):
        assert figures["differences"][metric]["compared"] == 4
        assert figures["differences"][metric]["largest"] <= allowed
    for part in ("loop", "runner"):
        assert 0 < figures[part]["step_s"]["pesq_wb"] < figures[part]["wall_s"]
        assert figures[part]["peak_rss_mib"] > 50
    text = throughput.in_words(figures)
    assert f"**The runner is {figures['ratio']} times as fast.**" in text
    assert "| pesq_wb | 4 | 0 |" in text


def test_other_numbers_are_an_error() -> None:
    record = {"codec": "opus@12kbps", "clip": "a.wav", "scores": {"stoi": 0.9}, "undefined": {}}
    key = ("opus@12kbps", "a.wav")
    assert throughput.differences({key: {"stoi": 0.9004}}, [record], ["stoi"])["stoi"]["largest"] == pytest.approx(4e-4)
    with pytest.raises(BenchmarkError, match=r"different numbers.*stoi"):
        throughput.check_agreement(throughput.differences({key: {"stoi": 0.8}}, [record], ["stoi"]))
    with pytest.raises(BenchmarkError, match=r"different numbers.*'one_sided': 1"):
        throughput.check_agreement(throughput.differences({key: {"stoi": float("nan")}}, [record], ["stoi"]))


def test_a_metric_that_the_loop_does_not_have_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="does not have utmos; it has pesq_wb"):
        plain_loop.load(["stoi", "utmos"])


def test_stretches_are_refused(demo_clips: list[Clip]) -> None:
    stretch = Clip("a#0-1", demo_clips[0].path, 0.0, 1.0)
    with pytest.raises(BenchmarkError, match="takes whole files"):
        throughput.compare(CODECS, ListedCorpus("test", lambda: iter([stretch]), 1), ["stoi"], workers=0)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="costs are read from /proc, which Linux alone has")
def test_costs_are_those_of_the_block() -> None:
    with process_tree.Cost() as cost:
        block = bytearray(b"x") * (300 << 20)
        total = sum(range(10_000_000))
    assert total > len(block)
    assert 0 < cost.cpu_s <= 1.2 * cost.wall_s
    assert cost.peak_rss_mib > 300
