"""Labelled clips without any data set, and a codec whose embeddings are what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.probes.probing import ProbeRequest
from codeczoo.benchmarks.probes.task import Example, Task
from codeczoo.benchmarks.request import Point
from codeczoo.codecs.base import Encoded, Spec

RATE = 8000
HOP = 80


def write_wav(path: Path, seconds: float = 0.05, level: float = 0.1, channels: int = 1, rate: int = RATE) -> Path:
    """A short wav whose samples all have one level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.full((max(1, round(seconds * rate)), channels), level)
    soundfile.write(path, samples, rate, "FLOAT" if path.suffix == ".wav" else None)
    return path


class LevelCodec:
    """A codec of one token a frame, the frame's level in thousandths: what the clips of `labelled` are told by."""

    def __init__(self, name: str = "levels:test") -> None:
        self.spec = Spec(name=name, sample_rate=RATE, frame_rates=(RATE / HOP,), codebook_sizes=(1024,))
        self.fingerprint = "levels-1"
        self.encoded = 0

    def encode(self, audio: Tensor) -> Encoded:
        self.encoded += 1
        frames = -(-audio.shape[-1] // HOP)
        level = (audio[:, 0].mean(dim=1, keepdim=True) * 1000).round().clamp(0, 1023).long()
        return Encoded((level.expand(-1, frames).contiguous(),), audio.shape[-1])

    def decode(self, encoded: Encoded) -> Tensor:
        return (encoded.codes[0].float() / 1000).repeat_interleave(HOP, dim=1)[:, None, : encoded.length]

    def embed(self, encoded: Encoded) -> Tensor:
        """One dimension a level of a hundred thousandths."""
        return torch.nn.functional.one_hot(encoded.codes[0] // 100, 10).permute(0, 2, 1).float()


@pytest.fixture
def labelled(tmp_path: Path) -> Callable[..., Task]:
    """A task of clips whose level is that of their label: label k has 0.1 k + 0.05."""

    def make(
        labels: Sequence[str] = ("a", "b", "c"),
        speakers: int = 6,
        takes: int = 2,
        by_chance: bool = False,
        **facts: object,
    ) -> Task:
        rng = np.random.default_rng(7)
        examples = []
        for speaker in range(speakers):
            for number, label in enumerate(labels):
                for take in range(takes):
                    name = f"{speaker}-{label}-{take}.wav"
                    # Lengths and the last digits differ, so that no two clips have one content.
                    level = 0.1 * number + 0.05 + 1e-5 * (speaker * takes + take)
                    path = write_wav(tmp_path / "clips" / name, 0.05 + 0.01 * take, level)
                    told = str(rng.choice(labels)) if by_chance else label
                    examples.append(Example(Clip(name, path), (told,), f"speaker {speaker}"))
        return Task("made", tuple(examples), group_is="speaker", **facts)  # pyright: ignore[reportArgumentType]

    return make


@pytest.fixture
def level_codec() -> LevelCodec:
    return LevelCodec()


@pytest.fixture
def request_of(tmp_path: Path, level_codec: LevelCodec) -> Callable[..., ProbeRequest]:
    """A request of a task under the codec of levels, in `tmp_path/run`."""

    def make(task: Task, **changes: object) -> ProbeRequest:
        point = Point(level_codec.spec.name, lambda: level_codec)
        given: dict[str, object] = {
            "task": task,
            "corpus": "made",
            "points": (point,),
            "out": tmp_path / "run",
            **changes,
        }
        return ProbeRequest(**given)  # pyright: ignore[reportArgumentType]

    return make
