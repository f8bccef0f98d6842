"""`codeczoo bench`: codecs over a corpus, resumable."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import options as shared

if TYPE_CHECKING:
    from codeczoo.benchmarks.clip import Corpus
    from codeczoo.benchmarks.request import Point, Request
    from codeczoo.benchmarks.suites import Suite

_DESCRIPTION = """\
Encode and decode every clip of a corpus with every codec, score each with every metric, and write one record a
(codec, clip) to RUN/records.jsonl, then tables and plots to RUN/report.

It may be killed at any moment: the same command continues, and measures nothing twice. More codecs, clips or metrics
may be asked of the same RUN later; what has changed since (a weight file, a clip, a metric) is measured anew. Files cut
otherwise (--segment-s) take a RUN of their own, so that no mean counts audio twice.

A suite names codecs, metrics and corpus; what is given beside it replaces its part. Codecs and metrics of a suite that
cannot run here are left out, and said so; those named one by one must be able to run.

Suites named after a paper's table (wavtokenizer-table1, unicodec-table2, taae-table2, ...) measure that table on its
own data sets, which lie below --data, and report ours beside the printed numbers (codeczoo published).
"""

_EPILOG = """\
examples:
  codeczoo bench --suite demo --out runs/demo
  codeczoo bench --codecs 'opus@*' encodec:24khz@6kbps --corpus my/clips --metrics pesq_wb stoi --out runs/mine
  codeczoo bench --suite speech --corpus librispeech:/data/LibriSpeech --split test-clean --limit 200 --out runs/ls
  codeczoo bench --suite wavtokenizer-table1 --data /data --codecs wavtokenizer:my.safetensors --out runs/t1
  codeczoo bench --suite length --corpus librispeech:/data/LibriSpeech --codecs opus@12kbps lyra:v2@6kbps --workers 0 \\
      --out runs/length
  codeczoo bench --suite speech --corpus my/clips --backend dask --address tcp://head:8786 --out runs/cluster
  codeczoo bench --suite speech --corpus my/clips --device cuda:all --out runs/gpus
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
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder that holds the official data sets of a paper's suite, as they unpack: DIR/LibriTTS, "
        "DIR/LJSpeech-1.1, ... (default: $CODECZOO_DATA)",
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

    return measure_and_report(_requests(options), options)


def _requests(options: argparse.Namespace) -> list[Request]:
    """One a corpus: most often one, several for a suite on several data sets."""
    from codeczoo.benchmarks import suites
    from codeczoo.benchmarks.environment import cores
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.request import Request
    from codeczoo.benchmarks.run_folder import RunFolder

    suite = suites.load(options.suite) if options.suite else None
    if suite is not None and suite.instead:
        raise BenchmarkError(f"The suite {suite.name} is not run by bench. {suite.instead}")
    if suite is not None:
        fill_in(options, suite)
    if not options.corpus and (suite is None or not suite.corpora):
        named = f"the suite {suite.name} leaves its corpus to you" if suite is not None else "nothing to measure on"
        raise BenchmarkError(f"No corpus is named ({named}); name one with --corpus, as in --corpus demo.")
    backend, workers = shared.backend_of(options), shared.workers_of(options)
    # Nothing is known of the cores of a cluster's workers, and there is a worker for each as a rule: one thread.
    coding = 1 if not _coded_elsewhere(options) else workers if options.backend == "local" else None
    threads = shared.threads_of(options, cores() if coding is None else coding)
    RunFolder.check(options.out)
    shared.check_devices(options)
    metrics, metrics_left_out = _metrics(options, suite)
    points, skipped = _points(options, suite)
    corpora = corpora_of(options, suite)
    for line in dict.fromkeys([*_in_families(skipped), *metrics_left_out]):
        print(f"left out: {line}", file=sys.stderr)
    return [
        Request(
            points=points,
            corpus=corpus,
            metrics=metrics,
            out=options.out,
            workers=workers,
            threads=threads,
            device=options.device,
            backend=backend,
            code_in_workers=options.code_in_workers,
            time_limit_s=options.time_limit_s,
            retry_failed=options.retry_failed,
            keep_tokens=not options.no_tokens,
            command=options.command,
            suite="" if suite is None else suite.name,
            skipped=skipped,
        )
        for corpus in corpora
    ]


def corpora_of(options: argparse.Namespace, suite: Suite | None) -> tuple[Corpus, ...]:
    """The corpus that is named, or the data sets of the suite. Raises InvalidCorpus, BenchmarkError."""
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.suites.official import data_folder, resolve_all

    if options.corpus or suite is None:
        return (shared.corpus_of(options),)
    for name in ("split", "where", "duration_s", "segment_s", "lengths_s"):
        if getattr(options, name) not in (None, []):
            option = name.replace("_", "-")
            raise BenchmarkError(
                f"--{option} does not go with the data sets of {suite.name}, which are its own; name a corpus with it, "
                f"as in --corpus {suite.corpora[0].source}:FOLDER."
            )
    return resolve_all(suite, data_folder(options.data), options.limit, options.seed)


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

    # Where workers code, this program loads codecs only to know what they are.
    device = "cpu" if _coded_elsewhere(options) else options.device
    if suite is not None and not options.codecs:
        return usable(points(suite.codecs, device))
    # Codecs named one by one are all wanted: a missing one is a wrong request, not a shorter table.
    named = points(options.codecs or [], device)
    check_loading(named)
    return named, ()


def _coded_elsewhere(options: argparse.Namespace) -> bool:
    from codeczoo.benchmarks import devices

    return options.code_in_workers or options.backend != "local" or devices.several(options.device)


def _in_families(skipped: tuple[tuple[str, str], ...]) -> list[str]:
    """One line a family, not one a rate."""
    from codeczoo import codecs

    rates: dict[tuple[str, str], int] = {}
    for name, reason in skipped:
        key = (codecs.parse(name).base, reason)
        rates[key] = rates.get(key, 0) + 1
    return [f"{family} ({count} {'rate' if count == 1 else 'rates'}): {why}" for (family, why), count in rates.items()]
