"""`codeczoo score`: metrics of audio that some other program decoded."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import options as shared

if TYPE_CHECKING:
    from codeczoo.benchmarks.request import Request

_DESCRIPTION = """\
Score audio that some other program decoded against its references, and write records and reports as `bench` does.

Two folders: files are matched by their path below each folder without the suffix. Or one table of pairs: a CSV, TSV or
JSONL with the columns reference, estimate, codec and kbps, and where known domain, dataset and speaker.
"""

_EPILOG = """\
examples:
  codeczoo score --reference clips --estimate out/mine --name mine --kbps 1.5 --metrics pesq_wb stoi --out runs/mine
  codeczoo score --pairs pairs.csv --metrics pesq_wb stoi mel_distance --out runs/pairs
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "score",
        help="measure audio that another program decoded",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--reference", type=Path, metavar="DIR", help="folder of the original clips")
    parser.add_argument("--estimate", type=Path, metavar="DIR", help="folder of the decoded clips")
    parser.add_argument("--name", help="how the codec is called in tables (default: the estimate folder's name)")
    parser.add_argument("--kbps", type=float, help="its bitrate in kbit/s, as stated by whoever made the files")
    parser.add_argument("--domain", choices=("speech", "music", "sound"), help="what the clips are")
    parser.add_argument("--pairs", type=Path, metavar="TABLE", help="table of pairs, instead of two folders")
    parser.add_argument("--metrics", nargs="+", required=True, metavar="NAME", help="metrics (codeczoo list metrics)")
    shared.add_run_folder(parser)
    shared.add_running(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Score, then report."""
    from codeczoo.benchmarks.cli.measuring import measure_and_report

    return measure_and_report(_request(options), options)


def _request(options: argparse.Namespace) -> Request:
    from codeczoo.benchmarks import pairs
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.request import Request

    if options.pairs is not None:
        if options.reference or options.estimate:
            raise BenchmarkError("Give either --pairs or --reference with --estimate, not both.")
        corpus, points = pairs.from_table(options.pairs)
    elif options.reference is not None and options.estimate is not None:
        corpus, points = pairs.from_folders(
            options.reference, options.estimate, options.name, options.kbps, options.domain
        )
    else:
        raise BenchmarkError("Name what to score: --reference DIR with --estimate DIR, or --pairs TABLE.")
    threads, workers = shared.threads_and_workers(options)
    return Request(
        points=points,
        corpus=corpus,
        metrics=tuple(options.metrics),
        out=options.out,
        workers=workers,
        threads=threads,
        device=options.device,
        retry_failed=options.retry_failed,
        keep_tokens=False,
        command=options.command,
    )
