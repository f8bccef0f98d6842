"""The figures of `wavtokenizer_speed` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PUBLISHED = {5.0: 0.00377, 10.0: 0.00321, 30.0: 0.00286, 60.0: 0.00280}
"""Real-time factors of WavTokenizer by seconds of audio on an A100, Table 8 of UniCodec (Jiang et al., 2025,
arXiv 2502.20067), published implementation."""

TARGETS = {"sum_to_limit": 1.15, "half_to_float32_decode": 0.6, "memory": 0.5}
"""What the ratios are to stay below."""


def in_words(figures: Mapping[str, Any]) -> str:
    """One page."""
    machine, ratios = figures["machine"], figures["ratios"]
    gflop, limit, least, median = (figures[name] for name in ("gflop", "limit_s", "least_s", "median_s"))
    where = figures["device"] if figures["device"] != "cpu" else f"{machine['processor']}, {machine['threads']} threads"
    lines = [
        "# The native WavTokenizer against its arithmetic",
        "",
        f"{figures['audio_s']:.0f} s of speech, {figures['tokens']} tokens ({figures['distinct_tokens']} distinct), "
        f"{figures['weights']} weights, {where}; the least of {figures['repeats']} turns, medians in brackets. One "
        "invocation of `python -m codeczoo.benchmarks.wavtokenizer_speed`. Generated from `wavtokenizer_speed.json`.",
        "",
        f"A product of two 4096 x 4096 float32 matrices runs at {figures['product_gflop_per_s']:.0f} GFLOP/s.",
        "",
        "| | GFLOP | limit (ms) | ours (ms) | ours / limit | published form (ms) | its ratio |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for part in ("encode", "decode"):
        lines.append(
            f"| {part} | {gflop[part]:.1f} | {_ms(limit[part])} | {_ms(least[part])} ({_ms(median[part])}) "
            f"| {ratios[f'{part}_to_limit']:.2f} | {_ms(least[f'naive_{part}'])} ({_ms(median[f'naive_{part}'])}) "
            f"| {ratios[f'naive_{part}_to_limit']:.2f} |"
        )
    ours, naive = least["encode"] + least["decode"], least["naive_encode"] + least["naive_decode"]
    lines += [
        f"| both | {sum(gflop.values()):.1f} | {_ms(sum(limit.values()))} | {_ms(ours)} "
        f"| **{ratios['sum_to_limit']:.2f}** | {_ms(naive)} | {ratios['naive_sum_to_limit']:.2f} |",
        "",
        f"Wanted: at most {TARGETS['sum_to_limit']}. Ours takes {ratios['sum_to_naive']:.2f} of the published form's "
        f"time. Tokens that differ: {figures['differing_tokens']}. Audio from the same tokens: "
        f"{_db(figures['audio_to_naive_db'])}.",
        "",
        f"The floor of PyTorch's operators is **{ratios['floor_to_limit']:.2f}** of the limit, and ours takes "
        f"{ratios['sum_to_floor']:.2f} of the floor: the LSTM's recurrent products, one vector after another, take "
        f"{_ms(least['recurrent_products'])} ms, {figures['elu_values'] / 1e6:.0f} million ELUs, which the limit does "
        f"not count, {_ms(least['elus'])} ms, and all else at the rate of the large product, with half the products in "
        f"the decoder's convolutions of three frames, {_ms(_rest(figures))} ms.",
        "",
        f"The decoder in {figures['half']} takes {_ms(least['decode_half'])} ms ({_ms(median['decode_half'])}), "
        f"**{ratios['half_to_float32_decode']:.2f}** of its float32 time (wanted: at most "
        f"{TARGETS['half_to_float32_decode']}). Its output against that of float32: "
        f"{_db(figures['half_to_float32_db'])}, PESQ {_number(figures['half_to_float32_pesq_wb'])}.",
    ]
    memory = figures.get("memory")
    if memory:
        lines += [
            "",
            f"Peak memory over {memory['seconds']:.0f} s, model and audio aside: {memory['ours_mib']:.0f} MiB, "
            f"published form {memory['naive_mib']:.0f} MiB, ratio **{memory['ratio']:.2f}** "
            f"(wanted: at most {TARGETS['memory']}).",
        ]
    rows = figures.get("real_time_factors")
    if rows:
        lines += [
            "",
            "Real-time factors of encoding and decoding together; beside them those of the published implementation on "
            "an A100, batch 1 (UniCodec, Table 8).",
            "",
            "| decoder | batch | audio (s) | real-time factor | published, A100 |",
            "|---|--:|--:|--:|--:|",
        ]
        for row in rows:
            published = PUBLISHED.get(row["seconds"], "") if row["batch"] == 1 else ""
            factor = f"{row['real_time_factor']:.5f}"
            lines.append(f"| {row['decoder']} | {row['batch']} | {row['seconds']:g} | {factor} | {published} |")
    return "\n".join(lines) + "\n"


def _rest(figures: Mapping[str, Any]) -> float:
    least = figures["least_s"]
    return sum(figures["floor_s"].values()) - least["recurrent_products"] - least["elus"]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f}"


def _db(value: float | None) -> str:
    return "no difference" if value is None else f"differs by {-value:.1f} dB"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}"
