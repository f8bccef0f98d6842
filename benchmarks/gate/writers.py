"""A judgement for people (a text table), for a summary page (Markdown), for CI (JUnit XML) and for programs (JSON).

JUnit: a test suite a (corpus, codec), a test case a metric; a drop is a `failure`, what could not be judged an `error`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from codeczoo.benchmarks.report import columns
from codeczoo.benchmarks.report.table import Section, Table, TextCell
from codeczoo.benchmarks.report.writers import markdown as written

from .verdict import Judgement, Verdict

_HEAD = ("Codec", "Metric", "Baseline", "Now", "Worse by", "Tolerated", "p", "n", "Verdict")
_WORDS = {"passed": "passed", "failed": "FAILED", "unjudged": "not judged"}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]")


def _number(value: float, verdict: Verdict, sign: str = "") -> str:
    return "–" if not math.isfinite(value) else f"{value:{sign}.{columns.digits(verdict.metric)}f}"


def _cells(verdict: Verdict) -> tuple[str, ...]:
    tested = math.isfinite(verdict.p) and verdict.drop > verdict.tolerance
    p = "–" if not tested else f"{verdict.p:.2g}" if verdict.p >= 0.001 else "<0.001"
    return (
        verdict.codec,
        columns.label(verdict.metric.name),
        _number(verdict.baseline, verdict),
        _number(verdict.run, verdict),
        _number(verdict.drop, verdict, "+"),
        _number(verdict.tolerance, verdict),
        p,
        str(verdict.n_clips),
        _WORDS[verdict.status],
    )


def headline(judgement: Judgement) -> str:
    """What came out, in one sentence."""
    counts = judgement.counts
    parts = [f"{counts['passed']} passed", f"{counts['failed']} failed", f"{counts['unjudged']} not judged"]
    return f"{len(judgement.verdicts)} comparisons with the baseline: {', '.join(parts)}."


def text(judgement: Judgement, *, everything: bool = False) -> str:
    """For people: what failed, what was not judged and what is to be remarked, each with its reason; all, if asked."""
    shown = [each for each in judgement.verdicts if everything or each.status != "passed" or each.reason]
    lines = [headline(judgement)]
    if shown:
        rows = [_HEAD, *map(_cells, shown)]
        widths = [max(len(row[index]) for row in rows) for index in range(len(_HEAD))]
        for row, verdict in zip(rows, [None, *shown], strict=True):
            cells = [
                cell.ljust(width) if index in (0, 1, len(_HEAD) - 1) else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            reason = f": {verdict.reason}" if verdict is not None and verdict.reason else ""
            lines.append(("  ".join(cells).rstrip() + reason).rstrip())
    return "\n".join(lines)


def markdown(judgement: Judgement, title: str = "Quality against the baseline") -> str:
    """For a summary page: every comparison that did not simply pass, then all of them."""
    notable = [each for each in judgement.verdicts if each.status != "passed" or each.reason]
    sections = [_section(headline(judgement), notable)] if notable else []
    sections.append(_section("All comparisons" if notable else headline(judgement), judgement.verdicts))
    notes = (
        "Failed: worse by more than is tolerated, and by more than chance (paired test on the same clips, speakers "
        f"kept together, at {100 * judgement.alpha:g} %, corrected for all comparisons), or clips without a value now.",
        "Not judged: clips or codecs that the run lacks, another definition of the metric, or too few clips.",
    )
    return written(Table(title, _HEAD, 2, tuple(sections), notes))


def _section(title: str, verdicts: Sequence[Verdict]) -> Section:
    rows = []
    for each in verdicts:
        codec, *rest = _cells(each)
        *middle, last = rest
        rows.append(
            (
                TextCell(codec, is_name=True),
                *map(TextCell, middle),
                TextCell(last, "best" if each.status == "failed" else ""),
            )
        )
    notes = [f"`{each.codec}`, {columns.label(each.metric.name)}: {each.reason}." for each in verdicts if each.reason]
    return Section(title, tuple(rows), tuple(notes) if title != "All comparisons" else ())


def junit(judgement: Judgement) -> str:
    """JUnit XML."""
    counts = judgement.counts
    root = ElementTree.Element(
        "testsuites",
        name="codeczoo check",
        tests=str(len(judgement.verdicts)),
        failures=str(counts["failed"]),
        errors=str(counts["unjudged"]),
    )
    suites: dict[tuple[str, str], list[Verdict]] = {}
    for each in judgement.verdicts:
        suites.setdefault((each.corpus, each.codec), []).append(each)
    for (corpus, codec), members in suites.items():
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_xml(f"{corpus}/{codec}"),
            tests=str(len(members)),
            failures=str(sum(each.status == "failed" for each in members)),
            errors=str(sum(each.status == "unjudged" for each in members)),
        )
        for each in members:
            case = ElementTree.SubElement(suite, "testcase", classname=_xml(codec), name=_xml(each.metric.name))
            said = _xml("; ".join(filter(None, [each.reason, _figures(each)])))
            if each.status == "failed":
                ElementTree.SubElement(case, "failure", message=said)
            elif each.status == "unjudged":
                ElementTree.SubElement(case, "error", message=said)
            else:
                ElementTree.SubElement(case, "system-out").text = said
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _figures(each: Verdict) -> str:
    if not math.isfinite(each.drop):
        return ""
    names = ("baseline", "now", "worse by", "tolerated", "p", "clips")
    return ", ".join(f"{name} {value}" for name, value in zip(names, _cells(each)[2:8], strict=True))


def _xml(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)


def as_json(judgement: Judgement) -> str:
    """JSON: the counts, the exit status and every verdict; numbers that are not known are null."""
    found = {
        "exit_status": judgement.exit_status,
        "alpha": judgement.alpha,
        "counts": dict(judgement.counts),
        "verdicts": [_plain(each) for each in judgement.verdicts],
    }
    return json.dumps(found, indent=2, allow_nan=False) + "\n"


def _plain(verdict: Verdict) -> dict[str, Any]:
    plain = {**dataclasses.asdict(verdict), "metric": verdict.metric.name}
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in plain.items()
    }
