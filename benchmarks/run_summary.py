"""What an invocation of the runner did, in counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from .records import Record


@dataclass
class Summary:
    """What a run did, and what is in its records for the (codec, clip) pairs that were asked for."""

    pairs: int = 0
    measured: int = 0
    """Pairs that this invocation wrote a record of."""
    known: int = 0
    """Pairs that an earlier invocation had already measured in full."""
    replaced: int = 0
    """Pairs whose earlier records count no longer: the clip was other audio then, or the codec another version."""
    failed: dict[str, int] = field(default_factory=dict[str, int])
    """Failures by step or metric."""
    undefined: dict[str, int] = field(default_factory=dict[str, int])
    """Undefined scores by metric."""
    seconds: float = 0.0

    def count(self, record: Record) -> None:
        for counts, field_name in ((self.failed, "failed"), (self.undefined, "undefined")):
            for name in record.get(field_name, {}):
                counts[name] = counts.get(name, 0) + 1

    def add(self, other: Summary) -> None:
        """Take another request's share of the same run into this one."""
        self.pairs += other.pairs
        self.measured += other.measured
        self.known += other.known
        self.replaced += other.replaced
        self.seconds += other.seconds
        for own, more in ((self.failed, other.failed), (self.undefined, other.undefined)):
            for name, count in more.items():
                own[name] = own.get(name, 0) + count

    @property
    def exit_status(self) -> int:
        """0 all well, 1 something failed, 3 nothing failed but some scores are undefined."""
        if self.failed:
            return 1
        return 3 if self.undefined else 0
