"""Suites: what is measured with what, as data. One TOML file each, in this folder or anywhere.

    name = "demo"                                   letters, digits, `-`, `_`
    description = "One sentence."
    codecs = ["pcm:16", "opus@12kbps", "lyra:*"]    operating points or shell patterns
    metrics = ["pesq_wb", "stoi"]

    [corpus]                                        optional: without it, --corpus is needed
    source = "demo"                                 what --corpus takes
    split = "test-clean"
    where = { domain = "speech", path = ["speech/*", "read/*"] }
    limit = 200
    seed = 0
    segment_s = 30.0
    lengths_s = [3, 5, 10, 30, 60]              instead of segment_s: clips joined and cut, see passages.py

    [[corpora]]                                     instead of [corpus]: several official data sets, one after another
    name = "libritts-test-clean"                    what the records call it
    source = "libritts"                             a layout; its folder is in --data or $CODECZOO_DATA
    split = "test-clean"
    duration_s = [5, 10]                            optional: least and most; with limit and seed as above
    limit = 900
    seed = 0

    [report]
    group_by = "domain"
    intervals = true

    instead = "codeczoo probe ..."                  optional: the suite is not run by bench but by this command

A key that is not listed here is an error: a misspelt one would change what is measured in silence.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from codeczoo.benchmarks.errors import InvalidSuite, UnknownSuite
from codeczoo.benchmarks.layouts import LAYOUTS
from codeczoo.benchmarks.passages import wrong_lengths

_OF_CORPORA = ("name", "source", "split", "duration_s", "limit", "seed")
_OF_CORPUS = ("source", "split", "where", "limit", "seed", "segment_s", "lengths_s")
GROUPS = ("corpus", "domain", "dataset")
"""What a report can be split by."""


@dataclass(frozen=True)
class SuiteCorpus:
    """One of several official data sets of a suite."""

    name: str
    source: str
    """A layout of codeczoo.benchmarks.layouts, without its folder."""
    split: str | None = None
    duration_s: tuple[float, float] | None = None
    limit: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Suite:
    """One suite. Codecs are patterns: which of them this installation has is the runner's to say."""

    name: str
    description: str
    codecs: tuple[str, ...]
    metrics: tuple[str, ...]
    corpus: str = ""
    """What `corpora.resolve` is given; empty where the user names one."""
    where: tuple[tuple[str, str], ...] = ()
    """(field, pattern) pairs; a field that comes twice takes either pattern."""
    split: str | None = None
    limit: int | None = None
    seed: int = 0
    segment_s: float | None = None
    lengths_s: tuple[float, ...] | None = None
    """Lengths of the pieces that passages are cut into; None: clips are measured as they are."""
    group_by: str | None = None
    """What the report's groups are, one of `GROUPS`; None: as the records suggest."""
    intervals: bool = False
    """Whether tables print confidence intervals."""
    corpora: tuple[SuiteCorpus, ...] = ()
    """Official data sets, instead of `corpus`."""
    instead: str = ""
    """The command that runs it, where that is not `codeczoo bench`."""


def names() -> tuple[str, ...]:
    """Suites that come with the package; `-table9` before `-table10`."""
    found = (entry.name.removesuffix(".toml") for entry in _folder() if entry.name.endswith(".toml"))
    return tuple(sorted(found, key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)]))


def load(name: str) -> Suite:
    """A suite by its name, or by the path of its `.toml` file. Raises UnknownSuite, InvalidSuite."""
    if name.endswith(".toml"):
        path = Path(name).expanduser()
        if not path.is_file():
            raise UnknownSuite(f"The suite {path} does not exist. The package has {', '.join(names())}.")
        return _read(path.read_bytes(), str(path))
    for entry in _folder():
        if entry.name == f"{name}.toml":
            return _read(entry.read_bytes(), entry.name)
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5)
    hint = f"Nearest: {', '.join(near)}." if near else f"There are {', '.join(names())}."
    raise UnknownSuite(f"There is no suite named {name!r}. {hint} A suite of your own is given by its path, NAME.toml.")


def _folder() -> Iterator[Traversable]:
    return files("codeczoo.benchmarks.suites").iterdir()


def _read(content: bytes, path: str) -> Suite:
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSuite(f"{path} is not TOML: {error}.") from error
    top = _Keys(table, path, "", ("name", "description", "codecs", "metrics", "corpus", "corpora", "report", "instead"))
    corpus = _Keys(top.table("corpus"), path, "corpus.", _OF_CORPUS)
    report = _Keys(top.table("report"), path, "report.", ("group_by", "intervals"))
    corpora = tuple(_corpus(_Keys(one, path, "corpora.", _OF_CORPORA), path) for one in top.tables("corpora"))
    if corpora and top.table("corpus"):
        raise InvalidSuite(f"{path}: `corpus` and `corpora` exclude each other; give one of them.")
    if len({one.name for one in corpora}) < len(corpora):
        raise InvalidSuite(f"{path}: two of `corpora` have one name.")
    instead = top.text("instead", "")
    name = top.text("name")
    if not re.fullmatch(r"[\w-]+", name):
        raise InvalidSuite(f"{path}: {name!r} cannot name a suite; letters, digits, - and _ are taken.")
    group_by = report.text("group_by", "") or None
    if group_by is not None and group_by not in GROUPS:
        raise InvalidSuite(f"{path}: `report.group_by` is {group_by!r}; one of {', '.join(GROUPS)} is needed.")
    lengths_s = corpus.numbers("lengths_s")
    if lengths_s is not None and (wrong := wrong_lengths(lengths_s)):
        raise InvalidSuite(f"{path}: `corpus.lengths_s`: {wrong}.")
    if lengths_s is not None and corpus.positive("segment_s") is not None:
        raise InvalidSuite(f"{path}: `corpus.lengths_s` and `corpus.segment_s` exclude each other; give one of them.")
    return Suite(
        name=name,
        description=top.text("description"),
        codecs=top.texts("codecs"),
        metrics=() if instead else top.texts("metrics"),
        corpus=corpus.text("source", ""),
        where=corpus.conditions("where"),
        split=corpus.text("split", "") or None,
        limit=corpus.whole("limit", lowest=1),
        seed=corpus.whole("seed", lowest=0) or 0,
        segment_s=corpus.positive("segment_s"),
        lengths_s=lengths_s,
        group_by=group_by,
        intervals=report.truth("intervals"),
        corpora=corpora,
        instead=instead,
    )


def _corpus(keys: _Keys, path: str) -> SuiteCorpus:
    source = keys.text("source")
    if source not in LAYOUTS:
        raise InvalidSuite(f"{path}: `corpora.source` is {source!r}; one of {', '.join(LAYOUTS)} is needed.")
    duration_s = keys.numbers("duration_s")
    if duration_s is not None and (len(duration_s) != 2 or not 0 <= duration_s[0] <= duration_s[1]):
        raise InvalidSuite(f"{path}: `corpora.duration_s` is {list(duration_s)}; a least and a most length is needed.")
    return SuiteCorpus(
        name=keys.text("name"),
        source=source,
        split=keys.text("split", "") or None,
        duration_s=None if duration_s is None else (duration_s[0], duration_s[1]),
        limit=keys.whole("limit", lowest=1),
        seed=keys.whole("seed", lowest=0) or 0,
    )


class _Keys:
    """One table of the file: its keys are known, and each is read as one kind of value."""

    def __init__(self, values: Mapping[str, Any], path: str, prefix: str, known: tuple[str, ...]) -> None:
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"is `{near[0]}` meant?" if near else f"there are {', '.join(known)}."
                raise InvalidSuite(f"{path} has an unknown key `{prefix}{key}`; {hint}")
        self._values = values
        self._path = path
        self._prefix = prefix

    def _wrong(self, key: str, needed: str) -> InvalidSuite:
        return InvalidSuite(f"{self._path}: `{self._prefix}{key}` is {self._values.get(key)!r}; {needed} is needed.")

    def table(self, key: str) -> Mapping[str, Any]:
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            raise self._wrong(key, "a table")
        return value

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self._wrong(key, "a list of tables")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self._values.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self._wrong(key, "text")
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
            raise self._wrong(key, "a list of names")
        if len(set(value)) < len(value):
            raise self._wrong(key, "a list without repetitions")
        return tuple(value)

    def conditions(self, key: str) -> tuple[tuple[str, str], ...]:
        pairs: list[tuple[str, str]] = []
        for field, patterns in self.table(key).items():
            for pattern in patterns if isinstance(patterns, list) else [patterns]:
                if not isinstance(pattern, str) or not pattern:
                    raise self._wrong(key, 'a pattern or a list of them for each field, as in { domain = "speech" },')
                pairs.append((field, pattern))
        return tuple(pairs)

    def whole(self, key: str, lowest: int) -> int | None:
        value = self._values.get(key)
        if value is not None and (type(value) is not int or value < lowest):
            raise self._wrong(key, f"a whole number from {lowest} on")
        return value

    def positive(self, key: str) -> float | None:
        value = self._values.get(key)
        if value is not None and (type(value) not in (int, float) or not 0 < value < float("inf")):
            raise self._wrong(key, "a positive number")
        return None if value is None else float(value)

    def numbers(self, key: str) -> tuple[float, ...] | None:
        value = self._values.get(key)
        if value is not None and (not isinstance(value, list) or any(type(one) not in (int, float) for one in value)):
            raise self._wrong(key, "a list of numbers")
        return None if value is None else tuple(float(one) for one in value)

    def truth(self, key: str) -> bool:
        value = self._values.get(key, False)
        if type(value) is not bool:
            raise self._wrong(key, "true or false")
        return value
