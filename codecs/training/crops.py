"""Crops: which stretch of which clip at which level is number i of the training data, and its samples.

Everything random about crop i is a pure function of (seed, i) and the clips: a resumed run, any number of workers and
any number of processes draw the same crops, and the only state to save is how many batches were made. The random
numbers are the raw output of Philox, a counter-based generator, whose stream NumPy guarantees for ever; what NumPy
makes of it (shuffles, floats) may change between versions and is not used.

* an epoch takes one crop of every clip, in an order of its own; crops are as numerous of short clips as of long ones
* level: the whole clip's peak is set to a level drawn uniformly in dB, then the clip is resampled, then cut; in
  validation to a fixed one, and the crop is the clip's first. WavTokenizer's training code has -6 to -1 dB and -3 dB
* a clip whose peak is below -80 dB keeps its level: it is silence, and its dither would become full-scale noise
* a clip shorter than a crop is repeated until it fills it, or left out (`short`)
* only the crop is decoded, with 50 ms around it (within the clip) that the resampler's filter reaches into: it equals
  the same samples of the whole clip resampled, to within the filter's tails. Lossy formats add that their decoders need
  a moment after a seek: up to .005 of full scale was seen in the first milliseconds of Ogg Opus
* samples beyond 1 are clamped: before the level is set (decoders overshoot) and after it (so does resampling)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codeczoo.codecs.audio_files import open_audio
from codeczoo.codecs.errors import InvalidAudioFile, InvalidClips
from codeczoo.codecs.resampling import Audio, resample, resampled_length

from .clips import Clip
from .facts import ClipSet, Facts

_SILENT_PEAK = 1e-4
_MARGIN_S = 0.05
_SHUFFLE, _DRAW = 0, 1
"""Purposes of random numbers: a word of the generator's counter keeps them apart."""


@dataclass(frozen=True)
class CropSettings:
    """What a crop is."""

    sample_rate: int = 24_000
    """Hz, of the crop."""
    seconds: float = 3.0
    peak_db: tuple[float, float] = (-6.0, -1.0)
    """Lowest and highest peak of a training clip, in dB of full scale."""
    validation_peak_db: float = -3.0
    short: Literal["repeat", "leave out"] = "repeat"
    """What becomes of clips shorter than a crop."""

    def __post_init__(self) -> None:
        if self.sample_rate < 1 or not (math.isfinite(self.seconds) and self.samples >= 1):
            raise InvalidClips(f"A crop of {self.seconds} s at {self.sample_rate} Hz holds no samples.")
        low, high = self.peak_db
        if not (math.isfinite(low) and low <= high <= 0.0 and -math.inf < self.validation_peak_db <= 0.0):
            given = f"{low} to {high} dB, in validation {self.validation_peak_db} dB"
            raise InvalidClips(f"Peaks are given in dB from the lowest to the highest, 0 at most; got {given}.")

    @property
    def samples(self) -> int:
        """Of a crop: T."""
        return round(self.seconds * self.sample_rate)


@dataclass(frozen=True)
class Crop:
    """A crop that is decided upon, not yet read."""

    clip: Clip
    facts: Facts
    start: int
    """First sample within the clip, at the crop's sample rate."""
    peak_db: float
    """Of the whole clip, after the gain."""

    def read(self, settings: CropSettings) -> Audio:
        """Float32 `[T]` in [-1, 1]. Raises InvalidAudioFile."""
        whole = resampled_length(self.facts.frames, self.facts.sample_rate, settings.sample_rate)
        if whole < settings.samples:
            # numpy's resize repeats the array until the new length is full.
            audio = np.resize(self._stretch(0, whole, settings.sample_rate), settings.samples)
        else:
            audio = self._stretch(self.start, settings.samples, settings.sample_rate)
        return np.clip(audio * np.float32(self._gain()), -1.0, 1.0)

    def _gain(self) -> float:
        return 10.0 ** (self.peak_db / 20.0) / self.facts.peak if self.facts.peak >= _SILENT_PEAK else 1.0

    def _stretch(self, start: int, samples: int, to_hz: int) -> Audio:
        """Samples `start` on of the clip at `to_hz`."""
        from_hz, frames = self.facts.sample_rate, self.facts.frames
        # Both grids share a point every `step` frames of the file, `step_out` samples of the crop: decoding starts at
        # one, so that the crop is not shifted by a part of a sample.
        divisor = math.gcd(from_hz, to_hz)
        step, step_out = from_hz // divisor, to_hz // divisor
        margin = 0 if from_hz == to_hz else math.ceil(_MARGIN_S * divisor)
        first = max(0, start // step_out - margin)
        last = min(frames, (-(-(start + samples) // step_out) + margin) * step)
        audio = self._decoded(first * step, last)
        skipped = start - first * step_out
        return resample(audio, from_hz, to_hz)[skipped : skipped + samples]

    def _decoded(self, first: int, last: int) -> Audio:
        with open_audio(self.clip.path) as file:
            if file.info.sample_rate != self.facts.sample_rate or file.info.frames < self.facts.start + last:
                raise InvalidAudioFile(f"{self.clip.path} has changed since the clips were described.")
            audio = file.read(self.facts.start + first, self.facts.start + last)
        return np.clip(audio, -1.0, 1.0)


class TrainingCrops:
    """The endless sequence of training crops."""

    def __init__(self, clips: ClipSet, settings: CropSettings, seed: int) -> None:
        if not 0 <= seed < 2**64:
            raise InvalidClips(f"The seed of the training data is a whole number from 0 to 2^64 - 1; got {seed}.")
        self.settings = settings
        self.seed = seed
        self._clips, self.n_short = _usable(clips, settings)
        self._shuffled: tuple[int, NDArray[np.intp]] | None = None

    @property
    def n_clips(self) -> int:
        """Clips, and so crops an epoch."""
        return len(self._clips)

    def crop(self, index: int, attempt: int = 0) -> Crop:
        """Crop number `index`; at a further attempt another one in its place, for when a file has gone bad."""
        words = _random(self.seed, (0, attempt, index, _DRAW), 3)
        epoch, position = divmod(index, self.n_clips)
        number = _below(words[0], self.n_clips) if attempt else int(self._order(epoch)[position])
        clip, facts = self._clips[number]
        spare = resampled_length(facts.frames, facts.sample_rate, self.settings.sample_rate) - self.settings.samples
        low, high = self.settings.peak_db
        return Crop(clip, facts, _below(words[1], max(spare, 0) + 1), low + (high - low) * (int(words[2]) / 2**64))

    def _order(self, epoch: int) -> NDArray[np.intp]:
        if self._shuffled is None or self._shuffled[0] != epoch:
            keys = _random(self.seed, (0, 0, epoch, _SHUFFLE), self.n_clips)
            self._shuffled = (epoch, np.argsort(keys, kind="stable"))
        return self._shuffled[1]


def validation_crops(clips: ClipSet, settings: CropSettings) -> tuple[Crop, ...]:
    """The first crop of every clip, at the fixed level."""
    return tuple(Crop(clip, facts, 0, settings.validation_peak_db) for clip, facts in _usable(clips, settings)[0])


def _usable(clips: ClipSet, settings: CropSettings) -> tuple[list[tuple[Clip, Facts]], int]:
    """Clips with their facts, without the short ones where they are to be left out; the number of short ones."""
    if not clips.clips:
        raise InvalidClips("There are no clips to take crops from.")
    pairs = list(zip(clips.clips, clips.facts, strict=True))
    long = [
        (clip, facts)
        for clip, facts in pairs
        if resampled_length(facts.frames, facts.sample_rate, settings.sample_rate) >= settings.samples
    ]
    n_short = len(pairs) - len(long)
    if settings.short == "leave out":
        if not long:
            advice = "take shorter crops or let short clips be repeated"
            raise InvalidClips(f"All {len(pairs)} clips are shorter than a crop of {settings.seconds:g} s; {advice}.")
        return long, n_short
    return pairs, n_short


def _random(seed: int, counter: tuple[int, int, int, int], count: int) -> NDArray[np.uint64]:
    """64-bit words. The first word of the counter must be 0: the generator counts on in it."""
    generator = np.random.Philox(key=np.array([seed, 0], np.uint64), counter=np.array(counter, np.uint64))
    return generator.random_raw(count)


def _below(word: np.uint64, limit: int) -> int:
    """A whole number from 0 to limit - 1."""
    return int(word) * limit >> 64
