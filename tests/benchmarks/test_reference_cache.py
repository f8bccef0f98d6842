"""What is kept of references: damaged files are never believed, and a folder that takes none costs no score."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from codeczoo.benchmarks import reference_cache

NAME = "ab" + "0" * 62
TRACK = {"pitch_hz": np.linspace(50, 500, 40), "periodicity": np.linspace(0, 1, 40)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "codeczoo" / "references"


def same(found: reference_cache.Features) -> bool:
    return set(found) == set(TRACK) and all(np.array_equal(found[name], TRACK[name]) for name in TRACK)


def test_a_damaged_file_is_computed_again(folder: Path) -> None:
    """A flipped bit in the zip's directory made it an OSError, and so a failure of the metric until it was deleted."""
    assert same(reference_cache.get(NAME, lambda: TRACK))
    path = folder / "ab" / f"{NAME}.npz"
    whole = path.read_bytes()
    directory = whole.index(b"PK\x01\x02")
    rng = np.random.default_rng(0)
    bits = np.concatenate([np.arange(8 * directory, 8 * len(whole)), rng.integers(8 * directory, size=200)])
    read = reference_cache._read  # pyright: ignore[reportPrivateUsage]
    for bit in bits.tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert (found := read(path)) is None or same(found), bit
    shortened = whole.replace(b"(40,)", b"(10,)")
    assert shortened != whole
    path.write_bytes(shortened)
    assert read(path) is None, "fewer values, of which each is right"
    assert same(reference_cache.get(NAME, lambda: TRACK))
    path.write_bytes(whole[: len(whole) // 2])
    assert same(reference_cache.get(NAME, lambda: TRACK))
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_to_costs_no_score(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.parent.mkdir()
    folder.write_text("not a folder")
    reference_cache._warned.cache_clear()  # pyright: ignore[reportPrivateUsage]
    with caplog.at_level(logging.WARNING):
        assert same(reference_cache.get(NAME, lambda: TRACK))
        assert same(reference_cache.get(NAME, lambda: TRACK))
    assert caplog.text.count("is not kept between runs") == 1


def test_a_full_disk_leaves_nothing_and_costs_no_score(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, **arrays: object) -> None:
        path.write_bytes(b"PK")
        raise OSError(28, "No space left on device")

    reference_cache._warned.cache_clear()  # pyright: ignore[reportPrivateUsage]
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(np, "savez", full)
        assert same(reference_cache.get(NAME, lambda: TRACK))
    assert list((folder / "ab").iterdir()) == []
    assert "No space left" in caplog.text
    with pytest.raises(OSError, match="of the measure itself"):
        reference_cache.get(NAME, lambda: (_ for _ in ()).throw(OSError("of the measure itself")))
