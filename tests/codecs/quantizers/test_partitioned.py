"""UniCodec's codebook in parts: where each domain is searched, and what a search teaches."""

from __future__ import annotations

import pytest
import torch

from codeczoo.codecs import UnknownDomain
from codeczoo.codecs.domains import parts
from codeczoo.codecs.quantizers import PartitionedSimQuantizer


def test_the_parts_of_the_published_codebook() -> None:
    assert parts(16_384) == {
        "speech": range(4096),
        "music": range(4096, 8192),
        "sound": range(8192, 16_384),
    }
    assert sum(len(part) for part in parts(67).values()) == 67
    with pytest.raises(ValueError, match="at least 4 entries; got 3"):
        parts(3)


def test_each_clip_is_searched_in_its_part() -> None:
    torch.manual_seed(0)
    quantizer = PartitionedSimQuantizer(6, 40)
    features = torch.randn(4, 6, 30)
    codes = quantizer.encode(features, ["sound", "speech", None, "music"])
    distances = torch.cdist(features.transpose(1, 2), quantizer.codebook().detach().expand(4, -1, -1))
    for clip, part in enumerate((range(20, 40), range(10), range(40), range(10, 20))):
        expected = distances[clip, :, part.start : part.stop].argmin(dim=-1) + part.start
        assert torch.equal(codes[clip, 0], expected)


def test_a_search_trains_the_map_and_never_the_vectors() -> None:
    torch.manual_seed(1)
    quantizer = PartitionedSimQuantizer(6, 40)
    features = torch.randn(2, 6, 30, requires_grad=True)
    found = quantizer(features, "music")
    assert torch.equal(found.quantized.detach(), quantizer.decode(found.codes).detach())
    difference = (features - quantizer.decode(found.codes)).detach().square().mean()
    assert float(found.loss.detach()) == pytest.approx(1.25 * float(difference), rel=1e-5)
    found.loss.backward()
    assert quantizer.embedding.weight.grad is None
    assert quantizer.embedding_proj.weight.grad.abs().sum() > 0
    assert features.grad is not None


def test_an_unknown_domain_is_an_error() -> None:
    quantizer = PartitionedSimQuantizer(6, 40)
    for domain in ("0", ["speech", "noise"]):
        with pytest.raises(UnknownDomain, match="there are speech, music, sound"):
            quantizer.encode(torch.zeros(2, 6, 3), domain)
    with pytest.raises(UnknownDomain, match="2 clips and 1 domains"):
        quantizer.encode(torch.zeros(2, 6, 3), ["speech"])


def test_each_part_is_fitted_to_the_frames_of_its_domain() -> None:
    quantizer = PartitionedSimQuantizer(4, 64)
    # Of each clip all frames have a first component of their own; of sound there is no clip.
    features = torch.randn(3, 4, 50)
    features[:, 0] = torch.tensor([10.0, 20.0, 30.0])[:, None]
    quantizer.fit(features, ["speech", "music", None])
    entries = quantizer.codebook()[:, 0].detach().round()
    assert entries[:16].unique().tolist() == [10]
    assert entries[16:32].unique().tolist() == [20]
    assert entries[32:].unique().tolist() == [10, 20, 30]
    assert quantizer(features, ["speech", "music", "sound"]).codes[0].unique().numel() == 16
