"""Synthetic records, as the harness would leave them: several codecs and corpora, some clips without values."""

from __future__ import annotations

import hashlib
import math
import random
from typing import Any

from codeczoo.metrics import Metric

Record = dict[str, Any]


def fact(name: str, unit: str = "1", higher_is_better: bool = True, inputs: Any = "pair") -> Metric:
    return Metric(name, unit, higher_is_better, None, inputs, "made up", name, "made up")


FACTS = {
    metric.name: metric
    for metric in (
        fact("utmos", "MOS", inputs="estimate"),
        fact("pesq_wb", "MOS"),
        fact("stoi"),
        fact("vuv_f1"),
        fact("si_sdr", "dB"),
        fact("mel_distance", "nats", higher_is_better=False),
    )
}
_RANGE = {
    "utmos": (1.3, 4.2),
    "pesq_wb": (1.1, 4.5),
    "stoi": (0.6, 0.99),
    "vuv_f1": (0.7, 0.98),
    "si_sdr": (-10, 18),
    "mel_distance": (2.0, 0.3),
}
FAMILIES: dict[str, tuple[float, tuple[float, ...], float | None]] = {
    # family: (how good it is, kbps of its points, tokens a second a kbps; None: byte codec)
    "opus": (-0.55, (6, 8, 12, 16, 24, 32, 64), None),
    "mp3": (-1.4, (16, 24, 32, 48, 64), None),
    "lyra:v2": (0.0, (3.2, 6.0, 9.2), 300 / 3.2 / 1.5),
    "encodec:24khz": (-0.1, (1.5, 3.0, 6.0, 12.0, 24.0), 100.0),
    "dac:24khz": (0.15, (0.75, 1.5, 3.0, 6.0, 12.0), 100.0),
    "mimi:24khz": (0.5, (0.55, 1.1, 2.2, 4.4), 90.0),
    "wavtokenizer:small": (0.9, (0.48, 0.9), 83.3),
    "unicodec": (1.0, (1.3,), 60.0),
    "taae:speech-16k": (0.9, (0.4, 0.7), 62.5),
    "snac:24khz": (0.5, (0.98,), 85.0),
    "speechtokenizer": (0.2, (1.0, 2.0, 4.0), 100.0),
    "bigcodec": (0.95, (1.04,), 77.0),
}


def mean_score(metric: str, quality: float, kbps: float) -> float:
    low, high = _RANGE[metric]
    return low + (high - low) / (1 + math.exp(-(quality + math.log2(kbps / 2.5) * 0.75)))


def record(codec: str, clip: str, scores: dict[str, float] | None = None, **fields: Any) -> Record:
    """One record with every field of the schema; `fields` replace."""
    seconds = fields.get("seconds", 4.0)
    kbps = fields.pop("kbps", 6.0)
    per_second = fields.pop("tokens_per_second", 600.0)
    scores = {} if scores is None else scores
    is_bytes = per_second is None
    made: Record = {
        "schema": 1,
        "codec": codec,
        "codec_fingerprint": hashlib.sha256(codec.encode()).hexdigest()[:16],
        "codec_facts": {
            "bitrate_kbps": kbps,
            "tokens_per_second": per_second,
            "n_codebooks": 0 if is_bytes else max(1, round(per_second / 75)),
            "sample_rate": 24000,
        },
        "corpus": "demo",
        "clip": clip,
        "clip_sha256": hashlib.sha256(clip.encode()).hexdigest(),
        "seconds": seconds,
        "domain": "speech",
        "dataset": "demo",
        "speaker": None,
        "sample_rate": 24000,
        "channels": 1,
        "bits": {
            "nominal": kbps * 1000 * seconds,
            "packed": None if is_bytes else kbps * 1000 * seconds,
            "payload": kbps * 1000 * seconds if is_bytes else None,
            "side": 0,
        },
        "tokens": None if is_bytes else round(per_second * seconds),
        "scores": scores,
        "undefined": {},
        "failed": {},
        "identities": dict.fromkeys({**scores, **fields.get("undefined", {})}, "1c9d04aa"),
        "reference_scores": {},
        "delay_ms": 6.5,
        "clipped": {"input": 0, "output": 1},
        "length_difference": 0,
        "timing": {
            "encode_s": 0.2,
            "decode_s": 0.1,
            "encode_rtf": 0.05,
            "decode_rtf": 0.025,
            "threads": 1,
            "device": "cpu",
            "warm_up": True,
            "busy_workers": 2,
        },
    }
    return {**made, **fields}


def run(clips: int = 12, families: tuple[str, ...] = tuple(FAMILIES), seed: int = 0) -> list[Record]:
    """A run over speech and music; some silent clips, one codec that failed once, one metric missing for music."""
    rng = random.Random(seed)
    records = []
    for domain in ("speech", "music"):
        for number in range(clips):
            clip, speaker = f"{domain}/{number:03}.flac", f"p{number // 3}"
            ease = rng.gauss(0, 0.25)
            for family in families:
                quality, rates, tokens_a_kbps = FAMILIES[family]
                for kbps in rates:
                    made = _one(rng, f"{family}@{kbps:g}kbps", clip, domain, quality + ease, kbps, tokens_a_kbps)
                    made["speaker"] = speaker if domain == "speech" else None
                    if domain == "speech" and number == 1:
                        del made["scores"]["pesq_wb"]
                        made["undefined"] = {"pesq_wb": "the reference holds no utterance"}
                    if family == "dac:24khz" and kbps == 3.0 and number == 2 and domain == "speech":
                        made |= {"scores": {}, "undefined": {}, "identities": {}, "tokens": None, "bits": {}}
                        made["failed"] = {"decode": "RuntimeError: out of memory | 100 %"}
                    records.append(made)
    return records


def _one(
    rng: random.Random, codec: str, clip: str, domain: str, quality: float, kbps: float, tokens_a_kbps: float | None
) -> Record:
    names = [name for name in FACTS if domain == "speech" or name not in ("utmos", "vuv_f1")]
    scores = {name: mean_score(name, quality + rng.gauss(0, 0.1), kbps) for name in names}
    per_second = None if tokens_a_kbps is None else round(tokens_a_kbps * kbps, 1)
    made = record(codec, clip, scores, kbps=kbps, tokens_per_second=per_second, domain=domain)
    if domain == "speech":
        made["reference_scores"] = {"utmos": 4.1 + len(clip) % 3 * 0.01}
    return made
