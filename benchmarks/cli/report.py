"""`codeczoo report`: tables and plots out of records."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import options as shared

_DESCRIPTION = """\
Write tables (Markdown, CSV, LaTeX) and plots of quality against bitrate (PNG, PDF, SVG) from the records of one or
several runs. Everything is computed from the records alone: no audio is read and no model is loaded. Of a run of a
suite that is named after a paper's table, ours stands beside the printed numbers in RUN/report/published.
"""

_EPILOG = """\
examples:
  codeczoo report runs/demo
  codeczoo report runs/opus runs/mine --metrics pesq_wb stoi --intervals --out paper/tables
  codeczoo report results/speech --at 0.5 1 1.5 3 6 --no-figures
  codeczoo report runs/mine --codecs 'opus@*' 'mine*' --group-by dataset
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "report",
        help="tables and Pareto plots from the records of runs",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders, or .jsonl files of records")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: RUN/report of the first run)")
    shared.add_report(parser)
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="only these metrics, in this order")
    parser.add_argument("--codecs", nargs="+", metavar="PATTERN", help="only operating points that match")
    parser.add_argument(
        "--at",
        nargs="+",
        type=float,
        default=[],
        metavar="KBPS",
        help="also write equal_bitrate.*: every family interpolated to these bitrates, never beyond its points",
    )
    parser.add_argument(
        "--at-tokens",
        nargs="+",
        type=float,
        default=[],
        metavar="N",
        help="also write equal_tokens.*: the same at these numbers of tokens a second",
    )
    parser.add_argument("--no-figures", action="store_true", help="write tables only")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the report and print its first table."""
    import fnmatch

    from codeczoo.benchmarks import collector, records, report
    from codeczoo.benchmarks.errors import InvalidRun
    from codeczoo.benchmarks.report.equal_rate import check_rates
    from codeczoo.benchmarks.report.published_report import suites_of
    from codeczoo.benchmarks.report.published_report import write as write_published

    for rates in (options.at, options.at_tokens):
        if rates:
            check_rates(rates)
    merged = list(records.merge(record for run in options.runs for record in records.load(run)).values())
    if options.codecs:
        merged = [r for r in merged if any(fnmatch.fnmatch(r["codec"], pattern) for pattern in options.codecs)]
        if not merged:
            raise InvalidRun(f"No record's codec matches {' or '.join(options.codecs)}.")
    first = options.runs[0]
    out = options.out or (first if first.is_dir() else first.parent) / "report"
    with collector.passing_over_what_is():
        written = report.write(
            merged,
            out,
            group_by=options.group_by,
            metrics=options.metrics,
            intervals=options.intervals,
            figures=not options.no_figures,
            at_kbps=options.at,
            at_tokens_per_second=options.at_tokens,
        )
    tables = [path for path in written if path.suffix == ".md"]
    if tables:
        print(tables[0].read_text(encoding="utf-8"))
    for name in suites_of(options.runs):
        text, paths = write_published(name, options.runs, out / "published", {})
        print(text)
        written += paths
    for path in written:
        print(path)
    return 0
