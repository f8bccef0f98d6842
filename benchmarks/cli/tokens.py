"""`codeczoo tokens`: how the codebooks of a run's codecs are used, and what their tokens cost."""

from __future__ import annotations

import argparse
from pathlib import Path

_DESCRIPTION = """\
Count the tokens that a run kept, and write how its codecs use their codebooks (utilisation, entropy, what few tokens
hide of both), what the tokens cost (nominal, packed, entropy coded and Huffman coded bitrates), and how well they are
predicted from those before them. Tables as Markdown, LaTeX and CSV, and a figure of how evenly entries are used. No
audio is read and no model is loaded.
"""

_EPILOG = """\
examples:
  codeczoo bench --codecs wavtokenizer:tiny-speech-216 --corpus my/speech --metrics stoi --out runs/mine
  codeczoo tokens runs/mine
  codeczoo tokens runs/mine --codecs 'wavtokenizer:*' --group-by dataset --jobs 8 --out paper/tokens
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "tokens",
        help="how codebooks are used, and what their tokens cost",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="run folder of codeczoo bench")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: RUN/report/tokens)")
    parser.add_argument("--codecs", nargs="+", metavar="PATTERN", help="only operating points that match")
    parser.add_argument("--group-by", choices=("corpus", "domain", "dataset"), help="default: domain, if several")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that count (default 1)")
    parser.add_argument("--no-stream", action="store_true", help="do not write every clip by its Huffman code to check")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Count, write, print the tables."""
    import fnmatch

    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.report import token_figure, token_table, writers
    from codeczoo.benchmarks.token_corpus import gather, sources, stream_bits
    from codeczoo.benchmarks.token_prediction import predict

    if options.jobs < 1:
        raise BenchmarkError(f"--jobs is 1 or more; got {options.jobs}.")
    patterns = options.codecs or ["*"]
    of_run = sources(
        options.run_folder,
        options.group_by,
        lambda name: any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns),
    )
    found = gather(of_run, options.jobs)
    if not options.no_stream:
        counted = {(codec.codec, codec.group): codec for codec in found}
        for of in of_run:
            if (of.codec, of.group) in counted:
                stream_bits(of, counted[of.codec, of.group])
    out: Path = options.out or options.run_folder / "report" / "tokens"
    out.mkdir(parents=True, exist_ok=True)
    predicted = [of for sources_of in of_run for of in predict(sources_of)]
    tables = {"codebooks": token_table.codebooks(found), "bitrates": token_table.bitrates(found)}
    if (of_parts := token_table.parts(found)) is not None:
        tables["parts"] = of_parts
    if predicted:
        tables["predictions"] = token_table.predictions(predicted)
    for name, table in tables.items():
        text = writers.markdown(table)
        (out / f"{name}.md").write_text(text, encoding="utf-8")
        (out / f"{name}.tex").write_text(writers.latex(table, f"tab:{name}"), encoding="utf-8")
        print(text)
    (out / "tokens.csv").write_text(token_table.csv_text(found, predicted), encoding="utf-8")
    token_figure.draw(found, [out / f"entries.{suffix}" for suffix in ("png", "pdf", "svg")])
    print(out)
    return 0
