"""Options that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path

from codeczoo.benchmarks.backend_names import NAMES, Backend

_PROCESSES_A_GPU = 4
"""That code and score in turn, so that one codes while others score."""


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
        help="processes beside this one (default: one a core; on a cluster, all its places), which score"
        + (" while this one codes; 0 scores here, so that nothing disturbs the codec's timing" if coding else ""),
    )
    if coding:
        group.add_argument(
            "--code-in-workers",
            action="store_true",
            help="let the workers code as well, each with its own copy of the weights: faster on many cores, and a "
            "codec that crashes or hangs costs one clip (always so on a cluster and with several devices)",
        )
        group.add_argument(
            "--threads",
            type=int,
            metavar="N",
            help="threads of torch for a codec (default: one a core; where workers code, the cores' even share of one, "
            "and 1 on a cluster)",
        )
        add_device(group, several=True)
        group.add_argument("--no-tokens", action="store_true", help="do not keep the tokens under RUN/tokens")
    group.add_argument("--retry-failed", action="store_true", help="measure again what failed in an earlier invocation")
    group.add_argument(
        "--time-limit-s",
        type=float,
        metavar="S",
        help="kill a worker process that takes longer for an operating point on a clip, and record it as failed after "
        "a second try (default: no limit; loading a codec counts)",
    )
    group.add_argument(
        "--backend",
        choices=NAMES,
        default="local",
        help="who the workers are: processes of this machine (default), or an existing Dask or Ray cluster, whose "
        "machines need this very codeczoo, the weights, and the audio at the same paths; only this program writes "
        "to RUN",
    )
    group.add_argument(
        "--address",
        metavar="URL",
        help="of the cluster: tcp://head:8786 of a Dask scheduler; head:6379 of Ray (default: the one that `ray start` "
        "made known on this machine)",
    )


def add_device(parser: argparse._ActionsContainer, *, several: bool = False) -> None:
    """Where neural codecs run; `several`: whether workers may take turns."""
    parser.add_argument(
        "--device",
        default="cpu",
        help="where neural codecs run: cpu, cuda, cuda:1"
        + ("; several GPUs in turn, one a worker process: cuda:0,cuda:1 or cuda:all" if several else "")
        + " (default cpu)",
    )


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


def check_devices(options: argparse.Namespace) -> None:
    """Raise BenchmarkError unless codecs can run where `--device` says. On a cluster that is for its workers to say."""
    from codeczoo.benchmarks import devices
    from codeczoo.benchmarks.errors import WorkerUnfit

    if not devices.several(options.device):
        if options.backend == "local":
            check_device(options.device)
    elif options.backend == "local":
        try:
            for slot in range(max(1, len(devices.named(options.device)))):
                devices.place(options.device, slot)
        except WorkerUnfit as reason:
            raise WorkerUnfit(
                f"Codecs cannot run on the device {options.device!r} here: this machine {reason}."
            ) from None


def workers_of(options: argparse.Namespace) -> int | None:
    """Processes beside this one, by default one a core, but four a GPU where they code on several; None on a cluster:
    all that it has. Raises BenchmarkError."""
    from codeczoo.benchmarks import devices
    from codeczoo.benchmarks.environment import cores
    from codeczoo.benchmarks.errors import BenchmarkError

    if options.workers is not None and options.workers < 0:
        raise BenchmarkError(f"--workers is 0 or more; got {options.workers}.")
    if options.backend != "local":
        if options.workers == 0:
            raise BenchmarkError("--workers 0 gives no work to the cluster; leave it out to use all of it.")
        return options.workers
    if options.workers is not None:
        return options.workers
    device = getattr(options, "device", "cpu")
    return min(cores(), _PROCESSES_A_GPU * devices.count(device)) if devices.several(device) else cores()


def threads_of(options: argparse.Namespace, sharing: int = 1) -> int:
    """Threads of torch, by default one a core, or an even share of them for each of the processes that share the
    cores. Raises BenchmarkError."""
    from codeczoo.benchmarks.environment import cores
    from codeczoo.benchmarks.errors import BenchmarkError

    if options.threads is not None and options.threads < 1:
        raise BenchmarkError(f"--threads is 1 or more; got {options.threads}.")
    return options.threads or max(1, cores() // max(1, sharing))


def backend_of(options: argparse.Namespace) -> Backend:
    """Who the workers are. Raises BenchmarkError."""
    return Backend(options.backend, options.address)
