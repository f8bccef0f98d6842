"""Checkpoints of WavTokenizer: what is read, what is refused, and what is written."""

from __future__ import annotations

import json
import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from codeczoo import codecs
from codeczoo.codecs import InvalidTokens, UnknownCodec, WeightsCorrupt, WeightsMissing, tokens
from codeczoo.codecs.wavtokenizer import WavTokenizer
from codeczoo.codecs.wavtokenizer_checkpoint import convert, write

from .test_wavtokenizer import CONFIGS, noise, random_model

ENCODER = "feature_extractor.encodec.encoder.model."
CODEBOOK = "feature_extractor.encodec.quantizer.vq.layers.0._codebook."


def published_state(model: WavTokenizer, folder: Path) -> dict[str, Tensor]:
    """The model's tensors under their published names."""
    path = folder / "state.safetensors"
    write(model, path)
    return load_file(path)


def lightning(state: dict[str, Tensor]) -> dict[str, Any]:
    """A training checkpoint as the published ones are: discriminators, filterbank, optimizers beside the model."""
    extra = {
        "multiperioddisc.discriminators.0.convs.0.weight_g": torch.ones(4, 1, 1, 1),
        "multiresddisc.discriminators.0.emb.weight": torch.ones(4, 4),
        "dac.discriminators.0.convs.0.bias": torch.ones(4),
        "dacdiscriminator.discriminator.discriminators.0.convs.0.bias": torch.ones(4),
        "melspec_loss.mel_spec.mel_scale.fb": torch.ones(5, 3),
        "feature_extractor.encodec.decoder.model.0.conv.conv.bias": torch.ones(4),
    }
    moments = {0: {"step": torch.tensor(5.0), "exp_avg": torch.zeros(7), "exp_avg_sq": torch.zeros(7)}}
    return {
        "epoch": 3,
        "global_step": 1_000,
        "pytorch-lightning_version": "1.8.6",
        "state_dict": {**state, **extra},
        "optimizer_states": [{"state": moments, "param_groups": [{"lr": 2e-4, "params": [0]}]}] * 2,
        "lr_schedulers": [{"last_epoch": 1_000}],
        "callbacks": {"ModelCheckpoint{'monitor': 'val_loss'}": {"best_model_score": torch.tensor(1.0)}},
        "loops": {"fit_loop": {"state_dict": {}}},
        "hyper_parameters": {"sample_rate": 24_000, "pretrain_mel_steps": 0},
    }


@pytest.fixture(params=CONFIGS.values(), ids=CONFIGS.keys())
def model(request: pytest.FixtureRequest) -> WavTokenizer:
    return random_model(request.param)


@pytest.fixture
def small() -> WavTokenizer:
    return random_model(CONFIGS["hop 320"])


def test_every_hyper_parameter_is_inferred(model: WavTokenizer, tmp_path: Path) -> None:
    if model.config.decoder is None:
        pytest.skip("EnCodec's decoder in a published checkpoint is not WavTokenizer's: a mirrored model has no .ckpt")
    torch.save(lightning(published_state(model, tmp_path)), tmp_path / "model.ckpt")
    read = WavTokenizer.from_checkpoint(tmp_path / "model.ckpt", sample_rate=model.config.sample_rate)
    assert read.config == model.config
    assert not read.training
    audio = noise(3_210)
    codes = model.encode(audio)
    assert torch.equal(read.encode(audio), codes)
    torch.testing.assert_close(read.decode(codes), model.decode(codes), rtol=0, atol=1e-4)


@pytest.mark.parametrize("folded", [False, True])
def test_what_is_written_is_read_back(model: WavTokenizer, tmp_path: Path, folded: bool) -> None:
    codes = model.encode(noise(3_210))
    audio = model.decode(codes)
    if folded:
        model.for_inference()
    written = write(model, tmp_path / "a" / "model.safetensors")
    read = WavTokenizer.from_checkpoint(written.path, trainable=not folded)
    assert read.config == model.config == written.config
    assert read.codebook_fingerprint == written.codebook
    torch.testing.assert_close(read.decode(codes), audio, rtol=0, atol=1e-5 * float(audio.abs().max()))
    if not folded:
        for name, tensor in model.state_dict().items():
            assert torch.equal(read.state_dict()[name], tensor), name
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["model.safetensors"]


def test_a_trainable_model_is_trainable(small: WavTokenizer, tmp_path: Path) -> None:
    written = write(small, tmp_path / "model.safetensors")
    trainable = WavTokenizer.from_checkpoint(written.path, trainable=True)
    assert all(parameter.requires_grad for parameter in trainable.parameters())
    assert {name for name, _ in trainable.named_parameters()} == {name for name, _ in small.named_parameters()}


def test_conversion_keeps_tokens_and_identity(small: WavTokenizer, tmp_path: Path) -> None:
    torch.save(lightning(published_state(small, tmp_path)), tmp_path / "model.ckpt")
    written = convert(tmp_path / "model.ckpt", tmp_path / "model.safetensors")
    before = WavTokenizer.from_checkpoint(tmp_path / "model.ckpt")
    after = WavTokenizer.from_checkpoint(written.path)
    assert before.weights_digest == after.weights_digest
    assert torch.equal(before.encode(noise(9_999)), after.encode(noise(9_999)))
    names = set(load_file(written.path))
    assert f"{ENCODER}3.conv.conv.weight_g" in names
    assert f"{CODEBOOK}embed_avg" in names
    assert not any(name.startswith(("dac.", "multi", "melspec", "feature_extractor.encodec.decoder")) for name in names)


def test_the_sample_rate_is_stated(tmp_path: Path) -> None:
    model = random_model(CONFIGS["no attention, 16 kHz, wide window"])
    written = write(model, tmp_path / "model.safetensors")
    assert WavTokenizer.from_checkpoint(written.path).config.sample_rate == 16_000
    with pytest.raises(WeightsCorrupt, match="a model of 16000 Hz; it was asked for one of 24000 Hz"):
        WavTokenizer.from_checkpoint(written.path, sample_rate=24_000)


def test_half_precision_files_are_read(small: WavTokenizer, tmp_path: Path) -> None:
    state = {name: tensor.half() for name, tensor in published_state(small, tmp_path).items()}
    save_file(state, tmp_path / "half.safetensors")
    read = WavTokenizer.from_checkpoint(tmp_path / "half.safetensors")
    assert {parameter.dtype for parameter in read.parameters()} == {torch.float32}
    assert read.decode(torch.zeros(1, 1, 3, dtype=torch.int64)).dtype == torch.float32


def test_float16_halves_a_file_and_rounds_the_model(small: WavTokenizer, tmp_path: Path) -> None:
    whole = write(small, tmp_path / "whole.safetensors", {"training_data": "noise"})
    half = convert(whole.path, tmp_path / "half.safetensors", dtype=torch.float16)
    assert half.path.stat().st_size < 0.6 * whole.path.stat().st_size
    before, after = WavTokenizer.from_checkpoint(whole.path), WavTokenizer.from_checkpoint(half.path)
    assert torch.equal(after.quantizer.embed, before.quantizer.embed.half().float())
    assert half.codebook == after.codebook_fingerprint != before.codebook_fingerprint
    assert codecs.spec(f"wavtokenizer:{half.path}").training_data == "noise"


def test_float16_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    model = random_model(CONFIGS["no attention, 16 kHz, wide window"])
    with torch.no_grad():
        model.head.out.bias[0] = 1e5
    with pytest.raises(WeightsCorrupt, match=r"head\.out\.bias is out of the range of torch\.float16"):
        write(model, tmp_path / "half.safetensors", dtype=torch.float16)
    assert not (tmp_path / "half.safetensors").exists()


def _without(name: str) -> Callable[[dict[str, Tensor]], object]:
    return lambda state: state.pop(name)


def _with(name: str, tensor: Tensor) -> Callable[[dict[str, Tensor]], object]:
    return lambda state: state.__setitem__(name, tensor)


NAN = torch.full((64,), torch.nan)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without(f"{CODEBOOK}embed"), r"missing tensors .*embed"),
        (_without(f"{CODEBOOK}cluster_size"), r"missing tensors .*_codebook\.cluster_size"),
        (_without("backbone.norm.scale.weight"), "missing tensors backbone.norm.scale.weight"),
        (_without("backbone.convnext.1.gamma"), "missing tensors backbone.convnext.1.gamma"),
        (_without("backbone.pos_net.2.k.bias"), "missing tensors backbone.pos_net.2.k.bias"),
        (_without("head.istft.window"), "missing tensors head.istft.window"),
        (_without(f"{ENCODER}6.conv.conv.weight_v"), r"missing tensors .*encoder\.model\.6\.conv\.conv\.weight_v"),
        (_without(f"{ENCODER}6.conv.conv.bias"), r"missing tensors .*encoder\.model\.6\.conv\.conv\.bias"),
        (_without(f"{ENCODER}13.lstm.weight_hh_l1"), r"missing tensors .*lstm\.weight_hh_l1"),
        (_with("backbone.extra.weight", torch.ones(3)), "unexpected tensors backbone.extra.weight"),
        (_with("transformer.h.0.weight", torch.ones(3)), "unexpected tensors transformer.h.0.weight"),
        (_with("backbone.final_layer_norm.bias", torch.ones(3)), r"final_layer_norm.bias has the shape \[3\].*\[64\]"),
        (_with("backbone.embed.weight", torch.ones(3)), r"backbone.embed.weight has the shape \[3\].*3 axes"),
        (_with("head.out.weight", torch.ones(1_283, 64)), r"head\.out\.weight has the shape \[1283, 64\]"),
        (_with(f"{CODEBOOK}embed", torch.ones(64, 31)), r"_codebook\.embed has the shape \[64, 31\]"),
        (_with("backbone.final_layer_norm.bias", NAN), "final_layer_norm.bias holds NaN"),
        (_with("backbone.final_layer_norm.bias", torch.ones(64).int()), "is torch.int32"),
        (_with("backbone.embed.weight", torch.ones(33, 32, 7)), r"embed\.weight has the shape \[33, 32, 7\]"),
        (_with("backbone.embed.weight", torch.ones(64, 40, 7)), r"embed\.weight has the shape \[64, 40, 7\].*, 32, 7"),
        (_with("backbone.embed.weight", torch.ones(64, 32, 8)), "its kernel is odd; got .*kernel=8"),
    ],
)
def test_a_tensor_that_is_wrong_is_named(
    small: WavTokenizer, tmp_path: Path, spoil: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    state = published_state(small, tmp_path)
    spoil(state)
    torch.save({"state_dict": state}, tmp_path / "model.ckpt")
    with pytest.raises(WeightsCorrupt, match=message) as error:
        WavTokenizer.from_checkpoint(tmp_path / "model.ckpt")
    assert "model.ckpt" in str(error.value)


class _Runs:
    """Unpickled, it would touch a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_wants_to_run_code_is_refused(small: WavTokenizer, tmp_path: Path, zipped: bool) -> None:
    stored = lightning(published_state(small, tmp_path)) | {"hyper_parameters": _Runs(tmp_path / "touched")}
    torch.save(stored, tmp_path / "model.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        WeightsCorrupt, match=r"model\.ckpt is not a checkpoint of tensors alone.*Nothing of it was executed"
    ):
        WavTokenizer.from_checkpoint(tmp_path / "model.ckpt")
    assert not (tmp_path / "touched").exists()


def test_a_plain_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(pickle.dumps({"state_dict": _Runs(tmp_path / "touched")}))
    with pytest.raises(WeightsCorrupt, match=r"model\.ckpt"):
        WavTokenizer.from_checkpoint(tmp_path / "model.ckpt")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("kind", ["ckpt", "safetensors"])
@pytest.mark.parametrize("keep", [0, 1, 7, 100, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_told(small: WavTokenizer, tmp_path: Path, kind: str, keep: float) -> None:
    path = tmp_path / f"model.{kind}"
    state = published_state(small, tmp_path)
    if kind == "ckpt":
        torch.save(lightning(state), path)
    else:
        save_file(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(WeightsCorrupt, match=rf"model\.{kind}"):
        WavTokenizer.from_checkpoint(path)


def test_a_flipped_bit_of_an_archive_is_told(small: WavTokenizer, tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    torch.save(lightning(published_state(small, tmp_path)), path)
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    content = bytearray(path.read_bytes())
    content[largest.header_offset + 200 + largest.file_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsCorrupt, match="differs from its checksum"):
        WavTokenizer.from_checkpoint(path)


@pytest.mark.parametrize(
    "content", [b"", b"RIFF....WAVE", b"PK\x03\x04", b"\x80\x02}q\x00.", b"{}", b"not a model" * 99]
)
@pytest.mark.parametrize("name", ["model.ckpt", "model.safetensors", "model.bin"])
def test_a_foreign_file_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsCorrupt, match=name):
        WavTokenizer.from_checkpoint(tmp_path / name)


@pytest.mark.parametrize("stored", [[1, 2], {"state_dict": {}}, {"state_dict": {"a": 1}}, {"epoch": 1}, torch.ones(3)])
def test_a_checkpoint_without_a_model_is_told(tmp_path: Path, stored: Any) -> None:
    torch.save(stored, tmp_path / "model.ckpt")
    with pytest.raises(WeightsCorrupt, match=r"model\.ckpt"):
        WavTokenizer.from_checkpoint(tmp_path / "model.ckpt")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"There is no checkpoint .*model\.ckpt"):
        WavTokenizer.from_checkpoint(tmp_path / "model.ckpt")


def test_ones_own_checkpoint_is_a_codec(small: WavTokenizer, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    write(small, path, {"training_data": "mine", "domain": "speech"})
    codec = codecs.load(f"wavtokenizer:{path}")
    assert codec.spec == codecs.spec(f"wavtokenizer:{path}")
    assert codec.spec.frame_rates == (75.0,)
    assert codec.spec.codebook_sizes == (64,)
    assert codec.spec.training_data == "mine"
    assert codec.spec.parameters == sum(p.numel() for p in small.parameters()) + 64 * 32
    encoded = codec.encode(noise(1_001))
    assert codec.decode(encoded).shape == (1, 1, 1_001)


def test_tokens_of_another_checkpoint_are_refused(tmp_path: Path) -> None:
    """Two checkpoints of one shape: nothing but the codebook's fingerprint tells their tokens apart."""
    made = []
    for seed in (0, 1):
        path = tmp_path / str(seed) / "model.safetensors"
        write(random_model(CONFIGS["hop 320"], seed), path)
        made.append(codecs.load(f"wavtokenizer:{path}"))
    one, other = made
    encoded = one.encode(noise(2_000))
    with pytest.raises(InvalidTokens, match=r"index the codebook \w{16}; that of wavtokenizer:.*made by other weights"):
        other.decode(encoded)
    tokens.save(tmp_path / "tokens.safetensors", encoded, one)
    stored = tokens.read(tmp_path / "tokens.safetensors")
    assert stored.encoded.codebook == encoded.codebook
    with pytest.raises(InvalidTokens, match="index the codebook"):
        other.decode(stored.encoded)
    with pytest.raises(InvalidTokens, match="holds tokens of"):
        tokens.load(tmp_path / "tokens.safetensors", other)
    assert torch.equal(one.decode(tokens.load(tmp_path / "tokens.safetensors", one)), one.decode(encoded))


def test_a_name_that_is_none_lists_the_published(tmp_path: Path) -> None:
    with pytest.raises(UnknownCodec, match=r"small-600, small-320, medium-speech-320, .*codeczoo convert"):
        codecs.spec("wavtokenizer:smal-320")
    with pytest.raises(WeightsMissing, match="There is no file"):
        codecs.spec(f"wavtokenizer:{tmp_path}/none.safetensors")


def test_a_file_that_states_nothing_wants_conversion(small: WavTokenizer, tmp_path: Path) -> None:
    save_file(published_state(small, tmp_path), tmp_path / "bare.safetensors")
    with pytest.raises(WeightsCorrupt, match="codeczoo convert"):
        codecs.spec(f"wavtokenizer:{tmp_path / 'bare.safetensors'}")
    convert(tmp_path / "bare.safetensors", tmp_path / "whole.safetensors")
    assert codecs.spec(f"wavtokenizer:{tmp_path / 'whole.safetensors'}").sample_rate == 24_000


FACTS = {"sample_rate": 24_000, "hop": 320, "entries": 64, "parameters": 1_000}


@pytest.mark.parametrize(
    "facts",
    ["{", "[]", "{}", '"a"']
    + [json.dumps(FACTS | {key: wrong}) for key in FACTS for wrong in (0, -1, "x", 1.5, True)]
    + [json.dumps(FACTS | {"parameters": math.inf}), json.dumps(FACTS | {"hop": math.nan})]
    + [json.dumps(FACTS | {key: wrong}) for key in ("notes", "domain", "training_data") for wrong in (None, 5, ["x"])],
)
def test_damaged_facts_are_told(small: WavTokenizer, tmp_path: Path, facts: str) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(published_state(small, tmp_path), path, {"format": "codeczoo-wavtokenizer", "facts": facts})
    with pytest.raises(WeightsCorrupt, match=r"mine\.safetensors is damaged"):
        codecs.spec(f"wavtokenizer:{path}")


def test_published_points() -> None:
    names = [name for name in codecs.names() if name.startswith("wavtokenizer:") and "tiny" not in name]
    specs = {name: codecs.spec(name) for name in names}
    assert {spec.tokens_per_second for spec in specs.values()} == {40.0, 75.0}
    for name, spec in specs.items():
        assert spec.tokens_per_second == (40.0 if "600" in name else 75.0)
        assert spec.bitrate_kbps == pytest.approx(0.48 if "600" in name else 0.9)
        weights = codecs.family(name).weights
        assert weights is not None
        assert weights.files[0].url.startswith("https://huggingface.co/novateur/WavTokenizer")
        assert spec.training_data
        assert weights.licence == spec.weights_licence
    assert len(names) == 8
