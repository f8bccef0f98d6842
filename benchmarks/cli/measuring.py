"""What `bench` and `score` share: run a request under a progress bar, report, sum up in words."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from codeczoo.benchmarks import records
from codeczoo.benchmarks.request import Request
from codeczoo.benchmarks.run_summary import Summary
from codeczoo.benchmarks.runner import run

from .progress import Bar


def measure_and_report(request: Request, options: argparse.Namespace) -> int:
    """Run a request, write its report, say what happened; gives the exit status."""
    total = sum(1 for clip in request.corpus for point in request.points if point.covers(clip.name))
    with Bar(total, unit="pair") as bar:
        summary = run(request, bar.advance)
    if not options.no_report and request.metrics:
        _report(request.out, options)
    print(_in_words(summary, request), file=sys.stderr)
    return summary.exit_status


def _report(run_folder: Path, options: argparse.Namespace) -> None:
    from codeczoo.benchmarks import report

    merged = records.load(run_folder)
    if not any(record["scores"] for record in merged):
        print(f"No score to report; why is in {run_folder / records.RECORDS_FILE}.", file=sys.stderr)
        return
    written = report.write(merged, run_folder / "report", group_by=options.group_by, intervals=options.intervals)
    table = next((path for path in written if path.suffix == ".md"), None)
    if table is not None:
        print(table.read_text(encoding="utf-8"))
    print("\n".join(str(path) for path in written), file=sys.stderr)


def _in_words(summary: Summary, request: Request) -> str:
    lines = [
        f"{summary.pairs} (codec, clip) pairs in {summary.seconds:.1f} s: {summary.measured} measured now, "
        f"{summary.known} known from earlier; records in {request.out / records.RECORDS_FILE}."
    ]
    for word, counts in (("failed", summary.failed), ("undefined", summary.undefined)):
        if counts:
            parts = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
            lines.append(f"{word}: {parts}; the reasons are in the records and under the tables.")
    return "\n".join(lines)
