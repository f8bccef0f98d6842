"""Level matching: the versions of one clip brought to one loudness, because the louder of two sounds better.

Conventions

* Loudness is integrated loudness by ITU-R BS.1770-4 (`codeczoo.codecs.loudness`), measured with the peak at -6 dBFS and
  shifted back, so that a gain of g dB changes it by exactly g LU whatever the level was.
* Every version is brought to `TARGET_LUFS`. Where the true peak (four times oversampled) of any version would then be
  above `PEAK_DBTP`, all of them are lowered by the same amount: matched they stay, and nothing clips.
* A version without a loudness (silence), or one that would need more than `MOST_DB` more or less than the reference,
  gets the reference's gain and a note: what is nearly nothing is not blown up.

The number of a metric never comes from matched audio: this is for ears alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from codeczoo.codecs.loudness import loudness_lufs
from codeczoo.codecs.resampling import Audio, resample

TARGET_LUFS = -23.0
"""That of EBU R 128: speech and music seldom reach full scale at it."""
PEAK_DBTP = -1.0
MOST_DB = 20.0
METHOD = (
    f"equal integrated loudness (ITU-R BS.1770-4, {TARGET_LUFS:g} LUFS), all versions of a clip lowered together where "
    f"one would peak above {PEAK_DBTP:g} dBTP"
)

_MEASURED_PEAK = 0.5
_OVERSAMPLING = 4


@dataclass(frozen=True)
class Level:
    """What was done to one version of a clip."""

    gain_db: float
    lufs: float | None
    """Before the gain; None for silence."""
    note: str = ""
    """Why its loudness is not that of the others; empty where it is."""


@dataclass(frozen=True)
class Levels:
    """The versions of one clip, level-matched."""

    reference: Level
    estimates: Mapping[str, Level]
    lowered_db: float
    """How much less than `TARGET_LUFS` asks for all gains are, so that nothing clips; 0 or more."""


def match(reference: Audio, estimates: Mapping[str, Audio], sample_rate_hz: int) -> Levels:
    """Gains for mono float32 `[T]` of one clip, all at `sample_rate_hz`; `estimates` by name."""
    found = loudness(reference, sample_rate_hz)
    base_db = 0.0 if found is None else TARGET_LUFS - found
    wanted = {name: _wanted(audio, sample_rate_hz, base_db) for name, audio in estimates.items()}
    peaks_db = [_peak_db(reference, sample_rate_hz) + base_db]
    peaks_db += [_peak_db(audio, sample_rate_hz) + wanted[name].gain_db for name, audio in estimates.items()]
    lowered_db = max(0.0, max(peaks_db) - PEAK_DBTP)
    note = "silent: its level is as it was" if found is None else ""
    return Levels(
        Level(base_db - lowered_db, found, note),
        {name: Level(level.gain_db - lowered_db, level.lufs, level.note) for name, level in wanted.items()},
        lowered_db,
    )


def apply(audio: Audio, level: Level) -> Audio:
    """Audio float32 `[T]` with a level's gain."""
    return (audio * np.float32(10 ** (level.gain_db / 20))).astype(np.float32)


def loudness(audio: Audio, sample_rate_hz: int) -> float | None:
    """Integrated loudness in LUFS of mono float32 `[T]`; None for silence."""
    peak = float(np.abs(audio).max(initial=0.0))
    if peak == 0.0:
        return None
    found = loudness_lufs(audio * (_MEASURED_PEAK / peak), sample_rate_hz)
    return None if found is None else found + 20 * math.log10(peak / _MEASURED_PEAK)


def true_peak(audio: Audio, sample_rate_hz: int) -> float:
    """The largest magnitude of mono float32 `[T]` between its samples too, 1 being full scale."""
    between = resample(np.ascontiguousarray(audio, np.float32), sample_rate_hz, _OVERSAMPLING * sample_rate_hz)
    return max(float(np.abs(audio).max(initial=0.0)), float(np.abs(between).max(initial=0.0)))


def _wanted(audio: Audio, sample_rate_hz: int, base_db: float) -> Level:
    found = loudness(audio, sample_rate_hz)
    if found is None:
        return Level(base_db, None, "silent: given the gain of the reference")
    gain_db = TARGET_LUFS - found
    if abs(gain_db - base_db) > MOST_DB:
        apart = f"{abs(gain_db - base_db):.0f} dB {'below' if gain_db > base_db else 'above'} the reference"
        return Level(base_db, found, f"{apart}: too far to be matched, given the gain of the reference")
    return Level(gain_db, found)


def _peak_db(audio: Audio, sample_rate_hz: int) -> float:
    peak = true_peak(audio, sample_rate_hz)
    return -math.inf if peak == 0.0 else 20 * math.log10(peak)
