"""Facts of every metric, and what importing them costs."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

from codeczoo.metrics import MetricError, UnknownMetric, measure, measures, metric, names

HEAVY = (
    "torch", "torchaudio", "librosa", "scipy", "onnxruntime", "pesq", "pystoi", "speechmos", "distillmos",
    "torchcrepe", "utmos_pytorch", "huggingface_hub",
)  # fmt: skip


@pytest.mark.parametrize("name", names())
def test_facts_are_stated(name):
    fact = metric(name)
    assert fact.name == name
    assert fact.unit in {"MOS", "dB", "cents", "1", "nats"}
    assert fact.sample_rate in {None, 16_000, 24_000}
    assert fact.description.endswith(".")
    assert fact.identity.startswith(f"{name}|")
    assert fact.value_range[0] < fact.value_range[1]
    assert any(year in fact.source for year in ("20", "P.862"))
    found = measure(name)
    assert name in found.names
    assert {one.sample_rate for one in found.metrics} == {fact.sample_rate}
    assert (fact.inputs == "estimate") == (found.reference_scores is not None)
    if fact.sample_rate is not None:
        assert f"fs:{fact.sample_rate}" in fact.identity
    if found.max_seconds is not None:
        assert f"longest_s:{found.max_seconds:g}" in fact.identity


def test_identities_are_distinct():
    assert len({metric(name).identity for name in names()}) == len(names())


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("pesq_wb", "pesq"),
        ("stoi", "pystoi"),
        ("dnsmos_ovrl", "speechmos"),
        ("distillmos", "distillmos"),
        ("vuv_f1", "torchcrepe"),
        ("utmos", "utmos-pytorch"),
    ],
)
def test_identities_name_the_version_of_the_package(name, package):
    assert f"|{package}:{importlib.metadata.version(package)}" in metric(name).identity


def test_lower_is_better_for_distances_and_errors():
    lower = {name for name in names() if not metric(name).higher_is_better}
    expected = {"mel_distance", "mel_distance_taae", "stft_distance", "stft_distance_taae"}
    assert lower == expected | {"f0_rmse_cents", "f0_rmse_cents_yin", "periodicity_rmse"}


def test_reading_all_facts_imports_nothing_heavy():
    program = (
        "import sys, codeczoo.metrics as m; [m.metric(n) for n in m.names() if n != 'utmos'];"
        f"print([h for h in {HEAVY!r} if h in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownMetric, match=r"no metric named 'pesq'. Nearest: pesq_"):
        measure("pesq")
    assert issubclass(UnknownMetric, MetricError)


def test_measures_are_distinct_and_in_order():
    found = measures(["stoi", "pesq_wb", "estoi", "dnsmos_sig", "dnsmos_bak"])
    assert [one.names[0] for one in found] == ["stoi", "pesq_wb", "dnsmos_ovrl"]
