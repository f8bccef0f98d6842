"""Golden tokens: what 0.9 s of the first voice became on the day the codec was known to be right.

    codeczoo doctor pcm:16 'opus@*' --record benchmarks/doctor/golden.json      # makes these of golden.json anew

An entry holds the tokens (or, of packets and of a token a sample, 16 bits of a hash of each packet or of each 20 ms),
the weights they were made with, and the levels of what was decoded: 8 bands by tenths of a second, whole dB. The input
is not stored: `voice` makes it, and the entry holds its hash.

What a difference means. Tokens of a network are decisions, and another processor rounds otherwise: a few flips are a
warning, more are another computation. Packets of a classical encoder may differ from one build of its library to the
next, all of them, and be right: there the decoded levels decide. Levels alone differ where tokens are right and the
decoder is not.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from codeczoo import codecs
from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.codecs import Encoded
from codeczoo.codecs.resampling import resample
from codeczoo.metrics.base import Audio
from codeczoo.metrics.mel import mel_bands
from codeczoo.metrics.spectra import Frames, magnitudes

from .facts import weights_identity
from .findings import Finding
from .patient import SHORT_S, Differences, Patient, packets
from .voice import FIRST, sung

FILE = Path(__file__).with_name("golden.json")
FORMAT = 1
FLIPS = 0.05
"""Share of tokens that another processor or version may decide otherwise; a residual quantizer's later codes follow."""
LEVELS_DB = 1.5
"""Mean difference of levels that flips, or another build of an encoder, may make."""
_MOST_TOKENS = 8_000
_BANDS = 8
_FLOOR_DB = -70
_PACKAGES = ("torch", "av", "pycodec2", "ai-edge-litert", "encodec", "descript-audio-codec", "transformers")

Entry = Mapping[str, Any]
Golden = Mapping[str, Entry]
"""Operating point -> its entry."""


def read(path: Path = FILE) -> Golden:
    """The entries of a file. Raises BenchmarkError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise BenchmarkError(f"{path} has format {found['format']} of golden tokens; this version reads {FORMAT}.")
        return dict(found["points"])
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise BenchmarkError(
            f"{path} is no file of golden tokens ({error}); `codeczoo doctor CODEC --record FILE` makes one."
        ) from error


def write(entries: Golden, path: Path) -> None:
    """One line an operating point, in the registry's order."""
    order = {name: place for place, name in enumerate(codecs.names())}
    names = sorted(entries, key=lambda name: (order.get(name, len(order)), name))
    lines = [f"{json.dumps(name)}: {json.dumps(entries[name], separators=(',', ':'))}" for name in names]
    text = f'{{"format": {FORMAT}, "points": {{\n' + ",\n".join(lines) + "\n}}\n"
    path.write_text(text, encoding="utf-8")


def entry(patient: Patient) -> dict[str, Any]:
    """What this patient makes of the voice now. Raises StepFailed."""
    reference = _voice(patient)
    encoded = patient.encode(patient.given(reference))
    return {
        "weights": weights_identity(patient),
        "made_with": _made_with(),
        "sample_rate": patient.spec.sample_rate,
        "signal": _hash(reference.tobytes(), 8),
        **_tokens(encoded, patient),
        "levels_db": _levels_db(patient.hear(encoded), patient.spec.decoded_sample_rate),
    }


def golden(patient: Patient, entries: Golden) -> Finding:
    """This patient's tokens and sound against the entry of its name, or else of its very weights."""
    found = _entry_of(patient, entries)
    if found is None:
        return Finding(
            "golden",
            "unknown",
            "There are no golden tokens of this codec: whether these are the tokens that others get is not known.",
        )
    now = entry(patient)
    if found["sample_rate"] != now["sample_rate"]:
        rates_hz = f"{now['sample_rate']} Hz; golden tokens of it were made at {found['sample_rate']} Hz"
        return Finding("golden", "fail", f"It takes audio at {rates_hz}: its sample rate is wrong.")
    if found["signal"] != now["signal"]:
        return Finding("golden", "unknown", "The voice on this machine is not that of the golden tokens.")
    if found["weights"] and now["weights"] and now["weights"] != found["weights"]:
        pair = f"{now['weights']}; golden tokens were made with {found['weights']}"
        return Finding("golden", "fail", f"The weights are {pair}: these are other weights.")
    differ = _differences(found, now)
    off_db = _levels_apart(found["levels_db"], now["levels_db"])
    same_sound = off_db <= LEVELS_DB
    sound = f"its decoded levels are {off_db:.2g} dB off on average (at most {LEVELS_DB} dB expected)"
    if not differ.differ and same_sound:
        return Finding("golden", "ok", f"Of the golden tokens, {differ}; {sound}.", 0, "0")
    changed = _changed(found["made_with"], now["made_with"])
    if not differ.differ:
        return Finding("golden", "fail", f"The tokens are right, and what is decoded is not: {sound}.{changed}", off_db)
    few = "packets" in now or differ.share <= FLIPS
    if few and same_sound:
        said = f"Against the golden tokens, {differ}; {sound}: another processor or build may do that.{changed}"
        return Finding("golden", "warning", said, differ.differ, "0")
    said = f"Against the golden tokens, {differ}; {sound}: these are other tokens than others get.{changed}"
    return Finding("golden", "fail", said, differ.differ, "0")


def _entry_of(patient: Patient, entries: Golden) -> Entry | None:
    named = entries.get(patient.spec.name)
    if named is not None:
        return named
    identity = weights_identity(patient)
    same = (
        each
        for each in entries.values()
        if identity and each["weights"] == identity and len(each.get("codes", ())) == patient.spec.n_codebooks
    )
    return next(same, None)


def _voice(patient: Patient) -> Audio:
    return sung(FIRST, patient.spec.sample_rate, round(SHORT_S * patient.spec.sample_rate))


def _hash(content: bytes, digits: int = 4) -> str:
    return hashlib.sha256(content).hexdigest()[:digits]


def _tokens(encoded: Encoded, patient: Patient) -> dict[str, Any]:
    if not encoded.codes:
        return {"packets": " ".join(map(_hash, packets(encoded)))}
    rows = [codes[0].cpu().tolist() for codes in encoded.codes]
    if sum(map(len, rows)) <= _MOST_TOKENS:
        return {"codes": rows}
    block = patient.spec.sample_rate // 50
    hashes = [_hash(json.dumps(row[at : at + block]).encode()) for row in rows for at in range(0, len(row), block)]
    return {"blocks": " ".join(hashes)}


def _differences(found: Entry, now: Entry) -> Differences:
    kind = next((kind for kind in ("codes", "packets", "blocks") if kind in found), "codes")
    if kind == "codes":
        first, second = (each.get("codes", []) for each in (found, now))
        rows = max(len(first), len(second))
        pairs = [(first[k] if k < len(first) else [], second[k] if k < len(second) else []) for k in range(rows)]
        unit = "tokens"
    else:
        pairs = [tuple(each.get(kind, "").split() for each in (found, now))]
        unit = "packets" if kind == "packets" else "blocks of tokens"
    total = sum(max(len(a), len(b)) for a, b in pairs)
    same = sum(x == y for a, b in pairs for x, y in zip(a, b, strict=False))
    return Differences(total - same, total, unit)


def _levels_db(samples: Audio, rate_hz: int) -> list[list[int]]:
    """`[tenths of a second][bands]`, whole dB re full scale, at 16 kHz."""
    at_16khz = resample(samples, rate_hz, 16_000)
    frames = Frames(n_fft=512, hop=160)
    power = np.concatenate([np.square(block) for block in magnitudes(at_16khz, frames)])
    bands = power @ mel_bands(16_000, frames.n_fft, _BANDS, "htk")
    rows = [bands[at : at + 10].mean(axis=0) for at in range(0, len(bands) - 9, 10)]
    full_scale = (frames.n_fft / 4) ** 2
    return [[round(float(db)) for db in np.maximum(10 * np.log10(row / full_scale + 1e-12), _FLOOR_DB)] for row in rows]


def _levels_apart(found: Sequence[Sequence[int]], now: Sequence[Sequence[int]]) -> float:
    """Mean difference in dB where either is above the floor; infinite where the audio has another length."""
    first, second = np.array(found, dtype=np.float64), np.array(now, dtype=np.float64)
    if first.shape != second.shape:
        return float("inf")
    heard = np.maximum(first, second) > _FLOOR_DB + 5
    return float(np.abs(first - second)[heard].mean()) if heard.any() else 0.0


def _made_with() -> dict[str, str]:
    found = {"machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What is other than it was then, as a sentence."""
    other = [f"{key} {then[key]}, now {now.get(key, 'none')}" for key in then if now.get(key) != then[key]]
    return f" They were made with {'; '.join(other)}." if other else ""
