"""EnCodec: our loading path and codes against the package itself, with random weights in the published layout."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from codeczoo import codecs
from codeczoo.codecs import InvalidAudio, InvalidTokens, WeightsCorrupt, WeightsMissing, encodec
from codeczoo.codecs.base import EmbeddingCodec, Encoded
from codeczoo.codecs.weights import Weights

from . import standins

RATES_24KHZ = ("1.5kbps", "3kbps", "6kbps", "12kbps", "24kbps")
RATES_48KHZ = ("3kbps", "6kbps", "12kbps", "24kbps")
POINTS = [f"encodec:24khz@{rate}" for rate in RATES_24KHZ] + [f"encodec:48khz@{rate}" for rate in RATES_48KHZ]


def _package_model(variant: str):
    from encodec import EncodecModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the package's weight_norm is deprecated in torch
        torch.manual_seed(7)
        model = getattr(EncodecModel, f"encodec_model_{variant}")(pretrained=False)
    with torch.inference_mode():
        latent = model.encoder(standins.noise(1, model.channels, 24_000, level=1.0))
        for layer in model.quantizer.vq.layers:
            # An untrained codebook is all zeros, which would make every code 0: spread it over what is coded.
            layer._codebook.embed.copy_(torch.randn(1024, 128) * latent.std(dim=2) + latent.mean(dim=2))
    return model


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple]:
    """Variant -> (the package's model, the folder its state lies in, its weights)."""
    made = {}
    for variant, file in (("24khz", "encodec_24khz-d7cc33bc.th"), ("48khz", "encodec_48khz-7e698e3e.th")):
        folder = tmp_path_factory.mktemp("weights")
        name = f"encodec-{variant}"
        (folder / name).mkdir()
        model = _package_model(variant)
        torch.save(model.state_dict(), folder / name / file)
        made[variant] = (model, folder, standins.plain(folder, name, file))
    return made


def _load(package: dict[str, tuple], point: str, monkeypatch: pytest.MonkeyPatch) -> tuple:
    model, folder, weights = package[codecs.parse(point).variant]
    standins.use(monkeypatch, folder)
    codec = encodec.load(codecs.spec(point), weights, "cpu")
    model.set_target_bandwidth(float(codecs.parse(point).rate.removesuffix("kbps")))
    return codec, model


def _direct(model, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes [B, K, N] and audio, as the package itself gives them."""
    with torch.inference_mode():
        frames = model.encode(audio)
        return torch.cat([codes for codes, _ in frames], dim=2), model.decode(frames)[:, :, : audio.shape[-1]]


@pytest.mark.parametrize("point", POINTS)
def test_codes_and_audio_are_the_package_s(package, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, model = _load(package, point, monkeypatch)
    audio = standins.noise(1, codec.spec.channels, 49_000 if codec.spec.channels == 2 else 9_601)
    codes, decoded = _direct(model, audio)
    encoded = codec.encode(audio)
    assert torch.equal(torch.stack(encoded.codes, dim=1), codes)
    assert len(encoded.codes) == codec.spec.n_codebooks
    assert len(encoded.codes[0].unique()) > 5
    assert torch.equal(codec.decode(encoded), decoded)


@pytest.mark.parametrize("length", [1, 319, 320, 321, 4_799])
def test_24khz_has_ceil_frames_and_gives_every_sample_back(package, length: int, monkeypatch) -> None:
    codec, model = _load(package, "encodec:24khz@3kbps", monkeypatch)
    audio = standins.noise(1, 1, length)
    encoded = codec.encode(audio)
    assert encoded.codes[0].shape == (1, -(-length // 320))
    decoded = codec.decode(encoded)
    assert decoded.shape == audio.shape
    assert torch.equal(decoded, _direct(model, audio)[1])


@pytest.mark.parametrize(
    ("length", "frames"),
    [(1, [1]), (47_520, [149]), (47_521, [149, 1]), (48_000, [150, 2]), (95_120, [150, 149, 1])],
)
def test_48khz_chunks(package, length: int, frames: list[int], monkeypatch) -> None:
    codec, model = _load(package, "encodec:48khz@3kbps", monkeypatch)
    audio = standins.noise(1, 2, length)
    encoded = codec.encode(audio)
    with torch.inference_mode():
        direct = model.encode(audio)
    assert [codes.shape[-1] for codes, _ in direct] == frames
    assert encoded.codes[0].shape == (1, sum(frames))
    assert torch.equal(encoded.side["scale"], torch.cat([scale for _, scale in direct], dim=1))
    assert torch.equal(codec.decode(encoded), _direct(model, audio)[1])


def test_48khz_real_rate_is_the_nominal_one_over_0_99() -> None:
    spec = codecs.spec("encodec:48khz@6kbps")
    assert spec.bitrate_kbps == pytest.approx(6 / 0.99)
    # 99 s are 100 chunks of 1 s, and every chunk costs 150 frames, the last one less (0.99 s: 149).
    assert sum(encodec.Chunks(48_000, 47_520).frames(99 * 48_000, 320)) == 99 * 150 + 149
    assert spec.frame_rates[0] * 99 == pytest.approx(100 * 150)


@pytest.mark.parametrize("point", ["encodec:24khz@6kbps", "encodec:48khz@6kbps"])
def test_an_item_of_a_batch_is_coded_as_alone(package, point: str, monkeypatch) -> None:
    codec, _ = _load(package, point, monkeypatch)
    audio = standins.noise(3, codec.spec.channels, 5_000)
    batch = codec.encode(audio)
    for item in range(3):
        alone = codec.encode(audio[item : item + 1])
        assert all(torch.equal(a[item : item + 1], b) for a, b in zip(batch.codes, alone.codes, strict=True))
        assert torch.equal(codec.decode(batch)[item : item + 1], codec.decode(alone))


def test_points_share_one_model_and_do_not_disturb_each_other(package, monkeypatch) -> None:
    low, _ = _load(package, "encodec:24khz@1.5kbps", monkeypatch)
    audio = standins.noise(1, 1, 3_200)
    before = low.encode(audio)
    high, _ = _load(package, "encodec:24khz@24kbps", monkeypatch)
    assert low._model is high._model
    assert len(high.encode(audio).codes) == 32
    after = low.encode(audio)
    assert all(torch.equal(a, b) for a, b in zip(before.codes, after.codes, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(after.codes, high.encode(audio).codes[:2], strict=True))
    assert low.fingerprint != high.fingerprint
    assert low._model.bandwidth is None


def test_silence_is_finite(package, monkeypatch) -> None:
    codec, _ = _load(package, "encodec:48khz@3kbps", monkeypatch)
    decoded = codec.decode(codec.encode(torch.zeros(1, 2, 1_000)))
    assert decoded.shape == (1, 2, 1_000)
    assert bool(torch.isfinite(decoded).all())


def test_embed_is_what_the_decoder_is_given(package, monkeypatch) -> None:
    codec, model = _load(package, "encodec:24khz@6kbps", monkeypatch)
    assert isinstance(codec, EmbeddingCodec)
    encoded = codec.encode(standins.noise(2, 1, 3_200))
    latent = codec.embed(encoded)
    assert latent.shape == (2, 128, 10)
    with torch.inference_mode():
        assert torch.equal(model.decoder(latent[:1])[:, :, :3_200], codec.decode(encoded)[:1])


def test_wrong_tokens_and_audio_are_refused(package, monkeypatch) -> None:
    mono, _ = _load(package, "encodec:24khz@3kbps", monkeypatch)
    encoded = mono.encode(standins.noise(1, 1, 640))
    with pytest.raises(InvalidTokens, match="has 4 codebook"):
        mono.decode(Encoded(encoded.codes[:2], encoded.length))
    with pytest.raises(InvalidTokens, match="641 samples of encodec:24khz@3kbps are"):
        mono.decode(Encoded(encoded.codes, 641))
    with pytest.raises(InvalidTokens, match="1024 entries"):
        mono.decode(Encoded(tuple(codes + 1024 for codes in encoded.codes), encoded.length))
    with pytest.raises(InvalidAudio, match="1 channel"):
        mono.encode(standins.noise(1, 2, 640))
    stereo, _ = _load(package, "encodec:48khz@3kbps", monkeypatch)
    with pytest.raises(InvalidTokens, match="scale"):
        stereo.decode(Encoded(stereo.encode(standins.noise(1, 2, 640)).codes, 640))


@pytest.mark.parametrize("point", ["encodec:24khz@24kbps", "encodec:48khz@24kbps"])
def test_declared_facts_are_the_package_s(package, point: str) -> None:
    model, _, _ = package[codecs.parse(point).variant]
    spec = codecs.spec(point)
    assert spec.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert (spec.sample_rate, spec.channels) == (model.sample_rate, model.channels)
    assert spec.codebook_sizes == (model.quantizer.bins,) * model.quantizer.n_q
    rates = codecs.family(point).rates
    assert tuple(float(rate.removesuffix("kbps")) for rate in rates) == tuple(model.target_bandwidths)


def test_rates_have_two_names() -> None:
    assert codecs.spec("encodec:24khz@8q") == codecs.spec("encodec:24khz@6kbps")
    assert codecs.spec("encodec:48khz@4q").name == "encodec:48khz@6kbps"


def test_without_weights_it_is_said_how_to_get_them(monkeypatch, tmp_path: Path) -> None:
    standins.use(monkeypatch, tmp_path)
    with pytest.raises(WeightsMissing, match="codeczoo fetch encodec:24khz"):
        codecs.load("encodec:24khz@6kbps")


def test_a_checkpoint_of_another_model_is_refused(package, monkeypatch) -> None:
    _, folder, weights = package["48khz"]
    standins.use(monkeypatch, folder)
    with pytest.raises(WeightsCorrupt, match="does not hold the state of this EnCodec model"):
        encodec.load(codecs.spec("encodec:24khz@6kbps"), weights, "cpu")


def test_the_registered_point_refuses_a_stand_in(package, monkeypatch) -> None:
    _, folder, _ = package["24khz"]
    standins.use(monkeypatch, folder)
    with pytest.raises(WeightsCorrupt, match="expected"):
        codecs.load("encodec:24khz@6kbps")


def test_a_pickle_that_runs_code_is_refused(monkeypatch, tmp_path: Path) -> None:
    file = tmp_path / "encodec-24khz" / "encodec_24khz-d7cc33bc.th"
    file.parent.mkdir()
    torch.save({"weights": Weights}, file)
    standins.use(monkeypatch, tmp_path)
    weights = standins.plain(tmp_path, "encodec-24khz", file.name)
    with pytest.raises(WeightsCorrupt):
        encodec.load(codecs.spec("encodec:24khz@6kbps"), weights, "cpu")
