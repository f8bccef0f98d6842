"""Recipes: those of the package build the published models, and what does not fit is said before anything is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from codeczoo.codecs.errors import InvalidRecipe
from codeczoo.codecs.quantizers import VectorQuantizer
from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training import recipe_files
from codeczoo.codecs.training.unicodec_recipe import UniCodecRecipe
from codeczoo.codecs.unicodec import UniCodec
from codeczoo.codecs.wavtokenizer import WavTokenizer

SMALL_320 = 71_750_146
# Encoder and decoder without the codebook: section 2.5 of the published model, or its own arithmetic.
PARAMETERS = {
    "small-320": SMALL_320,
    "small-600": 72_111_714,
    **{f"codebook-{entries}": SMALL_320 for entries in (1024, 2048, 8192, 16_384)},
    "window-1s": SMALL_320,
    "window-5s": SMALL_320,
    # Four 1 x 1 convolutions of 768 channels, and their norm.
    "no-attention": SMALL_320 - (4 * (768 * 768 + 768) + 2 * 768),
    "no-band-discriminator": SMALL_320,
    # The published encoder, and the decoder that lies unused in published checkpoints.
    "mirrored-decoder": 8_802_816 + 8_802_274,
    "tiny": 6_277_858,
}
# With the frozen vectors of the codebook and what masked prediction needs (512 + 2 x 131,328 in the published size).
UNICODEC = {
    **{f"unicodec-{stage}": 185_283_586 + 263_168 for stage in ("acoustic", "semantic", "finetune")},
    **{f"unicodec-tiny{stage}": 6_511_970 for stage in ("", "-semantic", "-finetune")},
}
# 41,126,250 + 600,966 + 42,519,760.
JUDGES = 84_246_976


TAAE = ("taae-pretrain", "taae-finetune", "taae-causal", "taae-tiny", "taae-tiny-finetune")
"""See test_taae_training."""


def test_the_package_has_these() -> None:
    assert set(recipe_files.names()) == {*PARAMETERS, *UNICODEC, *TAAE}


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_recipe_builds_its_model(name: str) -> None:
    made = recipes.load(name)
    with torch.device("meta"):
        model, judges = made.build_model(), made.build_discriminators()
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]
    assert isinstance(model, WavTokenizer)
    assert isinstance(model.quantizer, VectorQuantizer)
    assert model.quantizer.embed.shape == (made.model.entries, made.model.encoder.dimension)
    if name in ("small-320", "small-600", "window-1s", "no-attention"):
        assert sum(parameter.numel() for parameter in judges.parameters()) == JUDGES
    assert made.crops.samples >= judges.least_samples
    assert made.description


@pytest.mark.parametrize("name", UNICODEC)
def test_every_recipe_of_unicodec_builds_its_model(name: str) -> None:
    made = recipes.load(name)
    assert isinstance(made, UniCodecRecipe)
    with torch.device("meta"):
        model, judges = made.build_model(), made.build_discriminators()
    assert sum(parameter.numel() for parameter in model.parameters()) == UNICODEC[name]
    assert isinstance(model, UniCodec)
    assert model.semantic is not None
    masks = name.endswith("semantic")
    assert (made.semantic is not None) == masks == model.semantic.mask_embedding.requires_grad
    assert made.crops.samples >= judges.least_samples
    if "tiny" not in name:
        assert sum(parameter.numel() for parameter in judges.parameters()) == JUDGES
        assert made.losses.mel == (450.0 if name.endswith("finetune") else 45.0)


def test_the_published_stages_of_unicodec() -> None:
    """What the stages differ in, and nothing else."""
    acoustic, semantic, finetune = (recipes.load(f"unicodec-{s}") for s in ("acoustic", "semantic", "finetune"))
    assert isinstance(semantic, UniCodecRecipe)
    assert semantic.semantic is not None
    assert (semantic.semantic.masking.share, semantic.semantic.masking.span) == (0.1, 5)
    rates = [stage.optimiser.learning_rate for stage in (acoustic, semantic, finetune)]
    assert rates == [2e-4, 1e-4, 5e-5]
    facts = acoustic.facts()
    assert (acoustic.losses.commitment, acoustic.codebook.from_step, acoustic.scale_features) == (10.0, 5000, True)
    common = {"steps", "batch_size", "scale_features", "codebook.from_step", "optimiser.learning_rate"}
    for stage, more in ((semantic, "semantic"), (finetune, "losses.mel")):
        different = {key for key in facts | stage.facts() if facts.get(key) != stage.facts().get(key)}
        assert {key.partition(".")[0] if key.startswith("semantic") else key for key in different} == {*common, more}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("codebook.decay=0.9", r"have from_step alone"),
        ("model.encoder.lstm_layers=2", "lstm_layers must be 0"),
        ("model.entries=3", "at least 4 entries"),
        ("model.transformer.chosen=4", "4 experts cannot be chosen of 3"),
        ("data.seconds=0.05", "Two spans of 5 frames do not fit into crops of 4 frames"),
        ("semantic.weight=0", "semantic.weight is a positive number"),
        ("semantic.masking.share=2", "share between 0 and 1"),
        ("family=taco", "`family` is 'taco' in the recipe; one of 'wavtokenizer', 'unicodec', 'taae' is needed"),
    ],
)
def test_what_does_not_fit_a_unicodec_is_said(override: str, said: str) -> None:
    with pytest.raises(InvalidRecipe, match=said):
        recipes.load("unicodec-semantic", [override])


def test_the_published_settings() -> None:
    made = recipes.load("small-320")
    assert (made.optimiser.learning_rate, made.optimiser.betas, made.optimiser.weight_decay) == (
        2e-4,
        (0.9, 0.999),
        0.01,
    )
    assert (made.losses.mel, made.losses.commitment) == (45.0, 1000.0)
    assert (made.model.frame_rate_hz, made.model.entries, made.crops.samples) == (75.0, 4096, 72_000)
    assert made.crops.peak_db == (-6.0, -1.0)
    assert recipes.load("small-600").model.frame_rate_hz == 40.0


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("codebook-16384", "model.entries", 16_384),
        ("window-5s", "data.seconds", 5.0),
        ("no-attention", "model.decoder.attention", False),
        ("no-band-discriminator", "discriminators.band_n_ffts", []),
    ],
)
def test_an_ablation_changes_one_thing(name: str, key: str, value: object) -> None:
    published, changed = recipes.load("small-320").facts(), recipes.load(name).facts()
    assert {k for k in published | changed if published.get(k) != changed.get(k)} == {key}
    assert changed[key] == value


def test_the_shipped_size() -> None:
    """At most about 20 MB as float16, at 40 to 75 tokens a second."""
    made = recipes.load("tiny")
    weights = PARAMETERS["tiny"] + made.model.entries * made.model.encoder.dimension
    assert weights * 2 < 20e6
    assert 40 <= made.model.frame_rate_hz <= 75


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "optimiser.learning_rat=1",
            r"no key `optimiser\.learning_rat` in a recipe; is `optimiser\.learning_rate` meant",
        ),
        ("optimizer.x=1", "no key `optimizer`"),
        ("steps=many", r"`steps` is 'many' in the recipe; a whole number is needed"),
        ("steps=0", "steps is 1 or more; got 0"),
        ("batch_size=2.5", "a whole number is needed"),
        ("precision=int8", "one of 'no', 'bf16', 'fp16' is needed"),
        ("optimiser.betas=[0.9]", "a list of 2 is needed"),
        ("optimiser.betas=[0.9, 1.0]", "betas lie in"),
        ("optimiser.learning_rate=-1", "positive numbers"),
        ("model.decoder=7", "a table is needed"),
        ("model.decoder.dimension=3", "set both dimensions alike"),
        ("discriminators.conditions=2", "0 or the number of the model's bandwidths, 4; got 2"),
        ("data.seconds=0", "holds no samples"),
        ("codebook.init_sample=7", "a sample of at least one frame an entry"),
        ("losses.mel=0", "Loss weights are positive"),
        ("steps", "An override reads key=value"),
        ("precision=fp16", "cannot scale losses as fp16 needs it"),
        ("pace.keep=0", "1 or more"),
        ("codebook.from_step=-1", "0 or more; got -1"),
    ],
)
def test_what_does_not_fit_is_said(override: str, said: str) -> None:
    with pytest.raises(InvalidRecipe, match=said):
        recipes.load("small-320", [override])


def test_the_alternating_procedure_does_not_accumulate() -> None:
    with pytest.raises(InvalidRecipe, match="accumulate with procedure = 'joint'"):
        recipes.load("small-320", ["procedure=alternating", "accumulate=2"])


def test_overrides_are_typed_and_the_last_wins() -> None:
    made = recipes.load("tiny", ["optimiser.learning_rate=1e-4", "steps=5", "steps=7", "codebook.init_sample=none"])
    assert (made.optimiser.learning_rate, made.steps, made.codebook.init_sample) == (1e-4, 7, None)
    assert made.optimiser.betas == recipes.load("tiny").optimiser.betas


def test_files_extend_recipes_of_the_package_and_each_other(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('extends = "tiny"\n[model]\nentries = 64\n')
    (tmp_path / "mine.toml").write_text('extends = "base.toml"\nsteps = 3\n[model]\nsample_rate = 8000\n')
    made = recipes.load(str(tmp_path / "mine.toml"))
    assert (made.name, made.steps, made.model.entries, made.model.sample_rate) == ("mine", 3, 64, 8000)
    (tmp_path / "base.toml").write_text('extends = "mine.toml"\n')
    with pytest.raises(InvalidRecipe, match="in a circle"):
        recipes.load(str(tmp_path / "mine.toml"))


def test_unknown_and_unreadable_recipes(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe, match=r"no recipe named 'smal-320'. Nearest: small-320"):
        recipes.load("smal-320")
    with pytest.raises(InvalidRecipe, match="cannot be read: No such file"):
        recipes.load(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("steps = = 3")
    with pytest.raises(InvalidRecipe, match=r"bad\.toml is not TOML"):
        recipes.load(str(tmp_path / "bad.toml"))
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(InvalidRecipe, match="needs the key `description`"):
        recipes.load(str(tmp_path / "empty.toml"))


def test_the_names_need_no_torch() -> None:
    listed = "from codeczoo.codecs.training.recipe_files import names; assert names()"
    script = f"import sys; {listed}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
