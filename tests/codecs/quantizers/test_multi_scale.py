"""Multi-scale: counts at odd lengths, means of what is there, and what is sent."""

from __future__ import annotations

import pytest
import torch

from codeczoo.codecs import InvalidTokens
from codeczoo.codecs.quantizers import MultiScaleQuantizer, PooledQuantizer, ResidualQuantizer, VectorQuantizer

from .builders import vector


def snac(dim: int = 4) -> MultiScaleQuantizer:
    return MultiScaleQuantizer([vector(dim, 32, 0.6**k) for k in range(3)], [4, 2, 1]).eval()


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 7, 8, 21, 100])
def test_token_counts_and_round_trip(frames: int) -> None:
    quantizer = snac()
    features = torch.randn(2, 4, frames)
    out = quantizer(features)
    tokens = quantizer.to_tokens(out.codes)
    assert [tuple(sent.shape) for sent in tokens] == [(2, -(-frames // stride)) for stride in (4, 2, 1)]
    assert torch.equal(quantizer.from_tokens(tokens, frames), out.codes)
    assert torch.equal(quantizer.decode(quantizer.from_tokens(tokens, frames)), out.quantized)


def test_equals_means_and_repetition_written_out() -> None:
    """Frame by frame in loops; the last mean of an odd length is over the frames that are there."""
    quantizer = snac()
    features = torch.randn(1, 4, 11)
    residual, total = features.clone(), torch.zeros_like(features)
    tokens = []
    for (pooled, _), stride in zip(quantizer._chain(), (4, 2, 1), strict=True):
        assert isinstance(pooled, PooledQuantizer)
        embed = pooled.inner.embed
        sent = []
        for start in range(0, 11, stride):
            mean = residual[0, :, start : start + stride].mean(dim=1)
            entry = int((embed - mean).square().sum(dim=1).argmin())
            total[0, :, start : start + stride] += embed[entry][:, None]
            sent.append(entry)
        residual = features - total
        tokens.append(sent)
    out = quantizer(features)
    assert [sent[0].tolist() for sent in quantizer.to_tokens(out.codes)] == tokens
    torch.testing.assert_close(out.quantized, total)


def test_strides_of_one_are_a_plain_chain() -> None:
    stages = [vector(4, 32, 0.6**k) for k in range(3)]
    features = torch.randn(2, 4, 17)
    plain, multi = ResidualQuantizer(stages).eval()(features), MultiScaleQuantizer(stages, [1, 1, 1]).eval()(features)
    assert torch.equal(plain.codes, multi.codes)
    assert torch.equal(plain.quantized, multi.quantized)


def test_strides_multiply() -> None:
    quantizer = PooledQuantizer(PooledQuantizer(vector(4, 16), 3), 2).eval()
    assert quantizer.strides == (6,)
    codes = quantizer.encode(torch.randn(1, 4, 20))
    assert quantizer.to_tokens(codes)[0].shape == (1, 4)
    assert torch.equal(quantizer.from_tokens(quantizer.to_tokens(codes), 20), codes)


def test_it_learns_what_changes_slowly_in_the_slow_stage() -> None:
    """Slow steps of +-4 plus fast ones of +-1: each stage finds its own two values, and 4 + 1 bits carry 8 frames."""

    def features() -> torch.Tensor:
        slow = 4 * torch.randn(8, 1, 5).sign().repeat_interleave(8, dim=2)
        pairs = torch.randn(8, 1, 20).sign()
        fast = torch.stack([pairs, -pairs], dim=-1).flatten(2)
        return slow + fast

    quantizer = MultiScaleQuantizer([VectorQuantizer(1, 2, decay=0.9) for _ in range(2)], [8, 1])
    for _ in range(20):
        out = quantizer(features())
        quantizer.update()
    assert float(out.loss) < 1.0
    inner = [stage.inner for stage, _ in quantizer._chain() if isinstance(stage, PooledQuantizer)]
    values = [
        sorted(quantizer.embed.flatten().tolist()) for quantizer in inner if isinstance(quantizer, VectorQuantizer)
    ]
    assert values == [pytest.approx([-4, 4], abs=1e-3), pytest.approx([-1, 1], abs=1e-3)]
    assert float((quantizer.eval()(features()).quantized - features()).abs().mean()) > 1
    given = features()
    torch.testing.assert_close(quantizer(given).quantized, given, rtol=0, atol=1e-3)


def test_dropout_keeps_whole_stages() -> None:
    quantizer = MultiScaleQuantizer([vector(4, 32, 0.6**k) for k in range(3)], [4, 2, 1], dropout=1.0)
    out = quantizer(torch.randn(30, 4, 9))
    assert torch.equal(out.quantized, quantizer.decode(out.codes))
    counts = (out.codes >= 0).sum(dim=1)
    assert torch.all(counts == counts[:, :1])
    assert counts.unique().tolist() == [1, 2, 3]


def test_codes_that_do_not_repeat_are_refused() -> None:
    quantizer = snac()
    codes = quantizer.encode(torch.randn(1, 4, 8))
    codes[0, 0, 1] = (codes[0, 0, 1] + 1) % 32
    for use in (quantizer.decode, quantizer.to_tokens):
        with pytest.raises(InvalidTokens, match="repeat over them"):
            use(codes)
    tokens = quantizer.to_tokens(quantizer.encode(torch.randn(1, 4, 8)))
    with pytest.raises(InvalidTokens, match=r"9 frames are \(3, 5, 9\) tokens of the codebooks; got \(2, 4, 8\)"):
        quantizer.from_tokens(tokens, 9)


def test_strides_come_coarse_first() -> None:
    with pytest.raises(ValueError, match="coarse first"):
        MultiScaleQuantizer([vector(4, 8), vector(4, 8)], [1, 2])
    with pytest.raises(ValueError, match="at least 1 frame"):
        PooledQuantizer(vector(4, 8), 0)
