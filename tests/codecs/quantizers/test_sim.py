"""SimVQ: UniCodec's numbers, vector-quantize-pytorch's with the same weights, and what learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from vector_quantize_pytorch import SimVQ

from codeczoo.codecs.quantizers import SimVectorQuantizer

PREFIX = "feature_extractor.encodec.quantizer.vq."


def test_unicodec_weights_give_unicodec_tokens(shared: Path) -> None:
    weights = load_file(shared / "oracles" / "unicodec_tiny.safetensors")
    known = {key: torch.from_numpy(value) for key, value in np.load(shared / "oracles" / "unicodec_tiny.npz").items()}
    quantizer = SimVectorQuantizer(32, 64)
    quantizer.load_state_dict({key.removeprefix(PREFIX): w for key, w in weights.items() if key.startswith(PREFIX)})
    torch.testing.assert_close(quantizer.codebook(), known["codebook_projected"], rtol=1e-5, atol=1e-6)
    out = quantizer(known["latent_BCT"])
    assert torch.equal(out.codes[:, 0], known["codes_none"][0])
    torch.testing.assert_close(out.quantized, known["quantized_none"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(out.loss, known["commit_none"])


def test_equals_vector_quantize_pytorch() -> None:
    theirs = SimVQ(8, 64, channel_first=True, rotation_trick=False)
    ours = SimVectorQuantizer(8, 64, bias=False, commitment_weight=0.25, codebook_weight=1.0)
    ours.load_state_dict(
        {"embedding.weight": theirs.frozen_codebook, "embedding_proj.weight": theirs.code_transform.weight}
    )
    one, two = (torch.randn(2, 8, 50).requires_grad_() for _ in range(2))
    two.data.copy_(one.data)
    quantized, indices, loss = theirs(one)
    out = ours(two)
    assert torch.equal(out.codes[:, 0], indices)
    torch.testing.assert_close(out.quantized, quantized, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(out.loss, loss)
    (loss + quantized.square().sum()).backward()
    (out.loss + out.quantized.square().sum()).backward()
    torch.testing.assert_close(two.grad, one.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.embedding_proj.weight.grad, theirs.code_transform.weight.grad)


def test_the_map_learns_and_the_vectors_do_not() -> None:
    """All entries follow, the ones that nothing chose too: the whole codebook comes into use."""
    quantizer = SimVectorQuantizer(8, 64)
    features = 1 + torch.randn(8, 8, 50)
    frozen = quantizer.embedding.weight.clone()
    before = quantizer(features)
    optimiser = torch.optim.Adam([p for p in quantizer.parameters() if p.requires_grad], lr=2e-2)
    for _ in range(300):
        optimiser.zero_grad()
        quantizer(features).loss.backward()
        optimiser.step()
    after = quantizer(features)
    assert torch.equal(quantizer.embedding.weight, frozen)
    assert float(after.loss.detach()) < 0.3 * float(before.loss.detach())
    assert float(before.statistics["utilisation"]) < 0.5
    assert float(after.statistics["utilisation"]) > 0.9


@pytest.mark.parametrize("bias", [True, False])
def test_fitted_entries_are_frames(bias: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    quantizer = SimVectorQuantizer(6, 512, bias=bias)
    spread = torch.diag(torch.tensor([3.0, 2.0, 1.0, 0.1, 0.01, 0.0])) @ torch.randn(6, 6, generator=draw)
    features = (torch.randn(8, 200, 6, generator=draw) @ spread + 5 * torch.arange(6.0)).transpose(1, 2)
    rows = features.transpose(1, 2).flatten(0, 1)
    assert int(quantizer(features).codes.unique().numel()) < 60
    quantizer.fit(features)
    distances, nearest = torch.cdist(quantizer.codebook().double(), rows.double()).min(dim=1)
    assert float(distances.detach().max()) < 1e-3
    assert int(nearest.unique().numel()) == 512
    assert int(quantizer(features).codes.unique().numel()) == 512
    # The vectors are of the size of fresh ones, so that the map learns as fast.
    assert float(quantizer.embedding.weight.square().sum(dim=1).mean()) == pytest.approx(1, rel=0.2)


def test_features_that_pass_are_those_that_came() -> None:
    quantizer = SimVectorQuantizer(6, 64)
    quantizer.passes = True
    features = torch.randn(2, 6, 9, requires_grad=True)
    out = quantizer(features)
    assert out.quantized is features
    assert float(out.loss.detach()) == 0
    assert not quantizer.initialised
    (out.loss + out.quantized.sum()).backward()
    assert torch.equal(features.grad, torch.ones(2, 6, 9))
    assert float(quantizer.embedding_proj.weight.grad.abs().max()) == 0
    assert not torch.equal(quantizer.eval()(features).quantized, features)
