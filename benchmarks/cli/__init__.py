"""The command line `codeczoo`: one file a group of verbs, each a thin layer over the library.

Exit statuses of every verb: 0 all well; 1 something failed, and is recorded or named; 2 the request itself is wrong and
nothing was changed; 3 nothing failed, but some scores are undefined.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from . import (
    bench,
    check,
    code,
    compare,
    convert,
    doctor,
    fetch,
    listen,
    listing,
    probe,
    published,
    report,
    score,
    tokens,
    train,
)

_VERBS = (
    listing,
    bench,
    score,
    report,
    published,
    compare,
    check,
    listen,
    tokens,
    probe,
    doctor,
    code,
    fetch,
    convert,
    train,
)

_DESCRIPTION = """\
A zoo of audio tokenizers behind one contract, and a harness that measures all of them the same way.

Start here:
  codeczoo bench --suite demo --out runs/demo       a dozen codecs on real speech: table and plot in runs/demo/report
  codeczoo list                                     every codec, with its bitrate and whether it can run here
  codeczoo info mimi:24khz@8q                       facts, licence, and where its weights come from
"""

_EPILOG = """\
Names of codecs read family[:variant][@rate]: opus@12kbps, encodec:24khz@6kbps, dac:44khz@9q, mimi:24khz@8q. Quoted
patterns stand for several: 'opus@*'. Every verb has its own help: codeczoo bench --help
Exit status: 0 all well; 1 something failed; 2 wrong request, nothing changed; 3 some scores are undefined.
"""


def parser() -> argparse.ArgumentParser:
    """The command line's parser, with every verb."""
    made = argparse.ArgumentParser(
        prog="codeczoo", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--version", action="store_true", help="print the version and exit")
    made.add_argument("-v", "--verbose", action="store_true", help="say more about what is going on")
    verbs = made.add_subparsers(title="verbs", metavar="VERB")
    for module in _VERBS:
        module.add_verbs(verbs)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    command = list(sys.argv[1:] if arguments is None else arguments)
    made = parser()
    options = made.parse_args(command)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING,
        format="%(levelname)s: %(message)s",
        stream=sys.stderr,
    )
    if options.version:
        from importlib.metadata import version

        print(version("codeczoo"))
        return 0
    if not hasattr(options, "run"):
        made.print_help()
        return 2
    options.command = "codeczoo " + " ".join(_quoted(part) for part in command)
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    from codeczoo.benchmarks.errors import USER_ERRORS

    try:
        return options.run(options)
    except USER_ERRORS as error:
        print(f"codeczoo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("codeczoo: interrupted; the same command continues where this one stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has seen enough.
        sys.stderr.close()
        return 0
    except OSError as error:
        # A disk that is full, a folder that may not be written to: what was recorded before is kept.
        logging.getLogger(__name__).info("where it was raised:", exc_info=True)
        place = f"{error.filename}: " if error.filename else ""
        print(f"codeczoo: {place}{error.strerror or error}.", file=sys.stderr)
        return 1


def _quoted(part: str) -> str:
    import shlex

    return shlex.quote(part)
