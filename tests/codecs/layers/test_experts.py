"""A mixture of experts: against its definition frame by frame, fresh weights that learn, and clips on their own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from codeczoo.codecs.layers.expert_transformer import ExpertTransformer, ExpertTransformerConfig
from codeczoo.codecs.layers.experts import MixtureOfExperts


@pytest.mark.parametrize(("routed", "shared", "chosen"), [(3, 1, 1), (5, 2, 2), (2, 1, 2), (1, 1, 1)])
def test_against_its_definition(routed: int, shared: int, chosen: int) -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(6, 10, routed=routed, shared=shared, chosen=chosen)
    torch.nn.init.normal_(mixture.gate.weight)
    x = torch.randn(2, 9, 6)
    expected = torch.zeros_like(x)
    for clip in range(2):
        for frame in range(9):
            row = x[clip, frame]
            shares = torch.softmax(mixture.gate.weight @ row, dim=0)
            y = mixture.shared_experts(row)
            for index in shares.argsort(descending=True)[:chosen].tolist():
                expert = mixture.experts[index]
                hidden = F.silu(expert.w1.weight @ row) * (expert.w3.weight @ row)
                y = y + shares[index] * (expert.w2.weight @ hidden)
            expected[clip, frame] = y
    torch.testing.assert_close(mixture(x), expected, rtol=1e-5, atol=1e-5)
    assert mixture.shared_experts.w1.weight.shape == (shared * 10, 6)


def test_fresh_experts_all_get_frames_and_gradients() -> None:
    torch.manual_seed(1)
    mixture = MixtureOfExperts(64, 128)
    x = torch.randn(4, 300, 64)
    counts = torch.bincount(mixture.gate(x.flatten(0, 1))[1][:, 0], minlength=3)
    assert int(counts.min()) > 0.1 * 1200
    y = mixture(x)
    assert 0.2 < float(y.detach().std()) < 2.0
    y.square().mean().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 1e-6 for weight in mixture.parameters())


def test_an_expert_without_frames_has_a_gradient_of_zeros() -> None:
    """And not none: processes that train together would wait for it for ever."""
    mixture = MixtureOfExperts(4, 8)
    with torch.no_grad():
        mixture.gate.weight.zero_()
        mixture.gate.weight[1] = 9.0
    mixture(torch.ones(1, 5, 4)).sum().backward()
    used, unused = mixture.experts[1].w1.weight.grad, mixture.experts[0].w1.weight.grad
    assert used.abs().sum() > 0
    assert unused is not None
    assert unused.abs().sum() == 0


@pytest.mark.parametrize("wrong", [{"chosen": 4}, {"chosen": 0}, {"shared": 0}])
def test_a_mixture_that_cannot_be_is_told(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="A mixture chooses 1 to all"):
        MixtureOfExperts(4, 8, **wrong)


def test_a_fresh_transformer_keeps_the_size_of_its_features() -> None:
    torch.manual_seed(2)
    transformer = ExpertTransformer(64, ExpertTransformerConfig(layers=8, heads=4, expert_width=256))
    y = transformer(torch.randn(2, 64, 100)).detach()
    assert 0.8 < float(y.std()) < 2.5


def test_frames_behind_the_end_of_a_clip_are_not_seen() -> None:
    torch.manual_seed(3)
    transformer = ExpertTransformer(16, ExpertTransformerConfig(layers=2, heads=2, expert_width=16))
    for layer in transformer.layers:
        torch.nn.init.ones_(layer.layer_scale_1.scale)
    x = torch.randn(2, 16, 12)
    both = transformer(x, [12, 5])
    torch.testing.assert_close(both[1:, :, :5], transformer(x[1:, :, :5]), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(both[:1], transformer(x[:1]), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(transformer(x)[1, :, :5], both[1, :, :5], atol=1e-3)
