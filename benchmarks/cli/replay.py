"""What a run's own command says of its audio: `run.json` keeps commands as they were typed, and they are parsed again.

Nothing of them is run. Relative paths are relative to where one stands, as they were then; what cannot be found again
is said in `RunSource.problem`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import bench, score
from . import options as shared

if TYPE_CHECKING:
    from codeczoo.benchmarks.clip import Corpus
    from codeczoo.benchmarks.page.sources import RunSource
    from codeczoo.benchmarks.request import Loaded, Point

_NAME_IT = "name the clips with --audio"


def source_of(run: Path, audio: str | None, device: str) -> RunSource:
    """Where the audio of a run is; `audio` replaces the corpus that its commands name. Raises InvalidRun where the
    run's description is damaged."""
    from codeczoo import codecs
    from codeczoo.benchmarks import records
    from codeczoo.benchmarks.errors import USER_ERRORS
    from codeczoo.benchmarks.page.sources import RunSource

    folder = run if run.is_dir() else run.parent
    corpora: list[Corpus] = []
    points: dict[str, Point] = {}
    problems: list[str] = []
    for options in _measurings(records.invocations(folder)):
        try:
            found, own = _found(options, audio)
        except USER_ERRORS as error:
            problems.append(str(error))
            continue
        corpora += found
        points.update((point.name, point) for point in own)
    if audio is not None:
        # Beside what the commands make of it: they may cut clips, or not be known.
        corpora.append(shared.corpus_of(_plain(audio)))

    def load(name: str) -> Loaded:
        return points[name].load() if name in points else codecs.load(name, device)

    problem = ""
    if not corpora:
        why = problems[-1].rstrip(".") if problems else f"no command of {folder / records.RUN_FILE} names a corpus"
        problem = f"{why}; {_NAME_IT}"
    return RunSource(folder, tuple(corpora), load, problem)


def _found(options: argparse.Namespace, audio: str | None) -> tuple[tuple[Corpus, ...], tuple[Point, ...]]:
    """The corpora of one command, and the codecs that only it knows. Raises a user error."""
    if hasattr(options, "pairs"):
        from codeczoo.benchmarks.selection import cut

        pairs = score.pairs_of(options)
        return (pairs.corpus if options.segment_s is None else cut(pairs.corpus, options.segment_s),), pairs.points
    from codeczoo.benchmarks import suites

    options.corpus = audio or options.corpus
    suite = suites.load(options.suite) if options.suite else None
    if suite is not None:
        bench.fill_in(options, suite)
    return bench.corpora_of(options, suite), ()


def _plain(audio: str) -> argparse.Namespace:
    unset = dict.fromkeys(("where", "split", "duration_s", "segment_s", "lengths_s", "limit", "seed"))
    return argparse.Namespace(**{**unset, "corpus": audio})


def _measurings(invocations: Sequence[Mapping[str, Any]]) -> Iterator[argparse.Namespace]:
    """The options of each `bench` and `score` command of a run, each once."""
    commands = dict.fromkeys(str(invocation.get("command", "")) for invocation in invocations)
    for command in commands:
        try:
            words = shlex.split(command)[1:]
        except ValueError:
            continue
        if words[:1] in (["bench"], ["score"]) and (options := _parsed(words)) is not None:
            yield options


def _parsed(words: list[str]) -> argparse.Namespace | None:
    """Options of a command; None where this version does not know them."""
    from . import parser

    said = io.StringIO()
    try:
        # argparse ends the program where it does not understand.
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            return parser().parse_args(words)
    except SystemExit:
        return None
