"""Recipes as files: TOML that may extend another recipe, and overrides of single keys from a command line.

    extends = "small-320"          the name of a recipe of the package, or the path of a file, relative to this one
    description = "One sentence."
    [model]
    entries = 1024

A table is laid over the table of the same name, key by key; anything else replaces what it extends. `"none"` stands for
what has no value (`model.decoder = "none"`), since TOML has no word for it.

Nothing here imports torch: names and descriptions are listed without it. What keys there are and what they mean is said
by `codeczoo.codecs.training.recipe.Recipe`, whose fields they are.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from codeczoo.codecs.errors import InvalidRecipe

Table = Mapping[str, Any]


def names() -> tuple[str, ...]:
    """Recipes that come with the package."""
    found = files("codeczoo.codecs.training.recipes").iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in found if entry.name.endswith(".toml")))


def table(name: str, overrides: Sequence[str] = ()) -> Table:
    """All keys of a recipe, by its name or the path of its `.toml` file, with `key=value` overrides laid over them.
    Raises InvalidRecipe."""
    found = _extended(name, ())
    for override in overrides:
        found = _laid_over(found, _parsed(override))
    return {**found, "name": _stem(name)}


def _stem(name: str) -> str:
    return Path(name).stem if name.endswith(".toml") else name


def _extended(name: str, extending: tuple[str, ...]) -> Table:
    if name in extending:
        raise InvalidRecipe(f"Recipes extend each other in a circle: {' extends '.join((*extending, name))}.")
    content, origin = _content(name)
    try:
        read = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidRecipe(f"The recipe {origin} is not TOML: {error}.") from error
    base = read.pop("extends", None)
    if base is None:
        return read
    if not isinstance(base, str):
        raise InvalidRecipe(f"The recipe {origin} extends {base!r}; the name or the path of one recipe is needed.")
    if base.endswith(".toml") and name.endswith(".toml"):
        base = str(Path(name).parent / base)
    return _laid_over(_extended(base, (*extending, name)), read)


def _content(name: str) -> tuple[bytes, str]:
    if name.endswith(".toml"):
        path = Path(name).expanduser()
        try:
            return path.read_bytes(), str(path)
        except OSError as error:
            raise InvalidRecipe(f"The recipe {path} cannot be read: {error.strerror}.") from error
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5)
        hint = f"Nearest: {', '.join(near)}." if near else f"There are {', '.join(names())}."
        raise InvalidRecipe(
            f"There is no recipe named {name!r}. {hint} One of your own is given by its path, NAME.toml."
        )
    return files("codeczoo.codecs.training.recipes").joinpath(f"{name}.toml").read_bytes(), f"{name}.toml"


def _laid_over(base: Table, above: Table) -> Table:
    merged = dict(base)
    for key, value in above.items():
        below = merged.get(key)
        merged[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _parsed(override: str) -> Table:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise InvalidRecipe(
            f"An override reads key=value, as in optimiser.learning_rate=1e-4 or steps=2000; got {override!r}."
        )
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        # A word without quotes, which a shell would have taken away anyway.
        value = text.strip()
    for part in reversed(parts[1:]):
        value = {part: value}
    return {parts[0]: value}
