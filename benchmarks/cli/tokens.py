"""`codeczoo tokens`: how the codebooks of a run's codecs are used, and what their tokens cost."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codeczoo.benchmarks.token_corpus import CodecSources
    from codeczoo.benchmarks.token_prediction import Prediction

_DESCRIPTION = """\
Count the tokens that a run kept, and write how its codecs use their codebooks (utilisation, entropy, what few tokens
hide of both), what the tokens cost (nominal, packed, entropy coded and Huffman coded bitrates), and how well they are
predicted from those before them: by n-gram models, and if asked by a small transformer, learnt from some speakers and
tried on others. Tables as Markdown, LaTeX and CSV, figures of how evenly entries are used. No audio is read and no
codec is loaded.

The transformer takes a few minutes a codec on one core; OMP_NUM_THREADS sets its threads.
"""

_EPILOG = """\
examples:
  codeczoo bench --codecs wavtokenizer:tiny-speech-216 --corpus my/speech --metrics stoi --out runs/mine
  codeczoo tokens runs/mine
  codeczoo tokens runs/mine --codecs 'wavtokenizer:*' --group-by dataset --jobs 8 --out paper/tokens
  codeczoo tokens runs/mine --predict ngram transformer
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
    parser.add_argument("--groups", nargs="+", metavar="PATTERN", help="only groups (of --group-by) that match")
    parser.add_argument("--group-by", choices=("corpus", "domain", "dataset"), help="default: domain, if several")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default 1)")
    parser.add_argument(
        "--predict",
        nargs="+",
        choices=("ngram", "transformer", "none"),
        default=["ngram"],
        help="models that predict tokens (default: ngram)",
    )
    parser.add_argument("--no-stream", action="store_true", help="do not write every clip by its Huffman code to check")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Count, write, print the tables."""
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.benchmarks.report import prediction_table, token_figure, token_table, utilisation_figure, writers
    from codeczoo.benchmarks.token_corpus import gather, sources, stream_bits

    if options.jobs < 1:
        raise BenchmarkError(f"--jobs is 1 or more; got {options.jobs}.")
    models = list(dict.fromkeys(options.predict))
    if "none" in models and len(models) > 1:
        raise BenchmarkError(f"--predict none goes with no other model; got {' '.join(models)}.")
    of_run = [
        of
        for of in sources(options.run_folder, options.group_by, lambda name: _matches(name, options.codecs))
        if _matches(of.group, options.groups)
    ]
    if not of_run:
        raise BenchmarkError(f"{options.run_folder} holds no group that matches {' '.join(options.groups)}.")
    found = gather(of_run, options.jobs)
    if not options.no_stream:
        counted = {(codec.codec, codec.group): codec for codec in found}
        for of in of_run:
            if (of.codec, of.group) in counted:
                stream_bits(of, counted[of.codec, of.group])
    out: Path = options.out or options.run_folder / "report" / "tokens"
    out.mkdir(parents=True, exist_ok=True)
    predicted, left_out = _predictions(of_run, [] if models == ["none"] else models, options.jobs)
    tables = {"codebooks": token_table.codebooks(found), "bitrates": token_table.bitrates(found)}
    if (of_parts := token_table.parts(found)) is not None:
        tables["parts"] = of_parts
    if predicted or left_out:
        tables["predictions"] = prediction_table.predictions(predicted, found, left_out)
        (out / "predictions.json").write_text(prediction_table.json_text(predicted), encoding="utf-8")
    for name, table in tables.items():
        text = writers.markdown(table)
        (out / f"{name}.md").write_text(text, encoding="utf-8")
        (out / f"{name}.tex").write_text(writers.latex(table, f"tab:{name}"), encoding="utf-8")
        print(text)
    (out / "tokens.csv").write_text(token_table.csv_text(found, predicted), encoding="utf-8")
    (out / "histogram.csv").write_text(token_table.histogram_text(found), encoding="utf-8")
    token_figure.draw(found, [out / f"entries.{suffix}" for suffix in ("png", "pdf", "svg")])
    utilisation_figure.draw(found, [out / f"utilisation.{suffix}" for suffix in ("png", "pdf", "svg")])
    print(out)
    return 0


def _matches(name: str, patterns: Sequence[str] | None) -> bool:
    import fnmatch

    return patterns is None or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _predictions(
    of_run: Sequence[CodecSources], models: Sequence[str], jobs: int
) -> tuple[Sequence[Prediction], Mapping[tuple[str, str], str]]:
    """Of every codec and group; and why there are none, by (group, codec)."""
    if not models:
        return (), {}
    from codeczoo.benchmarks.cli.progress import Bar
    from codeczoo.benchmarks.token_prediction import predict_all

    with Bar(len(of_run), "codec") as bar:
        return predict_all(of_run, models, jobs, lambda name: bar.advance(name, 1))
