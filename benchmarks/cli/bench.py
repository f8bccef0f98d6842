"""`codeczoo bench`: codecs over a corpus, resumable."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from . import options as shared

if TYPE_CHECKING:
    from codeczoo.benchmarks.request import Request

_DESCRIPTION = """\
Encode and decode every clip of a corpus with every codec, score each with every metric, and write one record a
(codec, clip) to RUN/records.jsonl, then tables and plots to RUN/report.

It may be killed at any moment: the same command continues, and measures nothing twice. More codecs, clips or metrics
may be asked of the same RUN later; what has changed since (a weight file, a clip, a metric) is measured anew.
"""

_EPILOG = """\
examples:
  codeczoo bench --suite demo --out runs/demo
  codeczoo bench --codecs 'opus@*' encodec:24khz@6kbps --corpus my/clips --metrics pesq_wb stoi --out runs/mine
  codeczoo bench --suite speech --corpus librispeech:/data/LibriSpeech --split test-clean --limit 200 --out runs/ls
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "bench",
        help="measure codecs on a corpus; resumable",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--suite", metavar="NAME", help="codecs, metrics and corpus from a suite (codeczoo list suites)"
    )
    parser.add_argument("--codecs", nargs="+", metavar="NAME", help="operating points, or quoted patterns")
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="metrics (codeczoo list metrics)")
    shared.add_corpus(parser, required=False)
    shared.add_run_folder(parser)
    shared.add_running(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, then report."""
    from codeczoo.benchmarks.cli.measuring import measure_and_report

    return measure_and_report(_request(options), options)


def _request(options: argparse.Namespace) -> Request:
    from codeczoo.benchmarks import suites
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.request import Request, check_loading, points, usable

    suite = suites.load(options.suite) if options.suite else None
    if suite is not None:
        options.corpus = options.corpus or suite.corpus
        options.where = options.where or [f"{name}={pattern}" for name, pattern in suite.where]
    if not options.corpus:
        raise BenchmarkError("There is nothing to measure on; name a corpus with --corpus, as in --corpus demo.")
    metrics = tuple(options.metrics or (suite.metrics if suite else ()))
    if not metrics:
        raise BenchmarkError("There is nothing to measure; name metrics with --metrics, or a suite with --suite.")
    corpus = shared.corpus_of(options)
    named = points(options.codecs or [], options.device)
    wanted, skipped = (named, ()) if options.codecs or suite is None else usable(points(suite.codecs, options.device))
    if options.codecs:
        # Codecs named one by one are all wanted: a missing one is a wrong request, not a shorter table.
        check_loading(named)
    for name, reason in skipped:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    threads, workers = shared.threads_and_workers(options)
    return Request(
        points=wanted,
        corpus=corpus,
        metrics=metrics,
        out=options.out,
        workers=workers,
        threads=threads,
        device=options.device,
        retry_failed=options.retry_failed,
        keep_tokens=not options.no_tokens,
        command=options.command,
        skipped=skipped,
    )
