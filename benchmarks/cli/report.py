"""`codeczoo report`: tables and plots out of records."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import options as shared

if TYPE_CHECKING:
    from codeczoo.benchmarks.records import Record
    from codeczoo.benchmarks.report import Numbers

_DESCRIPTION = """\
Write tables (Markdown, CSV, LaTeX) and plots of quality against bitrate (PNG, PDF, SVG) from the records of one or
several runs. Everything is computed from the records alone: no audio is read and no model is loaded. Of a run of a
suite that is named after a paper's table, ours stands beside the printed numbers in RUN/report/published.

With --html also one self-contained page to sort, to look at and to listen to. Its numbers come from the records; for
what is heard of a clip, the file that the run read is looked for where the run's command found it, and what each codec
made of it is decoded again from the tokens that the run kept, or coded again, and checked against the record.
"""

_EPILOG = """\
examples:
  codeczoo report runs/demo
  codeczoo report runs/opus runs/mine --metrics pesq_wb stoi --intervals --out paper/tables
  codeczoo report results/speech --at 0.5 1 1.5 3 6 --no-figures
  codeczoo report runs/mine --codecs 'opus@*' 'mine*' --group-by dataset
  codeczoo report runs/demo --html --listen 8
  codeczoo report results/speech --html --audio /data/clips/manifest.csv --listen-to 'speech/p225*'
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
    _add_page(parser)
    parser.set_defaults(run=run)


def _add_page(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the page")
    group.add_argument("--html", action="store_true", help="also write page.html: one file, which needs no network")
    group.add_argument(
        "--listen",
        type=int,
        metavar="N",
        help="clips that can be heard: worst and best of each metric (default 6, fewer with many codecs)",
    )
    group.add_argument("--listen-to", nargs="+", metavar="PATTERN", help="clips by name instead: 'speech/p225*'")
    group.add_argument(
        "--audio", metavar="PATH|NAME", help="the corpus, where it is not where the run's command found it"
    )
    group.add_argument(
        "--audio-format",
        choices=("flac", "opus"),
        default="flac",
        help="flac (default): as the codec gave it; opus: a tenth of the size, and no longer what was measured",
    )
    group.add_argument("--page-mb", type=float, metavar="MB", help="largest page that is written (default 60)")
    shared.add_device(group)


def run(options: argparse.Namespace) -> int:
    """Write the report and print its first table."""
    import fnmatch

    from codeczoo.benchmarks import collector, records, report
    from codeczoo.benchmarks.errors import InvalidRun
    from codeczoo.benchmarks.report.equal_rate import check_rates
    from codeczoo.benchmarks.report.published_report import suites_of
    from codeczoo.benchmarks.report.published_report import write as write_published

    _check_page(options)
    for rates in (options.at, options.at_tokens):
        if rates:
            check_rates(rates)
    merged = records.load_runs(options.runs)
    if options.codecs:
        merged = [r for r in merged if any(fnmatch.fnmatch(r["codec"], pattern) for pattern in options.codecs)]
        if not merged:
            raise InvalidRun(f"No record's codec matches {' or '.join(options.codecs)}.")
    suites = suites_of(options.runs)
    first = options.runs[0]
    out = options.out or (first if first.is_dir() else first.parent) / "report"
    with collector.passing_over_what_is():
        numbers = report.numbers_of(merged, group_by=options.group_by, metrics=options.metrics)
        written = report.write(
            numbers,
            out,
            intervals=options.intervals,
            figures=not options.no_figures,
            at_kbps=options.at,
            at_tokens_per_second=options.at_tokens,
        )
    tables = [path for path in written if path.suffix == ".md"]
    if tables:
        print(tables[0].read_text(encoding="utf-8"))
    for name in suites:
        text, paths = write_published(name, options.runs, out / "published", {})
        print(text)
        written += paths
    for path in written:
        print(path)
    if options.html:
        _write_page(numbers, [records.load(run) for run in options.runs], out, options)
    return 0


def _check_page(options: argparse.Namespace) -> None:
    """Raise BenchmarkError where the options of the page say nothing."""
    import math

    from codeczoo.benchmarks.errors import BenchmarkError

    given = {"--listen": options.listen, "--listen-to": options.listen_to, "--audio": options.audio}
    given["--page-mb"] = options.page_mb
    if not options.html and (alone := [name for name, value in given.items() if value is not None]):
        raise BenchmarkError(f"{alone[0]} is of the page; give --html with it.")
    if options.listen is not None and options.listen < 0:
        raise BenchmarkError(f"--listen is 0 or more clips; got {options.listen}.")
    if options.listen is not None and options.listen_to:
        raise BenchmarkError("Clips are chosen by --listen or named by --listen-to; give one of the two.")
    if options.page_mb is not None and not 0 < options.page_mb < math.inf:
        raise BenchmarkError(f"--page-mb is a positive number; got {options.page_mb:g}.")


def _write_page(numbers: Numbers, loaded: list[list[Record]], out: Path, options: argparse.Namespace) -> None:
    import sys
    import tempfile

    from codeczoo.benchmarks.cli.progress import Bar
    from codeczoo.benchmarks.cli.replay import source_of
    from codeczoo.benchmarks.page import writing
    from codeczoo.benchmarks.page.sources import RunAudio, owners_of

    shared.check_device(options.device)
    sources = [source_of(run, options.audio, options.device) for run in options.runs]
    owners = owners_of(list(zip(sources, loaded, strict=True)))
    wanted = writing.Wanted(
        title=", ".join(run.resolve().name for run in options.runs),
        clips=options.listen,
        patterns=tuple(options.listen_to or ()),
        kind=options.audio_format,
        limit_mb=writing.LIMIT_MB if options.page_mb is None else options.page_mb,
    )
    with tempfile.TemporaryDirectory(prefix="codeczoo-") as spool, Bar(0, unit="clip") as bar:
        made = writing.write(numbers, out, RunAudio(owners, Path(spool), options.device), wanted, bar.watch)
    print(made.path)
    print(f"{made.bytes / 1e6:.1f} MB, {made.audio_bytes / 1e6:.1f} of them audio.", file=sys.stderr)
    for reason in made.not_heard:
        print(f"not heard: {reason}", file=sys.stderr)
