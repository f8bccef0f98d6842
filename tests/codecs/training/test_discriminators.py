"""Discriminators: folding, bands, conditions, level, gradients, what is refused, what is left out."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from codeczoo.codecs.errors import InvalidAudio
from codeczoo.codecs.layers.weight_norm import normalised_weight
from codeczoo.codecs.training.band_discriminator import BandDiscriminator, SpectrumDiscriminator, band_bins
from codeczoo.codecs.training.discriminators import DiscriminatorConfig, Discriminators
from codeczoo.codecs.training.period_discriminator import PeriodDiscriminator, PlainPeriodDiscriminator
from codeczoo.codecs.training.resolution_discriminator import ResolutionDiscriminator

TINY = DiscriminatorConfig(
    conditions=2,
    periods=(2, 3),
    period_channels=(4, 6, 8),
    resolutions=((64, 16),),
    resolution_channels=4,
    band_periods=(2,),
    band_n_ffts=(64,),
    band_channels=4,
)
ID = torch.tensor([1])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tiny(config: DiscriminatorConfig = TINY) -> Discriminators:
    torch.manual_seed(0)
    return Discriminators(config)


def test_a_period_hears_every_column_alone() -> None:
    """With one sample of each period silenced, the other columns' logits are as they were."""
    torch.manual_seed(0)
    discriminator = PeriodDiscriminator(3, (4, 6), conditions=0)
    audio = noise(1, 1, 300)
    changed = audio.clone()
    changed[..., 1::3] = 0
    first, second = (judged.logits.view(-1, 3) for judged in discriminator(audio, changed))
    torch.testing.assert_close(first[:, [0, 2]], second[:, [0, 2]])
    assert not torch.allclose(first[:, 1], second[:, 1])


@pytest.mark.parametrize(
    ("kind", "samples", "rows"),
    [(PeriodDiscriminator, 9, 3), (PlainPeriodDiscriminator, 9, 4), (PeriodDiscriminator, 10, 4)],
)
def test_the_end_is_mirrored_up_to_a_period(kind: type, samples: int, rows: int) -> None:
    """Stride 3 in all layers but the last one: of one layer none."""
    (judged,) = kind(3, (2,))(noise(1, 1, samples))
    assert judged.logits.shape == (1, rows * 3)


def test_bands_tile_the_spectrum() -> None:
    for n_fft in (2048, 1024, 512):
        bands = band_bins(n_fft, (0.0, 0.1, 0.25, 0.5, 0.75, 1.0))
        assert bands[0][0] == 0
        assert bands[-1][1] == n_fft // 2 + 1
        assert all(left[1] == right[0] for left, right in pairwise(bands))
    assert band_bins(2048, (0.0, 0.1, 0.25, 0.5, 0.75, 1.0))[0] == (0, 102)


def test_a_band_hears_its_band_alone() -> None:
    """A tone on a bin has, with a rectangular window, nothing in any other away from the mirrored ends."""
    torch.manual_seed(0)
    discriminator = SpectrumDiscriminator(64, channels=3, edges=(0.0, 0.5, 1.0))
    time = torch.arange(640)
    low = torch.cos(2 * math.pi * 4 / 64 * time)[None, None]
    silent = torch.zeros_like(low)
    with torch.no_grad():
        tone, nothing = discriminator(low, silent)
    inner = slice(8, -8)
    assert float((tone.maps[0] - nothing.maps[0])[:, :, inner].abs().max()) > 1
    assert float((tone.maps[5] - nothing.maps[5])[:, :, inner].abs().max()) < 1e-3


def test_the_resolution_discriminator_hears_magnitudes() -> None:
    torch.manual_seed(0)
    discriminator = ResolutionDiscriminator(64, 16, channels=4, conditions=0)
    audio = noise(1, 1, 400)
    ours, turned = discriminator(audio, -audio)
    torch.testing.assert_close(ours.logits, turned.logits)


def test_the_first_map_of_a_resolution_by_hand() -> None:
    """Rectangular window, centred frames, mirrored ends: a discrete Fourier transform of cut-out samples."""
    torch.manual_seed(0)
    discriminator = ResolutionDiscriminator(16, 4, channels=3, conditions=0).double()
    audio = noise(1, 1, 40).double()
    mirrored = F.pad(audio, (8, 8), mode="reflect")[0, 0]
    magnitudes = torch.fft.rfft(mirrored.unfold(0, 16, 4)).abs().T[None, None]
    conv = discriminator.get_submodule("convs.0")
    weight = normalised_weight(conv.get_parameter("weight_v"), conv.get_parameter("weight_g"))
    expected = F.leaky_relu(F.conv2d(magnitudes, weight, conv.get_parameter("bias"), (2, 2), (3, 2)), 0.1)
    torch.testing.assert_close(discriminator(audio)[0].maps[0], expected)


def test_the_band_discriminator_does_not_hear_level_or_offset() -> None:
    discriminators = tiny()
    audio = noise(2, 1, 400)
    ours, moved = discriminators.dac(audio, 3 * audio + 0.25)
    for first, second in zip(ours, moved, strict=True):
        torch.testing.assert_close(first.logits, second.logits, rtol=1e-4, atol=1e-5)
    levelled = discriminators.dac.levelled(audio)
    assert levelled.abs().amax(-1).flatten().tolist() == pytest.approx([0.8, 0.8])
    assert float(levelled.mean(-1).abs().max()) < 1e-7


def test_a_peak_floor_keeps_what_is_inaudible_small() -> None:
    levelled = BandDiscriminator([], peak_floor=0.01).levelled(1e-5 * noise(1, 1, 400))
    assert float(levelled.abs().max()) < 1e-2


def test_fresh_discriminators_do_not_know_the_condition() -> None:
    """The projections start at zero; trained ones depend on the id, a clip on its own id alone."""
    discriminators = tiny()
    audio = noise(2, 1, 400)
    first, second = (discriminators(audio, condition=torch.tensor([i]))[0] for i in (0, 1))
    assert torch.equal(first.period[0].logits, second.period[0].logits)
    for name, parameter in discriminators.named_parameters():
        if name.endswith("emb.weight"):
            torch.nn.init.normal_(parameter)
    first, second = (discriminators(audio, condition=torch.tensor([i]))[0] for i in (0, 1))
    (mixed,) = discriminators(audio, condition=torch.tensor([0, 1]))
    for kind in ("period", "resolution"):
        zero, one, both = (getattr(verdict, kind)[0].logits for verdict in (first, second, mixed))
        assert not torch.allclose(zero, one)
        torch.testing.assert_close(both, torch.stack([zero[0], one[1]]))
    assert torch.equal(first.band[0].logits, second.band[0].logits)


def test_several_signals_are_judged_as_one_by_one() -> None:
    discriminators = tiny()
    audios = [noise(2, 1, 400, seed=seed) for seed in range(2)]
    for audio, verdict in zip(audios, discriminators(*audios, condition=ID), strict=True):
        (alone,) = discriminators(audio, condition=ID)
        for kind in ("period", "resolution", "band"):
            for first, second in zip(getattr(verdict, kind), getattr(alone, kind), strict=True):
                torch.testing.assert_close(first.logits, second.logits)
                for left, right in zip(first.maps, second.maps, strict=True):
                    torch.testing.assert_close(left, right)


def test_what_is_left_out_has_no_weights() -> None:
    """The ablation without the complex STFT discriminators, and that without the whole band discriminator."""
    without_stft = tiny(replace(TINY, band_n_ffts=()))
    assert not [key for key in without_stft.state_dict() if "band_convs" in key]
    (verdict,) = without_stft(noise(1, 1, 400), condition=ID)
    assert [len(kind) for kind in (verdict.period, verdict.resolution, verdict.band)] == [2, 1, 1]
    without_bands = tiny(replace(TINY, band_n_ffts=(), band_periods=()))
    assert not [key for key in without_bands.state_dict() if key.startswith("dac.")]
    assert without_bands(noise(1, 1, 400), condition=ID)[0].band == ()
    unconditioned = tiny(replace(TINY, conditions=0))
    assert not [key for key in unconditioned.state_dict() if "emb" in key]
    assert unconditioned(noise(1, 1, 400))[0].period[0].logits.shape[0] == 1


def test_gradients_are_right() -> None:
    """With respect to audio and to all weights, in float64."""
    torch.manual_seed(0)
    config = DiscriminatorConfig(1, (3,), (2, 3), ((8, 4),), 2, (2,), (16,), 2, (0.0, 0.5, 1.0))
    discriminators = Discriminators(config).double()
    names = [name for name, _ in discriminators.named_parameters()]
    weights = tuple(p.detach().clone().requires_grad_() for p in discriminators.parameters())
    audio = noise(1, 1, 24).double().requires_grad_()

    def judge(audio: Tensor, *weights: Tensor) -> Tensor:
        called = torch.func.functional_call(
            discriminators, dict(zip(names, weights, strict=True)), (audio,), {"condition": torch.tensor([0])}
        )
        return torch.stack(
            [j.logits.square().mean() for j in (*called[0].period, *called[0].resolution, *called[0].band)]
        )

    assert torch.autograd.gradcheck(judge, (audio, *weights), eps=1e-7, atol=1e-5, fast_mode=True)


def test_spectra_are_not_computed_in_half_precision() -> None:
    """Under autocast the convolutions are, and the result stays near."""
    discriminators, audio = tiny(), noise(1, 1, 400)
    (exact,) = discriminators(audio, condition=ID)
    with torch.autocast("cpu", torch.bfloat16):
        (rounded,) = discriminators(audio, condition=ID)
        (halved,) = discriminators(audio.bfloat16(), condition=ID)
    for kind in ("period", "resolution", "band"):
        for first, second, third in zip(*(getattr(v, kind) for v in (exact, rounded, halved)), strict=True):
            assert second.maps[0].dtype == torch.bfloat16
            torch.testing.assert_close(first.logits, second.logits.float(), rtol=0.05, atol=0.02)
            assert bool(third.logits.isfinite().all())


def test_short_audio() -> None:
    discriminators = tiny()
    assert discriminators.least_samples == 33
    assert Discriminators(replace(TINY, period_channels=(2,), periods=(40,))).least_samples == 40
    (verdict,) = discriminators(noise(1, 1, 33), condition=ID)
    assert all(bool(judged.logits.isfinite().all()) for judged in (*verdict.period, *verdict.resolution, *verdict.band))
    with pytest.raises(InvalidAudio, match=r"33 samples at least.*got 32.*longer crops"):
        discriminators(noise(1, 1, 32), condition=ID)


@pytest.mark.parametrize("period", [2, 3, 11])
@pytest.mark.parametrize("kind", [PeriodDiscriminator, PlainPeriodDiscriminator])
def test_the_shortest_audio_of_a_period(kind: type, period: int) -> None:
    discriminator = kind(period, (2, 3))
    for samples in range(discriminator.least_samples, 3 * period):
        (judged,) = discriminator(noise(1, 1, samples))
        assert bool(judged.logits.isfinite().all())
    if kind is PlainPeriodDiscriminator:
        with pytest.raises(RuntimeError, match=r"[Pp]adding size"):
            discriminator(noise(1, 1, discriminator.least_samples - 1))


@pytest.mark.parametrize("shape", [(1, 400), (1, 2, 400), (0, 1, 400)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidAudio, match="mono audio"):
        tiny()(torch.zeros(shape), condition=ID)
    with pytest.raises(InvalidAudio, match="one shape"):
        tiny()(torch.zeros(1, 1, 400), torch.zeros(1, 1, 401), condition=ID)


def test_a_condition_is_given_where_there_are_some() -> None:
    with pytest.raises(ValueError, match="know 2 bandwidth ids; none was given"):
        tiny()(noise(1, 1, 400))
    with pytest.raises(ValueError, match="know 0 bandwidth ids; one was given"):
        tiny(replace(TINY, conditions=0))(noise(1, 1, 400), condition=ID)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conditions": -1}, "0 or more"),
        ({"periods": (), "resolutions": (), "band_periods": (), "band_n_ffts": ()}, "no discriminator left"),
        ({"periods": (0,)}, "1 or more"),
        ({"period_channels": ()}, "a layer at least"),
        ({"resolutions": ((63, 16),)}, "even n_fft"),
        ({"resolutions": ((64, 0),)}, "hop from 1"),
        ({"band_edges": (0.0, 0.5, 0.5, 1.0)}, "rise from 0 to 1"),
        ({"band_edges": (0.0, 1.5)}, "rise from 0 to 1"),
        ({"band_edges": (0.5,)}, "two band_edges"),
        ({"peak_floor": 0.0}, "peak_floor is positive"),
    ],
)
def test_impossible_configurations_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)
