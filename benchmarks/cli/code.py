"""`codeczoo encode` and `codeczoo decode`: audio files to token files and back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from . import options as shared
from .progress import Bar

if TYPE_CHECKING:
    from codeczoo.benchmarks.files import Outcome

_ENCODE = """\
Encode audio files to token files (.safetensors: codes or packets, the codec's name and fingerprint). Audio is mixed to
mono and resampled to the codec's rate as in a benchmark. DIR/a/b.flac.safetensors holds the tokens of a/b.flac. Files
that are done are passed over, so that the same command continues after an interruption; a file that cannot be encoded
is named, and the others go on.
"""

_DECODE = """\
Decode token files to 32-bit float WAV at the codec's rate, exactly as long as what was encoded. The codec is the one
named in the token file; tokens of other weights are refused. The tokens of a/b.flac become DIR/a/b.wav. WAV files that
are newer than their tokens are passed over, so that the same command continues after an interruption.
"""

_ENCODE_EPILOG = """\
examples:
  codeczoo encode --codec opus@12kbps --corpus my/clips --out tokens/opus
  codeczoo encode --codec mimi:24khz@8q --corpus librispeech:/data/LibriSpeech --split dev-clean --out tokens/mimi

from Python: codeczoo.codecs.tokens.load(path, codecs.load("opus@12kbps")) gives the codes back
exit status: 0 all well; 1 some files failed, and are named; 2 wrong request, nothing changed
"""

_DECODE_EPILOG = """\
examples:
  codeczoo decode tokens/opus --out decoded/opus
  codeczoo score --reference my/clips --estimate decoded/opus --metrics stoi --out runs/opus

exit status: 0 all well; 1 some files failed, and are named; 2 wrong request, nothing changed
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "encode",
        help="audio files to token files",
        description=_ENCODE,
        epilog=_ENCODE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--codec", required=True, metavar="NAME", help="operating point: opus@12kbps")
    shared.add_corpus(parser, required=True)
    _add_common(parser, "folder for the token files, laid out like the corpus")
    parser.set_defaults(run=run_encode)
    parser = verbs.add_parser(
        "decode",
        help="token files to audio files",
        description=_DECODE,
        epilog=_DECODE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tokens", nargs="+", type=Path, metavar="PATH", help="token files, or folders of them")
    _add_common(parser, "folder for the WAV files, laid out like the tokens")
    parser.set_defaults(run=run_decode)


def _add_common(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help=out)
    shared.add_device(parser)
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes (default: one a core for codecs without weights, else one that uses all cores)",
    )


def run_encode(options: argparse.Namespace) -> int:
    """Encode a corpus."""
    from codeczoo import codecs
    from codeczoo.benchmarks.files import EncodeJob, run_jobs

    _check(options)
    codecs.load(options.codec, options.device)
    corpus = shared.corpus_of(options)
    jobs = (EncodeJob(clip, options.codec, options.out) for clip in corpus)
    return _report(run_jobs(jobs, _workers(options, [options.codec]), options.device), len(corpus))


def run_decode(options: argparse.Namespace) -> int:
    """Decode token files."""
    from codeczoo import codecs
    from codeczoo.benchmarks.files import DecodeJob, codecs_of, run_jobs, token_files

    _check(options)
    found = token_files(options.tokens)
    names = codecs_of(path for path, _ in found)
    for name in names:
        codecs.load(name, options.device)
    jobs = (DecodeJob(path, options.out / name) for path, name in found)
    return _report(run_jobs(jobs, _workers(options, names), options.device), len(found))


def _check(options: argparse.Namespace) -> None:
    from codeczoo.benchmarks.errors import BenchmarkError

    if options.workers is not None and options.workers < 1:
        raise BenchmarkError(f"--workers is 1 or more; got {options.workers}.")
    if options.out.exists() and not options.out.is_dir():
        raise BenchmarkError(f"{options.out} is a file; --out takes a folder.")
    shared.check_device(options.device)


def _workers(options: argparse.Namespace, names: Iterable[str]) -> int:
    """Codecs without weights take one core each; a model is held once, and takes all cores."""
    from codeczoo import codecs
    from codeczoo.benchmarks.environment import cores

    if options.workers is not None:
        return options.workers
    return cores() if all(codecs.family(name).weights is None for name in names) else 1


def _report(outcomes: Iterable[Outcome], total: int) -> int:
    counts = {"written": 0, "already there": 0, "failed": 0}
    with Bar(total, "file") as bar:
        for outcome in outcomes:
            bar.advance("", 1)
            counts["failed" if outcome.failure else "already there" if outcome.known else "written"] += 1
            if outcome.failure:
                bar.say(f"{outcome.name}: {outcome.failure}")
    print(", ".join(f"{count} {what}" for what, count in counts.items()), file=sys.stderr)
    return 1 if counts["failed"] else 0
