"""A training that takes seconds: the small recipe of all tests, and a folder of voices."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training.clips import find
from codeczoo.codecs.training.facts import ClipSet, describe
from codeczoo.codecs.training.recipe import Recipe

from ...small_training import RECIPE, write_voice

SMALL_UNICODEC = """\
extends = "unicodec-tiny"
description = "What tests train of a UniCodec: features pass for three steps, then the codebook is made of them"
steps = 8
batch_size = 4
adversarial_from = 5

[model]
entries = 32
projected = 8

[model.encoder]
strides = [4, 5, 8]
width = 4
dimension = 16
kernel = 3
last_kernel = 3

[model.transformer]
layers = 1
heads = 2
expert_width = 16

[model.decoder]
dimension = 16
width = 32
intermediate = 48
layers = 1

[codebook]
from_step = 3

[data]
seconds = 0.2

[discriminators]
periods = [2]
period_channels = [4, 8]
resolutions = [[256, 64]]
resolution_channels = 4

[optimiser]
learning_rate = 1e-3
warmup_steps = 2

[pace]
log_every = 1
checkpoint_every = 2
validate_every = 4
"""
SMALL_TAAE = """\
family = "taae"
description = "What tests train of a TAAE"
steps = 8
batch_size = 4

[model]
patch = 40
channels = 32
dim_heads = 16
transformer_depths = [1, 1]
sliding_window = [7, 8]

[data]
seconds = 0.1

[discriminators]
frames = [78, 206]
channels = 4

[losses]
n_fft = 512
hop = 128

[optimiser]
learning_rate = 1e-3
max_gradient_norm = 10.0

[pace]
log_every = 1
checkpoint_every = 2
validate_every = 4
"""


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 12 clips of 0.15 to 0.92 s."""
    folder = tmp_path_factory.mktemp("voices")
    for number in range(12):
        write_voice(folder / f"voice{number:02}.wav", number, 0.15 + 0.07 * number)
    return folder


@pytest.fixture(scope="session")
def labelled_voices(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of them that calls them speech, music, sound and nothing in turn."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = ["path,domain"]
    for path, domain in zip(
        sorted(voices.glob("*.wav")), itertools.cycle(("speech", "music", "sound", "")), strict=False
    ):
        (folder / path.name).write_bytes(path.read_bytes())
        rows.append(f"{path.name},{domain}")
    (folder / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "index.csv"


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


@pytest.fixture(scope="session")
def small_unicodec_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of UniCodec's first stage, as a file."""
    path = tmp_path_factory.mktemp("recipes") / "small-unicodec.toml"
    path.write_text(SMALL_UNICODEC, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small_taae_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of TAAE's first stage, as a file."""
    path = tmp_path_factory.mktemp("recipes") / "small-taae.toml"
    path.write_text(SMALL_TAAE, encoding="utf-8")
    return path


@pytest.fixture
def small_recipe(small_recipe_file: Path) -> Recipe:
    """The recipe that tests train."""
    return recipes.load(str(small_recipe_file))


@pytest.fixture
def one_thread_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a training in another process, as tests of its exactness need it."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
