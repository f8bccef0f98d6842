"""What a native codec's fingerprint hangs on: every layer and quantizer that its model imports, and no other.

One too few, and records would be believed that another model made; one too many, and they are measured anew for
nothing.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

import codeczoo.codecs

_CODECS = Path(codeczoo.codecs.__file__).parent
_PARTS = ("layers", "quantizers")


def imported(source: str) -> set[str]:
    """Files of this package's layers and quantizers that a file imports by itself."""
    folder = (_CODECS / source).parent
    found: set[Path] = set()
    for node in ast.walk(ast.parse((_CODECS / source).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = (node.module or "").removeprefix("codeczoo.codecs")
        base = folder if node.level else _CODECS
        assert node.level <= 1
        inside = base.joinpath(*module.strip(".").split(".")) if module else base
        found |= {inside.with_suffix(".py"), *(inside / f"{alias.name}.py" for alias in node.names)}
        if node.level or node.module == "codeczoo.codecs" or (node.module or "").startswith("codeczoo.codecs."):
            assert inside not in (_CODECS / part for part in _PARTS), f"{source} imports of a package as a whole"
    return {str(path.relative_to(_CODECS)) for path in found if path.is_file() and path.parent.name in _PARTS}


@pytest.mark.parametrize("family", ["wavtokenizer", "unicodec", "taae"])
def test_the_sources_are_what_the_model_imports(family: str) -> None:
    sources = import_module(f"codeczoo.codecs.{family}_codec")._SOURCES
    assert len(set(sources)) == len(sources)
    assert all((_CODECS / source).is_file() for source in sources)
    reached: set[str] = set()
    waiting = [source for source in sources if not source.startswith(_PARTS)]
    assert f"{family}.py" in waiting
    while waiting:
        for source in imported(waiting.pop()) - reached:
            reached.add(source)
            waiting.append(source)
    assert {source for source in sources if source.startswith(_PARTS)} == reached
