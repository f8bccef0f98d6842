"""What an editable install hides: a sub-package that `pyproject.toml` does not name is absent from the wheel."""

from __future__ import annotations

import fnmatch
import importlib
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("codecs", "metrics", "benchmarks")
DATA = ("codeczoo.results.published",)
"""Folders without modules that a wheel has too."""


def setuptools_table() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def test_every_sub_package_is_named() -> None:
    found = {
        ".".join(["codeczoo", *folder.relative_to(ROOT).parts])
        for top in PACKAGES
        for folder in [ROOT / top, *(ROOT / top).rglob("*")]
        if folder.is_dir() and any(folder.glob("*.py"))
    }
    assert set(setuptools_table()["packages"]) == found | set(DATA)


def test_every_folder_with_modules_is_a_package() -> None:
    for top in PACKAGES:
        for path in (ROOT / top).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path


def test_data_files_are_named() -> None:
    declared: dict[str, list[str]] = setuptools_table()["package-data"]
    for top in PACKAGES:
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and path.suffix not in {".py", ".pyc"}:
                package = ".".join(["codeczoo", *path.parent.relative_to(ROOT).parts])
                assert any(fnmatch.fnmatch(path.name, pattern) for pattern in declared.get(package, [])), path


def test_data_folders_are_where_the_package_looks_for_them() -> None:
    """`codeczoo` is the repository's root in a wheel too, so that one path leads there in both."""
    from codeczoo.benchmarks.published.rows import FOLDER, PAPERS

    (name,) = DATA
    assert ROOT.joinpath(*name.split(".")[1:]) == FOLDER
    declared: list[str] = setuptools_table()["package-data"][name]
    for path in FOLDER.iterdir():
        assert any(fnmatch.fnmatch(path.name, pattern) for pattern in declared), path
    assert {path.stem for path in FOLDER.glob("*.csv")} == set(PAPERS)


@pytest.mark.parametrize("name", [f"codeczoo.{top}" for top in PACKAGES])
def test_what_is_exported_is_what_is_promised(name: str) -> None:
    """`__all__` names every public object of the package, sorted as ruff has it, and each says what it is."""
    package = importlib.import_module(name)
    promised = list(getattr(package, "__all__", []))
    public = {
        key for key, value in vars(package).items() if not key.startswith("_") and not isinstance(value, ModuleType)
    }
    assert len(set(promised)) == len(promised)
    assert set(promised) == public
    for key in promised:
        exported = getattr(package, key)
        assert (exported.__doc__ or "").strip(), key
        assert exported.__module__.startswith("codeczoo."), key


@pytest.mark.parametrize("top", PACKAGES)
def test_every_module_says_what_it_is(top: str) -> None:
    for path in (ROOT / top).rglob("*.py"):
        assert path.read_text(encoding="utf-8").startswith('"""'), path


def test_no_module_shadows_the_standard_library_in_tests() -> None:
    """pytest must never import `codecs` from this folder: it would replace the standard library's."""
    import codecs

    assert hasattr(codecs, "lookup")
