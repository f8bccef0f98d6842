"""The laws of the native UniCodec and of its checkpoints, on random weights of several shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from codeczoo.codecs import CodecError, InvalidAudio, InvalidTokens, UnknownDomain, WeightsCorrupt, WeightsMissing
from codeczoo.codecs.layers.expert_transformer import ExpertTransformerConfig
from codeczoo.codecs.layers.seanet import SeanetConfig
from codeczoo.codecs.layers.vocos import VocosConfig
from codeczoo.codecs.training.feature_scale import scale_features
from codeczoo.codecs.unicodec import UniCodec, UniCodecConfig
from codeczoo.codecs.unicodec_checkpoint import convert, parameters, published_names, write
from codeczoo.codecs.unicodec_long import decode_blocks, encode_blocks, encoding_windows
from codeczoo.codecs.unicodec_semantic import MaskedPrediction

CONFIGS = {
    "hop 320": UniCodecConfig(
        encoder=SeanetConfig(width=4, dimension=32, lstm_layers=0),
        transformer=ExpertTransformerConfig(layers=2, heads=4, expert_width=24),
        entries=64,
        decoder=VocosConfig(dimension=32, width=64, intermediate=96, layers=2),
        projected=16,
    ),
    "hop 24, 5 experts of which 2, 2 shared, 16 kHz": UniCodecConfig(
        sample_rate=16_000,
        encoder=SeanetConfig(strides=(2, 3, 4), width=6, dimension=24, residual_layers=2, lstm_layers=0, compress=1),
        transformer=ExpertTransformerConfig(layers=3, heads=2, expert_width=10, routed=5, shared=2, chosen=2),
        entries=50,
        decoder=VocosConfig(dimension=24, width=32, intermediate=48, layers=1, bandwidths=1, attention=False),
        n_fft=100,
        projected=8,
    ),
}
SMALL = CONFIGS["hop 320"]
ENCODER = "feature_extractor.encodec.encoder."
LAYER = f"{ENCODER}transformer_enocoder.transformer.layers."


def random_model(config: UniCodecConfig, seed: int = 0, *, trainable: bool = True) -> UniCodec:
    """A model whose every tensor is random, gains and scales as well, and whose codes differ from frame to frame."""
    torch.manual_seed(seed)
    model = UniCodec(config, trainable=trainable)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        samples = config.entries * config.hop
        loudness = torch.linspace(0, 1, samples).square() * torch.randn(samples)
        latents = model.eval().encode_to_latents(loudness[None, None])[0].T
        quantizer = model.quantizer
        quantizer.embedding.weight.copy_(latents + 0.1 * latents.std(dim=0) * torch.randn_like(latents))
        quantizer.embedding_proj.weight.copy_(torch.eye(len(quantizer.embedding_proj.weight)))
        quantizer.embedding_proj.weight.add_(0.01 * torch.randn_like(quantizer.embedding_proj.weight))
        quantizer.embedding_proj.bias.fill_(0.01)
    return model.eval()


def published_state(model: UniCodec, folder: Path) -> dict[str, Tensor]:
    """The model's tensors under their published names, with what is dead in published files."""
    write(model, folder / "state.safetensors")
    state = load_file(folder / "state.safetensors")
    width = model.config.encoder.dimension
    for index in range(model.config.transformer.layers):
        state[f"{LAYER}{index}.linear1.weight"] = torch.ones(3 * width, width)
        state[f"{LAYER}{index}.linear2.weight"] = torch.ones(width, 3 * width)
        state[f"{LAYER}{index}.layer_scale_2.scale"] = torch.ones(width)
    return state


def lightning(state: dict[str, Tensor]) -> dict[str, Any]:
    """A training checkpoint as the published one is."""
    extra = {
        "multiperioddisc.discriminators.0.convs.0.weight_g": torch.ones(4, 1, 1, 1),
        "multiresddisc.discriminators.0.emb.weight": torch.ones(4, 4),
        "dac.discriminators.0.convs.0.bias": torch.ones(4),
        "dacdiscriminator.discriminator.discriminators.0.convs.0.bias": torch.ones(4),
        "melspec_loss.mel_spec.mel_scale.fb": torch.ones(5, 3),
        "feature_extractor.encodec.decoder.model.1.lstm.bias_hh_l0": torch.ones(4),
    }
    return {"epoch": 3, "pytorch-lightning_version": "1.8.6", "state_dict": {**state, **extra}}


def noise(length: int, batch: int = 1, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 1, length, generator=generator) * 0.3


@pytest.fixture(params=CONFIGS.values(), ids=CONFIGS.keys())
def model(request: pytest.FixtureRequest) -> UniCodec:
    return random_model(request.param)


@pytest.fixture
def small() -> UniCodec:
    return random_model(SMALL)


def test_the_published_model_has_these_weights() -> None:
    """And of them 16.8 million a layer less in use a token: one routed expert of three."""
    with torch.device("meta"):
        published = UniCodec(trainable=True)
    assert parameters(published) == 185_283_586
    transformer = sum(weight.numel() for weight in published.transformer.parameters())
    # As published, less the dead layers.
    assert transformer == 125_865_984 - 16_781_312
    assert published.semantic is not None
    assert sum(weight.numel() for weight in published.semantic.parameters()) == 512 + 262_656
    assert len(published_names(published)) == 465 - 62 - 24 + 4


@pytest.mark.parametrize("length", [1, 319, 320, 321, 3_210])
def test_tokens_and_samples(model: UniCodec, length: int) -> None:
    codes = model.encode(noise(length))
    hop = model.config.hop
    assert codes.shape == (1, 1, -(-length // hop))
    assert codes.dtype == torch.int64
    assert model.decode(codes).shape == (1, 1, codes.shape[-1] * hop)
    assert torch.equal(model.decode(codes, length), model.decode(codes)[..., :length])
    expected = model.quantizer.embedding_proj(model.quantizer.embedding.weight[codes[0, 0]]).T
    torch.testing.assert_close(model.codes_to_features(codes)[0], expected, rtol=0, atol=1e-5)


def test_a_domain_is_a_part_of_the_codebook(model: UniCodec) -> None:
    audio = noise(40 * model.config.hop, batch=3)
    quarter = model.config.entries // 4
    parts = {"speech": (0, quarter), "music": (quarter, 2 * quarter), "sound": (2 * quarter, model.config.entries)}
    for domain, (low, end) in parts.items():
        codes = model.encode(audio, domain)
        assert low <= int(codes.min()) <= int(codes.max()) < end
        # The nearest entry of all is the nearest of its part.
        free = model.encode(audio)
        inside = (low <= free) & (free < end)
        assert torch.equal(codes[inside], free[inside])
    mixed = model.encode(audio, ["sound", None, "speech"])
    assert torch.equal(mixed[0], model.encode(audio[:1], "sound")[0])
    assert torch.equal(mixed[1], model.encode(audio[1:2])[0])
    assert torch.equal(mixed[2], model.encode(audio[2:], "speech")[0])


@pytest.mark.parametrize("domain", ["0", "", "Speech", "audio", ["speech"], ["speech", "x"], ["speech"] * 3])
def test_an_unknown_domain_is_an_error(small: UniCodec, domain: Any) -> None:
    with pytest.raises(UnknownDomain, match=r"speech, music, sound|one a clip"):
        small.encode(noise(640, batch=2), domain)


def test_a_batch_of_unequal_lengths(model: UniCodec) -> None:
    lengths = [1, 2_000, 3_210]
    padded = noise(3_210, batch=3)
    domains = ["speech", None, "sound"]
    codes = model.encode(padded, domains, lengths)
    for index, length in enumerate(lengths):
        alone = model.encode(padded[index : index + 1, :, :length], domains[index])
        frames = alone.shape[-1]
        assert torch.equal(codes[index, :, :frames], alone[0])
        assert not codes[index, :, frames:].any()
    # As a GPU has it, where all go through together: frames behind a clip's end are seen by none of it.
    together = model.encode_to_latents(padded, lengths)
    for index, length in enumerate(lengths):
        alone = model.encode_to_latents(padded[index : index + 1, :, :length])[0]
        torch.testing.assert_close(together[index, :, : alone.shape[-1]], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        (torch.zeros(1, 2, 99), r"UniCodec takes float audio \[B, 1, T\]"),
        (torch.zeros(1, 1, 0), "without samples"),
        (torch.full((1, 1, 9), torch.nan), "NaN or infinite"),
        (torch.zeros(1, 1, 99, dtype=torch.int16), "takes float audio"),
    ],
)
def test_wrong_audio_is_told(small: UniCodec, audio: Tensor, said: str) -> None:
    with pytest.raises(InvalidAudio, match=said):
        small.encode(audio)


def test_wrong_tokens_are_told(small: UniCodec) -> None:
    for codes, said in ((torch.full((1, 1, 2), 64), "codes 64 to 64"), (torch.zeros(1, 2, 2).long(), r"\[B, 1, N\]")):
        with pytest.raises(InvalidTokens, match=said):
            small.decode(codes)
    with pytest.raises(InvalidTokens, match="2 codes stand for 321 to 640 samples; got a length of 320"):
        small.decode(torch.zeros(1, 1, 2, dtype=torch.int64), 320)
    with pytest.raises(InvalidTokens, match="bandwidth_id must be 0 to 3"):
        small.decode(torch.zeros(1, 1, 2, dtype=torch.int64), bandwidth_id=4)


def test_parts_that_do_not_fit_are_told() -> None:
    with pytest.raises(CodecError, match="features of 31 channels, the encoder gives 512"):
        UniCodecConfig(decoder=VocosConfig(dimension=31))
    with pytest.raises(CodecError, match="lstm_layers must be 0"):
        UniCodecConfig(encoder=SeanetConfig())
    with pytest.raises(ValueError, match="even width"):
        UniCodec(replace(SMALL, transformer=ExpertTransformerConfig(heads=3)))


def test_a_long_clip_is_windows_and_blocks_are_the_whole(small: UniCodec) -> None:
    audio = noise(320 * 100 + 7)
    plan = encoding_windows(small.config, 0.4)
    assert (plan.frames, plan.overlap, plan.fade) == (30, 15, 0)
    whole, length = encode_blocks(small, [audio], "music", plan)
    cut, _ = encode_blocks(small, audio.split(777, dim=-1), "music", plan)
    assert torch.equal(whole, cut)
    assert (whole.shape[-1], length) == (101, audio.shape[-1])
    # The first window's tokens up to the middle of its overlap with the second.
    first = small.encode(audio[..., : 30 * 320], "music")
    assert torch.equal(whole[..., :22], first[..., :22])
    short, _ = encode_blocks(small, audio[..., :9_000].split(1_000, dim=-1), None, plan)
    assert torch.equal(short, small.encode(audio[..., :9_000]))
    decoded = torch.cat([*decode_blocks(small, short, 9_000)], dim=-1)
    assert torch.equal(decoded, small.decode(short, 9_000))


def test_what_is_written_is_read_back(model: UniCodec, tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    written = write(model, tmp_path / "a" / "model.safetensors", {"training_data": "noise"})
    again = UniCodec.from_checkpoint(written.path, trainable=True)
    assert again.config == model.config == written.config
    assert again.state_dict().keys() == state.keys()
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in state.items())
    assert [name for name, weight in again.named_parameters() if not weight.requires_grad] == [
        "quantizer.embedding.weight"
    ]
    inferring = UniCodec.from_checkpoint(written.path)
    assert inferring.semantic is None
    assert not any(weight.requires_grad for weight in inferring.parameters())
    assert inferring.codebook_fingerprint == written.codebook == model.codebook_fingerprint
    codes = inferring.encode(noise(3_210))
    assert (codes == model.encode(noise(3_210))).float().mean() > 0.9
    torch.testing.assert_close(inferring.decode(codes), model.decode(codes), rtol=0, atol=1e-4)
    # A model for inference is written and read too, and computes the same.
    folded = write(inferring, tmp_path / "folded.safetensors")
    assert torch.equal(UniCodec.from_checkpoint(folded.path).encode(noise(3_210)), codes)
    half = convert(written.path, tmp_path / "half.safetensors", dtype=torch.float16)
    assert half.path.stat().st_size < 0.65 * written.path.stat().st_size
    assert UniCodec.from_checkpoint(half.path).codebook_fingerprint == half.codebook


def test_a_published_checkpoint_is_read(small: UniCodec, tmp_path: Path) -> None:
    """Lightning's file, with a table that says what shapes do not; what is dead or only for training is left out."""
    torch.save(lightning(published_state(small, tmp_path)), tmp_path / "unicode.ckpt")
    read = UniCodec.from_checkpoint(tmp_path / "unicode.ckpt", {"heads": 4})
    assert read.config == SMALL
    assert {name.partition(".")[0] for name in read.state_dict()} == {
        "encoder", "transformer", "quantizer", "backbone", "head",
    }  # fmt: skip
    same = UniCodec.from_checkpoint(tmp_path / "unicode.ckpt", SMALL, trainable=True)
    assert torch.equal(same.semantic.mask_embedding, small.semantic.mask_embedding)
    assert torch.equal(same.semantic.query.weight, small.semantic.query.weight)
    converted = convert(tmp_path / "unicode.ckpt", tmp_path / "unicode.safetensors", {"heads": 4})
    again = UniCodec.from_checkpoint(converted.path)
    assert again.weights_digest == read.weights_digest
    assert torch.equal(again.encode(noise(5_000)), read.encode(noise(5_000)))
    names = set(load_file(converted.path))
    assert not any("linear1" in name or "layer_scale_2" in name or ".decoder." in name for name in names)
    assert f"{LAYER}1.FFNMOE.shared_experts.w3.weight" in names
    assert f"{ENCODER}mask_emb" in names


def test_without_a_configuration_it_is_the_published_one(small: UniCodec, tmp_path: Path) -> None:
    torch.save(lightning(published_state(small, tmp_path)), tmp_path / "unicode.ckpt")
    with pytest.raises(WeightsCorrupt, match=r"is not exactly a UniCodec: missing tensors .*transformer_enocoder"):
        UniCodec.from_checkpoint(tmp_path / "unicode.ckpt")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"heads": 4, "codebook": 128}, "codebook is 128 in the configuration; the tensors say 64"),
        ({"heads": 4, "backbone": {"dim": 65}}, r"backbone\.dim is 65 .* say 64"),
        ({"heads": 4, "head_count": 4}, "'head_count' is not known of a UniCodec's configuration; there are heads"),
        ({"heads": 3}, "shapes that no UniCodec has: Heads have an even width"),
        ({"heads": 4, "topk": 4}, "4 experts cannot be chosen of 3"),
        ({"heads": "4"}, "whole numbers from 1 on; got '4', 1, 24000"),
        ({"heads": 4, "sample_rate": 0}, "whole numbers from 1 on; got 4, 1, 0"),
    ],
)
def test_a_configuration_that_does_not_fit_is_told(
    small: UniCodec, tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    torch.save(lightning(published_state(small, tmp_path)), tmp_path / "unicode.ckpt")
    with pytest.raises(WeightsCorrupt, match=said):
        UniCodec.from_checkpoint(tmp_path / "unicode.ckpt", config)


def _without(name: str) -> Callable[[dict[str, Tensor]], object]:
    return lambda state: state.pop(name)


def _with(name: str, tensor: Tensor) -> Callable[[dict[str, Tensor]], object]:
    return lambda state: state.__setitem__(name, tensor)


MIXTURE = f"{LAYER}0.FFNMOE."
VECTORS = "feature_extractor.encodec.quantizer.vq.embedding.weight"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_without(f"{MIXTURE}gate.weight"), r"missing tensors .*layers\.0\.FFNMOE\.gate\.weight"),
        (_without(f"{MIXTURE}experts.1.w2.weight"), r"missing tensors .*FFNMOE\.experts\.1\.w2\.weight"),
        (_without(f"{LAYER}1.self_attn.in_proj_weight"), r"missing tensors .*self_attn\.in_proj_weight"),
        (_without(VECTORS), "missing tensors"),
        (_without(f"{ENCODER}model.14.conv.conv.bias"), r"missing tensors .*model\.14\."),
        (_with("backbone.extra.weight", torch.ones(3)), r"unexpected tensors backbone\.extra\.weight"),
        (_with(f"{MIXTURE}gate.bias", torch.ones(3)), r"unexpected tensors .*gate\.bias"),
        (_with("model.diffusion.weight", torch.ones(3)), r"unexpected tensors model\.diffusion\.weight"),
        (_with(f"{MIXTURE}gate.weight", torch.ones(4, 32)), r"FFNMOE\.gate\.weight has the shape \[4, 32\].*\[3, 32\]"),
        (_with(VECTORS, torch.full((64, 32), torch.nan)), "holds NaN"),
        (_with(f"{ENCODER}mask_emb", torch.ones(31)), r"mask_emb has the shape \[31\]"),
    ],
)
def test_a_tensor_that_is_wrong_is_named(
    small: UniCodec, tmp_path: Path, spoil: Callable[[dict[str, Tensor]], object], said: str
) -> None:
    state = published_state(small, tmp_path)
    spoil(state)
    torch.save({"state_dict": state}, tmp_path / "model.ckpt")
    with pytest.raises(WeightsCorrupt, match=said) as error:
        UniCodec.from_checkpoint(tmp_path / "model.ckpt", SMALL)
    assert "model.ckpt" in str(error.value)
    with pytest.raises(WeightsCorrupt):
        UniCodec.from_checkpoint(tmp_path / "model.ckpt", {"heads": 4})


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="There is no checkpoint"):
        UniCodec.from_checkpoint(tmp_path / "none.ckpt")


def test_a_training_forward() -> None:
    """Every weight that is trained gets a gradient, those of masked prediction too; the frozen vectors get none."""
    torch.manual_seed(0)
    small = UniCodec(SMALL, trainable=True)
    audio = noise(320 * 40, batch=3)
    # Frames of a fresh encoder hardly differ, and would all go to one expert.
    scale_features(small.encoder, audio)
    made = small(audio, 1, ["speech", "music", None], MaskedPrediction(distractors=5))
    assert made.audio.shape == audio.shape
    assert made.codes.shape == (3, 1, 40)
    assert 0 <= int(made.codes[0].min()) <= int(made.codes[0].max()) < 16
    assert 16 <= int(made.codes[1].min()) <= int(made.codes[1].max()) < 32
    (made.audio.square().mean() + made.commitment + made.prediction.loss).backward()
    without = [name for name, weight in small.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == ["quantizer.embedding.weight"]
    assert small(audio, 0).prediction is None


def test_masked_prediction_needs_a_trainable_model(small: UniCodec) -> None:
    small.for_inference()
    with pytest.raises(CodecError, match="for inference alone"):
        small(noise(9_600), masking=MaskedPrediction())
