"""`codeczoo check`: the gate of a CI job."""

from __future__ import annotations

import argparse
from pathlib import Path

_DESCRIPTION = """\
Compare a run with a baseline, clip by clip, and fail where quality has dropped.

A codec fails under a metric where its mean is worse by more than the tolerance, and a paired test on the same clips
says that this is more than chance (signs flipped by speaker, corrected for all comparisons); or where clips that had a
value have none now. Tolerances have the metric's unit; with --repeats, runs of the baseline's version made again or on
other threads, none is below the noise that these show.
"""

_EPILOG = """\
examples:
  codeczoo check runs/now --baseline baseline.jsonl.gz
  codeczoo check runs/now --baseline runs/release --tolerance pesq_wb=0.05 stoi=0.004 --repeats runs/release-again
  codeczoo check runs/now --baseline runs/release --junit check.xml --summary "$GITHUB_STEP_SUMMARY"

exit status: 0 nothing dropped; 1 something dropped; 2 something could not be judged, or the request is wrong

as a job of GitHub Actions, with a baseline that was made once by the same bench command and committed:

  quality:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.11"}
      - run: pip install -c constraints.txt '.[demo]'
      - run: >
          codeczoo bench --codecs mine:16khz@6kbps --corpus demo --metrics pesq_wb stoi si_sdr_aligned
          --no-report --out runs/now
      - run: >
          codeczoo check runs/now --baseline baseline.jsonl.gz
          --junit check.xml --summary "$GITHUB_STEP_SUMMARY"
      - uses: actions/upload-artifact@v4
        if: always()
        with: {name: quality, path: check.xml}
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "check",
        help="fail where quality has dropped since a baseline",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("records", type=Path, metavar="RUN", help="run folder, or .jsonl file of records")
    parser.add_argument(
        "--baseline", required=True, type=Path, metavar="RECORDS", help="run folder or records to hold it against"
    )
    parser.add_argument(
        "--repeats",
        nargs="+",
        type=Path,
        default=[],
        metavar="RUN",
        help="runs of the baseline's version, made again: their noise is tolerated",
    )
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="only these metrics (default: the baseline's)")
    parser.add_argument("--codecs", nargs="+", metavar="PATTERN", help="only operating points that match")
    parser.add_argument(
        "--tolerance",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="drop of a mean that is tolerated, in the metric's unit (default: 0.02 MOS, 0.1 dB, 0.005 nats, 1 cent, "
        "0.002 of ratios and indices)",
    )
    parser.add_argument("--alpha", type=float, default=0.05, help="probability of a false alarm (default 0.05)")
    parser.add_argument(
        "--allow-missing", action="store_true", help="judge by the clips there are, where the run has fewer"
    )
    parser.add_argument("--all", action="store_true", help="print what passed, too")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="also append Markdown to this file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge, write, and give the exit status."""
    import fnmatch

    from codeczoo.benchmarks import records
    from codeczoo.benchmarks.errors import InvalidRun
    from codeczoo.benchmarks.gate import tolerance, writers
    from codeczoo.benchmarks.gate.verdict import judge
    from codeczoo.benchmarks.report.columns import ordered
    from codeczoo.benchmarks.report.summary import metric_names

    baseline = records.load(options.baseline)
    if options.codecs:
        baseline = [r for r in baseline if any(fnmatch.fnmatchcase(r["codec"], one) for one in options.codecs)]
        if not baseline:
            raise InvalidRun(f"No record of the baseline is of {' or '.join(options.codecs)}.")
    scored = ordered(set[str]().union(*map(metric_names, baseline)))
    found = judge(
        records.load(options.records),
        baseline,
        repeats=[records.load(path) for path in options.repeats],
        metrics=options.metrics,
        tolerance=tolerance.parse(options.tolerance, scored),
        alpha=options.alpha,
        allow_missing=options.allow_missing,
    )
    if options.junit:
        options.junit.write_text(writers.junit(found), encoding="utf-8")
    if options.summary:
        with options.summary.open("a", encoding="utf-8") as file:
            file.write(writers.markdown(found))
    print(writers.as_json(found) if options.json else writers.text(found, everything=options.all))
    return found.exit_status
