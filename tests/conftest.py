"""Fixtures of all tests: real audio from the demo package, and the optional shared folder of larger material."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Larger test material (audio, weights, oracles), where there is any: `$CODECZOO_SHARED` or `../shared`."""
    folder = Path(os.environ.get("CODECZOO_SHARED", ROOT.parent / "shared"))
    if not (folder / "audio" / "manifest.csv").is_file():
        pytest.skip(f"needs the shared test material, which is not at {folder}; set CODECZOO_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def demo_audio() -> Path:
    """Folder of real 16 kHz mono speech clips, one sub-folder a language, as WAV."""
    found = importlib.util.find_spec("pytest_audioeval")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs the demo clips: pip install 'codeczoo[demo]'")
    return Path(found.submodule_search_locations[0]) / "samples" / "audio"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
