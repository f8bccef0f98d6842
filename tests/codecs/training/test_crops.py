"""Crops: positions and levels as specified, samples equal to an independent decoding, resampling and cutting."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from codeczoo.codecs.errors import InvalidAudioFile, InvalidClips
from codeczoo.codecs.training.clips import Clip, find, split
from codeczoo.codecs.training.crops import Crop, CropSettings, TrainingCrops, validation_crops
from codeczoo.codecs.training.facts import ClipSet, Facts, describe


@pytest.fixture(scope="module")
def demo(demo_audio: Path, tmp_path_factory: pytest.TempPathFactory) -> ClipSet:
    return describe(find(demo_audio, domain="speech"), index=tmp_path_factory.mktemp("index") / "facts.sqlite")


PINNED = [("635.wav", 130466), ("574.wav", 72768), ("994.wav", 72168), ("794.wav", 25523), ("610.wav", 137851)]
PINNED_DB = -1.22536109844041


def unopened(count: int, seconds: float = 10.0) -> ClipSet:
    """Clips whose files nobody opens."""
    clips = tuple(Clip(f"{n}.wav", Path(f"{n}.wav")) for n in range(count))
    return ClipSet(clips, (Facts(16_000, 0, round(seconds * 16_000), 0.5),) * count)


def expected(crop: Crop, settings: CropSettings, gain: float) -> np.ndarray:
    """The whole clip decoded, resampled and cut, without any of our own code."""
    end = crop.facts.start + crop.facts.frames
    until = soundfile.read(crop.clip.path, frames=end, dtype="float32", always_2d=True)[0]
    whole = until.mean(axis=1)[crop.facts.start :]
    resampled = soxr.resample(whole.astype(np.float32), crop.facts.sample_rate, settings.sample_rate, "VHQ")
    return gain * resampled[crop.start : crop.start + settings.samples]


@pytest.mark.parametrize("to_hz", [16_000, 24_000, 22_050, 8_000])
def test_a_crop_of_wav_is_that_of_the_whole_clip(demo: ClipSet, to_hz: int) -> None:
    settings = CropSettings(to_hz, 0.5)
    crops = TrainingCrops(demo, settings, seed=1)
    for index in range(30):
        crop = crops.crop(index)
        gain = 10 ** (crop.peak_db / 20) / crop.facts.peak
        wanted = expected(crop, settings, gain)
        got = crop.read(settings)
        assert got.shape == (settings.samples,)
        assert got.dtype == np.float32
        # soxr's one-call form gives the last sample or two to rounding of the length.
        np.testing.assert_allclose(got[: len(wanted)], wanted, rtol=0, atol=2e-5)
        assert len(wanted) >= settings.samples - 2


@pytest.mark.parametrize("from_hz", [48_000, 44_100, 11_025])
def test_stretches_of_stereo_files_of_other_rates(tmp_path: Path, demo_audio: Path, from_hz: int) -> None:
    speech, rate = soundfile.read(sorted(demo_audio.rglob("*.wav"))[3], dtype="float32")
    speech = soxr.resample(speech, rate, from_hz, "VHQ")
    soundfile.write(tmp_path / "a.flac", np.stack([speech, 0.5 * np.roll(speech, 500)], 1), from_hz, subtype="PCM_24")
    seconds = len(speech) / from_hz
    (tmp_path / "i.csv").write_text(f"path,start_s,end_s\na.flac,0.3333,{seconds - 0.5}\na.flac,{seconds - 0.5},\n")
    described = describe(find(tmp_path / "i.csv"), workers=1)
    settings = CropSettings(16_000, 0.4)
    crops = TrainingCrops(described, settings, seed=5)
    for index in range(20):
        crop = crops.crop(index)
        wanted = expected(crop, settings, 10 ** (crop.peak_db / 20) / crop.facts.peak)
        np.testing.assert_allclose(crop.read(settings)[: len(wanted)], wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("suffix", "subtype"), [("opus", "OPUS"), ("ogg", "VORBIS"), ("mp3", None)])
def test_lossy_crops_are_those_of_the_whole_clip(
    tmp_path: Path, demo_audio: Path, suffix: str, subtype: str | None
) -> None:
    speech = np.concatenate([soundfile.read(path)[0] for path in sorted(demo_audio.rglob("*.wav"))[:4]])
    kind = {"format": "MP3"} if subtype is None else {"format": "OGG", "subtype": subtype}
    soundfile.write(tmp_path / f"a.{suffix}", speech, 16_000, **kind)
    described = describe(find(tmp_path))
    settings = CropSettings(24_000, 1.0)
    crops = TrainingCrops(described, settings, seed=2)
    for index in range(15):
        crop = crops.crop(index)
        wanted = expected(crop, settings, 10 ** (crop.peak_db / 20) / crop.facts.peak)
        error = np.abs(crop.read(settings)[: len(wanted)] - wanted)
        assert error.max() < (2e-5 if suffix == "mp3" else 0.05)
        assert np.sqrt(np.mean(error[len(error) // 4 :] ** 2)) < 5e-3


def test_the_whole_clips_peak_is_set_to_the_level(demo: ClipSet) -> None:
    settings = CropSettings(16_000, 1.0)
    crops = TrainingCrops(demo, settings, seed=3)
    for index in range(10):
        crop = crops.crop(index)
        whole = CropSettings(16_000, crop.facts.frames / 16_000)
        peak_db = 20 * np.log10(np.abs(Crop(crop.clip, crop.facts, 0, crop.peak_db).read(whole)).max())
        assert peak_db == pytest.approx(crop.peak_db, abs=1e-4)


def test_levels_and_starts_are_uniform() -> None:
    crops = TrainingCrops(unopened(7, seconds=10.0), CropSettings(16_000, 1.0), seed=4)
    drawn = [crops.crop(index) for index in range(7_000)]
    levels = np.array([crop.peak_db for crop in drawn])
    assert levels.min() >= -6.0
    assert levels.max() <= -1.0
    # 4 sigma of the fractions of 7,000 draws.
    for values, low, high in ((levels, -6.0, -1.0), (np.array([crop.start for crop in drawn]), 0, 144_001)):
        shares = np.histogram(values, bins=10, range=(low, high))[0] / len(drawn)
        np.testing.assert_allclose(shares, 0.1, rtol=0, atol=4 * (0.1 * 0.9 / len(drawn)) ** 0.5)
    assert abs(np.corrcoef(levels, [crop.start for crop in drawn])[0, 1]) < 0.05


def test_an_epoch_takes_every_clip_once_in_an_order_of_its_own() -> None:
    crops = TrainingCrops(unopened(50), CropSettings(16_000, 1.0), seed=0)
    names = [crops.crop(index).clip.name for index in range(150)]
    for epoch in range(3):
        assert Counter(names[50 * epoch : 50 * (epoch + 1)]) == Counter(clip.name for clip in unopened(50).clips)
    assert names[:50] != names[50:100] != names[100:]


def test_a_crop_depends_on_seed_and_index_alone() -> None:
    settings = CropSettings(16_000, 1.0)
    crops = TrainingCrops(unopened(20), settings, seed=9)
    forward = [crops.crop(index) for index in range(100)]
    other = TrainingCrops(unopened(20), settings, seed=9)
    assert [other.crop(index) for index in reversed(range(100))] == forward[::-1]
    assert [TrainingCrops(unopened(20), settings, seed=10).crop(index) for index in range(100)] != forward
    assert crops.crop(3, attempt=1) == other.crop(3, attempt=1) != forward[3]


def test_the_draws_are_pinned() -> None:
    """A checkpoint of today must find the same data after any update of NumPy: these numbers never change."""
    crops = TrainingCrops(unopened(1000), CropSettings(16_000, 1.0), seed=3407)
    drawn = [(crops.crop(index).clip.name, crops.crop(index).start) for index in (0, 1, 999, 1000, 10**12)]
    assert drawn == PINNED
    assert crops.crop(0).peak_db == pytest.approx(PINNED_DB, abs=1e-12)


def test_short_clips_are_repeated_or_left_out(tmp_path: Path) -> None:
    ramp = np.linspace(-0.5, 0.5, 3_000).astype(np.float32)
    soundfile.write(tmp_path / "short.wav", ramp, 8_000, subtype="FLOAT")
    soundfile.write(tmp_path / "exact.wav", np.tile(ramp, 3)[:8_000], 8_000, subtype="FLOAT")
    described = describe(find(tmp_path))
    settings = CropSettings(8_000, 1.0, peak_db=(-6.0, -6.0))
    crops = TrainingCrops(described, settings, seed=0)
    assert crops.n_short == 1
    (short,) = {crops.crop(index) for index in range(2) if crops.crop(index).clip.name == "short.wav"}
    gain = 10 ** (-6 / 20) / 0.5
    np.testing.assert_allclose(short.read(settings), gain * np.tile(ramp, 3)[:8_000], rtol=0, atol=1e-6)
    assert short.start == 0

    strict = CropSettings(8_000, 1.0, short="leave out")
    assert {TrainingCrops(described, strict, 0).crop(index).clip.name for index in range(5)} == {"exact.wav"}
    assert [crop.clip.name for crop in validation_crops(described, strict)] == ["exact.wav"]
    with pytest.raises(InvalidClips, match="All 2 clips are shorter than a crop of 2 s"):
        TrainingCrops(described, CropSettings(8_000, 2.0, short="leave out"), 0)


def test_silence_stays_silence_and_nothing_exceeds_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "dither.wav", rng.integers(-2, 3, 16_000).astype(np.int16), 8_000)
    soundfile.write(tmp_path / "loud.wav", rng.choice([-1.5, 1.5], 16_000), 8_000, subtype="FLOAT")
    soundfile.write(tmp_path / "zero.wav", np.zeros(16_000), 8_000)
    read = {
        crop.clip.name: crop.read(CropSettings(16_000, 1.0, validation_peak_db=0.0))
        for crop in validation_crops(describe(find(tmp_path)), CropSettings(16_000, 1.0, validation_peak_db=0.0))
    }
    assert float(np.abs(read["zero.wav"]).max()) == 0.0
    assert 0 < np.abs(read["dither.wav"]).max() < 2e-4
    assert np.abs(read["loud.wav"]).max() == 1.0  # resampled noise overshoots: clamped


def test_validation_is_the_first_crop_at_minus_three_db(demo: ClipSet) -> None:
    settings = CropSettings(16_000, 2.0)
    crops = validation_crops(demo, settings)
    assert len(crops) == len(demo) == 27
    for crop in crops[:5]:
        samples, _ = soundfile.read(crop.clip.path, dtype="float32")
        gain = 10 ** (-3 / 20) / np.abs(samples).max()
        np.testing.assert_allclose(crop.read(settings), np.resize(samples, 32_000) * gain, rtol=0, atol=1e-6)


def test_a_file_that_changed_is_not_believed(tmp_path: Path) -> None:
    settings = CropSettings(8_000, 0.5)
    for samples, rate in ((4_000, 8_000), (8_000, 16_000)):
        soundfile.write(tmp_path / "a.wav", np.full(8_000, 0.5), 8_000)
        (crop,) = validation_crops(describe(find(tmp_path)), CropSettings(8_000, 1.0))
        soundfile.write(tmp_path / "a.wav", np.full(samples, 0.5), rate)
        with pytest.raises(InvalidAudioFile, match="has changed since"):
            Crop(crop.clip, crop.facts, 4_000, 0.0).read(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"sample_rate": 0},
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"peak_db": (-1.0, -6.0)},
        {"peak_db": (-6.0, 1.0)},
        {"validation_peak_db": float("inf")},
    ],
)
def test_settings_that_make_no_sense(settings: dict) -> None:
    with pytest.raises(InvalidClips, match=r"holds no samples|dB from the lowest"):
        CropSettings(**settings)


def test_seeds_are_64_bit() -> None:
    for seed in (-1, 2**64):
        with pytest.raises(InvalidClips, match="2\\^64 - 1"):
            TrainingCrops(unopened(1), CropSettings(), seed)


def test_the_shared_shards_are_read_as_they_are(shared: Path, tmp_path: Path) -> None:
    clips = find(shared / "train" / "index.csv", domain="speech")
    assert len(clips) == 3_834
    training, validation = split(clips, 0.02)
    assert {clip.speaker for clip in training}.isdisjoint(clip.speaker for clip in validation)
    first = [clip for clip in clips if clip.start_s == 0.0]
    some = describe(first, index=tmp_path / "facts.sqlite")
    assert sorted({facts.sample_rate for facts in some.facts}) == [16_000, 24_000]
    settings = CropSettings(16_000, 1.0)
    crops = TrainingCrops(some, settings, seed=0)
    for index in range(len(first)):
        crop = crops.crop(index)
        wanted = expected(crop, settings, 10 ** (crop.peak_db / 20) / crop.facts.peak)
        error = np.abs(crop.read(settings)[: len(wanted)] - wanted)
        assert error.max() < 0.05
