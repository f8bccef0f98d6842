"""`codeczoo score`: metrics of audio that some other program decoded."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import options as shared

if TYPE_CHECKING:
    from codeczoo.benchmarks.pairs import Pairs
    from codeczoo.benchmarks.request import Request

_DESCRIPTION = """\
Score audio that some other program decoded against its references, and write records and reports as `bench` does.

Two folders: files are matched by their path below each folder without the suffix; a reference without an estimate is a
failure, an estimate without a reference is counted and not used. Or one table of pairs: a CSV, TSV or JSONL with the
columns reference, estimate, codec and kbps, and where known domain, dataset and speaker; paths are relative to it.

Sample rates and lengths may differ: both are resampled to each metric's rate and cut to the shorter one's length.
"""

_EPILOG = """\
examples:
  codeczoo score --reference clips --estimate out/mine --name mine --kbps 1.5 --metrics pesq_wb stoi --out runs/mine
  codeczoo score --pairs pairs.csv --metrics pesq_wb stoi mel_distance --out runs/pairs

exit status: 0 all well; 1 something failed, and the records say what; 2 wrong request, nothing changed; 3 nothing
failed, but some scores are undefined
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
    parser.add_argument(
        "--segment-s", type=float, metavar="S", help="cut longer clips into consecutive clips of at most S seconds"
    )
    shared.add_run_folder(parser)
    shared.add_running(parser, coding=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Score, then report."""
    from codeczoo.benchmarks.cli.measuring import measure_and_report

    return measure_and_report(_request(options), options)


def _request(options: argparse.Namespace) -> Request:
    from codeczoo.benchmarks.request import Request, check_metrics
    from codeczoo.benchmarks.run_folder import RunFolder
    from codeczoo.benchmarks.selection import cut

    workers = shared.workers_of(options)
    metrics = check_metrics(options.metrics)
    RunFolder.check(options.out)
    found = pairs_of(options)
    corpus = found.corpus if options.segment_s is None else cut(found.corpus, options.segment_s)
    for count, what in (
        (len(found.unused), "estimates belong to no reference and are not used"),
        (found.missing, "references have no estimate; they are recorded as failed"),
    ):
        if count:
            print(f"{count} {what}.", file=sys.stderr)
    return Request(
        points=found.points,
        corpus=corpus,
        metrics=metrics,
        out=options.out,
        workers=workers,
        retry_failed=options.retry_failed,
        keep_tokens=False,
        command=options.command,
    )


def pairs_of(options: argparse.Namespace) -> Pairs:
    """What the options name. Raises InvalidCorpus, BenchmarkError."""
    from codeczoo.benchmarks import pairs
    from codeczoo.benchmarks.errors import BenchmarkError

    of_folders = {name: getattr(options, name) for name in ("reference", "estimate", "name", "kbps", "domain")}
    if options.pairs is not None:
        if given := [f"--{name}" for name, value in of_folders.items() if value is not None]:
            raise BenchmarkError(f"{given[0]} does not go with --pairs: the table says it for every pair.")
        return pairs.from_table(options.pairs)
    if options.reference is None or options.estimate is None:
        raise BenchmarkError("Name what to score: --reference DIR with --estimate DIR, or --pairs TABLE.")
    if options.kbps is not None and not 0 < options.kbps < math.inf:
        raise BenchmarkError(f"--kbps is a positive number of kbit/s; got {options.kbps}.")
    return pairs.from_folders(options.reference, options.estimate, options.name, options.kbps, options.domain)
