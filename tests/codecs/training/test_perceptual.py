"""Feature models of the perceptual loss: how a recipe names them, and DistillMOS as one."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from codeczoo.codecs.errors import InvalidAudio, InvalidRecipe, MissingDependency, WeightsMissing
from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training.distillmos_features import DistillMosFeatures
from codeczoo.codecs.training.perceptual import PerceptualLoss, feature_model
from codeczoo.codecs.training.taae_recipe import TaaeRecipe

NAME = "codeczoo.codecs.training.distillmos_features:DistillMosFeatures"
WINDOW = 122_880
"""Samples that the package gives its transformer at once: all its positions."""


@pytest.fixture(scope="module")
def features() -> DistillMosFeatures:
    return DistillMosFeatures()


@pytest.fixture(scope="module")
def speech(demo_audio: Path) -> Tensor:
    clips = [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in sorted(demo_audio.rglob("*.wav"))]
    return torch.stack([clip[: WINDOW // 2].repeat(2)[:WINDOW] for clip in clips if len(clip) >= WINDOW // 2][:2])


def test_the_layers_are_those_that_the_package_judges_by(features: DistillMosFeatures, speech: Tensor) -> None:
    """Its own pooling of our last layer is its own score."""
    from distillmos import ConvTransformerSQAModel

    with contextlib.redirect_stdout(io.StringIO()):
        package = ConvTransformerSQAModel().eval()
    with torch.no_grad():
        layers = features(speech[:, None])
        judge = package.transformer_pool_attn
        pooled = judge.pool(judge.norm_trans(layers[-1].transpose(1, 2)).transpose(1, 2))
        expected = package(speech)
    torch.testing.assert_close(1 + 4 * judge.sigmoid(pooled).flatten(), expected.flatten(), rtol=1e-4, atol=1e-4)
    assert [tuple(layer.shape[1:]) for layer in layers[:2]] == [(64, 159, 768), (64, 79, 768)]
    assert [tuple(layer.shape[1:]) for layer in layers[6:]] == [(384, 200)] * 7


def test_crops_of_any_level_and_length_have_a_distance_with_a_gradient(
    features: DistillMosFeatures, speech: Tensor
) -> None:
    loss = PerceptualLoss(features, 16_000)
    real = speech[:, None, :8_000]
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    near, far = (float(loss(real, real + gain * noise)) for gain in (0.001, 0.03))
    assert 0 < near < 0.8 * far
    assert float(loss(real, real.clone())) == pytest.approx(0, abs=1e-6)
    assert float(loss(real, 0.5 * real)) == pytest.approx(0, abs=1e-4)
    for audio in (real + 0.01 * noise, torch.zeros_like(real)):
        estimate = audio.clone().requires_grad_()
        loss(real, estimate).backward()
        assert estimate.grad is not None
        assert torch.isfinite(estimate.grad).all()
    assert not features.train().training
    assert not any(parameter.requires_grad for parameter in features.parameters())
    with pytest.raises(InvalidAudio, match="crops of 320 to 122880 samples; got 122881"):
        features(torch.zeros(1, 1, WINDOW + 1))


def test_a_recipe_names_what_makes_the_feature_model() -> None:
    recipe = recipes.load("taae-tiny-finetune", [f"features={NAME}"])
    assert isinstance(recipe, TaaeRecipe)
    perceptual = recipe.build_perceptual()
    assert perceptual is not None
    assert isinstance(perceptual.features, DistillMosFeatures)
    assert replace(recipe, stage="pretrain").build_perceptual() is None


MAKERS = """\
def needs_what_is_not_there():
    import no_package_of_this_name

def of_no_rate():
    return print

NOT_CALLABLE = 16_000
"""


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("feature.nowhere:Model", InvalidRecipe, "There is no feature model feature.nowhere:Model: No module"),
        ("feature.makers:Nothing", InvalidRecipe, "has no attribute 'Nothing'"),
        ("feature.makers:needs_what_is_not_there", MissingDependency, "not installed: No module named 'no_package"),
        ("feature.makers:of_no_rate", InvalidRecipe, "makes no feature model"),
        ("feature.makers:NOT_CALLABLE", InvalidRecipe, "makes no feature model"),
        ("C:model", WeightsMissing, "neither a folder nor to be had"),
    ],
)
def test_names_that_make_none(
    name: str, error: type[Exception], match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "feature").mkdir()
    (tmp_path / "feature" / "makers.py").write_text(MAKERS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(error, match=match):
        feature_model(name)
