"""Options that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_corpus(parser: argparse.ArgumentParser, *, required: bool, lengths: bool = False) -> None:
    """What is measured; `lengths`: whether clips can be joined and cut into pieces of several lengths."""
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
        metavar="FIELD=PATTERN",
        help="keep clips whose field (path, domain, dataset, speaker, label) matches; may be repeated: "
        "--where domain=speech",
    )
    group.add_argument(
        "--duration-s",
        nargs=2,
        type=float,
        metavar=("LEAST", "MOST"),
        help="keep clips from LEAST to MOST seconds long: --duration-s 5 10",
    )
    group.add_argument("--limit", type=int, metavar="N", help="a subset of N clips, the same each time for one --seed")
    group.add_argument("--seed", type=int, help="seed of --limit (default 0)")
    group.add_argument(
        "--segment-s", type=float, metavar="S", help="cut longer clips into consecutive clips of at most S seconds"
    )
    if lengths:
        group.add_argument(
            "--lengths-s",
            nargs="+",
            type=float,
            metavar="S",
            help="join clips to passages of the longest of these lengths and cut each into pieces of every length, so "
            "that all lengths hear the same audio (--limit then counts passages): --lengths-s 3 5 10 30 60",
        )


def add_running(parser: argparse.ArgumentParser, *, coding: bool = True) -> None:
    """How it is run; `coding`: whether a codec of ours works."""
    group = parser.add_argument_group("how it is run")
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="scoring processes (default: one a core); 0 scores in the main process"
        + (", so that nothing disturbs the codec's timing" if coding else ""),
    )
    if coding:
        group.add_argument(
            "--threads", type=int, metavar="N", help="threads of torch for the codec (default: one a core)"
        )
        add_device(group)
        group.add_argument("--no-tokens", action="store_true", help="do not keep the tokens under RUN/tokens")
    group.add_argument("--retry-failed", action="store_true", help="measure again what failed in an earlier invocation")


def add_device(parser: argparse._ActionsContainer) -> None:
    """Where neural codecs run."""
    parser.add_argument("--device", default="cpu", help="where neural codecs run: cpu, cuda, cuda:1 (default cpu)")


def add_run_folder(parser: argparse.ArgumentParser) -> None:
    """Where results go, and how they are reported."""
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="RUN",
        help="run folder, new or of an earlier invocation: what is in it is not measured again",
    )
    group = parser.add_argument_group("how it is reported")
    group.add_argument("--no-report", action="store_true", help="do not write RUN/report at the end")
    add_report(group)


def add_report(parser: argparse._ActionsContainer) -> None:
    """What tables look like."""
    parser.add_argument(
        "--group-by",
        choices=("corpus", "domain", "dataset"),
        help="what tables and plots are split by (default: domain if there are several, else corpus)",
    )
    parser.add_argument("--intervals", action="store_true", help="print 95 %% confidence intervals in the tables")


def corpus_of(options: argparse.Namespace):
    """The corpus that the options name. Raises InvalidCorpus, UnknownSuite."""
    from codeczoo.benchmarks.corpora import resolve
    from codeczoo.benchmarks.selection import parse_where

    return resolve(
        options.corpus,
        where=parse_where(options.where or ()),
        split=options.split,
        duration_s=None if options.duration_s is None else tuple(options.duration_s),
        segment_s=options.segment_s,
        lengths_s=getattr(options, "lengths_s", None),
        limit=options.limit,
        seed=options.seed or 0,
    )


def check_device(device: str) -> None:
    """Raise BenchmarkError unless codecs can run on this device. `cpu` is believed without importing torch."""
    if device == "cpu":
        return
    import torch

    from codeczoo.benchmarks.errors import BenchmarkError

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BenchmarkError(f"Codecs cannot run on the device {device!r} here: {reason}") from error


def workers_of(options: argparse.Namespace) -> int:
    """Scoring processes, by default one a core. Raises BenchmarkError."""
    from codeczoo.benchmarks.environment import cores
    from codeczoo.benchmarks.errors import BenchmarkError

    if options.workers is not None and options.workers < 0:
        raise BenchmarkError(f"--workers is 0 or more; got {options.workers}.")
    return cores() if options.workers is None else options.workers


def threads_of(options: argparse.Namespace) -> int:
    """Threads of torch, by default one a core. Raises BenchmarkError."""
    from codeczoo.benchmarks.environment import cores
    from codeczoo.benchmarks.errors import BenchmarkError

    if options.threads is not None and options.threads < 1:
        raise BenchmarkError(f"--threads is 1 or more; got {options.threads}.")
    return options.threads or cores()
