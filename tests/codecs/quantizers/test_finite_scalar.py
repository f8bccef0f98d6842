"""FSQ: TAAE's tokens, integers beyond float32, vector-quantize-pytorch's rounding, noise."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import FSQ

from codeczoo.codecs.quantizers import FiniteScalarQuantizer
from codeczoo.codecs.quantizers.digits import from_digits, to_digits

PRESETS = {
    "1x46656_400bps": ((6,) * 6, (1.0,)),
    "2x15625_700bps": ((5,) * 6, (1.0, 0.25)),
    "4x729_1000bps": ((3,) * 6, (1.0, 0.5, 0.25, 0.125)),
}


@pytest.fixture(scope="module")
def known(shared: Path) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in np.load(shared / "oracles" / "taae_fsq.npz").items()}


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize(("kind", "source"), [("rand", "z_BCN"), ("edge", "z_edge")])
def test_the_presets_of_taae(known: dict[str, Tensor], preset: str, kind: str, source: str) -> None:
    quantizer = FiniteScalarQuantizer(*PRESETS[preset]).eval()
    out = quantizer(known[source])
    assert torch.equal(out.codes, known[f"{preset}_{kind}_tokens_BNQ"].transpose(1, 2))
    torch.testing.assert_close(out.quantized, known[f"{preset}_{kind}_latents"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("levels", [17, 9, 5, 3, 6, 4, 2])
def test_single_stages_of_taae(known: dict[str, Tensor], levels: int) -> None:
    quantizer = FiniteScalarQuantizer((levels,) * 6).eval()
    out = quantizer(known["z_BCN"])
    assert torch.equal(out.codes, known[f"single_L{levels}_tokens"].transpose(1, 2))
    torch.testing.assert_close(out.quantized.transpose(1, 2), known[f"single_L{levels}_dequant"], rtol=0, atol=1e-6)


def test_mixed_levels_of_taae(known: dict[str, Tensor]) -> None:
    quantizer = FiniteScalarQuantizer((8, 5, 3, 4, 7, 2)).eval()
    out = quantizer(known["z_BCN"])
    assert torch.equal(out.codes, known["mixed_853472_tokens"].transpose(1, 2))
    torch.testing.assert_close(out.quantized.transpose(1, 2), known["mixed_853472_codes"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("levels", "least", "most"), [(17, 0.18, 0.27), (6, 0.04, 0.08), (9, 0.0, 0.0005), (5, 0.0, 0.0005)]
)
def test_tokens_in_float32_are_wrong_as_often_as_reported(levels: int, least: float, most: float) -> None:
    """The arithmetic of the published code (float32, cut to int32) beside ours, on normally distributed latents."""
    z = torch.randn(20, 6, 1_000)
    ours = FiniteScalarQuantizer((levels,) * 6).encode(z)[:, 0]
    digits = ((z.double().tanh() + 1) * (levels - 1) / 2).round().long()
    exact = sum(digits[:, d] * levels**d for d in range(6))
    assert torch.equal(ours, torch.as_tensor(exact))
    step = 2 / (levels - 1)
    values = (z.tanh() + 1).div(step).round() * step - 1
    basis = torch.tensor([float(levels**d) for d in range(6)])
    cut = ((values.transpose(1, 2) + 1) / step * basis).sum(dim=-1).to(torch.int32).long()
    assert least <= float((cut != exact).float().mean()) <= most


def test_every_token_of_a_small_codebook_is_its_own() -> None:
    quantizer = FiniteScalarQuantizer((3, 4, 2))
    codes = torch.arange(24)[None, None]
    decoded = quantizer.decode(codes)
    grid = itertools.product([-1.0, 1.0], np.linspace(-1, 1, 4), [-1.0, 0.0, 1.0])
    expected = torch.tensor([[a, b, c] for c, b, a in grid], dtype=torch.float32)
    torch.testing.assert_close(decoded[0].t(), expected)
    # Decoded values reach the ends of the range, where atanh is infinite: a little inside is the same token.
    assert torch.equal(quantizer.encode((0.999 * decoded).atanh()), codes)


def test_digits_are_exact_where_float32_is_not() -> None:
    radices = (17,) * 15
    digits = torch.randint(17, (4, 15, 1_000))
    numbers = from_digits(digits, radices)
    assert int(numbers.max()) > 2**53
    assert torch.equal(to_digits(numbers, radices), digits)
    first = sum(int(digits[0, d, 0]) * 17**d for d in range(15))
    assert int(numbers[0, 0, 0]) == first


@pytest.mark.parametrize("levels", [3, 5, 9, 17])
def test_odd_levels_round_as_vector_quantize_pytorch(levels: int) -> None:
    """Its symmetric form rounds halves up, ours to even: equal wherever no half is hit."""
    theirs = FSQ([levels] * 4, preserve_symmetry=True, channel_first=True)
    z = torch.randn(4, 4, 500)
    quantized, tokens = theirs(z)
    out = FiniteScalarQuantizer((levels,) * 4).eval()(z)
    assert torch.equal(out.codes[:, 0], tokens.long())
    torch.testing.assert_close(out.quantized, quantized, rtol=0, atol=1e-6)


@pytest.mark.parametrize("preset", ["2x15625_700bps", "4x729_1000bps"])
def test_stages_recode_17_levels_without_loss(preset: str) -> None:
    z = torch.randn(2, 6, 600)
    fine = FiniteScalarQuantizer((17,) * 6).eval()(z).quantized
    torch.testing.assert_close(FiniteScalarQuantizer(*PRESETS[preset]).eval()(z).quantized, fine, rtol=0, atol=1e-6)


def test_noise_takes_the_place_of_rounding_in_training_alone() -> None:
    quantizer = FiniteScalarQuantizer((5, 9), noise_share=0.5, continuous_share=0.25)
    z = torch.randn(4_000, 2, 20)
    out = quantizer(z)
    error = (out.quantized - z.tanh()).abs().amax(dim=2)
    half_step = torch.tensor([0.25, 0.125])
    assert torch.all(error <= half_step + 1e-6)
    continuous = (error < 1e-7).all(dim=1)
    rounded = (out.quantized == quantizer.decode(out.codes)).all(dim=(1, 2))
    assert float(continuous.float().mean()) == pytest.approx(0.25, abs=0.03)
    assert float(rounded.float().mean()) == pytest.approx(0.25, abs=0.03)
    noise = (out.quantized - z.tanh())[~continuous & ~rounded] / half_step[:, None]
    assert float(noise.std()) == pytest.approx(3**-0.5, rel=0.02)
    assert torch.equal(quantizer.eval()(z).quantized, quantizer.decode(out.codes))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 levels"):
        FiniteScalarQuantizer((5, 1))
    with pytest.raises(ValueError, match=r"2\^63"):
        FiniteScalarQuantizer((17,) * 16)
    with pytest.raises(ValueError, match="at most 1"):
        FiniteScalarQuantizer((5,), noise_share=0.8, continuous_share=0.4)
