"""Checkpoints that are not what they should be: every tensor that is wrong is named as the file calls it, and no file
costs more than its size."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from codeczoo.codecs import CodecError, WeightsCorrupt
from codeczoo.codecs.wavtokenizer import WavTokenizer
from codeczoo.codecs.wavtokenizer_checkpoint import write

from .test_wavtokenizer import CONFIGS, noise, random_model

ENCODER = "feature_extractor.encodec.encoder.model."
CODEBOOK = "feature_extractor.encodec.quantizer.vq.layers.0._codebook."
KERNEL = f"{ENCODER}0.conv.conv.weight_v"

State = dict[str, Tensor]

NAMES = (
    KERNEL,
    f"{ENCODER}0.conv.conv.bias",
    f"{ENCODER}1.block.1.conv.conv.weight_v",
    f"{ENCODER}1.shortcut.conv.conv.weight_g",
    f"{ENCODER}3.conv.conv.weight_v",
    f"{ENCODER}13.lstm.weight_hh_l1",
    f"{ENCODER}15.conv.conv.weight_v",
    f"{CODEBOOK}inited",
    f"{CODEBOOK}cluster_size",
    f"{CODEBOOK}embed",
    f"{CODEBOOK}embed_avg",
    "backbone.embed.weight",
    "backbone.norm.scale.weight",
    "backbone.convnext.0.pwconv1.weight",
    "backbone.convnext.1.pwconv2.weight",
    "backbone.pos_net.2.q.weight",
    "backbone.final_layer_norm.weight",
    "head.out.weight",
    "head.out.bias",
    "head.istft.window",
)
"""Of tensors of every kind, with all that a size of the model is read from."""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    """A small model's tensors under their published names."""
    path = tmp_path_factory.mktemp("state") / "state.safetensors"
    write(random_model(CONFIGS["hop 320"]), path)
    return load_file(path)


def refusal(state: State, folder: Path) -> str:
    """What is said of a checkpoint of these tensors."""
    path = folder / "model.ckpt"
    torch.save({"state_dict": state}, path)
    with pytest.raises(WeightsCorrupt) as error:
        WavTokenizer.from_checkpoint(path)
    return str(error.value)


def test_every_missing_tensor_is_named(state: State, tmp_path: Path) -> None:
    for name in NAMES:
        told = refusal({other: tensor for other, tensor in state.items() if other != name}, tmp_path)
        assert re.search(rf"missing tensors (\S+, )*{re.escape(name)}\b", told), f"{name}: {told}"


@pytest.mark.parametrize(
    "spoil",
    [lambda x: torch.cat([x, x[:1]]), lambda x: x[:-1].clone(), lambda x: x[None].clone()],
    ids=["a row more", "a row less", "an axis more"],
)
def test_every_misshaped_tensor_is_named(spoil: Callable[[Tensor], Tensor], state: State, tmp_path: Path) -> None:
    """Those too that a size of the model is read from: the other tensors have a say."""
    for name in NAMES:
        spoilt = spoil(state[name])
        told = refusal(state | {name: spoilt}, tmp_path)
        assert f"{name} has the shape {list(spoilt.shape)}" in told, f"{name}: {told}"


@pytest.mark.parametrize(
    "name",
    [
        f"{ENCODER}55.conv.conv.weight_v",
        f"{ENCODER}16.conv.conv.weight_v",
        f"{ENCODER}2.conv.conv.bias",
        f"{ENCODER}1.block.9.conv.conv.bias",
        f"{ENCODER}0.weight_x",
        f"{ENCODER}13.lstm.weight_ih_l1000000000",
        f"{CODEBOOK}extra",
        "backbone.convnext.1000000000.gamma",
        f"backbone.convnext.{'1' * 6_000}.gamma",
        "backbone.pos_net.9.bias",
        "head.extra",
    ],
    ids=lambda name: name[-40:],
)
def test_a_tensor_too_many_is_named(name: str, state: State, tmp_path: Path) -> None:
    assert f"unexpected tensors {name}" in refusal(state | {name: torch.ones(3)}, tmp_path)


def test_a_convolution_is_known_by_its_published_name_alone(state: State, tmp_path: Path) -> None:
    plain = KERNEL.replace(".conv.conv.", ".")
    twice = refusal(state | {plain: state[KERNEL] + 1}, tmp_path)
    assert f"unexpected tensors {KERNEL}, {plain}." in twice
    renamed = {name: tensor for name, tensor in state.items() if name != KERNEL} | {plain: state[KERNEL]}
    assert f"unexpected tensors {plain}." in refusal(renamed, tmp_path)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        (KERNEL, torch.zeros_like, "holds a kernel of zeros, which has no direction"),
        ("head.out.bias", lambda x: x.double() * 1e300, "NaN or infinite numbers, in float32"),
        ("head.out.bias", lambda x: x.to(torch.float8_e4m3fn), "is torch.float8_e4m3fn; it must be"),
        ("head.out.weight", lambda x: x.to_sparse(), "head.out.weight is not a plain tensor"),
        ("head.out.weight", lambda x: x.to("meta"), "head.out.weight is not a plain tensor"),
    ],
    ids=["kernel of zeros", "beyond float32", "8 bits", "sparse", "without numbers"],
)
def test_numbers_that_cannot_be_computed_with_are_told(
    name: str, spoil: Callable[[Tensor], Tensor], message: str, state: State, tmp_path: Path
) -> None:
    told = refusal(state | {name: spoil(state[name])}, tmp_path)
    assert message in told
    assert name in told


def test_a_file_of_bytes_cannot_claim_a_terabyte(state: State, tmp_path: Path) -> None:
    """A tensor may be stored as one number that stands for all."""
    vast = torch.zeros(1).expand(10**10, 32)
    told = refusal(state | {f"{CODEBOOK}embed": vast, f"{CODEBOOK}embed_avg": vast}, tmp_path)
    assert "embed of shape [10000000000, 32] is 1280000000000 bytes; the file has 4" in told


def test_parameters_are_tensors(state: State, tmp_path: Path) -> None:
    """As a checkpoint of `dict(model.named_parameters())` holds them: they want a gradient."""
    torch.save({"state_dict": {name: nn.Parameter(tensor) for name, tensor in state.items()}}, tmp_path / "a.ckpt")
    torch.save({"state_dict": state}, tmp_path / "b.ckpt")
    read = [WavTokenizer.from_checkpoint(tmp_path / name, trainable=True) for name in ("a.ckpt", "b.ckpt")]
    assert read[0].weights_digest == read[1].weights_digest
    assert torch.equal(read[0].encode(noise(2_000)), read[1].encode(noise(2_000)))


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compressed_archive_is_not_taken_for_numbers(packing: int, state: State, tmp_path: Path) -> None:
    torch.save({"state_dict": state}, tmp_path / "plain.ckpt")
    with (
        zipfile.ZipFile(tmp_path / "plain.ckpt") as plain,
        zipfile.ZipFile(tmp_path / "packed.ckpt", "w", packing) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(WeightsCorrupt, match=r"compressed archive .*zip -0"):
        WavTokenizer.from_checkpoint(tmp_path / "packed.ckpt")


def test_a_small_archive_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/version", "3")
        with archive.open("archive/data.pkl", "w", force_zip64=True) as member:
            for _ in range(64):
                member.write(bytes(1 << 20))
    with pytest.raises(WeightsCorrupt, match=r"compressed archive \(archive/"):
        WavTokenizer.from_checkpoint(tmp_path / "bomb.ckpt")


class _Asks:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (Path("touched"),)


def test_a_refused_pickle_is_not_recommended(state: State, tmp_path: Path) -> None:
    """PyTorch's own message says how to run what is inside; ours says what that would be."""
    torch.save({"state_dict": state, "hyper_parameters": _Asks()}, tmp_path / "model.ckpt")
    with pytest.raises(WeightsCorrupt, match=r"it asks for \S+\. Nothing of it was executed.*save its state_dict") as e:
        WavTokenizer.from_checkpoint(tmp_path / "model.ckpt")
    assert "weights_only" not in str(e.value)


@pytest.mark.parametrize("rate_hz", [0, -5, 999, 10**6, 16_000.0, "16000", True])
def test_a_sample_rate_that_is_none_is_told(rate_hz: int, state: State, tmp_path: Path) -> None:
    torch.save({"state_dict": state}, tmp_path / "model.ckpt")
    with pytest.raises(CodecError, match="A sample rate is a whole number of Hz, 1000 to 768000; got"):
        WavTokenizer.from_checkpoint(tmp_path / "model.ckpt", sample_rate=rate_hz)
