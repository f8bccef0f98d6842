"""Diagnoses for people (text) and for programs (JSON)."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .findings import Diagnosis, exit_status

WORDS = {"ok": "ok", "warning": "warning", "fail": "FAIL", "unknown": "not checked"}
_VERDICTS = {"healthy": "healthy", "broken": "BROKEN", "unknown": "could not be judged"}


def rows(diagnosis: Diagnosis, *, everything: bool) -> list[dict[str, str]]:
    """One row a finding; those that are not ok, unless everything is wanted."""
    return [
        {"check": each.check, "verdict": WORDS[each.status], "found": each.sentence}
        for each in diagnosis.findings
        if everything or each.status != "ok"
    ]


def headline(diagnosis: Diagnosis) -> str:
    """`lyra:v2@6kbps: healthy (20 checks, 1 warning)`."""
    counts = [f"{len(diagnosis.findings)} check{'s' if len(diagnosis.findings) != 1 else ''}"]
    for status, words in (("fail", "failed"), ("unknown", "could not be made"), ("warning", "warning")):
        count = sum(finding.status == status for finding in diagnosis.findings)
        if count:
            counts.append(f"{count} {words}{'s' if status == 'warning' and count > 1 else ''}")
    return f"{diagnosis.codec}: {_VERDICTS[diagnosis.verdict]} ({', '.join(counts)})"


def overall(diagnoses: Sequence[Diagnosis], lacking: Mapping[str, str]) -> str:
    """What came out of all, in a sentence or two."""
    counts = {verdict: sum(each.verdict == verdict for each in diagnoses) for verdict in _VERDICTS}
    parts = [f"{count} {_VERDICTS[verdict]}" for verdict, count in counts.items() if count]
    said = f"{len(diagnoses)} examined: {', '.join(parts) or 'nothing'}."
    if lacking:
        said += f" {len(lacking)} families cannot run here and were not examined (`codeczoo list` says what they lack)."
    return said


def as_json(diagnoses: Sequence[Diagnosis], lacking: Mapping[str, str]) -> str:
    """JSON has no infinity: such a number is null."""
    document = {
        "exit_status": exit_status(diagnoses),
        "codecs": [
            {
                "codec": each.codec,
                "verdict": each.verdict,
                "findings": [_plain(dataclasses.asdict(finding)) for finding in each.findings],
            }
            for each in diagnoses
        ],
        "not_examined": dict(lacking),
    }
    return json.dumps(document, indent=1, allow_nan=False)


def _plain(finding: dict[str, Any]) -> dict[str, Any]:
    value = finding["measured"]
    return {**finding, "measured": value if value is None or math.isfinite(value) else None}
