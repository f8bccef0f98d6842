"""TAAE against tensors that the published implementation gave for a small, randomly weighted model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from codeczoo.codecs.layers.patches import to_patches
from codeczoo.codecs.taae import TAAE, TAAEConfig
from codeczoo.codecs.taae_networks import EncoderBlock

RELATIVE = 1e-4
PRESETS = ("1x46656_400bps", "2x15625_700bps", "4x729_1000bps")


@pytest.fixture(scope="module")
def oracles(shared: Path) -> Path:
    return shared / "oracles"


@pytest.fixture(scope="module")
def table(oracles: Path) -> dict[str, Any]:
    return json.loads((oracles / "taae_h32.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=[False, True], ids=["folded", "weight_normed"])
def model(oracles: Path, table: dict[str, Any], request: pytest.FixtureRequest) -> TAAE:
    return TAAE.from_checkpoint(oracles / "taae_h32.safetensors", table, trainable=request.param)


@pytest.fixture(scope="module")
def known(oracles: Path) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in np.load(oracles / "taae_h32.npz").items()}


def assert_near(ours: Tensor, known: Tensor, name: str = "") -> None:
    assert ours.shape == known.shape, name
    assert float((ours.detach() - known).abs().max() / known.abs().max()) <= RELATIVE, name


def test_every_layer(model: TAAE, known: dict[str, Tensor]) -> None:
    seen: dict[str, Tensor] = {}
    watched = {
        "enc_conv_in": model.encoder.conv_in,
        **{f"enc_layer{i}": block for i, block in enumerate(model.encoder.blocks, 1)},
        "enc_layer4": model.encoder.conv_out,
        "dec_layer0": model.decoder.conv_in,
        **{f"dec_layer{i}": block for i, block in enumerate(model.decoder.blocks, 1)},
        "dec_layer4": model.decoder.conv_out,
    }
    hooks = [
        part.register_forward_hook(lambda _module, _inputs, output, name=name: seen.__setitem__(name, output))
        for name, part in watched.items()
    ]
    audio = known["audio_BCT"]
    assert torch.equal(to_patches(audio, 16), known["patched"])
    # Together, and not one by one as `encode` has it on a CPU, so that the hooks see the batch.
    seen["pre_bottleneck"] = model.latents(audio)
    codes = model.encode(audio)
    seen |= {name: tensor for name, tensor in seen.items() if name.startswith("enc")}
    with torch.no_grad():
        model.latents(audio)
    seen["quantized"] = model.codes_to_latents(codes)
    seen["decoded"] = model.decode(codes)
    for hook in hooks:
        hook.remove()
    assert torch.equal(codes, known["tokens"].transpose(1, 2))
    seen["tokens_to_latents"] = seen["quantized"].transpose(1, 2)
    seen["decoded_continuous_tanh"] = model.synthesise(model.encode_continuous(audio))
    for name, tensor in seen.items():
        assert_near(tensor, known[name], name)
    assert len(seen) == 8 + 5


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(model: TAAE, known: dict[str, Tensor], preset: str) -> None:
    codes = model.encode(known["audio_BCT"], preset=preset)
    assert torch.equal(codes, known[f"posthoc_{preset}_tokens"][:, :, 0].transpose(1, 2))
    assert_near(model.codes_to_latents(codes, preset), known[f"posthoc_{preset}_latents"])
    assert_near(model.decode(codes, preset=preset), known[f"posthoc_{preset}_decoded"])


def test_the_window_is_what_the_oracle_says(
    model: TAAE, oracles: Path, table: dict[str, Any], known: dict[str, Tensor]
) -> None:
    """One layer with its window, and with one as long as the clip, which is what the published code does without
    FlashAttention; they differ."""
    wide = TAAE.from_checkpoint(oracles / "taae_h32.safetensors", replace(model.config, sliding_window=(40, 40)))
    for which, name in ((model, "block_out_window"), (wide, "block_out_full")):
        block = which.encoder.blocks[0]
        assert isinstance(block, EncoderBlock)
        with torch.no_grad():
            assert_near(block.transformers[0](known["block_in"]), known[name], name)
    assert float((known["block_out_window"] - known["block_out_full"]).abs().max()) > 1e-3


@pytest.mark.parametrize("length", [32, 33, 80])
def test_lengths_that_the_published_code_cuts(model: TAAE, known: dict[str, Tensor], length: int) -> None:
    """It completes patches and drops what is no whole token; `encode` completes tokens, and so has one more."""
    audio = known["audio_BCT"][:1, :, :length]
    patches = to_patches(audio, model.config.patch)
    with torch.no_grad():
        codes = model.quantizer.encode(model.encoder(patches))
    assert torch.equal(codes, known[f"len{length}_tokens"].transpose(1, 2))
    assert_near(model.decode(codes), known[f"len{length}_decoded"])
    ours = model.encode(audio)
    assert ours.shape == (1, 1, -(-length // 32))
    assert model.decode(ours, length).shape == (1, 1, length)


def test_the_table_is_the_configuration(table: dict[str, Any]) -> None:
    config = TAAEConfig.from_table(table)
    assert config == TAAEConfig(
        channels=64, patch=16, dim_heads=32, sliding_window=(5, 6), transformer_depths=(2, 3), rope_dims=16
    )
    assert (config.hop, config.latent_dim, config.frame_rate_hz) == (32, 6, 500.0)
    assert TAAEConfig.from_table(json.loads(json.dumps(config.table()))) == config
