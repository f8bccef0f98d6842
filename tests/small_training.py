"""What tests of training train: a recipe that takes seconds, and voices made of harmonics.

Of the tests of the loop (tests/codecs/training) and of those of the command and the scripts around it
(tests/benchmarks/test_training.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16_000
RECIPE = """\
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


def write_voice(path: Path, number: int, seconds: float) -> None:
    """A clip of one of any number of voices: harmonics of gliding pitch under a formant, and a little noise."""
    rng = np.random.default_rng(number)
    time_s = np.arange(round(RATE_HZ * seconds)) / RATE_HZ
    pitch_hz = rng.uniform(90, 220) * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(1, 4) * time_s))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    formant_hz = rng.uniform(400, 2500)
    harmonics = sum(np.exp(-(((k * pitch_hz - formant_hz) / 600) ** 2)) * np.sin(k * phase) for k in range(1, 25))
    wave = 0.2 * harmonics * np.hanning(len(time_s)) + 0.003 * rng.standard_normal(len(time_s))
    soundfile.write(path, wave, RATE_HZ)
