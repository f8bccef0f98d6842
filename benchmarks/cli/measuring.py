"""What `bench` and `score` share: run a request under a progress bar, report, sum up in words."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from codeczoo.benchmarks import records
from codeczoo.benchmarks.request import Request
from codeczoo.benchmarks.run_summary import Summary
from codeczoo.benchmarks.runner import run

from .progress import Bar


def measure_and_report(requests: Sequence[Request], options: argparse.Namespace) -> int:
    """Run requests of one run folder, write its report, say what happened; gives the exit status."""
    total = sum(
        1 for request in requests for clip in request.corpus for point in request.points if point.covers(clip.name)
    )
    summary = Summary()
    with Bar(total, unit="pair") as bar:
        for request in requests:
            summary.add(run(request, bar.advance))
    if not options.no_report and requests[0].metrics:
        _report(requests[0].out, options)
    print(_in_words(summary, requests[0]), file=sys.stderr)
    return summary.exit_status


def _report(run_folder: Path, options: argparse.Namespace) -> None:
    from codeczoo.benchmarks import report
    from codeczoo.benchmarks.report.published_report import suites_of
    from codeczoo.benchmarks.report.published_report import write as write_published

    merged = records.load(run_folder)
    if not any(record["scores"] for record in merged):
        print(f"No score to report; why is in {run_folder / records.RECORDS_FILE}.", file=sys.stderr)
        return
    numbers = report.numbers_of(merged, group_by=options.group_by)
    written = report.write(numbers, run_folder / "report", intervals=options.intervals)
    table = next((path for path in written if path.suffix == ".md"), None)
    if table is not None:
        print(table.read_text(encoding="utf-8"))
    for name in suites_of([run_folder]):
        text, paths = write_published(name, [run_folder], run_folder / "report" / "published", {})
        print(text)
        written += paths
    print("\n".join(str(path) for path in written), file=sys.stderr)


def _in_words(summary: Summary, request: Request) -> str:
    lines = [
        f"{summary.pairs} (codec, clip) pairs in {summary.seconds:.1f} s: {summary.measured} measured now, "
        f"{summary.known} known from earlier; records in {request.out / records.RECORDS_FILE}."
    ]
    if summary.replaced:
        lines.append(
            f"{summary.replaced} pairs were measured before, of other audio of that name or by another version of the "
            "codec: those records count no longer."
        )
    for word, counts in (("failed", summary.failed), ("undefined", summary.undefined)):
        if counts:
            parts = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
            lines.append(f"{word}: {parts}; the reasons are in the records and under the tables.")
    return "\n".join(lines)
