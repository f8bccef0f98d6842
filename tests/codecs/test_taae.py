"""TAAE: laws of its tokens, its variants, its checkpoints, and what it says of wrong input."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from codeczoo.codecs import CodecError, InvalidAudio, InvalidTokens, WeightsCorrupt, WeightsMissing
from codeczoo.codecs.taae import NATIVE, TAAE, TAAEConfig
from codeczoo.codecs.taae_checkpoint import parameters, published_names, write
from codeczoo.codecs.taae_config import PRESETS, low_rate, streaming

from .standins import noise

SMALL = TAAEConfig(
    patch=8, channels=32, dim_heads=16, transformer_depths=(1, 2), sliding_window=(3, 4), c_mults=(1, 1), strides=(1, 2)
)
CAUSAL = replace(SMALL, causal=True, sliding_window=(5, 0))
WIDENING = replace(SMALL, c_mults=(1, 2, 3), strides=(2, 3, 4), transformer_depths=(1, 1, 1))


def random_model(config: TAAEConfig = SMALL, seed: int = 0) -> TAAE:
    """Weights that make layers matter: LayerScale is no longer small, so that attention is seen in what comes out."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = TAAE(config)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("_scale.scale"):
                    parameter.uniform_(0.3, 1.0)
            model.encoder.conv_out.weight_g.mul_(6)  # pyright: ignore[reportOptionalMemberAccess]
    return model.for_inference()


@pytest.fixture(scope="module")
def model() -> TAAE:
    return random_model()


@pytest.mark.parametrize("length", [1, 15, 16, 17, 333])
@pytest.mark.parametrize("preset", TAAEConfig().presets)
def test_the_law_of_lengths(model: TAAE, length: int, preset: str) -> None:
    codes = model.encode(noise(2, 1, length), preset=preset)
    stages = int(preset[0]) if preset != NATIVE else 1
    assert codes.shape == (2, stages, -(-length // 16))
    assert codes.dtype == torch.int64
    assert model.decode(codes, length, preset).shape == (2, 1, length)
    assert model.decode(codes, preset=preset).shape == (2, 1, codes.shape[-1] * 16)


def test_odd_strides_give_a_step_less_and_a_length_is_kept() -> None:
    model = random_model(WIDENING)
    codes = model.encode(noise(1, 1, 10 * 192))
    assert codes.shape == (1, 1, 10)
    # 10 x 4 steps, by a stride of 3 a step less than 120, by 2 twice as many: 238 patches of 8 for 240.
    assert model.decode(codes).shape == (1, 1, 238 * 8)
    decoded = model.decode(codes, 1_920)
    assert decoded.shape == (1, 1, 1_920)
    assert torch.equal(decoded[..., : 238 * 8], model.decode(codes))
    assert not decoded[..., 238 * 8 :].any()


def test_a_clip_in_a_batch_is_the_clip_alone(model: TAAE) -> None:
    lengths = [700, 33, 512, 1]
    audio = noise(4, 1, 700)
    codes = model.encode(audio, lengths)
    together = model.latents(audio, lengths)
    for index, length in enumerate(lengths):
        alone = audio[index : index + 1, :, :length]
        frames = -(-length // 16)
        assert torch.equal(codes[index : index + 1, :, :frames], model.encode(alone))
        assert not codes[index, :, frames:].any()
        # As a GPU computes it: in one batch, under masks.
        torch.testing.assert_close(together[index : index + 1, :, :frames], model.latents(alone), rtol=0, atol=1e-5)
    continuous = model.encode_continuous(audio, lengths)
    torch.testing.assert_close(continuous[:1], model.latents(audio[:1]).tanh())
    assert not continuous[1, :, 3:].any()


def test_presets_of_one_model_are_near_each_other(model: TAAE) -> None:
    """Stages of 5 and of 3 levels re-code the 17 levels without loss; 6 levels are coarser, within half a step."""
    audio = noise(1, 1, 4_000, level=0.5)
    native = model.codes_to_latents(model.encode(audio))
    for preset in ("2x15625_700bps", "4x729_1000bps"):
        torch.testing.assert_close(model.codes_to_latents(model.encode(audio, preset=preset), preset), native)
    continuous = model.encode_continuous(audio)
    coarse = model.codes_to_latents(model.encode(audio, preset="1x46656_400bps"), "1x46656_400bps")
    assert float((native - continuous).abs().max()) <= 1 / 16 + 1e-6
    assert 1 / 16 < float((coarse - continuous).abs().max()) <= 1 / 5 + 1e-6
    assert len(native.unique()) == 17


@pytest.mark.parametrize(
    ("preset", "config", "paper_bps"),
    [
        ("1x46656_400bps", TAAEConfig(), 400),
        ("2x15625_700bps", TAAEConfig(), 700),
        ("4x729_1000bps", TAAEConfig(), 1000),
        ("1x65536_200bps", low_rate(), 200),
        ("2x6561_325bps", low_rate(), 325),
        ("3x6561_488bps", low_rate(), 487.5),
        ("4x6561_650bps", low_rate(), 650),
    ],
)
def test_bitrates_are_those_of_equation_5(preset: str, config: TAAEConfig, paper_bps: float) -> None:
    found = next(known for known in PRESETS if known.name == preset)
    levels, scales = config.quantization(preset)
    entries = math.prod(levels)
    assert config.frame_rate_hz * sum(math.ceil(math.log2(entries)) for _ in scales) == paper_bps
    assert found.bits_per_second(config.frame_rate_hz) == paper_bps
    assert found.name == f"{len(scales)}x{entries}_{paper_bps + 1e-9:.0f}bps"
    # The native codebook of 17 levels in 6 channels: 625 bits a second (section 3.2.2).
    assert 25 * math.ceil(math.log2(17**6)) == 625


def test_the_published_sizes() -> None:
    """Counts of the spec: 950, 540 and 240 million weights; the low-rate model differs in its convolutions alone."""
    sizes = {1024: 953_319_756, 768: 537_263_436, 512: 239_696_204}
    with torch.device("meta"):
        for channels, count in sizes.items():
            assert parameters(TAAE(TAAEConfig(channels=channels))) == count
        assert parameters(TAAE(streaming())) == sizes[1024]
        more = parameters(TAAE(low_rate())) - sizes[1024]
    convolution = 4 * 1024**2 + 2 * 1024
    assert more == 2 * convolution + 2 * 3 * 1024 * 2 + 2 * 2
    assert (low_rate().frame_rate_hz, low_rate().hop, TAAEConfig().frame_rate_hz) == (12.5, 1280, 25)


def test_a_causal_model_never_looks_ahead() -> None:
    """No token is made of a sample behind its own hop, no sample of a token behind it; the centred model's are."""
    causal, centred = random_model(CAUSAL), random_model()
    audio = noise(1, 1, 640)
    changed = audio.clone()
    changed[..., 320:] = noise(1, 1, 320, seed=1)
    assert torch.equal(causal.encode(audio)[..., :20], causal.encode(changed)[..., :20])
    torch.testing.assert_close(causal.latents(audio)[..., :20], causal.latents(changed)[..., :20], rtol=0, atol=1e-6)
    assert not torch.equal(causal.latents(audio)[..., 20:21], causal.latents(changed)[..., 20:21])
    difference = (centred.latents(audio) - centred.latents(changed)).abs().amax((0, 1))
    assert float(difference[19]) > 1e-4
    latents = torch.rand(1, 6, 40) * 2 - 1
    other = latents.clone()
    other[..., 20:] = 0
    first, second = (causal.synthesise(x) for x in (latents, other))
    torch.testing.assert_close(first[..., :320], second[..., :320], rtol=0, atol=1e-6)
    assert float((first - second)[..., 320:336].abs().max()) > 1e-3
    assert first.shape == (1, 1, 640)
    early = (centred.synthesise(latents) - centred.synthesise(other))[..., :320]
    assert float(early.abs().max()) > 1e-3


def test_the_low_rate_model_codes() -> None:
    config = replace(low_rate(), patch=4, channels=16, dim_heads=16, transformer_depths=(1, 1, 1))
    model = random_model(config)
    codes = model.encode(noise(1, 1, 161))
    assert codes.shape == (1, 1, 11)
    assert model.quantizer.codebook_sizes == (17**8,)
    assert not torch.equal(codes.float().long(), codes), "tokens are beyond what float32 holds"
    assert model.decode(codes, 161).shape == (1, 1, 161)
    assert model.encode(noise(1, 1, 161), preset="4x6561_650bps").shape == (1, 4, 11)


def saved(model: TAAE, path: Path) -> Path:
    write(model, path)
    return path


@pytest.fixture
def file(model: TAAE, tmp_path: Path) -> Path:
    return saved(model, tmp_path / "model.safetensors")


def test_names_are_the_published_ones(shared: Path) -> None:
    lines = (shared / "specs" / "taae_keys.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines if "discriminator" not in line]
    with torch.device("meta"):
        model = TAAE()
    state, names = model.state_dict(), published_names(model)
    assert {names[name]: str(tuple(tensor.shape)) for name, tensor in state.items()} == {row[0]: row[1] for row in rows}
    assert len(rows) == 969


def test_a_file_gives_the_same_model_back(model: TAAE, file: Path, tmp_path: Path) -> None:
    audio = noise(1, 1, 900)
    codes = model.encode(audio)
    again = TAAE.from_checkpoint(file)
    assert again.config == SMALL
    assert torch.equal(again.encode(audio), codes)
    torch.testing.assert_close(again.decode(codes), model.decode(codes))
    # Without what the file states, and as a training checkpoint.
    bare = tmp_path / "bare.safetensors"
    save_file(load_file(file), bare)
    table = json.loads(json.dumps(SMALL.table()))
    pickled = tmp_path / "model.ckpt"
    extra = {"discriminator.discriminators.discriminators.0.spec_transform.window": torch.zeros(78)}
    torch.save({"state_dict": {f"autoencoder.{k}": v for k, v in load_file(file).items()} | extra}, pickled)
    for path in (bare, pickled):
        found = TAAE.from_checkpoint(path, table)
        assert torch.equal(found.encode(audio), codes)
        assert found.codebook_fingerprint == again.codebook_fingerprint
        assert len(found.codebook_fingerprint) == 16
    trained = TAAE.from_checkpoint(file, trainable=True)
    assert parameters(trained) == parameters(again)
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_what_is_not_exactly_the_model_is_named(file: Path, tmp_path: Path) -> None:
    tensors = load_file(file)
    table = SMALL.table()
    name = "encoder.layers.2.layers.2.1.self_attn.to_qkv.weight"

    def refused(changed: dict[str, Tensor], match: str) -> None:
        save_file(changed, tmp_path / "changed.safetensors")
        with pytest.raises(WeightsCorrupt, match=match):
            TAAE.from_checkpoint(tmp_path / "changed.safetensors", table)

    refused({k: v for k, v in tensors.items() if k != name}, f"missing tensors {name}")
    refused({**tensors, "encoder.layers.3.alpha": torch.ones(1)}, "unexpected tensors encoder.layers.3.alpha")
    refused({**tensors, name: tensors[name][:, :-1].contiguous()}, rf"{name} has the shape \[96, 31\]; .* \[96, 32\]")
    refused({**tensors, name: tensors[name] * torch.nan}, f"{name} holds NaN")
    refused({**tensors, name: tensors[name].long()}, f"{name} is torch.int64")
    save_file(tensors, tmp_path / "bare.safetensors")
    with pytest.raises(WeightsCorrupt, match="missing tensors"):
        TAAE.from_checkpoint(tmp_path / "bare.safetensors")
    with pytest.raises(WeightsCorrupt, match="states another configuration"):
        TAAE.from_checkpoint(file, CAUSAL)
    with pytest.raises(WeightsMissing, match="no checkpoint"):
        TAAE.from_checkpoint(tmp_path / "none.safetensors")


def test_configurations_that_fit_nothing_are_refused() -> None:
    wrong = {
        "knows no width": {"width": 5},
        "Heads of 128 channels": {"channels": 100},
        "one number for each block": {"strides": [1, 2, 2]},
        "0 after in a causal model": {"causal": True},
        "rope_dims is even": {"rope_dims": 3},
        "says latent_dim 8": {"latent_dim": 8},
        "says ratio 320": {"ratio": 320},
        "no convolution to go from": {"c_mults": [1, 2], "strides": [2, 1]},
        "levels are 2 or more": {"levels": [1, 17]},
        "wrong kind": {"patch": "320"},
    }
    for match, table in wrong.items():
        with pytest.raises(CodecError, match=match):
            TAAEConfig.from_table(table)
    with pytest.raises(CodecError, match="no preset '2x6561_325bps' for 6 channels"):
        TAAEConfig().quantization("2x6561_325bps")


def test_wrong_input_is_told(model: TAAE) -> None:
    for match, audio in {
        r"\[B, 1, T\]": torch.zeros(1, 2, 9),
        "float audio": torch.zeros(1, 1, 9, dtype=torch.int16),
        "without samples": torch.zeros(1, 1, 0),
        "NaN": torch.full((1, 1, 9), torch.nan),
    }.items():
        with pytest.raises(InvalidAudio, match=match):
            model.encode(audio)
    with pytest.raises(InvalidAudio, match="lengths must be 1 numbers of 1 to 9"):
        model.encode(torch.zeros(1, 1, 9), [10])
    codes = torch.zeros(1, 1, 3, dtype=torch.int64)
    for match, wrong in {"int64 codes": codes.int(), r"\[B, 1, N\]": codes[0], "24137569 entries": codes - 1}.items():
        with pytest.raises(InvalidTokens, match=match):
            model.decode(wrong)
    with pytest.raises(InvalidTokens, match="33 to 48 samples; got a length of 32"):
        model.decode(codes, 32)
    with pytest.raises(InvalidTokens, match=r"int64 codes \[B, 2, N\]"):
        model.decode(codes, preset="2x15625_700bps")
    with pytest.raises(CodecError, match="no preset 'x'"):
        model.encode(torch.zeros(1, 1, 9), preset="x")


def test_training_forward_has_gradients_everywhere() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = TAAE(SMALL)
    made = model(noise(2, 1, 100))
    assert made.audio.shape == (2, 1, 100)
    made.audio.square().mean().backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert np.isfinite([float(p.grad.abs().sum()) for p in model.parameters() if p.grad is not None]).all()
