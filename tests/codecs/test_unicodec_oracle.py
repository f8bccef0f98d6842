"""UniCodec against tensors that the published implementation gave for a small, randomly weighted model.

The model's last convolution makes features of deviation 1 out of hidden frames of deviation 0.0016, so that float32
rounding in the layers before it comes out a thousand times larger: the reference's own latents are 2.5e-4 of their
scale away from those of float64, and its arithmetic on one thread gives others than on two by 2e-4. Stages are
therefore held to 1e-4 one by one, each from the oracle's input to it, and the whole chain to twice the reference's own
error; codes are the reference's, all of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from codeczoo.codecs.training.mel_loss import MelLoss
from codeczoo.codecs.unicodec import UniCodec
from codeczoo.codecs.unicodec_semantic import SemanticPart

RELATIVE = 1e-4
SHALLOW = 1e-5
DOMAINS: dict[str, Any] = {
    "none": None,
    "speech": "speech",
    "music": "music",
    "sound": "sound",
    "mixed": ["speech", "music", "sound"],
}
LENGTHS = (1, 160, 319, 321, 1000, 7777)


@pytest.fixture(scope="module")
def oracle(shared: Path) -> Any:
    return np.load(shared / "oracles" / "unicodec_tiny.npz")


@pytest.fixture(scope="module")
def config(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "oracles" / "unicodec_tiny.json").read_text())


@pytest.fixture(scope="module", params=[False, True], ids=["inference", "trainable"])
def model(shared: Path, config: dict[str, Any], request: pytest.FixtureRequest) -> UniCodec:
    return UniCodec.from_checkpoint(
        shared / "oracles" / "unicodec_tiny.safetensors", config, trainable=request.param
    ).requires_grad_(False)


@pytest.fixture(scope="module")
def codec(shared: Path, config: dict[str, Any]) -> UniCodec:
    return UniCodec.from_checkpoint(shared / "oracles" / "unicodec_tiny.safetensors", config)


def close(found: Tensor, expected: NDArray[Any], relative: float = RELATIVE) -> None:
    scale = float(np.abs(expected).max()) or 1.0
    np.testing.assert_allclose(found.detach().numpy() / scale, expected / scale, atol=relative, rtol=0)


def audio_of(oracle: Any) -> Tensor:
    return torch.from_numpy(oracle["audio"])[:, None]


def test_convolutions(model: UniCodec, oracle: Any) -> None:
    close(model.encoder(audio_of(oracle)).transpose(1, 2), oracle["conv_feat_BTC"])


def test_the_transformer(model: UniCodec, oracle: Any) -> None:
    x = torch.from_numpy(oracle["conv_feat_BTC"])
    layer = model.transformer.layers[0]
    attended = x + layer.layer_scale_1(layer.self_attn(layer.norm1(x)))
    close(attended, oracle["layer0_after_attn"], SHALLOW)
    weights, experts = layer.mixture.gate(layer.norm2(attended).flatten(0, 1))
    np.testing.assert_array_equal(experts.numpy(), oracle["layer0_gate_expert"])
    assert len(np.unique(oracle["layer0_gate_expert"])) == 3
    close(weights, oracle["layer0_gate_weight"], SHALLOW)
    close(layer(x), oracle["layer0_out"], SHALLOW)
    close(model.transformer(x.transpose(1, 2)), oracle["latent_BCT"], SHALLOW)


@pytest.mark.parametrize("name", DOMAINS)
def test_the_quantizer(model: UniCodec, oracle: Any, name: str) -> None:
    close(model.quantizer.codebook(), oracle["codebook_projected"], SHALLOW)
    latents = torch.from_numpy(oracle["latent_BCT"])
    model.quantizer.train()
    found = model.quantizer(latents, DOMAINS[name])
    model.quantizer.eval()
    np.testing.assert_array_equal(found.codes.transpose(0, 1).numpy(), oracle[f"codes_{name}"])
    close(found.quantized, oracle[f"quantized_{name}"], SHALLOW)
    assert float(found.loss) == pytest.approx(float(oracle[f"commit_{name}"]), rel=SHALLOW)


@pytest.mark.parametrize("name", DOMAINS)
def test_audio_becomes_its_codes(codec: UniCodec, oracle: Any, name: str) -> None:
    """The whole chain, and the parts of the codebook that the codes are of."""
    codes = codec.encode(audio_of(oracle), DOMAINS[name])
    np.testing.assert_array_equal(codes.transpose(0, 1).numpy(), oracle[f"codes_{name}"])
    parts = {"speech": (0, 16), "music": (16, 32), "sound": (32, 64)}
    wanted = DOMAINS[name] if isinstance(DOMAINS[name], list) else [DOMAINS[name]] * 3
    for clip, domain in zip(codes, wanted, strict=True):
        low, end = parts.get(domain, (0, 64))
        assert low <= int(clip.min()) <= int(clip.max()) < end
    features = codec.codes_to_features(codes)
    close(features, oracle[f"quantized_{name}"], SHALLOW)


def test_latents_of_the_whole_chain(codec: UniCodec, oracle: Any) -> None:
    close(codec.encode_to_latents(audio_of(oracle)), oracle["latent_BCT"], 5e-4)


@pytest.mark.parametrize(("name", "bandwidth_id"), [("none", 0), ("none", 2), ("mixed", 0), ("mixed", 2)])
def test_codes_become_their_audio(model: UniCodec, oracle: Any, name: str, bandwidth_id: int) -> None:
    codes = torch.from_numpy(oracle[f"codes_{name}"]).transpose(0, 1).contiguous()
    close(model.decode(codes, bandwidth_id=bandwidth_id)[:, 0], oracle[f"decoded_{name}_bw{bandwidth_id}"])


def test_the_backbone(model: UniCodec, oracle: Any) -> None:
    embedded = model.backbone.embed(torch.from_numpy(oracle["quantized_none"]))
    close(embedded, oracle["bb_embed_none"], SHALLOW)
    close(model.backbone.pos_net(embedded), oracle["bb_posnet_none"], SHALLOW)
    close(model.backbone(torch.from_numpy(oracle["quantized_none"]), 0), oracle["bb_out_none_bw0"])


@pytest.mark.parametrize("length", LENGTHS)
def test_odd_lengths(codec: UniCodec, oracle: Any, length: int) -> None:
    codes = codec.encode(audio_of(oracle)[:1, :, :length])
    np.testing.assert_array_equal(codes[:, 0].numpy(), oracle[f"len{length}_codes"][0])
    close(codec.decode(codes)[:, 0], oracle[f"len{length}_decoded"])
    assert codec.decode(codes, length).shape == (1, 1, length)


def test_a_padded_batch_is_its_clips(codec: UniCodec, oracle: Any) -> None:
    padded = torch.zeros(len(LENGTHS), 1, max(LENGTHS))
    for row, length in zip(padded, LENGTHS, strict=True):
        row[:, :length] = audio_of(oracle)[0, :, :length]
    codes = codec.encode(padded, lengths=LENGTHS)
    for row, length in zip(codes, LENGTHS, strict=True):
        expected = oracle[f"len{length}_codes"][0, 0]
        np.testing.assert_array_equal(row[0, : len(expected)].numpy(), expected)
        assert not row[0, len(expected) :].any()


def test_masked_prediction(model: UniCodec, shared: Path, config: dict[str, Any], oracle: Any) -> None:
    """The masked forward of all domains, from the features on, and the contrastive sum over all masked frames."""
    trained = UniCodec.from_checkpoint(shared / "oracles" / "unicodec_tiny.safetensors", config, trainable=True)
    embedding = trained.semantic.mask_embedding.detach()
    part = SemanticPart(*oracle["proj_y_w"].shape[::-1])
    part.load_state_dict(
        {
            "mask_embedding": embedding,
            "query.weight": torch.from_numpy(oracle["final_w"]),
            "query.bias": torch.from_numpy(oracle["final_b"]),
            "target.weight": torch.from_numpy(oracle["proj_y_w"]),
            "target.bias": torch.from_numpy(oracle["proj_y_b"]),
        }
    )
    features = torch.from_numpy(oracle["sem_cnn"]).transpose(1, 2)
    masks = torch.from_numpy(oracle["sem_mask"])
    model.quantizer.train()
    found = model.quantizer(model.transformer(part.masked(features, masks)), DOMAINS["mixed"])
    model.quantizer.eval()
    np.testing.assert_array_equal(found.codes.transpose(0, 1).numpy(), oracle["sem_codes"])
    close(found.quantized, oracle["sem_quant"], SHALLOW)
    assert float(found.loss.detach()) == pytest.approx(float(oracle["sem_commit"]), rel=SHALLOW)
    # The oracle numbers the masked frames of all clips in a row.
    clips, masked = len(masks), int(masks[0].sum())
    numbers = torch.from_numpy(oracle["sem_neg_idx"]).reshape(clips, masked, -1)
    distractors = numbers - masked * torch.arange(clips)[:, None, None]
    assert int(distractors.min()) == 0
    assert int(distractors.max()) == masked - 1
    assert clips * masked == int(oracle["sem_n_rows"])
    temperature = config["contrastive"]["temp"]
    loss = part.predicted(found.quantized, features, masks, distractors, temperature).loss.detach() * clips
    assert float(loss) == pytest.approx(float(oracle["sem_contrastive_sum"]), rel=SHALLOW)


def test_the_mel_loss(oracle: Any) -> None:
    estimate = torch.from_numpy(oracle["decoded_none_bw0"])[:, None]
    found = MelLoss(24_000)(audio_of(oracle), estimate)
    assert float(found) == pytest.approx(float(oracle["mel_l1_none_bw0"]), rel=SHALLOW)
