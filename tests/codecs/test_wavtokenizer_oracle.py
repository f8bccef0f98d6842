"""WavTokenizer against tensors that the published implementation gave for a small, randomly weighted model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from codeczoo.codecs.layers.convolution import Conv1d, Residual
from codeczoo.codecs.wavtokenizer import WavTokenizer

CASES = "abcde"
RELATIVE = 1e-4


@pytest.fixture(scope="module")
def oracles(shared: Path) -> Path:
    return shared / "oracles"


@pytest.fixture(scope="module", params=[False, True], ids=["folded", "weight_normed"])
def model(oracles: Path, request: pytest.FixtureRequest) -> WavTokenizer:
    return WavTokenizer.from_checkpoint(oracles / "tiny320.safetensors", trainable=request.param)


def stages(model: WavTokenizer, audio: Tensor, bandwidth_id: int) -> dict[str, Tensor]:
    """Every stage by the oracle's name, seen from outside by hooks."""
    seen: dict[str, Tensor] = {}
    backbone = model.backbone
    # One tile, so that a hook sees a whole clip pass at once. Tiles are tested in test_tiles.py.
    model.encoder.tiles = replace(model.encoder.tiles, samples=audio.shape[-1])
    model.encoder.stage_tiles = replace(model.encoder.stage_tiles, samples=audio.shape[-1])
    watched = {
        **{f"enc{index}": layer for index, layer in enumerate(model.encoder.model)},
        **{f"pos{index}": layer for index, layer in enumerate(backbone.pos_net)},
        **{f"convnext{index}": layer for index, layer in enumerate(backbone.convnext)},
        "bb_embed": backbone.embed,
        "bb_norm": backbone.norm,
        "bb_out": backbone,
        "head_out": model.head.out,
    }
    hooks = [
        part.register_forward_hook(lambda _module, _inputs, output, name=name: seen.__setitem__(name, output))
        for name, part in watched.items()
    ]
    with torch.no_grad():
        model.encoder(audio)
        watched_encoder = dict(seen)
        codes = model.encode(audio)
        seen.update(watched_encoder)
        seen["quantized"] = model.codes_to_features(codes)
        seen["audio_out"] = model.decode(codes, bandwidth_id=bandwidth_id)[:, 0]
    for hook in hooks:
        hook.remove()
    seen["codes"] = codes.transpose(0, 1)
    seen["bb_norm"] = seen["bb_norm"].transpose(1, 2)
    return seen


@pytest.mark.parametrize("case", CASES)
def test_every_stage(model: WavTokenizer, oracles: Path, case: str) -> None:
    oracle = np.load(oracles / f"tiny320_{case}.npz")
    audio = torch.from_numpy(oracle["audio"])[:, None]
    seen = stages(model, audio, int(oracle["bandwidth_id"]))
    np.testing.assert_array_equal(seen["codes"].numpy(), oracle["codes"])
    compared = set(oracle.files) - {"audio", "bandwidth_id", "codes", "margin_rel", "codes_to_features_maxdiff"}
    for name in sorted(compared):
        scale = np.abs(oracle[name]).max()
        np.testing.assert_allclose(
            seen[name].numpy() / scale, oracle[name] / scale, atol=RELATIVE, rtol=0, err_msg=name
        )
    assert {"quantized", "bb_out", "head_out", "audio_out", "enc15", "pos5"} <= compared


def test_the_oracle_looks_at_mirror_padding(model: WavTokenizer) -> None:
    """The layers that the odd lengths are there for."""
    convolutions = [part for part in model.encoder.modules() if isinstance(part, Conv1d)]
    assert {(part.left, part.right) for part in convolutions} >= {(1, 1), (3, 2), (3, 3), (4, 4), (0, 0)}
    assert sum(isinstance(part, Residual) for part in model.encoder.modules()) == 4
