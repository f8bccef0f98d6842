"""TAAE's training: its discriminator and losses against the published ones and by hand, and both stages on a CPU."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from codeczoo import codecs
from codeczoo.codecs.errors import InvalidAudio, WeightsCorrupt, WeightsMissing
from codeczoo.codecs.taae import TAAE, TAAEConfig
from codeczoo.codecs.taae_checkpoint import write
from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training.adversarial import hinge_discriminator
from codeczoo.codecs.training.checkpoints import read_state
from codeczoo.codecs.training.facts import ClipSet
from codeczoo.codecs.training.judgement import Judgement
from codeczoo.codecs.training.loader import Batch
from codeczoo.codecs.training.perceptual import PerceptualLoss, WavLmFeatures
from codeczoo.codecs.training.random_levels import RandomLevels
from codeczoo.codecs.training.recipe import DataRecipe, OptimiserRecipe, Pace
from codeczoo.codecs.training.relative_matching import relative_distance, relative_feature_matching
from codeczoo.codecs.training.running import Running
from codeczoo.codecs.training.taae_discriminator import GoldenConfig, GoldenDiscriminator
from codeczoo.codecs.training.taae_losses import TaaeLosses, TaaeLossSettings
from codeczoo.codecs.training.taae_recipe import BottleneckRecipe, TaaeRecipe
from codeczoo.codecs.training.taae_step import TaaeStep
from codeczoo.codecs.training.trainer import Trainer

RATE = 16_000


def test_the_discriminator_is_the_published_one(shared: Path) -> None:
    oracles = shared / "oracles"
    model = GoldenDiscriminator(GoldenConfig(channels=4))
    model.load_state_dict(load_file(oracles / "taae_disc.safetensors"))
    known = {key: torch.from_numpy(value) for key, value in np.load(oracles / "taae_disc.npz").items()}
    with torch.no_grad():
        real, fake = model(known["real"], known["fake"])
    for scale, judgement in enumerate(real):
        logits = known[f"logit{scale}"].flatten(1)
        assert float((judgement.logits - logits).abs().max() / logits.abs().max()) < 1e-4
        assert len(judgement.maps) == 5
        assert float(judgement.maps[0].abs().mean()) == pytest.approx(float(known[f"fmap{scale}_0_mean_abs"]), rel=1e-4)
    assert float(hinge_discriminator(real, fake)) == pytest.approx(float(known["loss_dis"]), rel=1e-5)
    assert float(relative_feature_matching(real, fake)) == pytest.approx(float(known["fm"]), rel=1e-5)


def test_its_published_size_and_its_golden_frames() -> None:
    count = sum(parameter.numel() for parameter in GoldenDiscriminator().parameters())
    assert count == 47_335_440
    frames = np.array(GoldenConfig().frames)
    golden = (1 + math.sqrt(5)) / 2
    np.testing.assert_allclose(frames[1:] / frames[:-1], golden, rtol=0.011)


def test_power_law_weighs_quiet_bins_less() -> None:
    """Twice the amplitude is 2^1.5 the spectrum, and a frame of constant energy has the size that its window gives."""
    part = GoldenDiscriminator(GoldenConfig((64,), 2)).discriminators.discriminators[0]
    audio = torch.randn(1, 1, 640)
    spectrum: Any = part.spectrum  # pyright: ignore[reportAttributeAccessIssue]
    torch.testing.assert_close(spectrum(2 * audio), 2**1.5 * spectrum(audio), rtol=1e-3, atol=1e-3)
    assert spectrum(audio).shape == (1, 2, 1 + (640 - 64) // 32, 33)


def test_relative_distance_by_hand() -> None:
    target = [torch.tensor([2.0, -2.0]), torch.tensor([10.0])]
    estimate = [torch.tensor([1.0, -2.0]), torch.tensor([15.0])]
    assert float(relative_distance(target, estimate, floor=0)) == pytest.approx((0.5 / 2 + 5 / 10) / 2)
    scaled = [1000 * x for x in target], [1000 * x for x in estimate]
    assert float(relative_distance(*scaled, floor=0)) == pytest.approx(0.375)
    maps = [Judgement(torch.zeros(1, 1), tuple(x)) for x in (target, estimate)]
    assert float(relative_feature_matching((maps[0],), (maps[1],))) == pytest.approx(0.375, rel=1e-3)


def test_levels_are_drawn_evenly_and_items_get_noise_or_rounding() -> None:
    torch.manual_seed(0)
    quantizer = RandomLevels(6)
    z = torch.randn(8, 6, 4)
    native = quantizer.encode(z)
    rounded, grids = 0, {17: 0, 9: 0, 5: 0}
    for _ in range(600):
        out = quantizer(z)
        assert torch.equal(out.codes, native)
        for levels in grids:
            on_grid = ((out.quantized + 1) * (levels - 1) / 2 % 1 < 1e-4) | (
                (out.quantized + 1) * (levels - 1) / 2 % 1 > 1 - 1e-4
            )
            if bool(on_grid.all(dim=2).all(dim=1).any()):
                grids[levels] += 1
        rounded += int(
            (((out.quantized + 1) * 8 % 1 < 1e-4) | ((out.quantized + 1) * 8 % 1 > 1 - 1e-4)).all(2).all(1).sum()
        )
    assert rounded / 4_800 == pytest.approx(0.5, abs=0.03)
    # 5 levels lie on the grids of 9 and of 17; one draw in 256 has noise alone.
    assert grids[17] / 600 == pytest.approx(1, abs=0.02)
    assert grids[9] / 600 == pytest.approx(2 / 3, abs=0.06)
    assert grids[5] / 600 == pytest.approx(1 / 3, abs=0.06)
    assert torch.equal(quantizer.eval()(z).quantized, quantizer.decode(native))
    z.requires_grad_()
    quantizer.train()(z).quantized.sum().backward()
    torch.testing.assert_close(z.grad, 1 - z.detach().tanh() ** 2)


def test_reconstruction_decays_and_leaves_feature_matching() -> None:
    judges = GoldenDiscriminator(GoldenConfig((64, 104), 4))
    losses = TaaeLosses(judges, "pretrain", TaaeLossSettings(decay=0.5, n_fft=256, hop=64))
    real, estimate = torch.randn(2, 1, 1_000), torch.randn(2, 1, 1_000, requires_grad=True)
    for step in (1, 2, 11):
        loss = losses.generator_loss(real, estimate, step)
        assert loss.waveform is not None
        assert loss.spectrum is not None
        reconstruction = float(loss.waveform.detach() + loss.spectrum.detach())
        expected = float(loss.features.detach()) + 0.5 ** (step - 1) * reconstruction
        assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-5)
    assert float(loss.waveform.detach()) == pytest.approx(float((real - estimate.detach()).abs().mean()))
    window = torch.hann_window(256)
    spectra = [
        torch.stft(x[:, 0].detach(), 256, 64, window=window, return_complex=True).abs() for x in (real, estimate)
    ]
    assert float(loss.spectrum.detach()) == pytest.approx(float((spectra[0] - spectra[1]).abs().mean()), rel=1e-5)
    loss.total.backward()
    assert estimate.grad is not None
    assert all(parameter.grad is None for parameter in judges.parameters())
    losses.discriminator_loss(real, estimate).total.backward()
    assert all(parameter.grad is not None for parameter in judges.parameters())


def test_stages_have_the_terms_that_they_need() -> None:
    judges = GoldenDiscriminator(GoldenConfig((64,), 2))
    with pytest.raises(ValueError, match="finetune has a perceptual loss"):
        TaaeLosses(judges, "finetune")
    with pytest.raises(InvalidAudio, match="largest frame has 64 samples; got 63"):
        judges(torch.zeros(1, 1, 63))
    with pytest.raises(InvalidAudio, match="takes 16000 Hz; the codec has 24000"):
        PerceptualLoss(features(), 24_000)


def wavlm() -> nn.Module:
    """A WavLM of transformers, random and small."""
    from transformers import WavLMConfig, WavLMModel

    torch.manual_seed(0)
    config = WavLMConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, conv_dim=(8, 8),
        conv_kernel=(10, 8), conv_stride=(10, 8), num_feat_extract_layers=2, num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2, feat_extract_norm="layer", do_stable_layer_norm=True, num_buckets=8,
    )  # fmt: skip
    return WavLMModel(config)


def features() -> WavLmFeatures:
    return WavLmFeatures(wavlm())


def test_perceptual_loss_in_a_wavlm() -> None:
    model = features()
    loss = PerceptualLoss(model, RATE)
    real, estimate = torch.randn(2, 1, 1_600), torch.randn(2, 1, 1_600, requires_grad=True)
    assert len(model(real)) == 3
    value = loss(real, estimate)
    value.backward()
    assert estimate.grad is not None
    assert float(estimate.grad.abs().sum()) > 0
    assert float(loss(real, real.clone())) == pytest.approx(0, abs=1e-5)
    # Each clip's level is taken out first, as the model was trained.
    torch.testing.assert_close(loss(real, 3 * estimate), value, rtol=1e-3, atol=1e-4)
    assert not model.train().training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_feature_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="is neither a folder nor to be had"):
        WavLmFeatures.pretrained(str(tmp_path / "none"))
    wavlm().save_pretrained(tmp_path / "wavlm")  # pyright: ignore[reportCallIssue]
    assert len(WavLmFeatures.pretrained(str(tmp_path / "wavlm"))(torch.randn(1, 1, 800))) == 3


TINY = TaaeRecipe(
    name="tiny",
    description="What tests train",
    steps=50,
    batch_size=4,
    model=TAAEConfig(patch=40, channels=32, dim_heads=16, transformer_depths=(1, 1), sliding_window=(7, 8)),
    data=DataRecipe(seconds=0.1),
    discriminators=GoldenConfig((78, 206), 4),
    losses=TaaeLossSettings(n_fft=512, hop=128, decay=0.999),
    optimiser=OptimiserRecipe(learning_rate=2e-3, max_gradient_norm=10.0),
)


def crops(number: int = 4) -> Tensor:
    """Harmonics of different pitch."""
    time_s = torch.arange(1_600) / RATE
    pitch_hz = 100 + 40 * torch.arange(number)[:, None]
    return 0.1 * sum(torch.sin(2 * math.pi * k * pitch_hz * time_s) / k for k in range(1, 6))[:, None]  # pyright: ignore[reportIndexIssue]


def batch() -> Batch:
    audio = crops()
    return Batch(audio, (None,) * len(audio), ("",) * len(audio), (0.0,) * len(audio))


def trained(
    recipe: TaaeRecipe, initial: Path | None = None, perceptual: PerceptualLoss | None = None
) -> tuple[TaaeStep, list[dict[str, float]]]:
    from accelerate import Accelerator

    torch.manual_seed(recipe.seed)
    model = recipe.build_model()
    if initial is not None:
        model.load_state_dict(recipe.read_model(initial).state_dict())
    step = TaaeStep(recipe, Accelerator(cpu=True), model, recipe.build_discriminators(), perceptual)
    parts = [batch()]
    return step, [step(parts, number).scalars() for number in range(1, recipe.steps + 1)]


def falls(rows: list[dict[str, float]], name: str) -> float:
    """The last ten values of a loss as a share of the first three."""
    values = [row[name] for row in rows]
    return sum(values[-10:]) / 10 / (sum(values[:3]) / 3)


def test_both_stages_learn(tmp_path: Path) -> None:
    step, rows = trained(TINY)
    assert falls(rows, "generator/spectrum") < 0.6
    reconstruction = [{"sum": row["generator/waveform"] + row["generator/spectrum"]} for row in rows]
    assert falls(reconstruction, "sum") < 0.7
    assert falls(rows, "discriminator/hinge") < 1.0
    assert all(math.isfinite(value) for row in rows for value in row.values())
    write(step.model, tmp_path / "pretrained.safetensors")
    finetune = replace(TINY, stage="finetune", steps=30)
    _, further = trained(finetune, tmp_path / "pretrained.safetensors", PerceptualLoss(features(), RATE))
    assert falls(further, "generator/perceptual") < 0.95
    assert "generator/waveform" not in further[0]


def test_a_step_that_is_not_finite_moves_nothing() -> None:
    from accelerate import Accelerator

    step = TaaeStep(TINY, Accelerator(cpu=True), TINY.build_model(), TINY.build_discriminators())
    before = {name: tensor.clone() for name, tensor in step.model.state_dict().items()}
    with torch.no_grad():
        next(step.judges.parameters()).fill_(torch.nan)
    assert step([batch()], 1).skipped
    assert all(torch.equal(tensor, before[name]) for name, tensor in step.model.state_dict().items())


def test_the_causal_model_goes_on_from_one_that_is_not(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write(TINY.build_model().eval(), path)
    recipe = replace(TINY, model=replace(TINY.model, causal=True, sliding_window=(7, 0)))
    recipe.build_model().load_state_dict(recipe.read_model(path).state_dict())
    other = replace(recipe, model=replace(TINY.model, transformer_depths=(1, 2)))
    with pytest.raises(WeightsCorrupt, match="another model than the recipe's"):
        other.read_model(path)


@pytest.mark.parametrize("name", ["taae-pretrain", "taae-finetune", "taae-causal", "taae-tiny", "taae-tiny-finetune"])
def test_recipes_of_the_package(name: str) -> None:
    recipe = recipes.load(name)
    assert isinstance(recipe, TaaeRecipe)
    assert recipe.stage == ("pretrain" if name in ("taae-pretrain", "taae-tiny") else "finetune")
    if "tiny" not in name:
        assert recipe.learning_rate(1) == recipe.learning_rate(recipe.steps) == 8e-4
        assert replace(recipe.model, causal=False, sliding_window=(63, 64)) == TAAEConfig()
        assert (recipe.discriminators, recipe.losses, recipe.crops.samples) == (
            GoldenConfig(),
            TaaeLossSettings(),
            81_920,
        )
    assert recipe.model.causal == (name == "taae-causal")


def test_what_is_counted_are_levels() -> None:
    codes = TINY.build_model().quantizer.encode(torch.tensor([[[-9.0], [9.0], [0.0], [0.0], [0.0], [0.0]]]))
    assert TINY.counted(codes).flatten().tolist() == [0, 17 + 16, 34 + 8, 51 + 8, 68 + 8, 85 + 8]
    assert TINY.counted_entries == 6 * 17


def test_the_loop_trains_both_stages(voice_clips: ClipSet, tmp_path: Path) -> None:
    """Through the trainer, as `codeczoo train` does it: the second stage begins with the first one's checkpoint, stops,
    goes on, and its model is a codec."""
    wavlm().save_pretrained(tmp_path / "wavlm")  # pyright: ignore[reportCallIssue]
    pace = Pace(log_every=1, checkpoint_every=2, validate_every=4)
    first = replace(TINY, steps=4, pace=pace)
    running = Running(device="cpu", tensorboard=False)
    assert Trainer(first, voice_clips, tmp_path / "first", running).run().finished
    second = replace(first, stage="finetune", features=str(tmp_path / "wavlm"))
    running = replace(running, initial=tmp_path / "first" / "checkpoints" / "step-00000004.pt")
    assert Trainer(second, voice_clips, tmp_path / "second", running).run(until=2).step == 2
    ended = Trainer(second, voice_clips, tmp_path / "second", running).run()
    assert ended.finished
    assert Trainer(second, voice_clips, tmp_path / "undisturbed", running).run().finished
    parts, whole = (
        read_state(tmp_path / name / "checkpoints" / "step-00000004.pt") for name in ("second", "undisturbed")
    )
    for part in ("model", "discriminators", "random"):
        assert all(torch.equal(tensor, parts[part][name]) for name, tensor in whole[part].items())
    lines = [json.loads(line) for line in (tmp_path / "second" / "scalars.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert all(0 < line["codebook/recent_utilisation"] <= 1 for line in lines)
    codec = codecs.load(f"taae:{tmp_path}/second/model.safetensors@native")
    assert codec.decode(codec.encode(crops(1))).shape == (1, 1, 1_600)


def test_recipes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="own, in every channel"):
        replace(TINY, bottleneck=BottleneckRecipe(levels=(9, 5)))
    with pytest.raises(ValueError, match="shorter than a spectrum"):
        replace(TINY, data=DataRecipe(seconds=0.02))
    with pytest.raises(ValueError, match="steps is 1 or more"):
        replace(TINY, steps=0)
    with pytest.raises(ValueError, match="Frames are even"):
        GoldenConfig((77,))
    with pytest.raises(ValueError, match="decay lies in"):
        TaaeLossSettings(decay=0)
    assert TINY.learning_rate(1) == 2e-3
    assert isinstance(TINY.build_model(), TAAE)
