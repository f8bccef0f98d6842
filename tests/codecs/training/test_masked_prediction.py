"""UniCodec's semantic stage learns what it is for: on a batch that repeats, masked frames are told from each other."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from accelerate import Accelerator

from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training.feature_scale import scale_features
from codeczoo.codecs.training.loader import Batch
from codeczoo.codecs.training.recipe import Recipe
from codeczoo.codecs.training.unicodec_recipe import UniCodecRecipe
from codeczoo.codecs.unicodec import UniCodec
from codeczoo.codecs.unicodec_semantic import MaskedPrediction

SMALL = [
    "steps=200",
    "batch_size=4",
    "adversarial_from=200",
    "model.entries=128",
    "model.projected=32",
    "model.encoder.strides=[4,5,8]",
    "model.encoder.width=4",
    "model.encoder.dimension=32",
    "model.encoder.kernel=3",
    "model.encoder.last_kernel=3",
    "model.transformer.layers=2",
    "model.transformer.heads=2",
    "model.transformer.expert_width=32",
    "model.decoder.dimension=32",
    "model.decoder.width=32",
    "model.decoder.intermediate=32",
    "model.decoder.layers=1",
    "data.seconds=0.4",
    "semantic.weight=1.0",
    "losses.mel=1.0",
    "optimiser.learning_rate=3e-3",
    "optimiser.warmup_steps=10",
]
RATE = 16_000


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in the same order, whatever machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def recipe() -> UniCodecRecipe:
    found = recipes.load("unicodec-tiny-semantic", SMALL)
    assert isinstance(found, UniCodecRecipe)
    return found


def batch(recipe: Recipe) -> Batch:
    """Voices of gliding pitch, whose frames all differ."""
    time_s = torch.arange(recipe.crops.samples) / RATE
    pitch_hz = 120 + 60 * torch.arange(4)[:, None] + 300 * time_s
    phase = 2 * math.pi * pitch_hz.cumsum(1) / RATE
    audio = torch.stack([torch.sin(k * phase) / k for k in range(1, 8)]).sum(0)
    audio = audio * (0.2 + 0.1 * torch.sin(2 * math.pi * 5 * time_s))
    return Batch(audio[:, None], ("speech", "music", "sound", None), ("",) * 4, (0.0,) * 4)


def beginning(recipe: UniCodecRecipe, at: Batch) -> UniCodec:
    """A model as the stage before leaves it: features of unit scale, entries among them."""
    torch.manual_seed(recipe.seed)
    model = recipe.build_model()
    assert isinstance(model, UniCodec)
    scale_features(model.encoder, at.audio)
    model.quantizer.fit(model.encode_to_latents(at.audio), at.domains)
    return model


def test_masked_frames_are_told_apart_on_a_batch_that_repeats(recipe: UniCodecRecipe) -> None:
    """Masks and distractors are new in every step: what is learnt is what belongs where. At first all masked frames are
    one entry, and the loss is that of guessing."""
    at = batch(recipe)
    model = beginning(recipe, at)
    step = recipe.build_step(Accelerator(cpu=True), model, recipe.build_discriminators())
    rows = [step([at], number).scalars() for number in range(1, recipe.steps + 1)]

    def mean(name: str, of: list[dict[str, float]]) -> float:
        return sum(row[f"generator/{name}"] for row in of) / len(of)

    early, last = rows[20:40], rows[-30:]
    assert mean("masked_accuracy", early) == pytest.approx(mean("masked_chance", early), abs=0.05)
    assert mean("contrastive", early) == pytest.approx(math.log(101), rel=0.05)
    assert mean("masked_accuracy", last) > 2 * mean("masked_chance", last)
    assert mean("contrastive", last) < 0.9 * math.log(101)
    # Of the neighbouring frame's features, the same model knows less.
    assert told(model, at, shifted=0) > 1.5 * told(model, at, shifted=1)


def told(model: UniCodec, at: Batch, shifted: int) -> float:
    """The accuracy over eight draws of masks, held against features of frames so many later."""
    assert model.semantic is not None
    masking = MaskedPrediction()
    found = []
    with torch.no_grad():
        features = model.encoder(at.audio)
        for seed in range(8):
            torch.manual_seed(seed)
            masks = masking.masks(*features[:, 0].shape)
            others = masking.distractors_of(len(masks), int(masks[0].sum()))
            made = model.quantizer(model.transformer(model.semantic.masked(features, masks)), at.domains)
            moved = features.roll(-shifted, dims=-1)
            found.append(model.semantic.predicted(made.quantized, moved, masks, others, 0.1).accuracy)
    return float(torch.stack(found).mean())
