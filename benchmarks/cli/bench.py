"""`codeczoo bench`: codecs over a corpus, resumable."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from . import options as shared

if TYPE_CHECKING:
    from codeczoo.benchmarks.request import Point, Request
    from codeczoo.benchmarks.suites import Suite

_DESCRIPTION = """\
Encode and decode every clip of a corpus with every codec, score each with every metric, and write one record a
(codec, clip) to RUN/records.jsonl, then tables and plots to RUN/report.

It may be killed at any moment: the same command continues, and measures nothing twice. More codecs, clips or metrics
may be asked of the same RUN later; what has changed since (a weight file, a clip, a metric) is measured anew.

A suite names codecs, metrics and corpus; what is given beside it replaces its part. Codecs and metrics of a suite that
cannot run here are left out, and said so; those named one by one must be able to run.
"""

_EPILOG = """\
examples:
  codeczoo bench --suite demo --out runs/demo
  codeczoo bench --codecs 'opus@*' encodec:24khz@6kbps --corpus my/clips --metrics pesq_wb stoi --out runs/mine
  codeczoo bench --suite speech --corpus librispeech:/data/LibriSpeech --split test-clean --limit 200 --out runs/ls
  codeczoo bench --suite length --corpus librispeech:/data/LibriSpeech --codecs opus@12kbps lyra:v2@6kbps --workers 0 \\
      --out runs/length
  codeczoo bench --codecs mimi:24khz@8q decoded:out/mine@1.1kbps --corpus my/clips --metrics stoi --out runs/mine

exit status: 0 all well; 1 something failed, and the records say what; 2 wrong request, nothing changed; 3 nothing
failed, but some scores are undefined
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
        "--suite",
        metavar="NAME",
        help="codecs, metrics and corpus from a suite (codeczoo list suites) or a .toml file",
    )
    parser.add_argument("--codecs", nargs="+", metavar="NAME", help="operating points, or quoted patterns: 'opus@*'")
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="metrics (codeczoo list metrics)")
    shared.add_corpus(parser, required=False, lengths=True)
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
    from codeczoo.benchmarks.request import Request
    from codeczoo.benchmarks.run_folder import RunFolder

    suite = suites.load(options.suite) if options.suite else None
    if suite is not None:
        fill_in(options, suite)
    if not options.corpus:
        named = f"the suite {suite.name} leaves its corpus to you" if suite is not None else "nothing to measure on"
        raise BenchmarkError(f"No corpus is named ({named}); name one with --corpus, as in --corpus demo.")
    workers, threads = shared.workers_of(options), shared.threads_of(options)
    RunFolder.check(options.out)
    shared.check_device(options.device)
    metrics, metrics_left_out = _metrics(options, suite)
    points, skipped = _points(options, suite)
    corpus = shared.corpus_of(options)
    for line in dict.fromkeys([*_in_families(skipped), *metrics_left_out]):
        print(f"left out: {line}", file=sys.stderr)
    return Request(
        points=points,
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


def fill_in(options: argparse.Namespace, suite: Suite) -> None:
    """What the suite says and the command line does not. Where another corpus is named than the suite's own, the
    suite's choice of clips (`split`, `where`) does not apply to it."""
    if not options.corpus or not suite.corpus:
        options.split = options.split or suite.split
        options.where = options.where or [f"{name}={pattern}" for name, pattern in suite.where]
    options.corpus = options.corpus or suite.corpus
    if options.lengths_s is None and options.segment_s is None:
        options.lengths_s, options.segment_s = suite.lengths_s, suite.segment_s
    for name in ("limit", "seed", "group_by"):
        if getattr(options, name) is None:
            setattr(options, name, getattr(suite, name))
    options.intervals = options.intervals or suite.intervals


def _metrics(options: argparse.Namespace, suite: Suite | None) -> tuple[tuple[str, ...], list[str]]:
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.request import check_metrics, usable_metrics

    if options.metrics:
        return check_metrics(options.metrics), []
    if suite is None:
        raise BenchmarkError("There is nothing to measure; name metrics with --metrics, or a suite with --suite.")
    usable, left_out = usable_metrics(suite.metrics)
    return usable, [f"{name}: {reason}" for name, reason in left_out]


def _points(options: argparse.Namespace, suite: Suite | None) -> tuple[tuple[Point, ...], tuple[tuple[str, str], ...]]:
    """Operating points to be measured, and those left out with the reason."""
    from codeczoo.benchmarks.request import check_loading, points, usable

    if suite is not None and not options.codecs:
        return usable(points(suite.codecs, options.device))
    # Codecs named one by one are all wanted: a missing one is a wrong request, not a shorter table.
    named = points(options.codecs or [], options.device)
    check_loading(named)
    return named, ()


def _in_families(skipped: tuple[tuple[str, str], ...]) -> list[str]:
    """One line a family, not one a rate."""
    from codeczoo import codecs

    rates: dict[tuple[str, str], int] = {}
    for name, reason in skipped:
        key = (codecs.parse(name).base, reason)
        rates[key] = rates.get(key, 0) + 1
    return [f"{family} ({count} {'rate' if count == 1 else 'rates'}): {why}" for (family, why), count in rates.items()]
