"""What the benchmarks of the native WavTokenizer run on: a model of full size, and real speech.

No weights come with this package, so the model is random unless a checkpoint is given. Speed does not depend on
weights; identity of codes does: features that are all alike would give one code for everything and prove nothing. So
the random encoder's gains keep a signal at its size, and its codebook is made of frames of real speech, disturbed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from codeczoo.codecs.layers.weight_norm import WeightNormed
from codeczoo.codecs.resampling import resample
from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig

from .audio import read_mono
from .corpora import resolve
from .errors import BenchmarkError

GAIN = 1.9
"""On PyTorch's initial kernels: ELU and initialisation together shrink a signal by about as much at each layer."""
DISTURBANCE = 0.3
"""Of an entry, in standard deviations of the features."""
CODEBOOK_S = 60.0
"""Speech that the codebook is drawn from."""


def speech(corpus: str, seconds: float, sample_rate_hz: int) -> Tensor:
    """Clips of a corpus one after another, from the first again if they are too short, `[1, 1, T]`."""
    parts: list[np.ndarray] = []
    wanted = round(seconds * sample_rate_hz)
    for clip in resolve(corpus):
        parts.append(resample(*read_mono(clip.path), sample_rate_hz))
        if sum(map(len, parts)) >= wanted:
            break
    joined = np.concatenate(parts)
    if not joined.any():
        raise BenchmarkError(f"{corpus} is silent; give speech.")
    return torch.from_numpy(np.resize(joined, wanted))[None, None]


def trainable(checkpoint: Path | None, corpus: str, config: WavTokenizerConfig | None = None) -> WavTokenizer:
    """The model of a checkpoint, or a random one, weight norm not folded: what the other forms are made from."""
    if checkpoint is not None:
        return WavTokenizer.from_checkpoint(checkpoint, trainable=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = WavTokenizer(config).eval().requires_grad_(False)
        for part in model.encoder.modules():
            if isinstance(part, WeightNormed) and part.weight_g is not None:
                part.weight_g.mul_(GAIN)
        with torch.no_grad():
            features = model.encoder(speech(corpus, CODEBOOK_S, model.config.sample_rate))[0].t()
        drawn = features[torch.randint(len(features), (model.config.entries,))]
        drawn = drawn + DISTURBANCE * features.std(dim=0) * torch.randn_like(drawn)
    model.quantizer.embed.copy_(drawn)
    model.quantizer.embed_avg.copy_(drawn)
    model.quantizer.inited.fill_(1)
    return model


def for_inference(model: WavTokenizer) -> WavTokenizer:
    """A copy of a trainable model, made ready to infer."""
    copy = WavTokenizer(model.config)
    copy.load_state_dict(model.state_dict())
    return copy.for_inference()
