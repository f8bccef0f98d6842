"""What is decoded of the voice: likeness, speed, delay, level, its end, silence, and how far ahead it looks."""

from __future__ import annotations

import math

import numpy as np

from codeczoo.codecs.resampling import resample
from codeczoo.metrics import Undefined, score
from codeczoo.metrics.base import Audio
from codeczoo.metrics.delay import estimate_delay

from . import likeness as pictures
from .findings import Finding, Status, ok_or_fail
from .patient import SHORT_S, Patient
from .voice import FIRST, SECOND, sung

MARGIN_STOI = 0.1
"""By which it must be more like what was said than like other words in the same rhythm (0.4 to 0.5)."""
DIM_STOI = 0.6
"""Below this hardly a word is left: healthy codecs from 0.7 kbps on lie above 0.7."""
SPEED_SLACK = 0.02
MOST_DELAY_S = 0.002
"""Where waveforms are kept. A frame is never shorter than twice what is let pass."""
MOST_LAG_S = 0.006
"""Where only spectra are: their lag is known to some milliseconds."""
ALIKE = 0.5
"""Correlation of spectra below which no place is right, and nothing is said of delay or speed: healthy codecs lie above
0.75."""
KEPT_WAVEFORM = 0.7
"""Correlation from which a waveform counts as kept."""
LEVEL_DB = (3.0, 6.0)
"""Change of level from which it is a warning, and from which it is wrong."""
END_DB = -10.0
SILENCE_PEAK = (0.01, 0.1)
_LAST_S = 1.95
"""A clip that ends here ends in the middle of a vowel."""
_CHANGED = 1e-4
_CHANGE_S = 0.42
"""In the middle of a vowel."""


def likeness(patient: Patient) -> Finding:
    """Whether what comes out is what went in, rather than other words in the same rhythm."""
    heard = patient.heard
    estimate = _at_16khz(heard.estimate, patient.spec.decoded_sample_rate)
    own, other = (_stoi(sung(voice, pictures.SAMPLE_RATE_HZ), estimate) for voice in (FIRST, SECOND))
    if own is None or other is None:
        return Finding("likeness", "fail", "What is decoded of a voice is silent, or not a voice's length.")
    said = f"STOI against what was said {own:.2f}, against other words in the same rhythm {other:.2f}"
    if own < other + MARGIN_STOI:
        return Finding("likeness", "fail", f"{said}: what comes out is not what went in.", own, f"> {other:.2f}")
    if own < DIM_STOI:
        return Finding("likeness", "warning", f"{said}: hardly a word is left.", own, f">= {DIM_STOI}")
    return Finding("likeness", "ok", f"{said}.", own, f">= {DIM_STOI}")


def _stoi(reference: Audio, estimate: Audio) -> float | None:
    length = min(len(reference), len(estimate))
    try:
        return score("stoi", reference[:length], estimate[:length], pictures.SAMPLE_RATE_HZ)
    except Undefined:
        return None


def speed(patient: Patient) -> Finding:
    """Whether it is played as fast as it was: a wrong sample rate is not."""
    found = pictures.speed(*_pair(patient))
    if found.correlation < ALIKE:
        return _unlike("speed", "How fast it is played", found.correlation)
    right = abs(found.value - 1) <= SPEED_SLACK
    said = f"It is played {found.value:.2f} times as fast as it was said (1.00 expected)"
    if right:
        return Finding("speed", "ok", f"{said}.", found.value, "1")
    rate_hz = patient.spec.decoded_sample_rate
    true_hz = f"that of {rate_hz / found.value:.0f} Hz audio taken for {rate_hz} Hz"
    return Finding("speed", "fail", f"{said}, {true_hz}: a sample rate is wrong.", found.value, "1")


def delay(patient: Patient) -> Finding:
    """How late it is. Adapters take their delay away: none is expected."""
    waveform = _waveform_delay(patient)
    if waveform is not None:
        seconds, correlation = waveform
        most = min(MOST_DELAY_S, patient.frame / patient.spec.sample_rate / 2)
        how = f"waveforms, correlation {correlation:.2f}"
    else:
        lag = pictures.lag_s(*_pair(patient))
        if lag.correlation < ALIKE:
            return _unlike("delay", "How late it comes", lag.correlation)
        seconds, most = lag.value, MOST_LAG_S
        how = f"spectra, correlation {lag.correlation:.2f}; the waveform is not kept"
    most_ms = f"{1000 * most:.2g} ms"
    said = f"It comes {1000 * seconds:+.2f} ms late ({how}); at most {most_ms} are expected either way."
    return Finding("delay", ok_or_fail(abs(seconds) <= most), said, 1000 * seconds, f"at most {most_ms}")


def _unlike(check: str, what: str, correlation: float) -> Finding:
    said = f"{what} cannot be told of what is so unlike the voice: spectra correlate by {correlation:.2f} at best"
    return Finding(check, "unknown", f"{said} (at least {ALIKE:g} expected).", correlation, f">= {ALIKE:g}")


def _waveform_delay(patient: Patient) -> tuple[float, float] | None:
    """Seconds and correlation; None where the waveform is not kept."""
    heard, rate_hz = patient.heard, patient.spec.decoded_sample_rate
    reference = resample(heard.reference, patient.spec.sample_rate, rate_hz)
    try:
        found = estimate_delay(reference, heard.estimate, rate_hz)
    except Undefined:
        return None
    return (found.samples / rate_hz, found.correlation) if found.correlation >= KEPT_WAVEFORM else None


def level(patient: Patient) -> Finding:
    """How much louder it is, and whether it is upside down."""
    heard = patient.heard
    change_db = _level_db(heard.estimate) - _level_db(heard.reference)
    warn, wrong = LEVEL_DB
    status: Status = "ok" if abs(change_db) <= warn else "warning" if abs(change_db) <= wrong else "fail"
    said = f"Its level changes by {change_db:+.1f} dB (up to {warn:g} dB is usual)"
    first, second = _pair(patient)
    correlation = float(np.corrcoef(first, second)[0, 1]) if second.any() else 0.0
    if correlation < -KEPT_WAVEFORM:
        status = "warning" if status == "ok" else status
        said += f", and its polarity is inverted (correlation {correlation:.2f})"
    return Finding("level", status, f"{said}.", change_db, f"within {warn:g} dB")


def end(patient: Patient) -> Finding:
    """Whether the last frame comes back: a clip that ends in the middle of a vowel, one sample short of a frame."""
    spec = patient.spec
    frames = math.floor(_LAST_S * spec.sample_rate / patient.frame)
    samples = max(1, math.floor(frames * patient.frame) - 1)
    reference = sung(FIRST, spec.sample_rate, samples)
    estimate = patient.hear(patient.encode(patient.given(reference)))
    last_s = max(patient.frame / spec.sample_rate, 0.01)
    first = reference[-round(last_s * spec.sample_rate) :]
    second = estimate[-round(last_s * spec.decoded_sample_rate) :]
    # What happens to the level of all of it is another check's.
    change_db = _level_db(second) - _level_db(first) - (_level_db(estimate) - _level_db(reference))
    last_ms = f"{1000 * last_s:.3g} ms"
    said = (
        f"Beside the whole clip, its last {last_ms} come back at {change_db:+.1f} dB (at least {END_DB:g} dB expected)"
    )
    right = change_db >= END_DB
    return Finding("end", ok_or_fail(right), said + ("." if right else ": its end is lost."), change_db, f">= {END_DB}")


def silence(patient: Patient) -> Finding:
    """Whether silence stays quiet."""
    nothing = np.zeros(patient.spec.sample_rate // 3 + 1, np.float32)
    peak = float(np.abs(patient.hear(patient.encode(patient.given(nothing)))).max())
    warn, wrong = SILENCE_PEAK
    status: Status = "ok" if peak < warn else "warning" if peak < wrong else "fail"
    said = f"Of digital silence it makes a peak of {peak:.2g} of full scale (below {warn:g} expected)."
    return Finding("silence", status, said, peak, f"< {warn:g}")


def look_ahead(patient: Patient) -> Finding | None:
    """How far before a change of the input the output changes, against the declared latency; None where none is
    declared. It shows what is too much; that it is never more than measured, it cannot."""
    spec = patient.spec
    if spec.latency_s is None or math.isinf(spec.latency_s):
        return None
    seen = [seen for share in (0.0, 0.5) if (seen := _seen_ahead_s(patient, share)) is not None]
    if not seen:
        return Finding(
            "look-ahead", "fail", "Other words from the middle of a clip on change nothing of what is decoded."
        )
    seen_s = max(seen)
    slack_s = 1 / spec.sample_rate + 1 / spec.decoded_sample_rate
    declared_ms = f"{1000 * spec.latency_s:.4g} ms"
    said = f"Output changes up to {1000 * seen_s:.2f} ms before the input does; {declared_ms} are declared."
    right = seen_s <= spec.latency_s + slack_s
    return Finding("look-ahead", ok_or_fail(right), said, 1000 * seen_s, f"at most {declared_ms}")


def _seen_ahead_s(patient: Patient, share: float) -> float | None:
    """Of a change at the last sample of a frame, or `share` of a frame before it; None where it changes nothing."""
    spec = patient.spec
    samples = round(SHORT_S * spec.sample_rate)
    same, other = (sung(voice, spec.sample_rate, samples) for voice in (FIRST, SECOND))
    frames = _CHANGE_S * spec.sample_rate // patient.frame
    changed = max(0, math.floor(frames * patient.frame - share * patient.frame) - 1)
    mixed = np.concatenate([same[:changed], other[changed:]])
    first, second = (patient.hear(patient.encode(patient.given(each))) for each in (same, mixed))
    length = min(len(first), len(second))
    differ = np.flatnonzero(np.abs(first[:length] - second[:length]) > _CHANGED)
    if not len(differ):
        return None
    return (changed + 1) / spec.sample_rate - int(differ[0]) / spec.decoded_sample_rate


def _pair(patient: Patient) -> tuple[Audio, Audio]:
    """Reference and estimate at 16 kHz, of equal length."""
    heard = patient.heard
    first = resample(heard.reference, patient.spec.sample_rate, pictures.SAMPLE_RATE_HZ)
    second = _at_16khz(heard.estimate, patient.spec.decoded_sample_rate)
    length = len(first)
    return first, np.pad(second[:length], (0, max(0, length - len(second))))


def _at_16khz(samples: Audio, rate_hz: int) -> Audio:
    return resample(samples, rate_hz, pictures.SAMPLE_RATE_HZ)


def _level_db(samples: Audio) -> float:
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10 * math.log10(power + 1e-12)
