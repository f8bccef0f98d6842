"""The bitrate that a table prints: bits really produced over seconds of audio, over all clips of a row.

`payload` for byte codecs (bytes of the packets), `packed` for token codecs (whole bits a token, plus side
information), `stated` for audio that another program decoded. The nominal bitrate is what papers print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codeczoo.benchmarks.errors import InvalidRun
from codeczoo.benchmarks.records import Record

_NOMINAL_TOLERANCE = 0.01


@dataclass(frozen=True)
class Bitrate:
    """What one codec sends on the clips of one row."""

    kbps: float | None
    """Measured; None where no clip was encoded."""
    kind: str
    """`packed`, `payload` or `stated`; empty where no clip was encoded."""
    nominal_kbps: float | None

    @property
    def nominal_differs(self) -> bool:
        """Whether the nominal bitrate of a token codec would mislead by more than 1 %."""
        if self.kind != "packed" or not self.kbps or self.nominal_kbps is None:
            return False
        return abs(self.nominal_kbps - self.kbps) > _NOMINAL_TOLERANCE * self.kbps


def _kind(record: Record) -> str:
    bits = record.get("bits") or {}
    if bits.get("packed") is not None and record.get("tokens") is not None:
        return "packed"
    for kind in ("payload", "stated", "packed"):
        if bits.get(kind) is not None:
            return kind
    return ""


def measure(records: Sequence[Record]) -> Bitrate:
    """The bitrate of the records of one codec. Clips that were not encoded count neither bits nor seconds."""
    kind_of = [_kind(record) for record in records]
    kinds = set(kind_of) - {""}
    if len(kinds) > 1:
        codec = records[0]["codec"]
        raise InvalidRun(f"Bits of {codec} are {' and '.join(sorted(kinds))} in one run; report them as two runs.")
    facts = records[0].get("codec_facts") or {}
    nominal = facts.get("bitrate_kbps")
    if not kinds:
        return Bitrate(None, "", nominal)
    kind = kinds.pop()
    encoded = [record for record, known in zip(records, kind_of, strict=True) if known]
    seconds = sum(record["seconds"] for record in encoded)
    if seconds <= 0:
        return Bitrate(None, "", nominal)
    return Bitrate(sum(record["bits"][kind] for record in encoded) / seconds / 1000, kind, nominal)
