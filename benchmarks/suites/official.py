"""The official data sets of a suite: where they are on this machine, and what to download where they are not.

They lie below one folder, each as its archive unpacks: DATA/LibriTTS, DATA/LJSpeech-1.1, DATA/musdb18hq,
DATA/audioset/eval. That folder is `--data` or `$CODECZOO_DATA`. Nothing is measured unless all of them are there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from codeczoo.benchmarks.clip import Corpus
from codeczoo.benchmarks.corpora import resolve
from codeczoo.benchmarks.errors import InvalidCorpus
from codeczoo.benchmarks.layouts import LAYOUTS
from codeczoo.benchmarks.listing import ListedCorpus

from .suite import Suite, SuiteCorpus

ENVIRONMENT_VARIABLE = "CODECZOO_DATA"


def data_folder(given: Path | None) -> Path | None:
    """The folder that is named, or that of the environment; None where neither is."""
    if given is not None:
        return given.expanduser()
    named = os.environ.get(ENVIRONMENT_VARIABLE, "")
    return Path(named).expanduser() if named else None


def resolve_all(
    suite: Suite, data: Path | None, limit: int | None = None, seed: int | None = None
) -> tuple[Corpus, ...]:
    """The clips of each data set of the suite, in its order; `limit` and `seed` replace the suite's. Raises
    InvalidCorpus that names everything that is missing, where to get it and where to put it."""
    found: list[Corpus] = []
    missing: list[SuiteCorpus] = []
    for wanted in suite.corpora:
        if data is None or not _is_there(data, wanted):
            missing.append(wanted)
            continue
        corpus = resolve(
            f"{wanted.source}:{data}",
            split=wanted.split,
            duration_s=wanted.duration_s,
            limit=wanted.limit if limit is None else limit,
            seed=wanted.seed if seed is None else seed,
        )
        assert isinstance(corpus, ListedCorpus)
        found.append(replace(corpus, name=wanted.name))
    if missing:
        raise InvalidCorpus(_missing(suite, data, missing))
    return tuple(found)


def _is_there(data: Path, wanted: SuiteCorpus) -> bool:
    folder = data / LAYOUTS[wanted.source].folder
    return (folder / wanted.split if wanted.split else folder).is_dir()


def _missing(suite: Suite, data: Path | None, missing: Sequence[SuiteCorpus]) -> str:
    root = str(data) if data is not None else "DATA"
    lines: list[str] = []
    for wanted in missing:
        layout = LAYOUTS[wanted.source]
        # The example is of some split; what matters is the folder below which it lies.
        example = layout.example.partition(" and ")[0]
        if wanted.split:
            example = f"{wanted.split}/{example.partition('/')[2]}"
        lines.append(f"{wanted.name} from {layout.url} to {root}/{layout.folder} (so that there is {example})")
    where = f"{data} does not hold all of it" if data is not None else "where it is, is not said"
    named = "" if data is not None else f" Then name DATA by --data DATA or ${ENVIRONMENT_VARIABLE}."
    first = missing[0]
    split = f" --split {first.split}" if first.split else ""
    return (
        f"The suite {suite.name} is measured on official data, and {where}. Unpack {'; '.join(lines)}.{named} "
        f"Or measure on clips of your own choice: --corpus {first.source}:FOLDER{split}."
    )
