"""Tokens and bits of two seconds of voice against the declared facts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from codeczoo.codecs import InvalidTokens
from codeczoo.codecs.base import check_codes
from codeczoo.codecs.bits import ledger

from .findings import Finding, ok_or_fail
from .patient import Patient

if TYPE_CHECKING:
    from torch import Tensor

BYTES_SLACK = 0.25
"""Share of the bitrate asked for that an encoder may be off over two seconds, padding and headers inside."""


def tokens(patient: Patient) -> Finding | None:
    """Number, type, range and count of the tokens; None for byte codecs."""
    spec, heard = patient.spec, patient.heard
    if not spec.codebook_sizes:
        if heard.encoded.codes:
            return Finding(
                "tokens", "fail", f"It declares no codebook, and gives tokens of {len(heard.encoded.codes)}."
            )
        return None
    try:
        check_codes(heard.encoded, spec)
    except InvalidTokens as error:
        return Finding("tokens", "fail", str(error))
    samples = len(heard.reference)
    if heard.encoded.length != samples:
        return Finding(
            "tokens",
            "fail",
            f"The tokens say that they stand for {heard.encoded.length} samples; {samples} were encoded.",
            heard.encoded.length,
            str(samples),
        )
    for index, (codes, rate) in enumerate(zip(heard.encoded.codes, spec.frame_rates, strict=True)):
        wanted = math.ceil(samples / spec.sample_rate * rate - 1e-6)
        # One more or less: chunks that overlap, and padding, round otherwise than the whole clip.
        if codes.shape[0] != 1 or abs(codes.shape[1] - wanted) > 1:
            got = f"{codes.shape[1]} tokens for {codes.shape[0]} clip(s)"
            return Finding(
                "tokens",
                "fail",
                f"Codebook {index} gave {got}; {rate:g} a second, declared, are {wanted} for "
                f"{samples / spec.sample_rate:g} s.",
                codes.shape[1],
                str(wanted),
            )
    return _used(heard.encoded.codes, spec.codebook_sizes)


def _used(codes: tuple[Tensor, ...], sizes: tuple[int, ...]) -> Finding:
    """An encoder that gives one code for everything has the right number of tokens, too."""
    used = [len(each.unique()) for each in codes]
    constant = [index for index, count in enumerate(used) if count == 1]
    total = sum(each.numel() for each in codes)
    books = f"codebooks {constant}" if len(constant) > 1 else f"codebook {constant[0]}" if constant else ""
    if len(constant) == len(codes):
        only = int(codes[0][0, 0])
        return Finding(
            "tokens", "fail", f"All {total} tokens of a codebook are the same, code {only}: nothing is encoded.", 1, "2"
        )
    if constant:
        return Finding(
            "tokens", "warning", f"Of {len(codes)} codebooks, {books} gave one and the same code throughout.", 1, "2"
        )
    entries = ", ".join(dict.fromkeys(str(size) for size in sizes))
    return Finding(
        "tokens",
        "ok",
        f"{total} tokens in {len(codes)} codebook(s), as many as declared, all below {entries}; the codebooks use "
        f"{min(used)} to {max(used)} entries.",
        total,
    )


def bits(patient: Patient) -> Finding:
    """Bits really made against the bitrate declared."""
    spec, heard = patient.spec, patient.heard
    seconds = len(heard.reference) / spec.sample_rate
    found = ledger(heard.encoded, spec, seconds)
    declared = spec.bitrate_kbps
    if "payload" in found:
        measured = found["payload"] / seconds / 1000
        if declared is None:
            return Finding(
                "bits", "unknown", f"The packets are {measured:.2f} kbps; the codec declares nothing.", measured
            )
        right = abs(measured / declared - 1) <= BYTES_SLACK
        let_pass = f"{100 * BYTES_SLACK:g} % are let pass"
        said = f"The packets are {measured:.2f} kbps; {declared:g} kbps are declared, {let_pass}."
        return Finding("bits", ok_or_fail(right), said, measured, f"{declared:g} kbps")
    if "packed" not in found or declared is None:
        return Finding("bits", "fail", "It gives neither tokens nor packets: there is nothing whose bits could count.")
    sizes = zip(heard.encoded.codes, spec.codebook_sizes, strict=False)
    measured = sum(codes.numel() * math.log2(size) for codes, size in sizes) / seconds / 1000
    slack = sum(2 * math.log2(size) for size in spec.codebook_sizes) / seconds / 1000 + 0.01 * declared
    side = f", and {found['side'] / seconds / 1000:.2f} kbps beside them" if "side" in found else ""
    said = f"The tokens are {measured:.3f} kbps{side}; {declared:.3f} kbps are declared."
    return Finding("bits", ok_or_fail(abs(measured - declared) <= slack), said, measured, f"{declared:.3f} kbps")
