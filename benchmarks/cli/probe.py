"""`codeczoo probe`: what linear probes read off the tokens of codecs."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from . import options as shared

if TYPE_CHECKING:
    from codeczoo.benchmarks.probes.task import Task

_DESCRIPTION = """\
Train a linear classifier on what codecs' decoders are given for the tokens of labelled clips, and count what it tells
of clips that it has not seen. Beside the codecs stand chance, log-mel bands and MFCC. A table in the layout of
WavTokenizer's Table 3 and a figure of accuracy against bitrate go to RUN/report/probes.

It may be killed at any moment: the same command continues. Tokens, features and results are each made once for a
version of a codec and the content of a clip; more codecs, modes or seeds may be asked of the same RUN later.
"""

_EPILOG = """\
data sets, as they are unpacked: ravdess slurp emovo audiomnist fma-small magnatagatune irmas medley-solos-db esc-50
urbansound8k fsd50k vivae (the twelve of ARCH), and slurp-action; given as NAME:FOLDER

examples:
  codeczoo probe --codecs wavtokenizer:tiny-speech-216 --corpus demo --out runs/languages
  codeczoo probe --codecs 'lyra:v2@*' --corpus ravdess:/data/RAVDESS --out runs/probes
  codeczoo probe --codecs mimi:24khz@8q --corpus esc-50:/data/ESC-50 --mode linear arch --out runs/esc
  codeczoo probe --codecs 'wavtokenizer:*' --corpus my/manifest.csv --where dataset=mine --seeds 5 --out runs/mine
  codeczoo probe --report --out runs/mine

exit status: 0 all well; 1 some clips were lost, and are named; 2 wrong request, nothing changed; 3 nothing failed, but
a codec has no embeddings to probe
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from pathlib import Path

    parser = verbs.add_parser(
        "probe",
        help="what linear probes read off the tokens",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--codecs", nargs="+", metavar="NAME", help="operating points, or quoted patterns: 'lyra:*'")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="RUN", help="run folder, new or of an earlier probe or bench"
    )
    parser.add_argument(
        "--mode",
        nargs="+",
        choices=("linear", "arch"),
        default=["linear"],
        help="linear (default): logistic regression, regularisation chosen on validation clips; arch: the procedure "
        "behind the published numbers",
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds of all that is drawn (default 3)")
    parser.add_argument(
        "--pooling", choices=("mean", "mean_std"), default="mean", help="frames of a clip to one feature (default mean)"
    )
    parser.add_argument(
        "--leaky", action="store_true", help="take a division with a speaker in train and test; results repeat it"
    )
    parser.add_argument(
        "--cross-validate",
        action="store_true",
        help="five folds drawn by speaker, whatever the manifest's split or fold",
    )
    parser.add_argument("--report", action="store_true", help="write the report of what RUN holds, and nothing else")
    shared.add_corpus(parser, required=False)
    group = parser.add_argument_group("how it is run")
    group.add_argument("--workers", type=int, metavar="N", default=1, help="processes that encode (default 1)")
    group.add_argument("--threads", type=int, metavar="N", help="threads of torch for the codec (default: one a core)")
    shared.add_device(group)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Probe, then report."""
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.probes.probing import ProbeRequest
    from codeczoo.benchmarks.probes.probing import run as probe
    from codeczoo.benchmarks.request import check_loading, points
    from codeczoo.benchmarks.run_folder import RunFolder

    from .progress import Bar

    if options.report:
        return _report(options)
    if not options.corpus:
        raise BenchmarkError(
            "There is nothing to probe; name labelled clips with --corpus, as in --corpus ravdess:DIR."
        )
    if options.workers < 1:
        raise BenchmarkError(f"--workers is 1 or more; got {options.workers}.")
    if options.seeds < 1:
        raise BenchmarkError(f"--seeds is 1 or more; got {options.seeds}.")
    threads = shared.threads_of(options)
    RunFolder.check(options.out)
    shared.check_device(options.device)
    named = points(options.codecs or [], options.device)
    check_loading(named)
    task, corpus = _task(options)
    request = ProbeRequest(
        task=task,
        corpus=corpus,
        points=named,
        out=options.out,
        modes=tuple(dict.fromkeys(options.mode)),
        seeds=options.seeds,
        pooling=options.pooling,
        workers=options.workers,
        threads=threads,
        device=options.device,
        command=options.command,
    )
    with Bar(len(task.examples) * (3 + len(named)), unit="clip") as bar:
        summary = probe(request, bar.advance)
    _report(options)
    print(
        f"{summary.probes} probes: {summary.measured} made now, the others known from earlier.",
        file=sys.stderr,
    )
    for name, reason in list(summary.unread.items())[:5]:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    if len(summary.unread) > 5:
        print(f"left out: {len(summary.unread) - 5} more clips that cannot be read", file=sys.stderr)
    for name, count in summary.failed.items():
        print(f"failed: {name} on {count} clips, named in the records", file=sys.stderr)
    return summary.exit_status


def _task(options: argparse.Namespace) -> tuple[Task, str]:
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.probes import datasets

    official = datasets.named(options.corpus)
    if official is None:
        corpus = shared.corpus_of(options)
        return datasets.labelled(corpus, options.leaky, options.cross_validate), corpus.name
    chosen = [
        name
        for name in ("split", "where", "limit", "segment_s", "leaky", "cross_validate")
        if getattr(options, name) not in (None, False)
    ]
    if chosen:
        option = chosen[0].replace("_", "-")
        raise BenchmarkError(f"--{option} does not go with an official data set, which is whole.")
    dataset, root = official
    task = dataset.read(root)
    return task, task.name


def _report(options: argparse.Namespace) -> int:
    from codeczoo.benchmarks.probes import probe_records

    found = probe_records.load(options.out)
    from codeczoo.benchmarks.report import probe_report

    text, paths = probe_report.write(found, options.out / "report" / "probes")
    print(text)
    print("\n".join(map(str, paths)), file=sys.stderr)
    return 0
