"""The loop: what it learns, how it goes on, what it refuses, and that nothing that is not finite gets in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from codeczoo import codecs
from codeczoo.codecs.errors import InvalidTraining, TrainingFailed
from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training import train_log
from codeczoo.codecs.training.checkpoints import Checkpoints
from codeczoo.codecs.training.clips import find
from codeczoo.codecs.training.crops import TrainingCrops, validation_crops
from codeczoo.codecs.training.facts import ClipSet, describe
from codeczoo.codecs.training.recipe import Recipe
from codeczoo.codecs.training.running import Running
from codeczoo.codecs.training.trainer import Trainer
from codeczoo.codecs.training.validation import Validation, validate
from codeczoo.codecs.wavtokenizer import WavTokenizer

CPU = Running(device="cpu", tensorboard=False)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in the same order, whatever machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def same(a: Any, b: Any) -> bool:
    """Whether two states are equal to the last bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def end_state(run: Path) -> Any:
    """The last checkpoint of a run."""
    checkpoints = Checkpoints(run)
    return checkpoints.read(checkpoints.steps()[-1])


def train(recipe: Recipe, clips: ClipSet, run: Path, until: int | None = None, validation: Validation | None = None):
    return Trainer(recipe, clips, run, CPU, validation).run(until)


def test_a_run_that_is_stopped_anywhere_equals_an_undisturbed_one(
    small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    """Stops while the sample for the codebook is gathered, behind that, and after the discriminators have joined."""
    validation = Validation(validation_crops(voice_clips, small_recipe.crops)[:2])
    train(small_recipe, voice_clips, tmp_path / "whole", validation=validation)
    for until in (1, 3, 4, 7, None):
        train(small_recipe, voice_clips, tmp_path / "parts", until, validation)
    whole, parts = end_state(tmp_path / "whole"), end_state(tmp_path / "parts")
    assert whole["counts"]["step"] == 12
    assert same(whole, parts)
    logs = [
        [{k: v for k, v in line.items() if k != "steps_per_second"} for line in lines]
        for lines in (train_log.read(tmp_path / "whole"), train_log.read(tmp_path / "parts"))
    ]
    assert logs[0] == logs[1]
    assert [line["step"] for line in logs[0]] == [*range(1, 7), 6, *range(7, 13), 12]


def test_what_is_random_is_in_the_state(small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path) -> None:
    """Another seed is another training; drawing from torch's generator between two runs changes nothing."""
    train(small_recipe, voice_clips, tmp_path / "a", 5)
    train(small_recipe, voice_clips, tmp_path / "b", 3)
    torch.rand(7)
    train(small_recipe, voice_clips, tmp_path / "b", 5)
    train(replace(small_recipe, seed=1), voice_clips, tmp_path / "c", 5)
    assert same(end_state(tmp_path / "a"), end_state(tmp_path / "b"))
    assert not same(end_state(tmp_path / "a")["model"], end_state(tmp_path / "c")["model"])


def test_it_learns_uses_its_codebook_and_exports_what_decodes(
    small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    recipe = replace(small_recipe, steps=80, adversarial_from=60, pace=replace(small_recipe.pace, validate_every=80))
    validation = Validation(validation_crops(voice_clips, recipe.crops)[:4])
    ended = Trainer(recipe, voice_clips, tmp_path, CPU, validation).run()
    log = train_log.read(tmp_path)
    trained = [line for line in log if "generator/mel" in line]
    mel = [line["generator/mel"] for line in trained]
    assert sum(mel[50:60]) < 0.75 * sum(mel[:10])
    assert trained[-1]["codebook/recent_utilisation"] > 0.75
    judged = [line["discriminator/total"] for line in trained if "discriminator/total" in line]
    assert len(judged) == 20
    assert judged[-1] < judged[0]
    assert ended.finished
    assert ended.scores["utilisation"] > 0.4
    assert ended.model == tmp_path / "model.safetensors"
    codec = codecs.load(f"wavtokenizer:{ended.model}")
    audio = torch.rand(1, 1, 3000) - 0.5
    encoded = codec.encode(audio)
    assert encoded.codes[0].shape == (1, -(-3000 // 160))
    assert codec.decode(encoded).shape == (1, 1, 3000)


def test_validation_hears_the_model_as_it_is_then(small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path) -> None:
    """What several validations in one process say is what the exported model says. Crops are long enough for the
    layers that keep what they made of their weights."""
    # Of a short convolution's 64 frames and more.
    long = replace(small_recipe.data, seconds=0.8)
    fast = replace(small_recipe.optimiser, learning_rate=5e-3)
    recipe = replace(small_recipe, steps=24, data=long, optimiser=fast)
    validation = Validation(validation_crops(voice_clips, recipe.crops)[:3])
    trainer = Trainer(recipe, voice_clips, tmp_path, CPU, validation)
    ended = trainer.run()
    model = WavTokenizer.from_checkpoint(tmp_path / "model.safetensors")
    alone = validate(model, validation, recipe.crops, trainer.accelerator)
    assert alone.scores["mel"] == pytest.approx(ended.scores["mel"], rel=1e-4)
    assert alone.scores["perplexity"] == ended.scores["perplexity"]


def test_accumulated_parts_are_one_batch(small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path) -> None:
    """Without dropout: the same gradient, to rounding, and the same statistics of the codebook."""
    lengths = []
    for accumulate in (1, 2):
        # As many entries as frames: until there is a codebook, each part is quantized with frames of its own.
        recipe = replace(
            small_recipe, accumulate=accumulate, adversarial_from=0, model=replace(small_recipe.model, entries=100)
        )
        trainer = Trainer(recipe, voice_clips, tmp_path / str(accumulate), CPU)
        for module in trainer.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        trainer.run(1)
        lengths.append(train_log.read(tmp_path / str(accumulate))[0])
    for name in ("generator/gradient", "discriminator/gradient"):
        assert lengths[0][name] == pytest.approx(lengths[1][name], rel=1e-4)


def test_what_is_printed_is_of_all_accumulated_parts(
    small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    """Losses, and the use of the codebook, whose frames would be half of them otherwise."""
    lines, used = [], []
    for accumulate in (1, 2):
        recipe = replace(small_recipe, steps=5, accumulate=accumulate, adversarial_from=1)
        trainer = Trainer(recipe, voice_clips, tmp_path / str(accumulate), CPU)
        for module in trainer.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        # A codebook that is there from the first step on.
        torch.manual_seed(0)
        rows = torch.randn(64, recipe.model.encoder.dimension)
        trainer.model.quantizer.initialise(rows)
        trainer.run(2)
        lines.append(train_log.read(tmp_path / str(accumulate)))
        used.append(end_state(tmp_path / str(accumulate))["used"])
    # The first step's; from the second on discriminators have joined, and rounding makes steps of AdamW.
    for name in ("generator/mel", "generator/commitment", "generator/total", "codebook/perplexity"):
        assert lines[1][0][name] == pytest.approx(lines[0][0][name], rel=1e-3), name
    for name in ("discriminator/period", "discriminator/total", "generator/period_features"):
        assert lines[1][1][name] == pytest.approx(lines[0][1][name], rel=0.02), name
    assert lines[0][0]["codebook/utilisation"] == lines[1][0]["codebook/utilisation"]
    assert int((used[0] > 0).sum()) == pytest.approx(int((used[1] > 0).sum()), abs=2)


def test_the_use_of_no_codebook_is_not_printed(small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path) -> None:
    """Until there is one, codes number frames of the batch, and all of them would be in use."""
    train(replace(small_recipe, steps=6), voice_clips, tmp_path)
    lines = [line for line in train_log.read(tmp_path) if "generator/mel" in line]
    shown = [[name for name in line if name.startswith("codebook/")] for line in lines]
    # 80 frames a step: the sample of 250 is there after step 4.
    assert [len(names) for names in shown] == [0, 0, 0, 0, 4, 4]


def test_the_best_step_is_chosen_among_its_like(small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path) -> None:
    """A mean over the crops that are left does not beat one over more; another score is not compared at all."""
    pace = replace(small_recipe.pace, validate_every=1, checkpoint_every=1)
    recipe = replace(small_recipe, steps=9, pace=pace, codebook=replace(small_recipe.codebook, init_sample=32))
    crops = validation_crops(voice_clips, recipe.crops)[:2]
    # A pair a validation.
    values = iter([1.0, 2.0, None, 9.0, 1.5, 1.7, 1.0, 1.0, 3.0, 1.0, 2.0, 2.0])
    validation = Validation(crops, lambda *_: {"mos": next(values)}, decides="mos", higher_is_better=True)
    train(recipe, voice_clips, tmp_path, 6, validation)
    counts = end_state(tmp_path)["counts"]
    assert (counts["best_step"], counts["best_score"], counts["best_undefined"]) == (5, 2.0, 0)
    train(recipe, voice_clips, tmp_path, 7, Validation(crops))
    counts = end_state(tmp_path)["counts"]
    assert (counts["best_step"], counts["best_by"][:6]) == (7, "mel of")
    train(recipe, voice_clips, tmp_path, 8, Validation(crops[:1]))
    assert end_state(tmp_path)["counts"]["best_step"] == 8


def test_crops_that_were_replaced_are_counted_once_and_for_good(
    small_unicodec_file: Path, labelled_voices: Path, tmp_path: Path
) -> None:
    """Not where batches are looked at before their turn, nor anew in every invocation."""
    (tmp_path / "data").mkdir()
    for path in labelled_voices.parent.iterdir():
        (tmp_path / "data" / path.name).write_bytes(path.read_bytes())
    clips = describe(find(tmp_path / "data" / "index.csv"), workers=1, index=tmp_path / "facts.sqlite")
    for number in (3, 7):
        (tmp_path / "data" / f"voice{number:02}.wav").write_bytes(b"gone")
    recipe = recipes.load(str(small_unicodec_file))
    for until in (2, 5, None):
        Trainer(recipe, clips, tmp_path / "run", CPU).run(until)
    counted = [line["replaced_crops"] for line in train_log.read(tmp_path / "run")]
    crops = TrainingCrops(clips, recipe.crops, recipe.seed)
    bad, expected = 0, []
    for index in range(recipe.steps * recipe.batch_size):
        attempt = 0
        while crops.crop(index, attempt).clip.name in ("voice03.wav", "voice07.wav"):
            bad, attempt = bad + 1, attempt + 1
        if index % recipe.batch_size == recipe.batch_size - 1:
            expected.append(bad)
    assert counted == expected
    assert bad > 2


@pytest.mark.parametrize("procedure", ["joint", "alternating"])
def test_a_step_without_a_finite_gradient_changes_nothing(
    small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path, procedure: Any
) -> None:
    recipe = replace(small_recipe, procedure=procedure)
    trainer = Trainer(recipe, voice_clips, tmp_path, CPU)
    trainer.run(8)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    moments = end_state(tmp_path)["generator_optimiser"]
    trainer.model.encoder.model[0].register_forward_hook(lambda module, inputs, output: output * float("nan"))
    ended = trainer.run(10)
    after = trainer.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert same(moments["state"], end_state(tmp_path)["generator_optimiser"]["state"])
    assert (ended.step, ended.skipped) == (10, 2)
    assert train_log.read(tmp_path)[-1]["skipped"] == 2


def test_it_gives_up_after_so_many_of_them_and_leaves_the_last_good_checkpoint(
    small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    trainer = Trainer(replace(small_recipe, patience=3), voice_clips, tmp_path, CPU)
    trainer.run(4)
    good = end_state(tmp_path)
    trainer.model.encoder.model[0].register_forward_hook(lambda module, inputs, output: output * float("inf"))
    with pytest.raises(TrainingFailed, match=r"3 steps in a row, up to step 7.*step 6 is the last good one"):
        trainer.run()
    assert same(good["model"], end_state(tmp_path)["model"])
    assert end_state(tmp_path)["counts"]["skipped"] == 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"steps": 13}, "steps is 13 here and 12 there"),
        ({"seed": 4}, "seed is 4 here and 0 there"),
        ({"procedure": "alternating"}, "procedure is 'alternating' here and 'joint' there"),
    ],
)
def test_another_configuration_is_refused_with_what_differs(
    small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    train(small_recipe, voice_clips, tmp_path, 1)
    before = end_state(tmp_path)
    with pytest.raises(InvalidTraining, match=named):
        train(replace(small_recipe, **change), voice_clips, tmp_path)
    assert same(before, end_state(tmp_path))


def test_other_clips_are_refused_and_another_pace_is_not(
    small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    train(small_recipe, voice_clips, tmp_path, 1)
    fewer = ClipSet(voice_clips.clips[1:], voice_clips.facts[1:])
    with pytest.raises(InvalidTraining, match="the training clips are others"):
        train(small_recipe, fewer, tmp_path)
    assert train(replace(small_recipe, pace=replace(small_recipe.pace, keep=7)), voice_clips, tmp_path, 2).step == 2


def test_a_folder_that_cannot_be_written_is_refused(small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidTraining, match=r"file/run cannot be used: Not a directory. Name another"):
        train(small_recipe, voice_clips, tmp_path / "file" / "run")


def test_a_batch_that_cannot_be_shared_is_refused(small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path) -> None:
    with pytest.raises(InvalidTraining, match="A batch of 4 crops cannot be shared by 1 processes in 3 parts"):
        train(replace(small_recipe, accumulate=3), voice_clips, tmp_path)


def test_a_checkpoint_that_belongs_to_nothing_is_refused(
    small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    train(small_recipe, voice_clips, tmp_path, 1)
    (tmp_path / "training.json").unlink()
    with pytest.raises(InvalidTraining, match=r"holds checkpoints but no training\.json"):
        train(small_recipe, voice_clips, tmp_path)


def test_the_best_and_the_latest_states_are_kept(small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path) -> None:
    """A score that falls with every validation: the first stays the best."""
    pace = replace(small_recipe.pace, checkpoint_every=2, validate_every=3, keep=2)
    scores = iter([3.0, 2.0, 1.0, 0.5])
    crop = validation_crops(voice_clips, small_recipe.crops)[:1]
    validation = Validation(crop, lambda *_: {"mos": next(scores)}, decides="mos", higher_is_better=True)
    # The sample for the first codebook is there after step 5.
    ended = train(replace(small_recipe, pace=pace), voice_clips, tmp_path, validation=validation)
    assert Checkpoints(tmp_path).steps() == (6, 10, 12)
    assert json.loads((tmp_path / "scalars.jsonl").read_text().splitlines()[-1])["validation/mos"] == 1.0
    assert ended.scores["mos"] == 1.0
    assert "step 6 of 12" in codecs.spec(f"wavtokenizer:{tmp_path / 'best.safetensors'}").notes


def test_a_codebook_may_begin_later(small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path) -> None:
    """Until it begins nothing is gathered; then the sample is of frames from that step on."""
    recipe = replace(small_recipe, codebook=replace(small_recipe.codebook, from_step=3))
    training = Trainer(recipe, voice_clips, tmp_path / "run", CPU)
    assert not training.run(3).finished
    assert len(training.model.quantizer.sample) == 0
    training = Trainer(recipe, voice_clips, tmp_path / "run", CPU)
    training.run(4)
    frames_a_step = recipe.batch_size * recipe.crops.samples // recipe.model.encoder.hop
    assert len(training.model.quantizer.sample) == frames_a_step
    assert training.run().finished
    assert training.model.quantizer.initialised
