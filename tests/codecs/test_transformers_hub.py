"""Codec classes of transformers: our loading path and codes against the class itself, random weights, hub layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from codeczoo import codecs
from codeczoo.codecs import InvalidTokens, UnknownCodec, UnknownRate, WeightsCorrupt, WeightsMissing, transformers_hub
from codeczoo.codecs.base import EmbeddingCodec, Encoded
from codeczoo.codecs.frames import decoded_length
from codeczoo.codecs.transformers_kinds import KINDS

from . import standins

_DAC_PARTS = {
    "model_type": "dac",
    "encoder_hidden_size": 4,
    "decoder_hidden_size": 64,
    "hidden_size": 16,
    "codebook_dim": 4,
}
_HUBERT = {
    "model_type": "hubert",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
_W2V_BERT = {
    "model_type": "wav2vec2-bert",
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "feature_projection_input_dim": 160,
}
_FSQ_PARTS = {
    "hidden_size": 64,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "encoder_hidden_size": 4,
    "quantization_dim": 96,
    "semantic_model_config": _W2V_BERT,
}


@dataclass(frozen=True)
class Case:
    """A small model of one class: what it is made of, and the law of its frames."""

    model_class: str
    config: dict[str, Any]
    points: dict[str, int]
    """Rate -> codebooks."""
    frames: Callable[[int], int]
    hop: int
    channels: int = 1


def _ceil(hop: int) -> Callable[[int], int]:
    return lambda length: -(-length // hop)


CASES = {
    "encodec": Case(
        "EncodecModel",
        {"num_filters": 4, "hidden_size": 16, "codebook_size": 1024},
        {"1.5kbps": 2, "3kbps": 4, "6kbps": 8, "12kbps": 16, "24kbps": 32},
        _ceil(320),
        320,
    ),
    "encodec-stereo": Case(
        "EncodecModel",
        {
            "num_filters": 4,
            "hidden_size": 16,
            "target_bandwidths": [3.0, 6.0, 12.0, 24.0],
            "sampling_rate": 48_000,
            "audio_channels": 2,
            "normalize": True,
            "chunk_length_s": 1.0,
            "overlap": 0.01,
            "norm_type": "time_group_norm",
            "use_causal_conv": False,
        },
        {"3kbps": 2, "6kbps": 4, "12kbps": 8, "24kbps": 16},
        _ceil(320),
        320,
        channels=2,
    ),
    "dac": Case(
        "DacModel",
        {"encoder_hidden_size": 4, "decoder_hidden_size": 64, "downsampling_ratios": [2, 4, 5, 8], "n_codebooks": 12},
        {f"{count}q": count for count in range(1, 13)},
        _ceil(320),
        320,
    ),
    "mimi": Case(
        "MimiModel",
        {
            "num_filters": 4,
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "intermediate_size": 48,
            "upsample_groups": 32,
            "codebook_dim": 8,
            "vector_quantization_hidden_dimension": 8,
        },
        {f"{count}q": count for count in range(1, 33)},
        _ceil(1920),
        1920,
    ),
    "xcodec": Case(
        "XcodecModel",
        {"acoustic_model_config": _DAC_PARTS, "semantic_model_config": _HUBERT},
        {"0.5kbps": 1, "1kbps": 2, "1.5kbps": 3, "2kbps": 4, "4kbps": 8},
        _ceil(320),
        320,
    ),
    "xcodec2": Case("Xcodec2Model", _FSQ_PARTS, {"": 1}, lambda length: length // 320 + 1, 320),
    "neucodec": Case("NeuCodecModel", _FSQ_PARTS, {"": 1}, _ceil(320), 320),
    "higgs": Case(
        "HiggsAudioV2TokenizerModel",
        {
            "target_bandwidths": [0.5, 1, 1.5, 2],
            "acoustic_model_config": {
                **_DAC_PARTS,
                "downsampling_ratios": [8, 5, 4, 2, 3],
                "upsampling_ratios": [8, 5, 4, 2, 3],
            },
            "semantic_model_config": {**_HUBERT, "mask_time_prob": 0.0},
        },
        {"0.5kbps": 2, "1kbps": 4, "1.5kbps": 6, "2kbps": 8},
        _ceil(960),
        960,
    ),
}
POINTS = [(name, rate) for name, case in CASES.items() for rate in case.points]


def _make(case: Case, folder: Path):
    import transformers

    torch.manual_seed(3)
    model_class = getattr(transformers, case.model_class)
    model = model_class(model_class.config_class(**case.config)).eval()
    with torch.inference_mode():
        _spread(model)
    model.save_pretrained(folder)
    return model


def _spread(model: Any) -> None:
    """Make the codes of an untrained model vary: its codebooks are all zeros, its latents hardly move."""
    if hasattr(model, "fc_encoder"):
        model.fc_encoder.weight.mul_(300)
        return
    centre, width = torch.zeros(1), torch.full((1,), 0.3)
    if type(model).__name__ == "EncodecModel":
        latent = model.encoder(standins.noise(1, model.config.audio_channels, 24_000, level=1.0))
        centre, width = latent.mean(dim=2), latent.std(dim=2)
    for name, buffer in model.named_buffers():
        if name.endswith((".embed", ".embed_sum")):
            buffer.copy_(torch.randn_like(buffer) * width + centre)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Case -> the class's own model; and the folder that holds all of them as `org/CASE`."""
    root = tmp_path_factory.mktemp("weights")
    return {name: _make(case, root / "org" / name) for name, case in CASES.items()}, root


@pytest.fixture(autouse=True)
def _use(made, monkeypatch: pytest.MonkeyPatch) -> None:
    standins.use(monkeypatch, made[1])


def _name(case: str, rate: str) -> str:
    return f"hf:org/{case}@{rate}" if rate else f"hf:org/{case}"


def _bandwidth(rate: str) -> float:
    return float(rate.removesuffix("kbps"))


def _zeros_to(audio: torch.Tensor, hop: int) -> torch.Tensor:
    return torch.nn.functional.pad(audio, (0, -audio.shape[-1] % hop))


def _direct(name: str, model: Any, audio: torch.Tensor, rate: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes [1, K, N] and audio [1, C, T], as the class itself gives them for one clip."""
    import transformers

    case = CASES[name]
    length = audio.shape[-1]
    with torch.inference_mode():
        if name.startswith("encodec"):
            answer = model.encode(audio, bandwidth=_bandwidth(rate))
            pad = answer.last_frame_pad_length
            decoded = model.decode(answer.audio_codes, answer.audio_scales, last_frame_pad_length=pad).audio_values
            codes = torch.cat(list(answer.audio_codes), dim=2)
            return codes[:, :, : codes.shape[2] - pad], decoded[:, :, :length]
        if name == "dac":
            codes = model.encode(_zeros_to(audio, 320), n_quantizers=case.points[rate]).audio_codes
            return codes, model.decode(audio_codes=codes).audio_values[:, None, :length]
        if name == "mimi":
            codes = model.encode(audio, num_quantizers=case.points[rate]).audio_codes
        elif name in {"xcodec", "higgs"}:
            codes = model.encode(_zeros_to(audio, case.hop), bandwidth=_bandwidth(rate)).audio_codes
        else:
            extractor = getattr(transformers, case.model_class.replace("Model", "FeatureExtractor"))()
            clip = (_zeros_to(audio, 320) if name == "neucodec" else audio)[0, 0].numpy()
            inputs = extractor(clip, sampling_rate=16_000, return_tensors="pt")
            inputs.pop("padding_mask")
            codes = model.encode(**inputs).audio_codes
        wanted = -(-length * 3 // 2) if name == "neucodec" else length
        return codes, model.decode(codes).audio_values[:, :, :wanted]


@pytest.mark.parametrize(("name", "rate"), POINTS)
def test_codes_and_audio_are_the_class_s(made, name: str, rate: str) -> None:
    codec = codecs.load(_name(name, rate))
    case, model = CASES[name], made[0][name]
    audio = standins.noise(1, case.channels, 48_500 if case.channels == 2 else 6_001)
    codes, decoded = _direct(name, model, audio, rate)
    encoded = codec.encode(audio)
    assert torch.equal(torch.stack(encoded.codes, dim=1), codes)
    assert len(encoded.codes) == case.points[rate] == codec.spec.n_codebooks
    assert len(codes.unique()) >= 3
    got = codec.decode(encoded)
    assert torch.equal(got[:, :, : decoded.shape[-1]], decoded)
    assert torch.count_nonzero(got[:, :, decoded.shape[-1] :]) == 0


@pytest.mark.parametrize("name", [name for name in CASES if name != "encodec-stereo"])
@pytest.mark.parametrize("around", ["one", "odd", "below", "aligned", "above"])
def test_the_law_of_lengths(name: str, around: str) -> None:
    case = CASES[name]
    aligned = 3 * case.hop
    length = {"one": 1, "odd": 777, "below": aligned - 1, "aligned": aligned, "above": aligned + 1}[around]
    codec = codecs.load(_name(name, next(iter(case.points))))
    encoded = codec.encode(standins.noise(1, 1, length))
    assert encoded.codes[0].shape == (1, case.frames(length))
    assert codec.decode(encoded).shape == (1, 1, decoded_length(length, codec.spec))


@pytest.mark.parametrize(("length", "frames"), [(1, 1), (47_521, 150), (48_000, 152), (95_120, 300)])
def test_stereo_chunks_are_those_of_the_package_encodec(length: int, frames: int) -> None:
    codec = codecs.load("hf:org/encodec-stereo@3kbps")
    encoded = codec.encode(standins.noise(1, 2, length))
    assert encoded.codes[0].shape == (1, frames)
    assert codec.decode(encoded).shape == (1, 2, length)
    with pytest.raises(InvalidTokens, match="scale"):
        codec.decode(Encoded(encoded.codes, length))


@pytest.mark.parametrize("name", list(CASES))
def test_an_item_of_a_batch_is_coded_as_alone(name: str) -> None:
    codec = codecs.load(_name(name, next(iter(CASES[name].points))))
    audio = standins.noise(2, CASES[name].channels, 2_500)
    batch = codec.encode(audio)
    decoded = codec.decode(batch)
    for item in range(2):
        alone = codec.encode(audio[item : item + 1])
        assert all(torch.equal(a[item : item + 1], b) for a, b in zip(batch.codes, alone.codes, strict=True))
        assert torch.equal(decoded[item : item + 1], codec.decode(alone))


@pytest.mark.parametrize("name", list(CASES))
def test_embed_has_a_frame_a_code_and_wrong_tokens_are_refused(name: str) -> None:
    codec = codecs.load(_name(name, next(iter(CASES[name].points))))
    assert isinstance(codec, EmbeddingCodec)
    encoded = codec.encode(standins.noise(2, CASES[name].channels, 2_500))
    latent = codec.embed(encoded)
    assert (latent.dim(), latent.dtype, latent.shape[0]) == (3, torch.float32, 2)
    assert latent.shape[2] == encoded.codes[0].shape[1]
    assert not latent.requires_grad
    assert not latent.is_inference(), "probes train on it"
    with pytest.raises(InvalidTokens, match="codebook"):
        codec.decode(Encoded((*encoded.codes, encoded.codes[0]), 2_500, side=encoded.side))
    with pytest.raises(InvalidTokens, match="samples of hf:org"):
        codec.decode(Encoded(encoded.codes, 9_999, side=encoded.side))
    with pytest.raises(InvalidTokens, match="entries"):
        codec.decode(Encoded(tuple(codes + 10**6 for codes in encoded.codes), 2_500, side=encoded.side))


def test_models_are_evaluated_and_shared() -> None:
    low, high = codecs.load("hf:org/dac@1q"), codecs.load("hf:org/dac@12q")
    assert isinstance(low, transformers_hub.HubCodec)
    assert isinstance(high, transformers_hub.HubCodec)
    assert low._model is high._model
    assert not low._model.training
    assert low.fingerprint != high.fingerprint
    audio = standins.noise(1, 1, 3_000)
    assert torch.equal(low.encode(audio).codes[0], high.encode(audio).codes[0])


def test_rates_come_from_the_configuration() -> None:
    assert codecs.family("hf:org/mimi").rates == tuple(f"{count}q" for count in range(1, 33))
    assert codecs.spec("hf:org/encodec@8q").name == "hf:org/encodec@6kbps"
    assert codecs.spec("hf:org/encodec@6kbps").bitrate_kbps == pytest.approx(6)
    assert codecs.spec("hf:org/encodec-stereo@6kbps").bitrate_kbps == pytest.approx(6 / 0.99)
    assert codecs.spec("hf:org/mimi@8q").bitrate_kbps == pytest.approx(1.1)
    assert codecs.spec("hf:org/higgs@2kbps").frame_rates == (25.0,) * 8
    assert codecs.spec("hf:org/neucodec").decoded_sample_rate == 24_000
    with pytest.raises(UnknownRate, match="no silent default"):
        codecs.spec("hf:org/dac")
    with pytest.raises(UnknownRate, match="has no rate '13q'"):
        codecs.spec("hf:org/dac@13q")


def test_an_unknown_class_names_the_known_ones(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "org" / "text").mkdir(parents=True)
    (tmp_path / "org" / "text" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "org" / "text" / "model.safetensors").write_bytes(b"")
    standins.use(monkeypatch, tmp_path)
    with pytest.raises(UnknownCodec, match=f"type 'bert'.*{', '.join(KINDS)}"):
        codecs.load("hf:org/text@8q")


def test_what_is_not_a_repository_is_refused() -> None:
    for text in ("hf:mimi@8q", "hf:../x/mimi@8q", "hf:a/b/c@8q"):
        with pytest.raises(UnknownCodec, match="names read hf:ORG/REPO@RATE"):
            codecs.load(text)


@pytest.mark.parametrize("text", ["hf:org/absent@8q", "hf:org/absent"])
def test_an_absent_repository_says_how_to_get_it(text: str) -> None:
    for ask in (codecs.spec, codecs.load):
        with pytest.raises(WeightsMissing, match="`codeczoo fetch hf:org/absent`"):
            ask(text)


def test_a_checkpoint_that_lacks_tensors_is_refused(made, monkeypatch, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    source = made[1] / "org" / "dac"
    target = tmp_path / "org" / "dac"
    target.mkdir(parents=True)
    (target / "config.json").write_bytes((source / "config.json").read_bytes())
    tensors = load_file(source / "model.safetensors")
    del tensors["quantizer.quantizers.3.codebook.weight"]
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    standins.use(monkeypatch, tmp_path)
    with pytest.raises(WeightsCorrupt, match=r"lack 1 tensors of DacModel: quantizer.quantizers.3.codebook.weight"):
        codecs.load("hf:org/dac@1q")


def test_weight_norm_in_the_layout_of_older_checkpoints(made, monkeypatch, tmp_path: Path) -> None:
    """The released EnCodec files name its two halves weight_g and weight_v."""
    from safetensors.torch import load_file, save_file

    source = made[1] / "org" / "encodec"
    target = tmp_path / "org" / "encodec"
    target.mkdir(parents=True)
    (target / "config.json").write_bytes((source / "config.json").read_bytes())
    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    tensors = {}
    for name, tensor in load_file(source / "model.safetensors").items():
        for new_half, old_half in old.items():
            name = name.replace(new_half, old_half)
        tensors[name] = tensor
    assert any(name.endswith("weight_g") for name in tensors)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    audio = standins.noise(1, 1, 3_000)
    expected = codecs.load("hf:org/encodec@6kbps").encode(audio)
    standins.use(monkeypatch, tmp_path)
    found = codecs.load("hf:org/encodec@6kbps").encode(audio)
    assert all(torch.equal(a, b) for a, b in zip(expected.codes, found.codes, strict=True))


def test_a_registered_name_refuses_another_model(made) -> None:
    weights = standins.repository(made[1], "org/encodec")
    with pytest.raises(WeightsCorrupt, match="describes another model than mimi:24khz@8q"):
        transformers_hub.load(codecs.spec("mimi:24khz@8q"), weights, "cpu")


def test_a_registered_name_takes_a_model_of_its_facts(made) -> None:
    weights = standins.repository(made[1], "org/mimi")
    codec = transformers_hub.load(codecs.spec("mimi:24khz@8q"), weights, "cpu")
    audio = standins.noise(1, 1, 4_000)
    assert torch.equal(torch.stack(codec.encode(audio).codes, dim=1), _direct("mimi", made[0]["mimi"], audio, "8q")[0])
