"""Tables of plain values as frozen dataclasses, strictly: an unknown key or a value of another kind is an error that
names the key, what it got and what fits.

Fields may be int, float (a whole number will do), bool, str, Literal, tuples, dataclasses, and each of these or None,
which a table writes as `"none"`.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from codeczoo.codecs.errors import CodecError, InvalidRecipe

T = TypeVar("T")


def read(kind: type[T], values: Mapping[str, Any], key: str = "") -> T:
    """The dataclass `kind` of a table. `key` is where the table stands, for messages. Raises InvalidRecipe."""
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind)]  # pyright: ignore[reportArgumentType]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"is `{key}{near[0]}` meant?" if near else f"there are {', '.join(known)}."
            raise InvalidRecipe(f"There is no key `{key}{name}` in a recipe; {hint}")
    for field in fields(kind):  # pyright: ignore[reportArgumentType]
        if field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise InvalidRecipe(f"A recipe needs the key `{key}{field.name}`.")
    read_values = {name: _value(hints[name], value, f"{key}{name}") for name, value in values.items()}
    try:
        return kind(**read_values)
    except (ValueError, CodecError) as error:
        where = f"`{key.removesuffix('.')}`: " if key else ""
        raise InvalidRecipe(f"The recipe cannot be used. {where}{error}") from error


def _value(hint: Any, value: Any, key: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value == "none":
            return None
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return _value(inner, value, key)
    if origin is Literal:
        if value not in arguments:
            raise _wrong(key, value, f"one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        return _tuple(arguments, value, key)
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise _wrong(key, value, "a table")
        return read(hint, value, f"{key}.")  # pyright: ignore[reportArgumentType]
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise _wrong(key, value, {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[hint])
    return value


def _tuple(arguments: tuple[Any, ...], value: Any, key: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(key, value, "a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(value) != len(arguments):
        raise _wrong(key, value, f"a list of {len(arguments)}")
    return tuple(
        _value(hint, item, f"{key}[{at}]") for at, (hint, item) in enumerate(zip(arguments, value, strict=True))
    )


def _wrong(key: str, value: Any, needed: str) -> InvalidRecipe:
    return InvalidRecipe(f"`{key}` is {value!r} in the recipe; {needed} is needed.")
