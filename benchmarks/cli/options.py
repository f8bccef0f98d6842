"""Options that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_corpus(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """What is measured."""
    group = parser.add_argument_group("what is measured")
    group.add_argument(
        "--corpus",
        required=required,
        metavar="PATH|NAME",
        help="demo; a folder; a quoted glob; a CSV, TSV or JSONL manifest (columns path, and where known domain, "
        "dataset, speaker, start_s, seconds); or an official data set, as in librispeech:/data/LibriSpeech",
    )
    group.add_argument("--split", help="split of an official data set or of a manifest: test-clean, test")
    group.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="FIELD=PATTERN",
        help="keep clips whose field (path, domain, dataset, speaker, label) matches; may be repeated: "
        "--where domain=speech",
    )
    group.add_argument("--limit", type=int, metavar="N", help="a subset of N clips, the same each time for one --seed")
    group.add_argument("--seed", type=int, default=0, help="seed of --limit (default 0)")
    group.add_argument(
        "--segment-s", type=float, metavar="S", help="cut longer clips into consecutive clips of at most S seconds"
    )


def add_running(parser: argparse.ArgumentParser) -> None:
    """How it is run."""
    group = parser.add_argument_group("how it is run")
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="scoring processes (default: one a core); 0 scores in the codec's process, so that nothing "
        "disturbs its timing",
    )
    group.add_argument("--threads", type=int, metavar="N", help="threads of torch for the codec (default: one a core)")
    group.add_argument("--device", default="cpu", help="where neural codecs run: cpu, cuda, cuda:1 (default cpu)")
    group.add_argument("--retry-failed", action="store_true", help="measure again what failed in an earlier invocation")
    group.add_argument("--no-tokens", action="store_true", help="do not keep the tokens under RUN/tokens")


def add_run_folder(parser: argparse.ArgumentParser) -> None:
    """Where results go."""
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="RUN",
        help="run folder, new or of an earlier invocation: what is in it is not measured again",
    )
    parser.add_argument("--no-report", action="store_true", help="do not write RUN/report at the end")


def corpus_of(options: argparse.Namespace):
    """The corpus that the options name. Raises InvalidCorpus, UnknownSuite."""
    from codeczoo.benchmarks.corpora import resolve
    from codeczoo.benchmarks.selection import parse_where

    return resolve(
        options.corpus,
        where=parse_where(options.where),
        split=options.split,
        segment_s=options.segment_s,
        limit=options.limit,
        seed=options.seed,
    )


def threads_and_workers(options: argparse.Namespace) -> tuple[int, int]:
    """Threads of torch and scoring processes, defaults filled in. Raises BenchmarkError."""
    from codeczoo.benchmarks.environment import cores
    from codeczoo.benchmarks.errors import BenchmarkError

    threads = cores() if options.threads is None else options.threads
    workers = cores() if options.workers is None else options.workers
    if threads < 1 or workers < 0:
        raise BenchmarkError(f"--threads is 1 or more and --workers 0 or more; got {threads} and {workers}.")
    return threads, workers
