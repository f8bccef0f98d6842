"""Grouped and product: channels apart, tokens side by side or made into one; vector-quantize-pytorch's groups."""

from __future__ import annotations

import pytest
import torch
from vector_quantize_pytorch import GroupedResidualVQ

from codeczoo.codecs.quantizers import GroupedQuantizer, ProductQuantizer, ResidualQuantizer, VectorQuantizer

from .builders import vector


def test_groups_equal_vector_quantize_pytorch() -> None:
    ours = GroupedQuantizer([ResidualQuantizer([vector(4, 32, 0.6**k) for k in range(3)]) for _ in range(2)]).eval()
    theirs = GroupedResidualVQ(dim=8, groups=2, num_quantizers=3, codebook_size=32).eval()
    for group, rvq in zip(ours.groups, theirs.rvqs, strict=True):
        for stage, layer in zip(group.stages, rvq.layers, strict=True):
            layer._codebook.embed.data.copy_(stage.embed[None])
    features = torch.randn(2, 8, 50)
    quantized, indices, _ = theirs(features.transpose(1, 2))
    out = ours(features)
    torch.testing.assert_close(out.quantized, quantized.transpose(1, 2))
    # Theirs [group, B, N, stage]; ours coarse first, the groups of a stage side by side.
    assert torch.equal(out.codes, indices.permute(1, 3, 0, 2).reshape(2, 6, 50))


def test_groups_of_unequal_width_and_depth() -> None:
    groups = [vector(1, 8), ResidualQuantizer([vector(3, 16), vector(3, 4, 0.5), vector(3, 2, 0.25)]), vector(2, 5)]
    quantizer = GroupedQuantizer(groups)
    assert quantizer.codebook_sizes == (8, 16, 5, 4, 2)
    features = torch.randn(2, 6, 11)
    out = quantizer(features)
    alone = [group(part) for group, part in zip(groups, features.split([1, 3, 2], dim=1), strict=True)]
    assert torch.equal(out.codes[:, [0]], alone[0].codes)
    assert torch.equal(out.codes[:, [1, 3, 4]], alone[1].codes)
    assert torch.equal(out.codes[:, [2]], alone[2].codes)
    assert torch.equal(out.quantized, torch.cat([part.quantized for part in alone], dim=1))
    expected = (alone[0].loss + 3 * alone[1].loss + 2 * alone[2].loss) / 6
    torch.testing.assert_close(out.loss, expected)


def test_a_product_is_the_groups_tokens_as_one_number() -> None:
    parts = [vector(2, 7), vector(1, 10), vector(3, 4)]
    product, grouped = ProductQuantizer(parts), GroupedQuantizer(parts)
    assert product.codebook_sizes == (280,)
    features = torch.randn(2, 6, 40)
    digits = grouped.encode(features)
    assert torch.equal(product.encode(features)[:, 0], digits[:, 0] + 7 * digits[:, 1] + 70 * digits[:, 2])
    assert torch.equal(product(features).quantized, grouped(features).quantized)
    assert product(features).statistics["utilisation"].shape == (3,)
    every = torch.arange(280)[None, None]
    assert torch.equal(product.encode(product.decode(every)), every)


def test_a_product_is_the_nearest_of_its_whole_codebook() -> None:
    """The stored parts find what a search of all 280 written-out vectors finds."""
    product = ProductQuantizer([vector(2, 7), vector(1, 10), vector(3, 4)])
    features = torch.randn(1, 6, 200)
    whole = product.decode(torch.arange(280)[None, None])[0].t()
    assert torch.equal(product.encode(features)[0, 0], torch.cdist(features[0].t(), whole).argmin(dim=1))


def test_parts_learn() -> None:
    product = ProductQuantizer([VectorQuantizer(2, 16), VectorQuantizer(2, 16)])
    losses = []
    for _ in range(60):
        losses.append(float(product(torch.randn(4, 4, 50)).loss))
        product.update()
    assert product.initialised
    assert losses[-1] < 0.25


def test_products_that_make_no_token_are_refused() -> None:
    with pytest.raises(ValueError, match="one codebook"):
        ProductQuantizer([ResidualQuantizer([vector(2, 4), vector(2, 4)])])
    with pytest.raises(ValueError, match=r"2\^63"):
        ProductQuantizer([vector(1, 256) for _ in range(8)])
