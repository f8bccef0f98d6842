"""UniCodec through the registry: the published file layout, the real loading code, random weights."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from codeczoo import codecs
from codeczoo.benchmarks.cli import main
from codeczoo.codecs import (
    Codec,
    EmbeddingCodec,
    InvalidAudio,
    InvalidTokens,
    StreamingCodec,
    UnknownCodec,
    UnknownRate,
    WeightsCorrupt,
    tokens,
)
from codeczoo.codecs.unicodec import UniCodec
from codeczoo.codecs.unicodec_checkpoint import write

from . import test_contract as contract
from .standins import use
from .test_unicodec import SMALL, lightning, noise, published_state, random_model

NARROW = replace(SMALL, entries=16_384)
"""Of the published rates and codebook, and little else."""
FILE = "unicode.ckpt"


@pytest.fixture(scope="module")
def model() -> UniCodec:
    torch.manual_seed(0)
    model = random_model(SMALL)
    # A codebook of the published size around that of the small model, whose codes differ from frame to frame.
    wide = UniCodec(NARROW, trainable=True).eval()
    state = model.state_dict()
    vectors = state["quantizer.embedding.weight"]
    spread = vectors.repeat(256, 1) + 0.3 * vectors.std(dim=0) * torch.randn(16_384, vectors.shape[1])
    wide.load_state_dict({**state, "quantizer.embedding.weight": spread})
    return wide


@pytest.fixture
def weights(model: UniCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the published file, as `fetch` would have left it but for the conversion."""
    folder = tmp_path / "weights" / "unicodec-base"
    folder.mkdir(parents=True)
    torch.save(lightning(published_state(model, tmp_path)), folder / FILE)
    use(monkeypatch, tmp_path / "weights")
    # What reads the file with no configuration takes it for one of this shape.
    monkeypatch.setattr("codeczoo.codecs.unicodec_checkpoint.PUBLISHED", NARROW)
    return folder


@pytest.fixture
def codec(weights: Path) -> Codec:
    return codecs.load("unicodec:base")


def test_codes_and_audio_are_the_models(codec: Codec, model: UniCodec) -> None:
    audio = noise(9_001)
    encoded = codec.encode(audio)
    assert (encoded.codes[0][:, None] == model.encode(audio)).float().mean() > 0.9
    assert len(encoded.codes[0].unique()) > 10
    decoded = model.decode(encoded.codes[0][:, None], audio.shape[-1])
    torch.testing.assert_close(codec.decode(encoded), decoded, rtol=0, atol=1e-4)
    assert isinstance(codec, EmbeddingCodec)
    assert torch.equal(codec.embed(encoded), model.codes_to_features(encoded.codes[0][:, None]))


@pytest.mark.parametrize("rate", ["", "@speech", "@music", "@sound"])
def test_the_contract(weights: Path, rate: str, demo_audio: Path) -> None:
    """That of every codec, which skips this one where its weights are not."""
    codec = codecs.load(f"unicodec:base{rate}")
    contract.test_facts(codec)
    contract.test_tokens_and_length(codec, demo_audio)
    contract.test_same_audio_gives_same_tokens_and_audio(codec, demo_audio)
    contract.test_batch_is_its_clips(codec, demo_audio)
    for length in (1, 2, 1_023):
        contract.test_any_length_comes_back(codec, demo_audio, length)
    contract.test_bad_audio_is_refused(codec)
    contract.test_blocks_of_a_clip_give_its_tokens(codec, demo_audio)
    contract.test_measured_bits_are_the_stated_ones(codec, demo_audio)


def test_a_domain_is_an_operating_point(weights: Path) -> None:
    audio = noise(6_400)
    free = codecs.load("unicodec:base")
    for domain, low, end in (("speech", 0, 4096), ("music", 4096, 8192), ("sound", 8192, 16_384)):
        codec = codecs.load(f"unicodec:base@{domain}")
        assert codec.spec.name == f"unicodec:base@{domain}"
        encoded = codec.encode(audio)
        assert low <= int(encoded.codes[0].min()) <= int(encoded.codes[0].max()) < end
        # One model and one codebook: decoding needs no domain.
        assert torch.equal(free.decode(encoded), codec.decode(encoded))
        assert codec.fingerprint != free.fingerprint
        assert codec.model is free.model  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(
        UnknownRate, match="unicodec:base has no rate 'noise'; it has: unicodec:base, unicodec:base@speech"
    ):
        codecs.load("unicodec:base@noise")
    assert codecs.expand("unicodec:base*") == tuple(
        f"unicodec:base{rate}" for rate in ("", "@speech", "@music", "@sound")
    )


def test_what_the_weights_do_not_show_is_in_the_fingerprint(tmp_path: Path) -> None:
    """As many heads as wanted share the same tensors, and make something else of them."""
    path = tmp_path / "mine.safetensors"
    found: dict[int, tuple[str, torch.Tensor]] = {}
    state = random_model(SMALL).state_dict()
    for heads in (SMALL.transformer.heads, 2 * SMALL.transformer.heads):
        model = UniCodec(replace(SMALL, transformer=replace(SMALL.transformer, heads=heads)), trainable=True).eval()
        model.load_state_dict(state)
        write(model, path)
        codec = codecs.load(f"unicodec:{path}")
        found[heads] = (codec.fingerprint, codec.model.encode_to_latents(noise(6_400)))  # pyright: ignore
    (one, its_latents), (other, other_latents) = found.values()
    assert not torch.allclose(its_latents, other_latents)
    assert one != other


def test_tokens_carry_their_codebook(codec: Codec, tmp_path: Path) -> None:
    encoded = codec.encode(noise(999))
    tokens.save(tmp_path / "tokens.safetensors", encoded, codec)
    stored = tokens.load(tmp_path / "tokens.safetensors", codec)
    assert stored.codebook == encoded.codebook
    other = replace(encoded, codebook="0" * 16)
    with pytest.raises(InvalidTokens, match="made by other weights of the same shape"):
        codec.decode(other)
    with pytest.raises(InvalidTokens, match=r"640 samples of unicodec:base are \(1, 2\) codes"):
        codec.decode(replace(encoded, length=640))
    with pytest.raises(InvalidAudio, match="takes 1 channel"):
        codec.encode(torch.zeros(1, 2, 99))


def test_what_fetch_converts_is_the_same_codec(codec: Codec, weights: Path) -> None:
    """The converted file instead of the published one: same tokens, same fingerprint."""
    needed = codecs.family("unicodec:base").weights
    assert needed is not None
    assert needed.convert is not None
    needed.convert(weights / FILE, weights / needed.converted)
    (weights / FILE).unlink()
    again = codecs.load("unicodec:base")
    assert again.fingerprint == codec.fingerprint
    encoded = codec.encode(noise(5_000))
    assert torch.equal(again.encode(noise(5_000)).codes[0], encoded.codes[0])
    assert torch.equal(again.decode(encoded), codec.decode(encoded))


def test_a_checkpoint_of_another_shape_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "weights" / "unicodec-base"
    folder.mkdir(parents=True)
    write(random_model(SMALL), folder / "unicode.safetensors")
    use(monkeypatch, tmp_path / "weights")
    with pytest.raises(WeightsCorrupt, match="is not unicodec:base: it has 64 entries at 75 Hz"):
        codecs.load("unicodec:base")


def test_a_long_clip_is_windows(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law of streaming codecs, on a clip of several windows."""
    assert isinstance(codec, StreamingCodec)
    monkeypatch.setattr("codeczoo.codecs.unicodec_long.encoding_windows.__defaults__", (1.0,))
    monkeypatch.setattr("codeczoo.codecs.wavtokenizer_long.WINDOW_S", 1.0)
    audio = noise(24_000 * 5 + 123)
    encoded = codec.encode(audio)
    blocks = codec.encode_blocks(audio.split(10_001, dim=-1))
    assert torch.equal(blocks.codes[0], encoded.codes[0])
    decoded = list(codec.decode_blocks(encoded))
    assert len(decoded) > 1
    assert torch.equal(torch.cat(decoded, dim=-1), codec.decode(encoded))


def test_ones_own_checkpoint_is_a_codec(tmp_path: Path) -> None:
    small = random_model(SMALL)
    write(small, tmp_path / "mine.safetensors", {"training_data": "mine", "domain": "speech"})
    spec = codecs.spec(f"unicodec:{tmp_path / 'mine.safetensors'}@speech")
    assert (spec.frame_rates, spec.codebook_sizes, spec.training_data) == ((75.0,), (64,), "mine")
    weights = sum(weight.numel() for name, weight in small.named_parameters() if not name.startswith("semantic."))
    assert spec.parameters == weights
    with pytest.raises(UnknownCodec, match="UniCodec is there as unicodec:base"):
        codecs.spec("unicodec:bas")
    script = (
        "import sys; from codeczoo import codecs; "
        f"codecs.spec('unicodec:{tmp_path}/mine.safetensors'); codecs.spec('unicodec:base@music'); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_convert_on_the_command_line(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = weights / "mine.safetensors"
    assert main(["convert", str(weights / FILE), "--model", "unicodec", "--out", str(out)]) == 0
    assert "UniCodec: 24000 Hz, 75 tokens/s, one codebook of 16384 entries" in capsys.readouterr().out
    assert codecs.spec(f"unicodec:{out}@music").frame_rates == (75.0,)
    assert main(["convert", str(weights / FILE), "--out", str(weights / "other.safetensors")]) == 2
    assert "does not hold a WavTokenizer" in capsys.readouterr().err


def test_info_says_that_no_licence_is_stated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "unicodec:base"]) == 0
    out = capsys.readouterr().out
    assert "licence             none stated" in out
    assert "weights_licence     none stated" in out
    assert "huggingface.co/Yidiii/UniCodec_ckpt" in out
    assert "unicodec:base@speech" in out
