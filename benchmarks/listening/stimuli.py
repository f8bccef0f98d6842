"""The signals of one trial: the reference and what codecs and filters made of it, in a form that gives none away.

All signals of a trial have one sample rate (the reference's, 8 to 48 kHz), one length (the reference's, cut to
`longest_s`), the same short fades at both ends, one loudness (`page/level.py`: all codecs, anchors and references at
equal integrated loudness), and 16 bits. Each is rounded with its own triangular dither: the open and the hidden
reference are different files. Nothing is moved in time: a codec's delay is part of what is heard.

What cannot be hidden from somebody who takes the page apart: audio is audio. Subtracting the open reference from every
signal leaves only dither for the hidden one (some 93 dB below full scale), and a spectrum shows an anchor's missing
treble.
Listeners who would do that are not blinded by any page that plays on their machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from codeczoo.benchmarks.page import level
from codeczoo.codecs.resampling import Audio, resample

from .anchor import CUT_OFF_HZ, low_pass
from .key import REFERENCE, Role, Stimulus
from .sources import Estimate

LOWEST_HZ, HIGHEST_HZ = 8_000, 48_000
"""Rates that every browser plays without resampling in the page; what is above is resampled to the highest."""
LONGEST_S = 12.0
"""BS.1534-3, section 5.1: signals of about 10 s, not more than 12."""
SHORTEST_S = 1.0
_FADE_S = 0.005
_FULL_SCALE = 32767


class TooPoor(Exception):
    """A clip that says nothing to the ear; the text says why."""


@dataclass(frozen=True)
class Version:
    """One version of a clip at the trial's rate, level and length."""

    audio: Audio
    stimulus: Stimulus


@dataclass(frozen=True)
class Versions:
    """All versions of a clip."""

    sample_rate_hz: int
    samples: int
    by_condition: Mapping[str, Version]


def versions(
    reference: Audio,
    sample_rate_hz: int,
    estimates: Mapping[str, Estimate],
    anchors: Sequence[str],
    longest_s: float = LONGEST_S,
) -> Versions:
    """Of one clip; `estimates` by codec. Raises TooPoor for this clip, InvalidListeningTest where no clip of its rate
    could have these anchors."""
    rate = min(max(sample_rate_hz, LOWEST_HZ), HIGHEST_HZ)
    whole = resample(reference, sample_rate_hz, rate)
    samples = min(len(whole), round(longest_s * rate))
    if samples < SHORTEST_S * rate:
        raise TooPoor(f"a clip of {samples / rate:.2f} s is too short to be judged by ear")
    made: dict[str, tuple[Audio, Role, str]] = {
        name: (_fitted(low_pass(whole, rate, CUT_OFF_HZ[name]), samples), "anchor", "") for name in anchors
    }
    for name, of in estimates.items():
        made[name] = (_fitted(resample(of.audio, of.sample_rate_hz, rate), samples), "codec", of.fingerprint)
    shown = _fitted(whole, samples)
    levels = level.match(shown, {name: audio for name, (audio, _, _) in made.items()}, rate)
    if levels.reference.lufs is None:
        raise TooPoor("a clip of silence says nothing about a codec")
    found = {REFERENCE: _version(shown, REFERENCE, "reference", levels.reference, "")}
    for name, (audio, role, fingerprint) in made.items():
        found[name] = _version(audio, name, role, levels.estimates[name], fingerprint)
    return Versions(rate, samples, found)


def _version(audio: Audio, name: str, role: Role, of: level.Level, fingerprint: str) -> Version:
    return Version(level.apply(audio, of), Stimulus(name, role, of.gain_db, of.note, fingerprint))


def _fitted(audio: Audio, samples: int) -> Audio:
    """Cut, or continued by silence, to a length."""
    return np.pad(audio[:samples], (0, max(0, samples - len(audio))))


def pcm(audio: Audio, sample_rate_hz: int, rng: np.random.Generator) -> bytes:
    """Mono float32 `[T]` within [-1, 1] to 16-bit little-endian samples, faded at both ends and dithered: two calls for
    the same audio give other bytes."""
    fade = np.ones(len(audio))
    ramp = np.sin(np.linspace(0, np.pi / 2, round(_FADE_S * sample_rate_hz))) ** 2
    fade[: len(ramp)] = ramp
    fade[len(fade) - len(ramp) :] = ramp[::-1]
    dither = rng.random(len(audio)) - rng.random(len(audio))
    samples = np.rint(audio * fade * _FULL_SCALE + dither)
    return np.clip(samples, -32768, 32767).astype("<i2").tobytes()
