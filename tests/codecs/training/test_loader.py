"""Batches: the same whatever makes them and wherever they are resumed; disjoint parts; bad files named and counted."""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from codeczoo.codecs.errors import InvalidAudioFile, InvalidClips
from codeczoo.codecs.training.clips import find
from codeczoo.codecs.training.crops import CropSettings, TrainingCrops, validation_crops
from codeczoo.codecs.training.facts import ClipSet, describe
from codeczoo.codecs.training.loader import Batch, BatchLoader, validation_batches

SETTINGS = CropSettings(8_000, 0.25)


@pytest.fixture(scope="module")
def demo(demo_audio: Path, tmp_path_factory: pytest.TempPathFactory) -> ClipSet:
    return describe(find(demo_audio, domain="speech"), index=tmp_path_factory.mktemp("index") / "facts.sqlite")


def taken(loader: BatchLoader, count: int, first: int = 0) -> list[Batch]:
    batches = loader.batches(first)
    made = list(itertools.islice(batches, count))
    batches.close()
    return made


def assert_same(some: list[Batch], others: list[Batch]) -> None:
    assert len(some) == len(others) > 0
    for one, other in zip(some, others, strict=True):
        assert torch.equal(one.audio, other.audio)
        assert (one.clips, one.domains, one.start_s) == (other.clips, other.domains, other.start_s)


def tones(folder: Path, count: int) -> ClipSet:
    """Files of which each holds another constant."""
    for number in range(count):
        soundfile.write(folder / f"{number}.wav", np.full(4_000, (number + 1) / 100), 8_000, subtype="FLOAT")
    return describe(find(folder))


def test_workers_and_resuming_change_nothing(demo: ClipSet) -> None:
    crops = TrainingCrops(demo, SETTINGS, seed=7)
    alone = taken(BatchLoader(crops, 5), 12)
    assert_same(taken(BatchLoader(crops, 5, workers=2, ahead=2), 12), alone)
    assert_same(taken(BatchLoader(crops, 5, workers=1), 4, first=8), alone[8:])
    for first in (0, 3, 11):
        assert_same(taken(BatchLoader(TrainingCrops(demo, SETTINGS, seed=7), 5), 12 - first, first), alone[first:])


def test_a_batch_says_where_its_crops_are_from(demo: ClipSet) -> None:
    (batch,) = taken(BatchLoader(TrainingCrops(demo, SETTINGS, seed=0), 27), 1)
    assert batch.audio.shape == (27, 1, 2_000)
    assert batch.audio.dtype == torch.float32
    assert batch.domains == ("speech",) * 27
    assert sorted(batch.clips) == sorted(clip.name for clip in demo.clips)
    crops = [TrainingCrops(demo, SETTINGS, seed=0).crop(index) for index in range(27)]
    assert batch.start_s == tuple(crop.start / 8_000 for crop in crops)
    for row, crop in zip(batch.audio, crops, strict=True):
        np.testing.assert_array_equal(row[0].numpy(), crop.read(SETTINGS))


def test_processes_share_out_what_one_would_draw(demo: ClipSet) -> None:
    crops = TrainingCrops(demo, SETTINGS, seed=1)
    whole = taken(BatchLoader(crops, 12), 5)
    parts = [taken(BatchLoader(crops, 4, rank=rank, world_size=3), 5) for rank in range(3)]
    for number, one in enumerate(whole):
        assert torch.equal(torch.cat([part[number].audio for part in parts]), one.audio)
        assert sum((part[number].clips for part in parts), ()) == one.clips


def test_torchs_generator_is_left_alone(demo: ClipSet) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    taken(BatchLoader(TrainingCrops(demo, SETTINGS, seed=1), 2), 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_domains_are_carried_through(tmp_path: Path) -> None:
    tones(tmp_path, 4)
    rows = "0.wav,speech\n1.wav,music\n2.wav,sound\n3.wav,\n"
    (tmp_path / "i.csv").write_text("path,domain\n" + rows)
    (batch,) = taken(BatchLoader(TrainingCrops(describe(find(tmp_path / "i.csv")), SETTINGS, seed=0), 4), 1)
    assert dict(zip(batch.clips, batch.domains, strict=True)) == {
        "0.wav": "speech", "1.wav": "music", "2.wav": "sound", "3.wav": None,
    }  # fmt: skip


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_goes_bad_is_named_once_counted_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, workers: int
) -> None:
    crops = TrainingCrops(tones(tmp_path, 10), SETTINGS, seed=2)
    before = taken(BatchLoader(crops, 5), 6)
    (tmp_path / "4.wav").write_bytes(b"no longer audio")
    loader = BatchLoader(crops, 5, workers=workers)
    with caplog.at_level(logging.WARNING):
        after = taken(loader, 6)
    assert caplog.text.count("4.wav has gone bad") == 1
    assert list(loader.unreadable) == ["4.wav"]
    assert "cannot be read as audio" in loader.unreadable["4.wav"]
    assert loader.replaced >= 3  # 30 crops of 10 clips, and a replacement may fall on it again
    for was, now in zip(before, after, strict=True):
        for row, name in enumerate(was.clips):
            if name == "4.wav":
                assert now.clips[row] != "4.wav"
            else:
                assert now.clips[row] == name
                assert torch.equal(now.audio[row], was.audio[row])
    assert_same(taken(BatchLoader(crops, 5), 3, first=3), after[3:])


@pytest.mark.parametrize("workers", [0, 1])
def test_where_everything_is_gone_there_is_an_end(tmp_path: Path, workers: int) -> None:
    crops = TrainingCrops(tones(tmp_path, 3), SETTINGS, seed=2)
    for path in tmp_path.glob("*.wav"):
        path.unlink()
    loader = BatchLoader(crops, 5, workers=workers)
    with pytest.raises(InvalidClips, match=r"^16 clips in a row cannot be read any more, the last \(.*does not exist"):
        taken(loader, 1)
    assert loader.replaced == 16
    assert sorted(loader.unreadable) == ["0.wav", "1.wav", "2.wav"]


def test_workers_leave_signals_to_the_training_and_end_with_it(demo: ClipSet) -> None:
    import multiprocessing

    before = set(multiprocessing.active_children())
    batches = BatchLoader(TrainingCrops(demo, SETTINGS, seed=1), 2, workers=1, ahead=1).batches()
    next(batches)
    (worker,) = set(multiprocessing.active_children()) - before
    assert worker.pid is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker.pid, number)
    for _ in range(5):
        next(batches)
    assert worker.is_alive()
    batches.close()
    deadline = time.monotonic() + 30
    while worker.is_alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert worker.exitcode == 0


def test_validation_takes_every_first_crop(tmp_path: Path) -> None:
    clips = tones(tmp_path, 7)
    crops = validation_crops(clips, SETTINGS)
    batches = list(validation_batches(crops, SETTINGS, 3))
    assert [len(batch.clips) for batch in batches] == [3, 3, 1]
    assert sum((batch.clips for batch in batches), ()) == tuple(clip.name for clip in clips.clips)
    for batch in batches:
        torch.testing.assert_close(batch.audio, torch.full_like(batch.audio, 10 ** (-3 / 20)))
        assert set(batch.start_s) == {0.0}
    (tmp_path / "5.wav").unlink()
    with pytest.raises(InvalidAudioFile, match=r"5\.wav does not exist"):
        list(validation_batches(crops, SETTINGS, 3))


def test_what_goes_to_workers_can_be_sent(demo: ClipSet) -> None:
    crops = pickle.loads(pickle.dumps(TrainingCrops(demo, SETTINGS, seed=1)))
    assert crops.crop(5) == TrainingCrops(demo, SETTINGS, seed=1).crop(5)


@pytest.mark.parametrize(
    ("batch_size", "options"),
    [(0, {}), (1, {"rank": 1}), (1, {"rank": -1}), (1, {"workers": -1}), (1, {"ahead": 0}), (1, {"world_size": 0})],
)
def test_batches_that_make_no_sense(demo: ClipSet, batch_size: int, options: dict[str, int]) -> None:
    with pytest.raises(InvalidClips, match="Batches cannot be made with"):
        BatchLoader(TrainingCrops(demo, SETTINGS, seed=1), batch_size, **options)


def test_batches_count_from_zero(demo: ClipSet) -> None:
    with pytest.raises(InvalidClips, match="count from 0"):
        taken(BatchLoader(TrainingCrops(demo, SETTINGS, seed=1), 1), 1, first=-1)
    with pytest.raises(InvalidClips, match="at least one crop"):
        list(validation_batches((), SETTINGS, 0))


def test_an_empty_set_of_clips_has_no_crops() -> None:
    with pytest.raises(InvalidClips, match="no clips"):
        TrainingCrops(ClipSet((), ()), SETTINGS, seed=0)
