"""`codeczoo encode` and `codeczoo decode`: audio files to token files and back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import options as shared
from .progress import Bar

_ENCODE = """\
Encode audio files to token files (.safetensors: codes or packets, the codec's name and fingerprint). Audio is mixed to
mono and resampled to the codec's rate as in a benchmark. Files that are done are passed over, so that the same command
continues after an interruption.
"""

_DECODE = """\
Decode token files to 32-bit float WAV at the codec's rate, exactly as long as what was encoded. The codec is the one
named in the token file; tokens of other weights are refused.
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "encode",
        help="audio files to token files",
        description=_ENCODE,
        epilog="example:\n  codeczoo encode --codec opus@12kbps --corpus my/clips --out tokens",
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
        epilog="example:\n  codeczoo decode tokens --out decoded",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tokens", nargs="+", type=Path, metavar="PATH", help="token files, or folders of them")
    _add_common(parser, "folder for the WAV files, laid out like the tokens")
    parser.set_defaults(run=run_decode)


def _add_common(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help=out)
    parser.add_argument("--device", default="cpu", help="where neural codecs run (default cpu)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one a core for codecs without weights, else one)"
    )


def run_encode(options: argparse.Namespace) -> int:
    """Encode a corpus."""
    from codeczoo.benchmarks.files import EncodeJob, run_jobs

    corpus = shared.corpus_of(options)
    jobs = (EncodeJob(clip, options.codec, options.out, options.device) for clip in corpus)
    return _report(run_jobs(jobs, _workers(options, options.codec)), len(corpus), "file")


def run_decode(options: argparse.Namespace) -> int:
    """Decode token files."""
    from codeczoo.benchmarks.files import DecodeJob, run_jobs, token_files

    found = token_files(options.tokens)
    jobs = (DecodeJob(path, options.out / name, options.device) for path, name in found)
    return _report(run_jobs(jobs, _workers(options, None)), len(found), "file")


def _workers(options: argparse.Namespace, codec: str | None) -> int:
    from codeczoo import codecs
    from codeczoo.benchmarks.environment import cores
    from codeczoo.benchmarks.errors import BenchmarkError

    if options.workers is not None and options.workers < 1:
        raise BenchmarkError(f"--workers is 1 or more; got {options.workers}.")
    if codec is None:
        return options.workers or 1
    codecs.load(codec, options.device)
    return options.workers or (cores() if codecs.family(codec).weights is None else 1)


def _report(outcomes, total: int, unit: str) -> int:
    failed = done = known = 0
    with Bar(total, unit) as bar:
        for outcome in outcomes:
            bar.advance("", 1)
            if outcome.failure:
                failed += 1
                print(f"{outcome.name}: {outcome.failure}", file=sys.stderr)
            elif outcome.known:
                known += 1
            else:
                done += 1
    print(f"{done} written, {known} were there, {failed} failed.", file=sys.stderr)
    return 1 if failed else 0
