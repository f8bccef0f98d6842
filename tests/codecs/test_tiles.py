"""A signal that goes through an encoder tile by tile becomes what it becomes at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from codeczoo.codecs.layers.convolution import Conv1d
from codeczoo.codecs.layers.seanet import SeanetConfig, SeanetEncoder
from codeczoo.codecs.layers.tiles import Tiles

CONFIGS = {
    "75 tokens a second": SeanetConfig(width=4, dimension=6),
    "40 tokens a second": SeanetConfig(strides=(4, 5, 5, 6), width=4, dimension=6),
    "wide kernels": SeanetConfig(strides=(3, 2, 2), width=4, dimension=5, residual_layers=3, kernel=9, last_kernel=3),
    "no stage to tile": SeanetConfig(strides=(4,), width=4, dimension=5),
}


@pytest.fixture(params=CONFIGS.values(), ids=CONFIGS.keys())
def encoder(request: pytest.FixtureRequest) -> SeanetEncoder:
    torch.manual_seed(0)
    found = SeanetEncoder(request.param).eval()
    # The smallest tiles that are right, so that short signals have many.
    found.tiles = Tiles.of(found.model[: found.front], 1)
    found.stage_tiles = Tiles.of(found.model[found.front : found.stage], 1)
    return found


def test_tiles_are_the_whole(encoder: SeanetEncoder) -> None:
    tile = encoder.tiles.samples
    for length in (1, tile, tile + 1, 3 * tile // 2, 3 * tile // 2 + 1, 3 * tile, 4 * tile + 7, 5 * tile + tile // 2):
        audio = torch.randn(1, 1, length)
        whole = encoder(audio).detach()  # with gradients nothing is tiled
        with torch.no_grad():
            tiled = encoder(audio)
        torch.testing.assert_close(tiled, whole, rtol=1e-5, atol=1e-6)


def test_clips_of_unequal_lengths(encoder: SeanetEncoder) -> None:
    tile = encoder.tiles.samples
    lengths = [4 * tile + 5, 1, 2 * tile + 3, tile]
    audio = torch.randn(len(lengths), 1, max(lengths))
    with torch.no_grad():
        features = encoder(audio, lengths)
        for row, clip, length in zip(features, audio, lengths, strict=True):
            alone = encoder(clip[None, :, :length])[0]
            torch.testing.assert_close(row[:, : alone.shape[-1]], alone, rtol=1e-5, atol=1e-6)


def test_a_margin_too_short_is_seen() -> None:
    """That the tests above would find a wrong margin: the margin is needed."""
    torch.manual_seed(0)
    layers = [Conv1d(1, 3, 7), Conv1d(3, 4, 4, stride=2)]
    right = Tiles.of(layers, 100)
    assert (right.margin, right.hop, right.samples) == (10, 2, 100)
    audio = torch.randn(1, 1, 400)
    with torch.no_grad():
        whole = layers[1](layers[0](audio))
        tiled, wrong = (tiles.through(layers, audio, [400]) for tiles in (right, replace(right, margin=2)))
    torch.testing.assert_close(tiled, whole, rtol=1e-5, atol=1e-6)
    assert float((wrong - whole).abs().max()) > 0.1


def test_gradients_reach_every_parameter(encoder: SeanetEncoder) -> None:
    encoder(torch.randn(2, 1, 3 * encoder.hop)).square().mean().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
