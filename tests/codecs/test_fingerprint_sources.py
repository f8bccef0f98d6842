"""What a native codec's fingerprint hangs on: everything that it imports and that decides its codes or audio, and
nothing else.

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

_DECIDES_NOTHING = {
    "base.py": "the contract, and checks that raise",
    "errors.py": "texts",
    "frames.py": "counts frames to raise where tokens are of another length",
    "model_input.py": "checks that raise",
    "model_cache.py": "one model for several codecs",
    "fingerprint.py": "the fingerprint itself",
    "checkpoint_layout.py": "reads tensors and hyper-parameters, which are in the fingerprint by themselves",
    "unicodec_checkpoint.py": "the same",
    "wavtokenizer_checkpoint.py": "the same",
    "taae_checkpoint.py": "the same",
    "unicodec_semantic.py": "a loss of training",
    "wavtokenizer.py": "of UniCodec: the type of what a training step gives",
}
"""Files beside layers and quantizers that an adapter or a model imports, and why a fingerprint leaves them out."""


def imported(source: str) -> set[str]:
    """Files of this package that a file imports by itself."""
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
    return {str(path.relative_to(_CODECS)) for path in found if path.is_file()}


@pytest.mark.parametrize("family", ["wavtokenizer", "unicodec", "taae"])
def test_the_sources_are_what_the_model_imports(family: str) -> None:
    sources = import_module(f"codeczoo.codecs.{family}_codec")._SOURCES
    assert len(set(sources)) == len(sources)
    assert all((_CODECS / source).is_file() for source in sources)
    reached: set[str] = set()
    own = {f"{family}_codec.py", "one_codebook_codec.py"}
    left_out = set(_DECIDES_NOTHING) - set(sources)
    waiting = [f"{family}_codec.py"]
    while waiting:
        for source in imported(waiting.pop()) - reached - left_out:
            reached.add(source)
            waiting.append(source)
    assert f"{family}.py" in reached
    assert set(sources) == reached - own
