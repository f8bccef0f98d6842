"""Signals on disk slice as arrays do, travel to other processes, and leave nothing behind."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from operator import getitem
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeczoo.benchmarks.signal import DiskSignal, SignalWriter, blocks_of, spool

SAMPLES = np.random.default_rng(0).standard_normal(1000).astype(np.float32)


@pytest.fixture
def signal(tmp_path: Path) -> DiskSignal:
    with SignalWriter(tmp_path / "a.f32") as writer:
        for block in np.split(SAMPLES, [1, 1, 300]):
            writer.append(block)
    return writer.finish()


bounds = st.none() | st.integers(-1200, 1200)


# The file is only read, so that one for all examples is as good as one each.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=bounds, stop=bounds)
def test_slices_are_those_of_an_array(signal: DiskSignal, start: int | None, stop: int | None) -> None:
    got = signal[start:stop]
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, SAMPLES[start:stop])


def test_length_and_size_on_disk(signal: DiskSignal) -> None:
    assert len(signal) == 1000
    assert signal.path.stat().st_size == 4000


def test_steps_are_refused(signal: DiskSignal) -> None:
    with pytest.raises(ValueError, match="step of 2"):
        signal[::2]


def test_a_shortened_file_is_noticed(signal: DiskSignal) -> None:
    signal.path.write_bytes(bytes(100))
    with pytest.raises(ValueError, match="shorter"):
        signal[:]


@pytest.mark.parametrize("block_samples", [1, 333, 1000, 5000])
def test_blocks_of_both_kinds_of_signal(signal: DiskSignal, block_samples: int) -> None:
    for source in (signal, SAMPLES):
        blocks = list(blocks_of(source, block_samples))
        assert max(map(len, blocks)) <= block_samples
        np.testing.assert_array_equal(np.concatenate(blocks), SAMPLES)


def test_another_process_opens_it_by_its_path(signal: DiskSignal) -> None:
    assert len(pickle.dumps(signal)) < 1000
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(getitem, signal, slice(10, 900)).result(), SAMPLES[10:900])


def test_a_spooled_signal_is_gone_afterwards(tmp_path: Path) -> None:
    with spool(iter(np.split(SAMPLES, 10)), tmp_path) as signal:
        np.testing.assert_array_equal(signal[:], SAMPLES)
        assert signal.path.is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_source_leaves_no_file(tmp_path: Path) -> None:
    def blocks():
        yield SAMPLES
        raise RuntimeError("decoder")

    def write() -> None:
        with SignalWriter(tmp_path / "a.f32") as writer:
            for block in blocks():
                writer.append(block)

    with pytest.raises(RuntimeError, match="decoder"):
        write()
    with pytest.raises(RuntimeError, match="decoder"), spool(blocks(), tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_deleting_twice_is_no_error(signal: DiskSignal) -> None:
    with signal:
        assert signal.path.exists()
    assert not signal.path.exists()
    signal.delete()


def test_a_signal_without_samples(tmp_path: Path) -> None:
    with spool((), tmp_path) as signal:
        assert len(signal) == 0
        assert len(signal[:]) == 0
        assert list(blocks_of(signal, 10)) == []


@pytest.mark.parametrize("wrong", [np.zeros(4), np.zeros((1, 4), np.float32)])
def test_only_mono_float32_is_written(tmp_path: Path, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="float32"), SignalWriter(tmp_path / "a.f32") as writer:
        writer.append(wrong)


def test_an_existing_file_is_not_overwritten(signal: DiskSignal) -> None:
    with pytest.raises(FileExistsError):
        SignalWriter(signal.path)
