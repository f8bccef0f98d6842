"""A new training that begins with the weights of an earlier one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from codeczoo.codecs.errors import InvalidTraining
from codeczoo.codecs.training.checkpoints import Checkpoints, read_state
from codeczoo.codecs.training.facts import ClipSet
from codeczoo.codecs.training.recipe import Recipe
from codeczoo.codecs.training.running import Running
from codeczoo.codecs.training.trainer import Ended, Trainer

CPU = Running(device="cpu", tensorboard=False)


@pytest.fixture
def earlier(small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path) -> Ended:
    """Of eight steps: there is a codebook, and the discriminators have joined."""
    return Trainer(small_recipe, voice_clips, tmp_path / "earlier", CPU).run(8)


def last_checkpoint(run: Path) -> Path:
    checkpoints = Checkpoints(run)
    return checkpoints.path(checkpoints.steps()[-1])


def again(small_recipe: Recipe) -> Recipe:
    """The same model with other data order, discriminators from the first step."""
    return replace(small_recipe, seed=5, adversarial_from=0)


def test_a_checkpoint_brings_model_codebook_and_discriminators(
    earlier: Ended, small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    file = last_checkpoint(tmp_path / "earlier")
    trainer = Trainer(again(small_recipe), voice_clips, tmp_path / "new", replace(CPU, initial=file))
    stored = read_state(file)
    assert trainer.step == 0
    for name, tensor in trainer.model.state_dict().items():
        assert torch.equal(tensor, stored["model"][name]), name
    for name, tensor in trainer.discriminators.state_dict().items():
        assert torch.equal(tensor, stored["discriminators"][name]), name
    assert trainer.run(1).step == 1
    begun = read_state(last_checkpoint(tmp_path / "new"))
    moments = [entry["step"] for entry in begun["generator_optimiser"]["state"].values()]
    assert {float(moment) for moment in moments} == {1.0}


def test_a_model_brings_its_weights_and_codebook_alone(
    earlier: Ended, small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    model = earlier.model
    assert model is not None
    trainer = Trainer(again(small_recipe), voice_clips, tmp_path / "new", replace(CPU, initial=model))
    stored = read_state(last_checkpoint(tmp_path / "earlier"))
    for name, tensor in trainer.model.state_dict().items():
        torch.testing.assert_close(tensor, stored["model"][name], rtol=1e-6, atol=1e-7)
    judges = trainer.discriminators.state_dict()
    assert any(not torch.equal(tensor, stored["discriminators"][name]) for name, tensor in judges.items())
    assert trainer.model.quantizer.initialised
    assert trainer.run(2).step == 2


def test_it_goes_on_like_any_other_and_only_with_its_own_beginning(
    earlier: Ended, small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    recipe = again(small_recipe)
    begins = replace(CPU, initial=last_checkpoint(tmp_path / "earlier"))
    Trainer(recipe, voice_clips, tmp_path / "whole", begins).run(4)
    Trainer(recipe, voice_clips, tmp_path / "parts", begins).run(2)
    Trainer(recipe, voice_clips, tmp_path / "parts", begins).run(4)
    whole, parts = (read_state(last_checkpoint(tmp_path / name)) for name in ("whole", "parts"))
    assert all(torch.equal(whole["model"][name], parts["model"][name]) for name in whole["model"])
    with pytest.raises(InvalidTraining, match=r"begins with fresh weights here and with weights [0-9a-f]{12} there"):
        Trainer(recipe, voice_clips, tmp_path / "parts", CPU)


def test_weights_that_do_not_fit_are_refused(
    earlier: Ended, small_recipe: Recipe, voice_clips: ClipSet, tmp_path: Path
) -> None:
    wider = replace(small_recipe, model=replace(small_recipe.model, entries=2 * small_recipe.model.entries))
    for file in (last_checkpoint(tmp_path / "earlier"), earlier.model):
        with pytest.raises(InvalidTraining, match=r"cannot begin with .*size mismatch for quantizer"):
            Trainer(wider, voice_clips, tmp_path / "new", replace(CPU, initial=file))
    assert not (tmp_path / "new").exists()
    broken = tmp_path / "broken.pt"
    broken.write_bytes(last_checkpoint(tmp_path / "earlier").read_bytes()[:-2000])
    with pytest.raises(InvalidTraining, match=r"cannot begin with .*cannot be read"):
        Trainer(small_recipe, voice_clips, tmp_path / "other", replace(CPU, initial=broken))
    with pytest.raises(InvalidTraining, match="No such file"):
        Trainer(small_recipe, voice_clips, tmp_path / "third", replace(CPU, initial=tmp_path / "none.pt"))
