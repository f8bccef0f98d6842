"""A training that takes seconds: the small recipe of all tests, and a folder of voices."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training.clips import find
from codeczoo.codecs.training.facts import ClipSet, describe
from codeczoo.codecs.training.recipe import Recipe

from ...small_training import RECIPE, write_voice


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 12 clips of 0.15 to 0.92 s."""
    folder = tmp_path_factory.mktemp("voices")
    for number in range(12):
        write_voice(folder / f"voice{number:02}.wav", number, 0.15 + 0.07 * number)
    return folder


@pytest.fixture
def voice_clips(voices: Path) -> ClipSet:
    """The clips of `voices`, described."""
    return describe(find(voices), workers=1)


@pytest.fixture(scope="session")
def small_recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe that tests train, as a file."""
    path = tmp_path_factory.mktemp("recipes") / "small.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture
def small_recipe(small_recipe_file: Path) -> Recipe:
    """The recipe that tests train."""
    return recipes.load(str(small_recipe_file))


@pytest.fixture
def one_thread_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a training in another process, as tests of its exactness need it."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
