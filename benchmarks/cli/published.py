"""`codeczoo published`: the papers' numbers, and ours beside them."""

from __future__ import annotations

import argparse
from pathlib import Path

_DESCRIPTION = """\
Print a table of a codec's paper; with runs, what was measured there below each printed number. A printed number that
lies beyond our 95 % interval is marked; what is not the same (clips, metric, checkpoint) is shown and not compared, and
the reason is said. Without a table, list those there are.

A run is a folder of codeczoo bench or probe; for receptive fields the JSON of codeczoo info NAME --measure --json; for
real-time factors native_speed.json as well. A run of a suite that is named after a table has its report there already
(RUN/report/published).
"""

_EPILOG = """\
examples:
  codeczoo published                                          the tables
  codeczoo published wavtokenizer-table1                      one of them, as printed
  codeczoo published wavtokenizer-table1 runs/t1              ours beside it
  codeczoo published unicodec-table3 runs/t3 --match 'decoded:out/vocos@6kbps=BigCodec'
  codeczoo published wavtokenizer-table5 runs/t5 --match 'wavtokenizer:mine.safetensors=*codebook 16384'
  codeczoo info taae:speech-16k --measure --json > reach.json && codeczoo published taae-table11 reach.json
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "published",
        help="the papers' numbers, and ours beside them",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", nargs="?", metavar="TABLE", help="as in codeczoo published: wavtokenizer-table1")
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="where ours was measured")
    parser.add_argument(
        "--match",
        action="append",
        default=[],
        metavar="CODEC=SYSTEM",
        help="set this codec of ours beside a printed system: its name as this command prints it, with or without its "
        "rate (Vocos@3kbps), or a pattern",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: first RUN/report/published)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that count tokens (default 1)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print, and with runs write."""
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.published import papers

    if options.table is None:
        from .text import table

        named = [papers.load(name) for name in papers.names()]
        print(table([{"table": of.name, "of": of.caption, "numbers": len(of.rows)} for of in named]))
        return 0
    if options.jobs < 1:
        raise BenchmarkError(f"--jobs is 1 or more; got {options.jobs}.")
    from codeczoo.benchmarks.report import published_report

    matches = _matches(options.match)
    out = options.out
    if options.runs and out is None:
        first: Path = options.runs[0]
        # A file of figures is no run, whose reports would be looked for in `report`.
        folder = first.parent if first.suffix == ".json" else (first if first.is_dir() else first.parent) / "report"
        out = folder / "published"
    text, paths = published_report.write(options.table, options.runs, out, matches, options.jobs)
    print(text)
    for path in paths:
        print(path)
    return 0


def _matches(given: list[str]) -> dict[str, str]:
    from codeczoo.benchmarks.errors import BenchmarkError

    found: dict[str, str] = {}
    for text in given:
        codec, equals, system = text.partition("=")
        if not equals or not codec.strip() or not system.strip():
            raise BenchmarkError(f"--match reads CODEC=SYSTEM, as in opus@6kbps=Encodec; got {text!r}.")
        found[codec.strip()] = system.strip()
    return found
