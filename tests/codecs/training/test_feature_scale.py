"""An encoder that is initialised by data."""

from __future__ import annotations

import torch

from codeczoo.codecs.layers.seanet import SeanetConfig, SeanetEncoder
from codeczoo.codecs.training.feature_scale import scale_features

CONFIG = SeanetConfig(strides=(2, 4, 5), width=8, dimension=16, lstm_layers=1)


def test_features_have_mean_0_and_deviation_1_a_channel() -> None:
    torch.manual_seed(0)
    encoder = SeanetEncoder(CONFIG)
    audio = 0.1 * torch.randn(4, 1, 4000)
    with torch.no_grad():
        assert encoder(audio).std(dim=(0, 2)).max() < 0.05
        scale_features(encoder, audio)
        features = encoder(audio)
    torch.testing.assert_close(features.mean(dim=(0, 2)), torch.zeros(16), rtol=0, atol=1e-4)
    torch.testing.assert_close(features.std(dim=(0, 2)), torch.ones(16), rtol=1e-2, atol=0)


def test_silence_leaves_finite_weights() -> None:
    torch.manual_seed(0)
    encoder = SeanetEncoder(CONFIG)
    scale_features(encoder, torch.zeros(2, 1, 4000))
    assert all(torch.isfinite(parameter).all() for parameter in encoder.parameters())
