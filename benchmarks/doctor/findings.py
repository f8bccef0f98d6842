"""What a check found, and the verdict on an operating point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "fail", "unknown"]
"""`unknown`: it could not be checked, and is not held for right."""
Verdict = Literal["healthy", "broken", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One check of one operating point, or of one family."""

    check: str
    status: Status
    sentence: str
    """What was found and what was expected, with the numbers."""
    measured: float | None = None
    """The number that decided, where it is one."""
    expected: str = ""
    """What it had to be: `0`, `at most 2 ms`."""


@dataclass(frozen=True)
class Diagnosis:
    """All findings on one operating point, or on one family."""

    codec: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        statuses = {finding.status for finding in self.findings}
        return "broken" if "fail" in statuses else "unknown" if "unknown" in statuses else "healthy"

    @property
    def warnings(self) -> int:
        return sum(finding.status == "warning" for finding in self.findings)


def exit_status(diagnoses: Sequence[Diagnosis]) -> int:
    """0 all healthy, 1 one is broken, 2 none is broken but one could not be judged."""
    verdicts = {diagnosis.verdict for diagnosis in diagnoses}
    return 1 if "broken" in verdicts else 2 if "unknown" in verdicts or not diagnoses else 0


def ok_or_fail(right: bool) -> Status:
    return "ok" if right else "fail"
