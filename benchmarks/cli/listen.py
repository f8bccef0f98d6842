"""`codeczoo listen`: listening tests, made and analysed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import options as shared
from .progress import Bar

if TYPE_CHECKING:
    from codeczoo.benchmarks.listening.sources import Source

_DESCRIPTION = """\
Listening tests by ear: MUSHRA (ITU-R BS.1534: rate each signal against the reference) or ABX (is X A or B?). `make`
writes a page that listeners open in a browser, without any server, and a key that stays with you; `analyse` reads the
files that they bring back.
"""

_EPILOG = """\
examples:
  codeczoo listen make --test mushra --codecs opus@6kbps opus@12kbps --corpus demo --clips 8 --out listen
  codeczoo listen analyse listen

Both have their own help: codeczoo listen make --help
"""

_MAKE = """\
Write a listening test into a new folder:

  OUT/page/      give this to listeners: test.html, one file that asks nothing of any network; with more than 64 MiB of
                 audio, test.html with a folder audio/ beside it
  OUT/key.json   keep this: it says which signal is which
  OUT/answers/   put here the files that listeners bring back

MUSHRA: an open reference, a hidden one, the reference low-passed at 3.5 and at 7 kHz, every codec; at most twelve
signals a trial, a trial a clip (BS.1534-3, section 7.1: half as many clips again as codecs, and five at least). ABX:
reference and codec are A and B in an order drawn for each listener, and X is one of them; a trial a codec, clip and
repeat. All signals have one loudness (ITU-R BS.1770), length and format; order and
names are random; a listener can go on after closing the page. Without RUN, the codecs are run; with RUN, clips are
those that it measured all codecs on, its kept tokens are decoded, and what comes out is checked against its scores.

What no page can hide: whoever takes its audio apart can subtract the open reference from each signal.
"""

_MAKE_EPILOG = """\
examples:
  codeczoo listen make --test mushra --codecs opus@6kbps opus@12kbps lyra:v2@6kbps --corpus demo --clips 8 --out listen
  codeczoo listen make runs/mine --test mushra --codecs 'mine@*' --clips 12 --no-mid-anchor --out listen
  codeczoo listen make --test abx --codecs opus@32kbps --corpus demo --clips 5 --repeats 4 --out listen/abx
"""

_ANALYSE = """\
Analyse the answers to a test: of MUSHRA the mean rating of every condition with its 95 % interval over listeners, pairs
of conditions tested and corrected for their number, clip by clip, after screening listeners by rules that are named and
counted; of ABX how often X was recognised, with exact p-value and interval and d'. Files that are damaged, doubled,
incomplete, or answers to another test, are named, and nothing is analysed.

screening: bs1534 leaves out who rates the hidden reference below 90 in more than 15 % of the trials (or the 7 kHz
anchor above 90); wavtokenizer (Ji et al. 2024, appendix C) who rates the reference below 90 in at least 20 % of them,
or the 3.5 kHz anchor above 80 in more than half.
"""

_ANALYSE_EPILOG = """\
examples:
  codeczoo listen analyse listen
  codeczoo listen analyse listen ~/Downloads/answers-*.json --screening wavtokenizer --out paper/listening

exit status: 0 analysed; 2 some answers cannot be used, or the request is wrong: nothing was written
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "listen",
        help="listening tests by ear: MUSHRA and ABX pages, and their analysis",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Without one of the two, main prints the help of all; this one's is of more use.
    parser.set_defaults(run=lambda _: parser.print_help() or 2)
    parts = parser.add_subparsers(title="what to do", metavar="make|analyse")
    _add_make(parts)
    _add_analyse(parts)


def _add_make(parts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parts.add_parser(
        "make",
        help="write a page for listeners and its key",
        description=_MAKE,
        epilog=_MAKE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_folder", nargs="?", type=Path, metavar="RUN", help="run folder whose codecs are heard")
    parser.add_argument("--test", required=True, choices=("mushra", "abx"))
    parser.add_argument(
        "--codecs", nargs="+", metavar="NAME", help="operating points or quoted patterns (default with RUN: all of it)"
    )
    parser.add_argument("--clips", required=True, type=int, metavar="N", help="clips, drawn by --seed")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="new folder for the test")
    parser.add_argument("--audio", metavar="PATH|NAME", help="with RUN: its corpus, where that has moved since")
    shared.add_corpus(parser, required=False)
    group = parser.add_argument_group("how it is tested")
    group.add_argument("--title", default="Listening test", help="what listeners read above the page")
    group.add_argument(
        "--no-mid-anchor",
        action="store_true",
        help="MUSHRA: no anchor of 7 kHz, as references of 15.4 kHz or less need it; BS.1534-3 wants both anchors",
    )
    group.add_argument("--no-anchor", action="store_true", help="MUSHRA: no anchor of 3.5 kHz")
    group.add_argument("--repeats", type=int, metavar="N", help="ABX: trials of each codec and clip (default 1)")
    group.add_argument(
        "--per-listener", type=int, metavar="N", help="trials that one listener is given, drawn for each (default: all)"
    )
    group.add_argument("--no-training", action="store_true", help="no trial for training before the test")
    group.add_argument(
        "--longest-s", type=float, default=12.0, metavar="S", help="longer clips are cut to this (default 12, BS.1534)"
    )
    shared.add_device(group)
    parser.set_defaults(run=make)


def _add_analyse(parts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parts.add_parser(
        "analyse",
        help="what the answers say",
        description=_ANALYSE,
        epilog=_ANALYSE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("test", type=Path, metavar="TEST", help="folder of codeczoo listen make, with its key")
    parser.add_argument(
        "answers", nargs="*", type=Path, metavar="ANSWERS", help="files, or folders of them (default: TEST/answers)"
    )
    parser.add_argument(
        "--screening",
        nargs="+",
        default=["bs1534"],
        metavar="RULES",
        help="MUSHRA: bs1534, wavtokenizer, both, or none (default bs1534)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: TEST/analysis)")
    parser.add_argument("--no-figures", action="store_true", help="write tables only")
    parser.set_defaults(run=analyse)


def make(options: argparse.Namespace) -> int:
    """Make a test."""
    import tempfile

    from codeczoo.benchmarks.listening import key, making

    _check(options)
    anchors = [] if options.no_anchor else [key.LOW_ANCHOR]
    anchors += [] if options.no_mid_anchor else [key.MID_ANCHOR]
    total = options.clips + (not options.no_training)
    with tempfile.TemporaryDirectory(prefix="codeczoo-") as spool, Bar(total, "clip") as bar:
        plan = making.Plan(
            options.test,
            _source(options, Path(spool)),
            options.clips,
            options.out,
            anchors,
            1 if options.repeats is None else options.repeats,
            options.per_listener,
            not options.no_training,
            options.longest_s,
            options.seed or 0,
            options.title,
            options.command,
        )
        made = making.make(plan, lambda clip: bar.advance(clip, 1))
    for clip, reason in made.passed_over.items():
        print(f"{clip} is not used: {reason}.", file=sys.stderr)
    for line in made.not_level:
        print(line, file=sys.stderr)
    trials, given = len(made.key.trials), made.key.per_listener
    each = "" if given == trials else f", {given} of them for each listener"
    beside = len(made.files) > 2
    print(f"{trials} trials{each}; {made.audio_bytes / 1e6:.0f} MB of audio" + (" beside the page." if beside else "."))
    print(f"{options.out / key.PAGE_FOLDER}: for listeners; open {made.files[0].name}")
    print(f"{made.files[-1]}: which signal is which; keep it from them")
    print(f"{options.out / key.ANSWERS_FOLDER}: for the files they bring back")
    print(f"then: codeczoo listen analyse {options.out}")
    return 0


def _check(options: argparse.Namespace) -> None:
    """Raise BenchmarkError where an option is not of this kind of test."""
    from codeczoo.benchmarks.errors import BenchmarkError

    shared.check_device(options.device)
    of_mushra = {"--no-mid-anchor": options.no_mid_anchor, "--no-anchor": options.no_anchor}
    if options.test == "abx" and (given := [name for name, value in of_mushra.items() if value]):
        raise BenchmarkError(f"{given[0]} is of MUSHRA: an ABX test compares a codec with the reference alone.")
    if options.test == "mushra" and options.repeats is not None:
        raise BenchmarkError("--repeats is of ABX: a MUSHRA test rates every clip once; take more with --clips.")


def _source(options: argparse.Namespace, spool: Path) -> Source:
    """Codecs that are run now, or what a run measured. Raises a user error."""
    from codeczoo.benchmarks import records, request
    from codeczoo.benchmarks.cli.replay import source_of
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.listening.sources import Fresh, Measured
    from codeczoo.benchmarks.page.sources import RunAudio, owners_of

    if options.run_folder is None:
        if not options.codecs or not options.corpus:
            raise BenchmarkError("Name what is to be heard with --codecs and --corpus, or a run that measured it.")
        if options.audio:
            raise BenchmarkError("--audio says where the clips of a run are; without a run, name them with --corpus.")
        return Fresh(request.points(options.codecs, options.device), shared.corpus_of(options), spool, options.device)
    given = ("corpus", "split", "where", "limit", "segment_s")
    if asked := next((name for name in given if getattr(options, name) is not None), None):
        raise BenchmarkError(
            f"--{asked.replace('_', '-')} chooses clips of a corpus; of a run they are those that it measured. "
            "Where they have moved, say so with --audio."
        )
    known = records.load(options.run_folder)
    source = source_of(options.run_folder, options.audio, options.device)
    return Measured(
        options.run_folder, known, options.codecs, RunAudio(owners_of([(source, known)]), spool, options.device)
    )


def analyse(options: argparse.Namespace) -> int:
    """Analyse answers."""
    from codeczoo.benchmarks.listening import answers, key, report, screening

    rules = screening.parse(options.screening)
    of_test = key.read(options.test)
    folder = options.test if options.test.is_dir() else options.test.parent
    given = answers.read_all(options.answers or [folder / key.ANSWERS_FOLDER], of_test)
    text, files = report.write(of_test, given, rules, options.out or folder / "analysis", not options.no_figures)
    print(text)
    for path in files:
        print(path)
    return 0
