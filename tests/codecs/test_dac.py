"""DAC: our loading path and codes against the package itself, with random weights in the published layout."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from codeczoo import codecs
from codeczoo.codecs import InvalidTokens, WeightsCorrupt, WeightsMissing, dac
from codeczoo.codecs.base import Encoded

from . import standins

CONFIGS = {
    "16khz": {"sample_rate": 16_000, "encoder_rates": [2, 4, 5, 8], "decoder_rates": [8, 5, 4, 2], "n_codebooks": 12},
    "24khz": {"sample_rate": 24_000, "encoder_rates": [2, 4, 5, 8], "decoder_rates": [8, 5, 4, 2], "n_codebooks": 32},
    "44khz": {"sample_rate": 44_100, "n_codebooks": 9},
    "44khz-16kbps": {"sample_rate": 44_100, "n_codebooks": 18, "latent_dim": 128},
}
FILES = {"16khz": "weights_16khz.pth", "24khz": "weights_24khz.pth", "44khz": "weights.pth"}
FILES["44khz-16kbps"] = "weights_44khz_16kbps.pth"
POINTS = [
    f"dac:{variant}@{count}q" for variant, config in CONFIGS.items() for count in range(1, config["n_codebooks"] + 1)
]


def _package_model(variant: str, **changes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # audiotools warns at import, weight_norm is deprecated in torch
        from dac.model import DAC

        torch.manual_seed(7)
        return DAC(**{**CONFIGS[variant], **changes})


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple]:
    """Variant -> (the package's model at a sixteenth of its width, the folder of its checkpoint, its weights)."""
    made = {}
    for variant, file in FILES.items():
        folder = tmp_path_factory.mktemp("weights")
        name = f"dac-{variant}"
        (folder / name).mkdir()
        model = _package_model(variant, encoder_dim=4, decoder_dim=96, latent_dim=64).eval()
        model.save(folder / name / file, package=False)
        made[variant] = (model, folder, standins.plain(folder, name, file))
    return made


def _load(package: dict[str, tuple], point: str, monkeypatch: pytest.MonkeyPatch) -> tuple:
    variant = codecs.parse(point).variant
    model, folder, weights = package[variant]
    standins.use(monkeypatch, folder)
    return dac.load(codecs.spec(point), weights, CONFIGS[variant]["n_codebooks"], "cpu"), model


def _direct(model, audio: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.inference_mode():
        padded = model.preprocess(audio, model.sample_rate)
        codes = model.encode(padded, count)[1]
        return codes, model.decode(model.quantizer.from_codes(codes)[0])


@pytest.mark.parametrize("point", POINTS)
def test_codes_and_audio_are_the_package_s(package, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, model = _load(package, point, monkeypatch)
    audio = standins.noise(1, 1, 3_001, level=0.3)
    codes, decoded = _direct(model, audio, codec.spec.n_codebooks)
    encoded = codec.encode(audio)
    assert torch.equal(torch.stack(encoded.codes, dim=1), codes)
    assert codes.shape[1] == codec.spec.n_codebooks
    assert len(codes.unique()) >= 3
    assert torch.equal(codec.decode(encoded), decoded[:, :, :3_001])


@pytest.mark.parametrize("variant", ["16khz", "24khz", "44khz"])
@pytest.mark.parametrize("length", [1, 311, 313, 320, 321, 511, 512, 513, 3_200, 5_120])
def test_every_sample_is_given_back_in_ceil_frames(package, variant: str, length: int, monkeypatch) -> None:
    codec, model = _load(package, f"dac:{variant}@2q", monkeypatch)
    hop = 512 if variant == "44khz" else 320
    audio = standins.noise(1, 1, length)
    encoded = codec.encode(audio)
    frames = -(-length // hop)
    assert encoded.codes[0].shape == (1, frames)
    decoded = codec.decode(encoded)
    assert decoded.shape == audio.shape
    made = min(length, frames * hop - (0 if variant == "44khz" else 8))
    assert torch.equal(decoded[:, :, :made], _direct(model, audio, 2)[1][:, :, :made])
    assert torch.count_nonzero(decoded[:, :, made:]) == 0


def test_the_8_samples_are_missing_at_the_end_and_nothing_is_shifted(package) -> None:
    """What a frame hears and what it says have the same centre, and the first sample said is the first one heard."""
    model = package["16khz"][0]
    frames, frame = 60, 30
    audio = standins.noise(1, 1, frames * 320).requires_grad_()
    model.encoder(audio)[0, :, frame].sum().backward()
    heard = torch.nonzero(audio.grad[0, 0]).flatten()
    latent = torch.randn(1, 64, frames, generator=torch.Generator().manual_seed(1))
    moved = latent.clone()
    moved[:, :, frame] += 1
    with torch.inference_mode():
        before, after = model.decoder(latent), model.decoder(moved)
    said = torch.nonzero((before - after)[0, 0]).flatten()
    assert before.shape[-1] == frames * 320 - 8
    heard_centre, said_centre = (float(where.min() + where.max()) / 2 for where in (heard, said))
    # Four samples lost at the start would move the centre of what is said by four.
    assert said_centre == pytest.approx(heard_centre, abs=2)


def test_an_item_of_a_batch_is_coded_as_alone(package, monkeypatch) -> None:
    codec, _ = _load(package, "dac:16khz@12q", monkeypatch)
    audio = standins.noise(3, 1, 2_000)
    batch = codec.encode(audio)
    for item in range(3):
        alone = codec.encode(audio[item : item + 1])
        assert all(torch.equal(a[item : item + 1], b) for a, b in zip(batch.codes, alone.codes, strict=True))
        assert torch.equal(codec.decode(batch)[item : item + 1], codec.decode(alone))


def test_points_share_one_model_and_lower_rates_are_prefixes(package, monkeypatch) -> None:
    low, _ = _load(package, "dac:16khz@2q", monkeypatch)
    high, _ = _load(package, "dac:16khz@12q", monkeypatch)
    assert low._model is high._model
    assert not low._model.training
    audio = standins.noise(1, 1, 2_000)
    pairs = zip(low.encode(audio).codes, high.encode(audio).codes[:2], strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_embed_is_what_the_decoder_is_given(package, monkeypatch) -> None:
    codec, model = _load(package, "dac:44khz@9q", monkeypatch)
    encoded = codec.encode(standins.noise(1, 1, 2_048))
    latent = codec.embed(encoded)
    assert latent.shape == (1, 64, 4)
    with torch.inference_mode():
        assert torch.equal(model.decode(latent), codec.decode(encoded))


def test_wrong_tokens_are_refused(package, monkeypatch) -> None:
    codec, _ = _load(package, "dac:16khz@3q", monkeypatch)
    encoded = codec.encode(standins.noise(1, 1, 640))
    with pytest.raises(InvalidTokens, match="has 3 codebook"):
        codec.decode(Encoded(encoded.codes[:2], 640))
    with pytest.raises(InvalidTokens, match="641 samples"):
        codec.decode(Encoded(encoded.codes, 641))
    with pytest.raises(InvalidTokens, match="1024 entries"):
        codec.decode(Encoded(tuple(codes - 1024 for codes in encoded.codes), 640))


@pytest.mark.parametrize("variant", list(CONFIGS))
def test_declared_facts_are_the_package_s(variant: str) -> None:
    with torch.device("meta"):
        model = _package_model(variant)
    count = CONFIGS[variant]["n_codebooks"]
    spec = codecs.spec(f"dac:{variant}@{count}q")
    assert spec.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert spec.sample_rate == model.sample_rate
    assert spec.frame_rates == (model.sample_rate / int(model.hop_length),) * count
    assert spec.codebook_sizes == (model.codebook_size,) * count


def test_names_of_rates() -> None:
    assert codecs.spec("dac:16khz@6kbps") == codecs.spec("dac:16khz@12q")
    assert codecs.spec("dac:24khz@0.75kbps") == codecs.spec("dac:24khz@1q")
    assert codecs.spec("dac:24khz@32q").bitrate_kbps == pytest.approx(24)
    assert codecs.spec("dac:44khz@9q").bitrate_kbps == pytest.approx(7.752, abs=1e-3)


def test_another_model_is_refused(package, monkeypatch) -> None:
    _, folder, weights = package["44khz"]
    standins.use(monkeypatch, folder)
    with pytest.raises(WeightsCorrupt, match="is another DAC model"):
        dac.load(codecs.spec("dac:16khz@9q"), weights, 9, "cpu")


def test_a_file_of_another_layout_is_refused(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "dac-16khz").mkdir()
    torch.save({"state_dict": {}}, tmp_path / "dac-16khz" / "weights_16khz.pth")
    standins.use(monkeypatch, tmp_path)
    weights = standins.plain(tmp_path, "dac-16khz", "weights_16khz.pth")
    with pytest.raises(WeightsCorrupt, match="does not hold a DAC model"):
        dac.load(codecs.spec("dac:16khz@1q"), weights, 12, "cpu")


def test_without_weights_it_is_said_how_to_get_them(monkeypatch, tmp_path: Path) -> None:
    standins.use(monkeypatch, tmp_path)
    with pytest.raises(WeightsMissing, match="codeczoo fetch dac:44khz"):
        codecs.load("dac:44khz@9q")


def test_loading_leaves_the_warning_filters_alone(package, monkeypatch) -> None:
    before = list(warnings.filters)
    _load(package, "dac:24khz@1q", monkeypatch)
    assert warnings.filters == before
