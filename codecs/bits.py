"""The bit ledger of one encoded clip: what was sent, counted in each way that papers count it.

    nominal   sum of frame rate x log2(entries) x seconds: what papers print; codecs with codebooks
    packed    tokens really produced, each at ceil(log2(entries)) bits, plus `side`; codecs with codebooks
    side      side information alone, 32 bits a number; where there is any
    payload   bits of the bytes really produced; byte codecs
    stated    the bitrate that somebody stated, times seconds; audio that another program decoded

Keys that do not apply are absent. Entropy and Huffman bits need the statistics of a corpus and are not of one clip.
"""

from __future__ import annotations

from .base import Encoded, Spec


def ledger(encoded: Encoded, spec: Spec, seconds: float) -> dict[str, float]:
    """Bits of all clips of `encoded`, each `seconds` long."""
    bits: dict[str, float] = {}
    side = 32 * sum(values.numel() for values in encoded.side.values())
    if encoded.codes:
        if spec.bitrate_kbps is not None:
            bits["nominal"] = 1000 * spec.bitrate_kbps * seconds * encoded.batch_size
        sizes = zip(encoded.codes, spec.codebook_sizes, strict=True)
        bits["packed"] = side + sum(codes.numel() * (size - 1).bit_length() for codes, size in sizes)
    if side:
        bits["side"] = side
    if encoded.payload is not None:
        bits["payload"] = 8 * len(encoded.payload)
    if not encoded.codes and encoded.payload is None and spec.requested_kbps is not None:
        bits["stated"] = 1000 * spec.requested_kbps * seconds
    return bits
