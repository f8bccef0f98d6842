"""A training that takes seconds: a small model, small discriminators, and a folder of voices made of harmonics."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training.clips import find
from codeczoo.codecs.training.facts import ClipSet, describe
from codeczoo.codecs.training.recipe import Recipe

RATE = 16_000
SMALL = """\
extends = "tiny"
description = "What tests train"
steps = 12
batch_size = 4
adversarial_from = 4

[model]
entries = 32

[model.encoder]
strides = [4, 5, 8]
width = 4
dimension = 16
kernel = 3
last_kernel = 3

[model.decoder]
dimension = 16
width = 32
intermediate = 48
layers = 1

[codebook]
from_step = 0
init_sample = 250
decay = 0.95

[data]
seconds = 0.2

[discriminators]
periods = [2, 3]
period_channels = [4, 8]
resolutions = [[256, 64]]
resolution_channels = 4
band_n_ffts = [256]
band_channels = 4

[optimiser]
learning_rate = 1e-3
warmup_steps = 2

[pace]
log_every = 1
checkpoint_every = 3
validate_every = 6
"""

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
    """A folder of 12 clips of 0.15 to 0.9 s: harmonics of gliding pitch under a formant, and a little noise."""
    folder = tmp_path_factory.mktemp("voices")
    for number in range(12):
        rng = np.random.default_rng(number)
        time_s = np.arange(round(RATE * (0.15 + 0.07 * number))) / RATE
        pitch_hz = rng.uniform(90, 220) * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(1, 4) * time_s))
        phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE
        formant_hz = rng.uniform(400, 2500)
        harmonics = sum(np.exp(-(((k * pitch_hz - formant_hz) / 600) ** 2)) * np.sin(k * phase) for k in range(1, 25))
        wave = 0.2 * harmonics * np.hanning(len(time_s)) + 0.003 * rng.standard_normal(len(time_s))
        soundfile.write(folder / f"voice{number:02}.wav", wave, RATE)
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
    path.write_text(SMALL, encoding="utf-8")
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
