"""UniCodec's three stages on the loop: what each learns, what it begins with, and that it goes on exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from accelerate import Accelerator

from codeczoo import codecs
from codeczoo.codecs.errors import InvalidTraining
from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training import train_log
from codeczoo.codecs.training.checkpoints import Checkpoints
from codeczoo.codecs.training.clips import find
from codeczoo.codecs.training.crops import validation_crops
from codeczoo.codecs.training.facts import ClipSet, describe
from codeczoo.codecs.training.recipe import CodebookRecipe, Recipe
from codeczoo.codecs.training.running import Running
from codeczoo.codecs.training.trainer import Trainer
from codeczoo.codecs.training.validation import Validation, validate
from codeczoo.codecs.unicodec import UniCodec

RATE = 16_000
SMALL = """\
extends = "unicodec-tiny{stage}"
description = "What tests train"
steps = {steps}
batch_size = 6
adversarial_from = {adversarial_from}

[model]
entries = 64
projected = 8

[model.encoder]
strides = [4, 5, 8]
width = 4
dimension = 16
kernel = 3
last_kernel = 3

[model.transformer]
layers = 2
heads = 2
expert_width = 32

[model.decoder]
dimension = 16
width = 32
intermediate = 48
layers = 1

[data]
seconds = 0.25

[discriminators]
periods = [2, 3]
period_channels = [4, 8]
resolutions = [[256, 64]]
resolution_channels = 4
band_n_ffts = [256]
band_channels = 4

[losses]
commitment = 10.0

[codebook]
from_step = 0

[optimiser]
learning_rate = {rate}
warmup_steps = 2

[pace]
log_every = 1
checkpoint_every = 1000
validate_every = 1000
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in the same order, whatever machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Recipe]:
    """The recipes that tests train, by the stage's name."""
    folder = tmp_path_factory.mktemp("recipes")
    made: dict[str, Recipe] = {}
    for stage, steps, adversarial_from, rate in (
        ("acoustic", 48, 40, 5e-3),
        ("semantic", 24, 0, 3e-3),
        ("finetune", 8, 0, 1e-3),
    ):
        text = SMALL.format(
            stage="" if stage == "acoustic" else f"-{stage}", steps=steps, adversarial_from=adversarial_from, rate=rate
        )
        (folder / f"{stage}.toml").write_text(text, encoding="utf-8")
        made[stage] = recipes.load(str(folder / f"{stage}.toml"))
    return made


@pytest.fixture(scope="module")
def clips(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> ClipSet:
    """Voices (speech), chords (music) and bursts of noise (sound), as a manifest labels them."""
    folder = tmp_path_factory.mktemp("domains")
    rows = ["path,domain"]
    time_s = np.arange(RATE // 2) / RATE
    for number, path in enumerate(sorted(voices.glob("*.wav"))):
        rng = np.random.default_rng(100 + number)
        soundfile.write(folder / f"speech{number}.wav", *soundfile.read(path))
        chord = sum(np.sin(2 * np.pi * rng.uniform(200, 900) * time_s) for _ in range(3)) * np.exp(-3 * time_s)
        burst = rng.standard_normal(len(time_s)) * np.exp(-((time_s - 0.2) ** 2) / 0.01)
        soundfile.write(folder / f"music{number}.wav", 0.2 * chord, RATE)
        soundfile.write(folder / f"sound{number}.wav", 0.2 * burst, RATE)
        rows += [f"{domain}{number}.wav,{domain}" for domain in ("speech", "music", "sound")]
    (folder / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    cache = folder / "facts.sqlite"
    return describe(find(folder / "index.csv"), workers=1, index=cache)


def running(initial: Path | None = None) -> Running:
    return Running(device="cpu", tensorboard=False, initial=initial)


def last_checkpoint(run: Path) -> Path:
    checkpoints = Checkpoints(run)
    return checkpoints.path(checkpoints.steps()[-1])


def end_state(run: Path) -> Any:
    checkpoints = Checkpoints(run)
    return checkpoints.read(checkpoints.steps()[-1])


def means(run: Path, name: str, steps: slice) -> float:
    values = [line[name] for line in train_log.read(run) if name in line]
    return float(np.mean(values[steps]))


@pytest.fixture(scope="module")
def trained(stages: Mapping[str, Recipe], clips: ClipSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each stage, each begun with the last: by a checkpoint, and by an exported model."""
    folder = tmp_path_factory.mktemp("runs")
    torch.set_num_threads(1)
    validation = Validation(validation_crops(clips, stages["acoustic"].crops))
    Trainer(stages["acoustic"], clips, folder / "acoustic", running(), validation).run()
    begun = running(last_checkpoint(folder / "acoustic"))
    Trainer(stages["semantic"], clips, folder / "semantic", begun).run()
    begun = running(folder / "semantic" / "model.safetensors")
    Trainer(stages["finetune"], clips, folder / "finetune", begun).run()
    return folder


def test_each_stage_learns(trained: Path) -> None:
    """Mel falls in the first, and masking does not spoil it in the second; the third is finite. That masked frames can
    be predicted takes longer to show: `test_masked_prediction`."""
    first, last = slice(0, 8), slice(-8, None)
    acoustic, semantic, finetune = (trained / stage for stage in ("acoustic", "semantic", "finetune"))
    reconstructing = slice(32, 40)
    assert means(acoustic, "generator/mel", reconstructing) < 0.9 * means(acoustic, "generator/mel", first)
    assert means(semantic, "generator/contrastive", last) < means(semantic, "generator/contrastive", slice(0, 5))
    assert 1 / 25 < means(semantic, "generator/masked_chance", last) < 1 / 4
    assert 0 <= means(semantic, "generator/masked_accuracy", last) < 1
    assert means(semantic, "generator/mel", last) < 1.1 * means(acoustic, "generator/mel", last)
    assert means(finetune, "generator/mel", last) < 1.05 * means(semantic, "generator/mel", last)
    for run in (acoustic, semantic, finetune):
        assert max(line.get("skipped", 0) for line in train_log.read(run)) == 0
        assert means(run, "discriminator/total", last) > 0
    assert not any("generator/contrastive" in line for run in (acoustic, finetune) for line in train_log.read(run))


def test_what_predicts_masked_frames_moves_in_its_stage_alone(trained: Path, stages: Mapping[str, Recipe]) -> None:
    states = {stage: end_state(trained / stage)["model"] for stage in stages}
    names = [name for name in states["acoustic"] if name.startswith("semantic.")]
    assert len(names) == 5
    torch.manual_seed(stages["acoustic"].seed)
    fresh = stages["acoustic"].build_model().state_dict()
    for name in names:
        assert torch.equal(states["acoustic"][name], fresh[name]), name
        assert not torch.equal(states["semantic"][name], states["acoustic"][name]), name
        assert torch.equal(states["finetune"][name], states["semantic"][name]), name
    vectors = "quantizer.embedding.weight"
    assert all(torch.equal(state[vectors], fresh[vectors]) for state in states.values())


def test_what_is_exported_is_a_codec_with_a_point_a_domain(trained: Path) -> None:
    path = trained / "finetune" / "model.safetensors"
    audio = torch.rand(1, 1, 3_000) - 0.5
    for domain, low, end in (("", 0, 64), ("@speech", 0, 16), ("@music", 16, 32), ("@sound", 32, 64)):
        codec = codecs.load(f"unicodec:{path}{domain}")
        encoded = codec.encode(audio)
        assert encoded.codes[0].shape == (1, -(-3_000 // 160))
        assert low <= int(encoded.codes[0].min()) <= int(encoded.codes[0].max()) < end
        assert codec.decode(encoded).shape == (1, 1, 3_000)
    spec = codecs.spec(f"unicodec:{path}")
    assert "finetune, step 8 of 8" in spec.notes
    assert spec.domain == "general"


def test_validation_says_how_each_part_of_the_codebook_is_used(trained: Path) -> None:
    line = train_log.read(trained / "acoustic")[-1]
    parts = [line[f"validation/utilisation_{domain}"] for domain in ("speech", "music", "sound")]
    assert all(0 < part <= 1 for part in parts)
    assert (parts[0] + parts[1] + 2 * parts[2]) / 4 == pytest.approx(line["validation/utilisation"])


def test_validation_tells_the_domains_and_scores_each_apart(clips: ClipSet, stages: Mapping[str, Recipe]) -> None:
    recipe = stages["acoustic"]
    model = recipe.build_model()
    assert isinstance(model, UniCodec)
    crops = validation_crops(clips, recipe.crops)
    told: list[Any] = []
    quantize = model.quantizer.encode
    model.quantizer.encode = lambda latents, domain=None: told.append(domain) or quantize(latents, domain)
    found = validate(model, Validation(crops), recipe.crops, Accelerator(cpu=True)).scores
    domains = [crop.clip.domain for crop in crops]
    assert [domain for (domain,) in told] == domains
    by_domain = sum(found[f"mel_{domain}"] * domains.count(domain) for domain in ("speech", "music", "sound"))
    assert by_domain / len(crops) == pytest.approx(found["mel"])
    speech = tuple(crop for crop in crops if crop.clip.domain == "speech")
    alone = validate(model, Validation(speech), recipe.crops, Accelerator(cpu=True)).scores
    assert alone["mel"] == pytest.approx(found["mel_speech"])
    assert "mel_speech" not in alone


def test_crops_are_searched_in_the_part_of_their_domain(
    stages: Mapping[str, Recipe], clips: ClipSet, tmp_path: Path
) -> None:
    recipe = replace(stages["acoustic"], steps=2)
    seen: list[tuple[Any, torch.Tensor]] = []
    trainer = Trainer(recipe, clips, tmp_path, running())
    assert isinstance(trainer.model, UniCodec)
    trainer.model.register_forward_hook(lambda _module, inputs, made: seen.append((inputs[2], made.codes)))
    trainer.run()
    assert {domain for domains, _ in seen for domain in domains} == {"speech", "music", "sound"}
    for domains, codes in seen:
        for domain, clip in zip(domains, codes, strict=True):
            part = trainer.model.quantizer.parts[domain]
            assert part.start <= int(clip.min()) <= int(clip.max()) < part.stop


def test_features_pass_until_the_codebook_is_fitted_to_them(
    stages: Mapping[str, Recipe], clips: ClipSet, tmp_path: Path
) -> None:
    recipe = replace(stages["acoustic"], steps=6, codebook=CodebookRecipe(from_step=3))
    trainer = Trainer(recipe, clips, tmp_path / "whole", running())
    assert isinstance(trainer.model, UniCodec)
    model = trainer.model
    seen: list[tuple[bool, torch.Tensor]] = []
    model.quantizer.register_forward_hook(
        lambda _part, inputs, made: seen.append((made.quantized is inputs[0], made.loss))
    )
    fresh = model.quantizer.codebook().detach()
    trainer.run(3)
    assert not model.quantizer.initialised
    assert not (tmp_path / "whole" / "model.safetensors").exists()
    spread = model.encode_to_latents(torch.from_numpy(soundfile.read(clips.clips[0].path)[0]).float()[None, None]).std()
    trainer.run()
    assert [passed for passed, _ in seen] == [True] * 3 + [False] * 3
    assert all((float(loss.detach()) == 0) == passed for passed, loss in seen)
    assert model.quantizer.initialised
    assert 0.5 < float(model.quantizer.codebook().detach().std() / spread) < 2 < float(spread / fresh.std())
    for until in (2, 4, None):
        Trainer(recipe, clips, tmp_path / "parts", running()).run(until)
    whole, parts = end_state(tmp_path / "whole"), end_state(tmp_path / "parts")
    assert all(torch.equal(tensor, parts["model"][name]) for name, tensor in whole["model"].items())
    assert torch.equal(whole["used"], parts["used"])
    with pytest.raises(ValueError, match="have from_step alone"):
        replace(recipe, codebook=CodebookRecipe(from_step=3, decay=0.5))


def test_a_stage_that_is_stopped_anywhere_equals_an_undisturbed_one(
    stages: Mapping[str, Recipe], clips: ClipSet, tmp_path: Path
) -> None:
    """The draws of masks and distractors included."""
    recipe = replace(stages["semantic"], steps=6, adversarial_from=3)
    Trainer(recipe, clips, tmp_path / "whole", running()).run()
    for until in (1, 4, None):
        Trainer(recipe, clips, tmp_path / "parts", running()).run(until)
        torch.rand(3)
    whole, parts = end_state(tmp_path / "whole"), end_state(tmp_path / "parts")
    assert whole["counts"]["step"] == 6
    assert whole["model"].keys() == parts["model"].keys()
    assert all(torch.equal(whole["model"][name], parts["model"][name]) for name in whole["model"])
    assert torch.equal(whole["random"]["cpu"], parts["random"]["cpu"])


def test_a_wavtokenizer_is_no_beginning(
    stages: Mapping[str, Recipe], clips: ClipSet, small_recipe: Recipe, tmp_path: Path
) -> None:
    Trainer(replace(small_recipe, steps=1), clips, tmp_path / "other", running()).run()
    with pytest.raises(InvalidTraining, match="This training cannot begin with"):
        Trainer(stages["semantic"], clips, tmp_path / "run", running(last_checkpoint(tmp_path / "other")))
    assert not (tmp_path / "run").exists()
