"""Residual stages: vector-quantize-pytorch's result, prefixes, quantizer dropout, learning one after the other."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from vector_quantize_pytorch import ResidualVQ

from codeczoo.codecs import InvalidTokens
from codeczoo.codecs.quantizers import GroupedQuantizer, ResidualQuantizer, VectorQuantizer
from codeczoo.codecs.quantizers.residual import NOT_SENT

from .builders import clustered, vector


def trained(stages: int, dropout: float = 0.0) -> ResidualQuantizer:
    """Stages that have learnt normally distributed features."""
    quantizer = ResidualQuantizer([VectorQuantizer(4, 32) for _ in range(stages)], dropout=dropout)
    while not quantizer.initialised:
        quantizer(torch.randn(4, 4, 64))
        quantizer.update()
    return quantizer


def test_equals_vector_quantize_pytorch() -> None:
    """Tokens, features and commitment of one step, and the codebooks after it."""
    ours = ResidualQuantizer([vector(8, 32, 0.6**k) for k in range(4)])
    theirs = ResidualVQ(dim=8, num_quantizers=4, codebook_size=32, decay=0.99, threshold_ema_dead_code=0)
    for stage, layer in zip(ours.stages, theirs.layers, strict=True):
        assert isinstance(stage, VectorQuantizer)
        stage.dead_below = 0.0
        for name in ("embed", "embed_avg", "cluster_size"):
            getattr(layer._codebook, name).data.copy_(getattr(stage, name)[None])
    features = torch.randn(2, 8, 60)
    quantized, indices, losses = theirs(features.transpose(1, 2))
    out = ours(features)
    ours.update()
    assert torch.equal(out.codes, indices.permute(0, 2, 1))
    torch.testing.assert_close(out.quantized, quantized.transpose(1, 2))
    torch.testing.assert_close(out.loss, losses.mean())
    for stage, layer in zip(ours.stages, theirs.layers, strict=True):
        torch.testing.assert_close(stage.embed, layer._codebook.embed[0], rtol=1e-4, atol=1e-5)


def test_the_error_falls_with_every_stage() -> None:
    quantizer = trained(5).eval()
    features = torch.randn(8, 4, 100)
    codes = quantizer.encode(features)
    errors = [float((quantizer.decode(codes[:, :k]) - features).square().mean()) for k in range(1, 6)]
    assert all(after < 0.8 * before for before, after in pairwise(errors))
    assert errors[0] < 0.6


def test_a_prefix_of_the_stages_is_a_codec() -> None:
    quantizer = trained(4).eval()
    features = torch.randn(2, 4, 30)
    codes = quantizer.encode(features)
    for count in range(1, 5):
        assert torch.equal(quantizer.encode(features, stages=count), codes[:, :count])
        only = ResidualQuantizer([stage for stage, _ in quantizer._chain()[:count]]).eval()
        assert torch.equal(quantizer.decode(codes[:, :count]), only(features).quantized)
    with pytest.raises(ValueError, match="1 to 4 stages; got 5"):
        quantizer.encode(features, stages=5)


def test_dropout_gives_each_prefix() -> None:
    quantizer = trained(4, dropout=0.5).train()
    features = torch.randn(4_000, 4, 1)
    whole = quantizer.encode(features)
    out = quantizer(features)
    counts = (out.codes != NOT_SENT).sum(dim=1).flatten()
    shares = torch.bincount(counts, minlength=5) / 4_000
    assert shares.tolist() == pytest.approx([0, 0.125, 0.125, 0.125, 0.625], abs=0.025)
    for count in range(1, 5):
        items = counts == count
        assert torch.equal(out.codes[items, :count], whole[items, :count])
        assert torch.all(out.codes[items, count:] == NOT_SENT)
        assert torch.equal(out.quantized[items], quantizer.decode(whole[items, :count]))
    assert torch.equal(out.quantized, quantizer.decode(out.codes))
    assert torch.all(quantizer.eval()(features).codes == whole)


def test_a_stage_learns_from_what_reaches_it_alone() -> None:
    """Its update and its loss are those of the items that were not cut before it."""
    quantizer = trained(3, dropout=1.0)
    last = quantizer.stages[2]
    assert isinstance(last, VectorQuantizer)
    features = torch.randn(64, 4, 10)
    before = float(last.cluster_size.sum())
    out = quantizer(features)
    reached = int((out.codes[:, 2] != NOT_SENT).sum())
    assert 0 < reached < 640
    squared = [
        (quantizer.decode(out.codes.masked_fill(torch.arange(3)[:, None] > k, NOT_SENT)) - features) for k in range(3)
    ]
    sent = (out.codes != NOT_SENT).float()
    expected = sum((error.square().mean(dim=1) * sent[:, k]).mean() for k, error in enumerate(squared)) / 3
    torch.testing.assert_close(out.loss, torch.as_tensor(expected))
    quantizer.update()
    moved = float(last.cluster_size.sum())
    assert last.replaced or moved == pytest.approx(0.99 * before + 0.01 * reached, rel=1e-4)


def test_codebooks_are_made_one_after_the_other() -> None:
    """A stage whose predecessors still quantize with throw-away entries would learn their left-overs: nothing."""
    quantizer = ResidualQuantizer([VectorQuantizer(4, 32) for _ in range(3)])
    made = []
    for _ in range(6):
        out = quantizer(torch.randn(1, 4, 128))
        made.append([stage.initialised for stage, _ in quantizer._chain()])
        sent = (out.codes[0, :, 0] != NOT_SENT).tolist()
        assert sent == [True, made[-1][0], made[-1][1]]
        quantizer.update()
    assert made == [[False] * 3, [True, False, False], [True, True, False], [True] * 3, [True] * 3, [True] * 3]
    scales = [float(stage.embed.norm(dim=1).mean()) for stage in quantizer.stages]
    assert scales[0] > 1.5 * scales[1] > 1.5 * scales[2] > 0.1


def test_training_brings_every_stage_into_use() -> None:
    centres = torch.randn(300, 4)
    quantizer = ResidualQuantizer([VectorQuantizer(4, 32, decay=0.9) for _ in range(3)], dropout=0.3)
    for _ in range(200):
        out = quantizer(clustered(8, 4, 40, centres))
        quantizer.update()
    assert torch.all(out.statistics["utilisation"] > 0.8)


def test_stages_of_several_codebooks() -> None:
    def stage() -> GroupedQuantizer:
        return GroupedQuantizer([vector(2, 16), vector(2, 16)])

    quantizer = ResidualQuantizer([stage(), stage()]).eval()
    features = torch.randn(2, 4, 12)
    codes = quantizer.encode(features)
    assert codes.shape == (2, 4, 12)
    assert torch.equal(quantizer.decode(codes[:, :2]), quantizer.stages[0].decode(codes[:, :2]))
    with pytest.raises(InvalidTokens, match=r"their first \[2, 4\] codebooks"):
        quantizer.decode(codes[:, :3])


def test_codes_with_holes_are_refused() -> None:
    quantizer = trained(3).eval()
    codes = quantizer.encode(torch.randn(1, 4, 5))
    codes[0, 1, 2] = NOT_SENT
    with pytest.raises(InvalidTokens, match="some are missing"):
        quantizer.decode(codes)
    with pytest.raises(InvalidTokens, match="entries; got codes"):
        quantizer.decode(torch.full_like(codes, -2))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one width; got widths \[4, 5\]"):
        ResidualQuantizer([vector(4, 8), vector(5, 8)])
    with pytest.raises(ValueError, match="one width"):
        ResidualQuantizer([])
    with pytest.raises(ValueError, match="0 to 1; got 2"):
        ResidualQuantizer([vector(4, 8)], dropout=2)
