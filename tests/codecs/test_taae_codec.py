"""TAAE through the registry: the published file layout, the real loading code, random weights of a narrow model."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from codeczoo import codecs
from codeczoo.benchmarks.cli import main
from codeczoo.codecs import (
    Codec,
    EmbeddingCodec,
    Encoded,
    InvalidAudio,
    InvalidTokens,
    UnknownCodec,
    UnknownRate,
    WeightsCorrupt,
)
from codeczoo.codecs.bits import ledger
from codeczoo.codecs.taae import NATIVE, TAAE, TAAEConfig
from codeczoo.codecs.taae_checkpoint import write
from codeczoo.codecs.tokens import load, save

from .speech import batch, speech
from .standins import noise, use
from .test_taae import random_model

NARROW = TAAEConfig(channels=32, dim_heads=16, transformer_depths=(1, 1))
RATES = ("1x46656_400bps", "1x24137569_625bps", "2x15625_700bps", "4x729_1000bps")


@pytest.fixture(scope="module")
def model() -> TAAE:
    return random_model(NARROW)


@pytest.fixture
def weights(model: TAAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub repository as published: tensors alone, without a configuration."""
    folder = tmp_path / "weights" / "stabilityai" / "stable-codec-speech-16k"
    write(model, tmp_path / "model.safetensors")
    folder.mkdir(parents=True)
    save_file(load_file(tmp_path / "model.safetensors"), folder / "model.safetensors")
    use(monkeypatch, tmp_path / "weights")
    monkeypatch.setattr("codeczoo.codecs.taae_names.PUBLISHED", NARROW)
    return folder


@pytest.fixture(params=RATES)
def codec(weights: Path, request: pytest.FixtureRequest) -> Codec:
    return codecs.load(f"taae:speech-16k@{request.param}")


def test_the_rates_are_those_of_the_paper(codec: Codec) -> None:
    """Packed bits, each token in whole bits, are the paper's equation 5."""
    spec = codec.spec
    assert spec == codecs.spec(spec.name)
    assert spec.frame_rates == (25.0,) * spec.n_codebooks
    encoded = codec.encode(noise(1, 1, 32_000))
    bits = ledger(encoded, spec, 2.0)
    assert bits["side"] == 32, "the gain"
    stated = float(spec.name.rpartition("_")[2].removesuffix("bps"))
    assert (bits["packed"] - bits["side"]) / 2.0 == stated
    assert bits["nominal"] / 2.0 == pytest.approx(1000 * (spec.bitrate_kbps or 0))
    assert codecs.family("taae:speech-16k").rates == RATES
    assert codecs.load("taae:speech-16k@native").spec.name == "taae:speech-16k@1x24137569_625bps"


def test_codes_and_audio_are_the_models(codec: Codec, model: TAAE, demo_audio: Path) -> None:
    audio = 0.2 * batch(speech(demo_audio, 16_000, 2)[9_000:30_001], 1)
    encoded = codec.encode(audio)
    preset = codec.preset  # pyright: ignore[reportAttributeAccessIssue]
    gain = encoded.side["gain"]
    codes = torch.stack(encoded.codes, 1)
    assert torch.equal(codes, model.encode(audio * gain, preset=preset))
    assert len(codes.unique()) > 10
    assert float(gain[0]) != 1
    expected = model.decode(codes, audio.shape[-1], preset) / gain
    torch.testing.assert_close(codec.decode(encoded), expected, rtol=0, atol=1e-5)
    assert isinstance(codec, EmbeddingCodec)
    assert torch.equal(codec.embed(encoded), model.codes_to_latents(codes, preset))


def test_the_level_is_undone(codec: Codec, demo_audio: Path) -> None:
    """The model hears both clips alike, and what comes back is as loud as what was given."""
    audio = batch(speech(demo_audio, 16_000, 2), 1) * 0.5
    loud, quiet = codec.encode(audio), codec.encode(audio * 0.25)
    agree = torch.cat([a == b for a, b in zip(loud.codes, quiet.codes, strict=True)]).float().mean()
    assert float(agree) > 0.99, "but for the rounding of the gain"
    louder, quieter = codec.decode(loud), codec.decode(replace(loud, side={"gain": 4 * loud.side["gain"]}))
    torch.testing.assert_close(louder, 4 * quieter)
    assert float(quiet.side["gain"] / loud.side["gain"]) == pytest.approx(4, rel=1e-5)


@pytest.mark.parametrize("length", [1, 2, 639, 640, 641, 1_023, 9_999])
def test_the_contract_of_lengths(codec: Codec, length: int) -> None:
    for audio in (noise(1, 1, length), torch.zeros(1, 1, length)):
        encoded = codec.encode(audio)
        assert all(codes.shape == (1, -(-length // 640)) and codes.dtype == torch.int64 for codes in encoded.codes)
        assert all(
            int(codes.max()) < size for codes, size in zip(encoded.codes, codec.spec.codebook_sizes, strict=True)
        )
        decoded = codec.decode(encoded)
        assert decoded.shape == (1, 1, length)
        assert decoded.dtype == torch.float32
        assert torch.isfinite(decoded).all()


def test_a_batch_is_its_clips(codec: Codec) -> None:
    audio = noise(3, 1, 4_001) * torch.tensor([0.1, 1.0, 3.0])[:, None, None]
    kept = audio.clone()
    both = codec.encode(audio)
    apart = [codec.encode(clip[None]) for clip in audio]
    assert torch.equal(audio, kept)
    for index, codes in enumerate(both.codes):
        assert torch.equal(codes, torch.cat([encoded.codes[index] for encoded in apart]))
    assert torch.equal(codec.decode(both), torch.cat([codec.decode(encoded) for encoded in apart]))
    assert torch.equal(both.side["gain"], torch.cat([encoded.side["gain"] for encoded in apart]))


def test_wrong_input_is_told(codec: Codec) -> None:
    with pytest.raises(InvalidAudio, match="takes 1 channel"):
        codec.encode(torch.zeros(1, 2, 99))
    encoded = codec.encode(noise(1, 1, 999))
    with pytest.raises(InvalidTokens, match=r"640 samples of taae:speech-16k@.* are \(1, 1\) codes"):
        codec.decode(replace(encoded, length=640))
    with pytest.raises(InvalidTokens, match="a `gain` above 0 for each clip"):
        codec.decode(Encoded(encoded.codes, 999))
    with pytest.raises(InvalidTokens, match="made by other weights"):
        codec.decode(replace(encoded, codebook="0" * 16))


def test_tokens_survive_a_file(codec: Codec, tmp_path: Path) -> None:
    encoded = codec.encode(noise(1, 1, 5_000))
    save(tmp_path / "clip.tokens", encoded, codec)
    assert torch.equal(codec.decode(load(tmp_path / "clip.tokens", codec)), codec.decode(encoded))


def test_other_weights_are_another_codec(weights: Path, tmp_path: Path) -> None:
    name = "taae:speech-16k@2x15625_700bps"
    codec = codecs.load(name)
    assert codec.fingerprint != codecs.load("taae:speech-16k@native").fingerprint
    write(random_model(NARROW, 1), tmp_path / "other.safetensors")
    save_file(load_file(tmp_path / "other.safetensors"), weights / "model.safetensors")
    other = codecs.load(name)
    assert other.fingerprint != codec.fingerprint
    with pytest.raises(InvalidTokens, match="made by other weights of the same shape"):
        other.decode(codec.encode(noise(1, 1, 999)))


def test_a_model_of_ones_own(model: TAAE, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    write(model, path, {"training_data": "noise", "notes": "Random."})
    codec = codecs.load(f"taae:{path}@{NATIVE}")
    assert codec.spec.training_data == "noise"
    assert codec.spec.codebook_sizes == (17**6,)
    audio = noise(1, 1, 3_000)
    assert codec.decode(codec.encode(audio)).shape == (1, 1, 3_000)
    script = (
        "import sys; from codeczoo import codecs; "
        f"print(codecs.spec('taae:{path}@{RATES[0]}').parameters, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    count, torch_was_there = done.stdout.split()
    assert (int(count), torch_was_there) == (
        sum(t.numel() for n, t in load_file(path).items() if is_weight(n)),
        "False",
    )
    with pytest.raises(UnknownRate, match="has no rate '6kbps'"):
        codecs.spec(f"taae:{path}@6kbps")
    with pytest.raises(UnknownCodec, match="as speech-16k, speech-16k-base, or as the path"):
        codecs.family("taae:nothing")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsCorrupt, match="does not state that it is a TAAE"):
        codecs.family(f"taae:{tmp_path}/other.safetensors")


def is_weight(name: str) -> bool:
    return not name.endswith(("beta", "inv_freq"))


def test_licence_and_latency_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "taae:speech-16k-base@1x46656_400bps"]) == 0
    # As one line: where it is broken is no matter.
    told = " ".join(capsys.readouterr().out.split())
    for part in ("Stability AI Community License", "gated", "-20 LUFS", "953319756", "BS.1770"):
        assert part in told, part
    spec = codecs.spec("taae:speech-16k@2x15625_700bps")
    assert spec.parameters == 953_319_756
    assert not spec.causal
    assert spec.latency_s is not None
    assert 120 < spec.latency_s < 126
    assert math.isclose(spec.bitrate_kbps or 0, 2 * 25 * 6 * math.log2(5) / 1000)
