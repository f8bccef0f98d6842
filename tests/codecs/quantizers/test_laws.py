"""What holds for every quantizer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from codeczoo.codecs import InvalidFeatures, InvalidTokens
from codeczoo.codecs.quantizers import (
    FiniteScalarQuantizer,
    GroupedQuantizer,
    KMeansQuantizer,
    MultiScaleQuantizer,
    PooledQuantizer,
    ProductQuantizer,
    Quantizer,
    ResidualQuantizer,
    SimVectorQuantizer,
)

from .builders import vector

DIM = 6
FRAMES = 23

MAKERS: dict[str, Callable[[], Quantizer]] = {
    "vector": lambda: vector(DIM, 32),
    "sim": lambda: SimVectorQuantizer(DIM, 32),
    "k-means": lambda: KMeansQuantizer(torch.randn(32, DIM)),
    "residual": lambda: ResidualQuantizer([vector(DIM, 32, 0.5**k) for k in range(3)]),
    "residual of sim and vector": lambda: ResidualQuantizer([SimVectorQuantizer(DIM, 16), vector(DIM, 32, 0.5)]),
    "grouped": lambda: GroupedQuantizer([vector(2, 16), ResidualQuantizer([vector(4, 32), vector(4, 8, 0.5)])]),
    "product": lambda: ProductQuantizer([vector(2, 16), vector(3, 5), SimVectorQuantizer(1, 3)]),
    "pooled": lambda: PooledQuantizer(vector(DIM, 32), 4),
    "multi-scale": lambda: MultiScaleQuantizer([vector(DIM, 32, 0.5**k) for k in range(3)], [4, 2, 1]),
    "finite scalar": lambda: FiniteScalarQuantizer((8, 5, 3, 4, 7, 2)),
    "residual finite scalar": lambda: FiniteScalarQuantizer((5,) * DIM, (1.0, 0.25)),
}


@pytest.fixture(params=sorted(MAKERS))
def quantizer(request: pytest.FixtureRequest) -> Quantizer:
    return MAKERS[request.param]().eval()


@pytest.fixture
def features() -> Tensor:
    return torch.randn(3, DIM, FRAMES)


def test_shapes_ranges_and_the_equalities(quantizer: Quantizer, features: Tensor) -> None:
    """forward's codes are encode's, and its features are decode's of them, to the last bit."""
    out = quantizer(features)
    codebooks = len(quantizer.codebook_sizes)
    assert out.codes.dtype == torch.int64
    assert out.codes.shape == (3, codebooks, FRAMES)
    quantizer.check_codes(out.codes)
    assert torch.equal(out.codes, quantizer.encode(features))
    assert out.quantized.shape == features.shape
    assert torch.equal(out.quantized, quantizer.decode(out.codes))
    assert float(out.loss) == 0.0
    assert out.loss.shape == ()
    assert torch.all((0 < out.statistics["utilisation"]) & (out.statistics["utilisation"] <= 1))
    assert torch.all(out.statistics["perplexity"] >= 1)
    assert float(out.statistics["replaced"]) == 0


def test_training_gives_the_same_tokens_and_features(quantizer: Quantizer, features: Tensor) -> None:
    trained = quantizer.train()(features)
    assert torch.equal(trained.codes, quantizer.encode(features))
    assert torch.equal(trained.quantized, quantizer.decode(trained.codes))
    assert torch.isfinite(trained.loss)


def test_the_gradient_passes_straight_through(quantizer: Quantizer, features: Tensor) -> None:
    features.requires_grad_()
    weights = torch.randn(features.shape)
    (quantizer.train()(features).quantized * weights).sum().backward()
    slope = 1 - features.detach().tanh().square() if isinstance(quantizer, FiniteScalarQuantizer) else torch.ones(())
    assert features.grad is not None
    torch.testing.assert_close(features.grad, weights * slope)


@pytest.mark.parametrize("name", ["vector", "sim", "k-means", "product", "pooled"])
def test_what_was_decoded_is_encoded_to_the_same_tokens(name: str, features: Tensor) -> None:
    """Residual forms need not: the greedy first stage may choose anew. FSQ squashes what it is given once more."""
    quantizer = MAKERS[name]().eval()
    if name == "pooled":
        features = features[..., :20]
    codes = quantizer.encode(features)
    assert torch.equal(quantizer.encode(quantizer.decode(codes)), codes)


def test_a_clip_gets_the_tokens_it_gets_alone(quantizer: Quantizer, features: Tensor) -> None:
    together = quantizer.encode(features)
    for clip in range(3):
        assert torch.equal(quantizer.encode(features[clip : clip + 1]), together[clip : clip + 1])


def test_what_is_sent_comes_back(quantizer: Quantizer, features: Tensor) -> None:
    codes = quantizer.encode(features)
    tokens = quantizer.to_tokens(codes)
    assert [sent.shape[-1] for sent in tokens] == [-(-FRAMES // stride) for stride in quantizer.strides]
    assert torch.equal(quantizer.from_tokens(tokens, FRAMES), codes)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_features_come_back_as_such(quantizer: Quantizer, features: Tensor, dtype: torch.dtype) -> None:
    """The search is of the rounded features in float32, as if they had come so; autocast does not reach it."""
    half = features.to(dtype)
    with torch.autocast("cpu", dtype):
        out = quantizer(half)
    assert out.quantized.dtype == dtype
    assert torch.equal(out.codes, quantizer.encode(half.float()))
    assert torch.equal(out.quantized, quantizer.decode(out.codes).to(dtype))


@pytest.mark.parametrize("shape", [(0, DIM, 4), (1, DIM, 1)])
def test_few_or_no_frames(quantizer: Quantizer, shape: tuple[int, ...]) -> None:
    out = quantizer(torch.randn(shape))
    assert out.quantized.shape == shape
    assert out.codes.shape == (shape[0], len(quantizer.codebook_sizes), shape[2])
    assert torch.equal(out.quantized, quantizer.decode(out.codes))


def test_eval_and_encode_change_nothing(quantizer: Quantizer, features: Tensor) -> None:
    before = {key: value.clone() for key, value in quantizer.state_dict().items()}
    rng = torch.get_rng_state()
    quantizer(features)
    quantizer.train().encode(features)
    quantizer.update()
    assert quantizer.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in quantizer.state_dict().items())
    assert torch.equal(torch.get_rng_state(), rng)


@pytest.mark.parametrize("shape", [(0, DIM, FRAMES), (3, DIM, 0), (0, DIM, 0)])
def test_training_on_nothing_is_no_loss_and_no_change(quantizer: Quantizer, shape: tuple[int, ...]) -> None:
    """A process may get an empty batch: the mean of nothing would be NaN."""
    state = {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}
    features = torch.randn(shape, requires_grad=True)
    out = quantizer.train()(features)
    assert out.quantized.shape == shape
    assert out.codes.shape == (shape[0], len(quantizer.codebook_sizes), shape[2])
    assert float(out.loss.detach()) == 0.0
    (out.loss + out.quantized.sum()).backward()
    quantizer.update()
    assert all(torch.equal(tensor, state[name]) for name, tensor in quantizer.state_dict().items())


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, -torch.inf])
def test_features_that_are_no_numbers_have_no_codes(quantizer: Quantizer, features: Tensor, wrong: float) -> None:
    features[1, 2, 3] = wrong
    with pytest.raises(InvalidFeatures, match="NaN or infinite"):
        quantizer.encode(features)
    with pytest.raises(InvalidFeatures, match="NaN or infinite"):
        quantizer(features)


def test_wrong_input_is_refused_in_a_sentence(quantizer: Quantizer, features: Tensor) -> None:
    codes = quantizer.encode(features)
    for wrong in (features[:, :-1], features[0], features.long()):
        with pytest.raises(ValueError, match=r"takes floating-point features \[B, 6, N\]; got"):
            quantizer.encode(wrong)
    with pytest.raises(InvalidTokens, match="int64 codes"):
        quantizer.decode(codes.float())
    with pytest.raises(InvalidTokens, match="entries; got codes"):
        quantizer.decode(codes + max(quantizer.codebook_sizes))
    with pytest.raises(InvalidTokens, match=r"missing|entries; got codes"):
        quantizer.decode(torch.full_like(codes, -1))


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_state_dict_carries_everything(name: str, features: Tensor) -> None:
    one, other = MAKERS[name]().eval(), MAKERS[name]().eval()
    other.load_state_dict(one.state_dict())
    codes = one.encode(features)
    assert torch.equal(other.encode(features), codes)
    assert torch.equal(other.decode(codes), one.decode(codes))


def test_statistics_of_a_known_batch() -> None:
    quantizer = KMeansQuantizer(torch.arange(8.0)[:, None])
    out = quantizer(torch.tensor([[[0.0, 0.1, 1.0, 5.2, 5.1, 4.9, 0.0, 1.1]]]))
    shares = torch.tensor([3 / 8, 2 / 8, 3 / 8])
    assert float(out.statistics["utilisation"]) == pytest.approx(3 / 8)
    assert float(out.statistics["perplexity"]) == pytest.approx(float(torch.prod(shares**-shares)))
