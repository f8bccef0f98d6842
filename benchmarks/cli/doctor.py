"""`codeczoo doctor`: is this installation of this codec right?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

_DESCRIPTION = """\
Examine codecs on this machine with a synthetic voice: tokens and bits against the declared facts; the same tokens
again, after another clip, in a batch, on other threads; length, end, delay, speed, level and likeness of what is
decoded; quality rising with the rate; weights, licence; and golden tokens, made when the codec was known to be right.

Every check says what it measured and what it expected. A fault that encoder and decoder share (two codebooks swapped
in both, weights of another training) is heard by nobody: golden tokens alone can tell, and where a codec has none the
doctor says so and does not call it healthy. Without names: the highest operating point of every codec that runs here.

A codec of your own needs an entry point (group codeczoo.codecs); --record writes its golden tokens on the day you know
it to be right, --golden compares with them from then on.
"""

_EPILOG = """\
examples:
  codeczoo doctor                                  all that is installed
  codeczoo doctor lyra:v2@6kbps                    one operating point
  codeczoo doctor opus 'dac:*'                     all points of families
  codeczoo doctor mine:16khz --record golden.json  and later: codeczoo doctor mine:16khz --golden golden.json
  codeczoo doctor wavtokenizer:small-320 --device cuda

exit status: 0 healthy, with or without warnings; 1 broken; 2 something could not be judged, or the request is wrong
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from .options import add_device

    parser = verbs.add_parser(
        "doctor",
        help="whether an installed codec is right",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "codecs", nargs="*", metavar="CODEC", help="operating points, families, quoted patterns (default: all here)"
    )
    add_device(parser)
    parser.add_argument(
        "--golden", type=Path, metavar="FILE", help="golden tokens of your own, besides the shipped ones"
    )
    parser.add_argument("--record", type=Path, metavar="FILE", help="also write the tokens of now as golden tokens")
    parser.add_argument("--all", action="store_true", help="without names: show what is right, too")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Examine, print, and give the exit status."""
    from tqdm import tqdm

    from codeczoo.benchmarks.doctor import examination, golden, tables
    from codeczoo.benchmarks.doctor.findings import Diagnosis, exit_status

    from .options import check_device
    from .text import table

    check_device(options.device)
    entries = {**golden.read(), **(golden.read(options.golden) if options.golden else {})}
    lacking: dict[str, str] = {}
    if options.codecs:
        points = examination.operating_points(options.codecs)
    else:
        points, lacking = examination.installed()
    everything = bool(options.codecs) or options.all
    done: list[Diagnosis] = []
    with tqdm(total=len(points), unit="codec", disable=None, leave=False) as bar:
        for diagnosis in examination.diagnose(points, options.device, entries):
            done.append(diagnosis)
            bar.update(diagnosis.codec in points)
            if not options.json:
                shown = tables.rows(diagnosis, everything=everything)
                text = tables.headline(diagnosis) + ("\n" + table(shown) + "\n" if shown else "")
                bar.write(text, file=sys.stdout)
    if options.record:
        examination.record(points, done, options.record, options.device)
    print(tables.as_json(done, lacking) if options.json else tables.overall(done, lacking))
    return exit_status(done)
