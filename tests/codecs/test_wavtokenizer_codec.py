"""WavTokenizer through the registry: the published file layout, the real loading code, random weights."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from codeczoo import codecs
from codeczoo.benchmarks.cli import main
from codeczoo.codecs import Codec, EmbeddingCodec, InvalidAudio, InvalidTokens, StreamingCodec, WeightsCorrupt
from codeczoo.codecs.layers.seanet import SeanetConfig
from codeczoo.codecs.layers.vocos import VocosConfig
from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig
from codeczoo.codecs.wavtokenizer_checkpoint import write

from .speech import batch, speech
from .standins import use
from .test_wavtokenizer import noise, random_model
from .test_wavtokenizer_checkpoint import lightning, published_state

NARROW = WavTokenizerConfig(
    encoder=SeanetConfig(width=4, dimension=32), decoder=VocosConfig(dimension=32, width=64, intermediate=96, layers=2)
)
FILE = "WavTokenizer_small_320_24k_4096.ckpt"


@pytest.fixture
def model() -> WavTokenizer:
    return random_model(NARROW)


@pytest.fixture
def codec(model: WavTokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Codec:
    folder = tmp_path / "weights" / "wavtokenizer-small-320"
    folder.mkdir(parents=True)
    torch.save(lightning(published_state(model, tmp_path)), folder / FILE)
    use(monkeypatch, tmp_path / "weights")
    return codecs.load("wavtokenizer:small-320")


def test_codes_and_audio_are_the_models(codec: Codec, model: WavTokenizer, demo_audio: Path) -> None:
    audio = batch(speech(demo_audio, 24_000, 2)[9_000:30_001], 1)
    encoded = codec.encode(audio)
    assert torch.equal(encoded.codes[0][:, None], model.encode(audio))
    assert len(encoded.codes[0].unique()) > 10
    decoded = model.decode(encoded.codes[0][:, None], audio.shape[-1])
    torch.testing.assert_close(codec.decode(encoded), decoded, rtol=0, atol=1e-4)
    assert isinstance(codec, EmbeddingCodec)
    assert torch.equal(codec.embed(encoded), model.codes_to_features(encoded.codes[0][:, None]))


@pytest.mark.parametrize("length", [1, 319, 320, 321, 9_999])
def test_the_contract_of_lengths(codec: Codec, length: int) -> None:
    encoded = codec.encode(noise(length))
    assert encoded.codes[0].shape == (1, -(-length // 320))
    assert codec.decode(encoded).shape == (1, 1, length)


def test_a_batch_is_its_clips(codec: Codec) -> None:
    audio = noise(4_001, batch=3)
    both = codec.encode(audio)
    apart = [codec.encode(clip[None]) for clip in audio]
    assert torch.equal(both.codes[0], torch.cat([encoded.codes[0] for encoded in apart]))
    assert torch.equal(codec.decode(both), torch.cat([codec.decode(encoded) for encoded in apart]))


def test_wrong_input_is_told(codec: Codec) -> None:
    with pytest.raises(InvalidAudio, match="takes 1 channel"):
        codec.encode(torch.zeros(1, 2, 99))
    encoded = codec.encode(noise(999))
    with pytest.raises(InvalidTokens, match=r"640 samples of wavtokenizer:small-320 are \(1, 2\) codes"):
        codec.decode(codecs.Encoded(encoded.codes, 640))


def test_what_fetch_converts_is_the_same_codec(codec: Codec, tmp_path: Path) -> None:
    """The converted file beside, then instead of, the published one: same tokens, same fingerprint."""
    folder = tmp_path / "weights" / "wavtokenizer-small-320"
    weights = codecs.family("wavtokenizer:small-320").weights
    assert weights is not None
    assert weights.convert is not None
    weights.convert(folder / FILE, folder / weights.converted)
    (folder / FILE).unlink()
    again = codecs.load("wavtokenizer:small-320")
    assert again.fingerprint == codec.fingerprint
    encoded = codec.encode(noise(5_000))
    assert torch.equal(again.encode(noise(5_000)).codes[0], encoded.codes[0])
    assert torch.equal(again.decode(encoded), codec.decode(encoded))


def test_fetch_converts_what_was_fetched_and_not_converted(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A conversion that was cut off is made up for, without a download; one that is refused is never `verified`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CODECZOO_WEIGHTS")
    folder = tmp_path / "cache" / "codeczoo" / "weights" / "wavtokenizer-small-320"
    folder.parent.mkdir(parents=True)
    (tmp_path / "weights" / "wavtokenizer-small-320").rename(folder)
    content = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(content[: len(content) // 2])
    for _ in range(2):
        assert main(["fetch", "wavtokenizer:small-320"]) == 2
        said = capsys.readouterr()
        assert "already here" not in said.out
        assert f"to fetch it anew, remove {folder / FILE} first" in said.err
    (folder / "codeczoo.lock.json").unlink(missing_ok=True)
    (folder / FILE).write_bytes(content)
    assert main(["fetch", "wavtokenizer:small-320"]) == 0
    assert not (folder / FILE).exists()
    assert codecs.load("wavtokenizer:small-320").fingerprint == codec.fingerprint
    assert main(["fetch", "wavtokenizer:small-320"]) == 0
    assert "already here, verified" in capsys.readouterr().out


def test_a_file_in_place_of_another_is_read_though_its_time_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    found: list[str] = []
    kept: list[Codec] = []
    for seed in (0, 1):
        written = write(random_model(NARROW, seed), path)
        os.utime(path, (1, 1))
        codec = codecs.load(f"wavtokenizer:{path}")
        kept.append(codec)
        assert codec.encode(noise(1_000)).codebook == written.codebook
        found.append(written.codebook)
    assert found[0] != found[1]


def test_a_mirrored_model_is_not_said_to_see_the_whole_clip(tmp_path: Path) -> None:
    write(random_model(replace(NARROW, decoder=None)), tmp_path / "mirrored.safetensors")
    write(random_model(NARROW), tmp_path / "vocos.safetensors")
    mirrored, vocos = (codecs.spec(f"wavtokenizer:{tmp_path / name}.safetensors") for name in ("mirrored", "vocos"))
    assert mirrored.latency_s is None
    assert "transposed convolutions" in mirrored.notes
    assert vocos.latency_s == math.inf
    assert "attention and group normalisation see the whole clip" in vocos.notes


def test_a_checkpoint_of_the_other_hop_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "weights" / "wavtokenizer-small-320"
    folder.mkdir(parents=True)
    other = WavTokenizerConfig(
        encoder=SeanetConfig(strides=(4, 5, 5, 6), width=4, dimension=32), decoder=NARROW.decoder
    )
    torch.save({"state_dict": published_state(random_model(other), tmp_path)}, folder / FILE)
    use(monkeypatch, tmp_path / "weights")
    with pytest.raises(WeightsCorrupt, match="is not wavtokenizer:small-320: it has 4096 entries at 40 Hz"):
        codecs.load("wavtokenizer:small-320")


def test_another_model_has_another_fingerprint(codec: Codec, tmp_path: Path) -> None:
    folder = tmp_path / "weights" / "wavtokenizer-small-320"
    torch.save(lightning(published_state(random_model(NARROW, 1), tmp_path)), folder / FILE)
    other = codecs.load("wavtokenizer:small-320")
    assert other.fingerprint != codec.fingerprint
    with pytest.raises(InvalidTokens, match="made by other weights of the same shape"):
        other.decode(codec.encode(noise(999)))


def test_convert_on_the_command_line(
    model: WavTokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(lightning(published_state(model, tmp_path)), tmp_path / "model.ckpt")
    monkeypatch.chdir(tmp_path)
    assert main(["convert", "model.ckpt"]) == 0
    out = capsys.readouterr().out
    assert f"4096 entries, fingerprint {model.codebook_fingerprint}" in out
    assert out.count("SHA-256") == 2
    assert codecs.spec("wavtokenizer:model.safetensors").frame_rates == (75.0,)
    before = (tmp_path / "model.safetensors").read_bytes()
    assert main(["convert", "model.ckpt"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["convert", "model.ckpt", "--out", "model.pt"]) == 2
    assert main(["convert", "none.ckpt", "--out", "new.safetensors"]) == 2
    assert "There is no checkpoint none.ckpt" in capsys.readouterr().err
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_facts_are_read_without_torch(model: WavTokenizer, tmp_path: Path) -> None:
    from codeczoo.codecs.wavtokenizer_checkpoint import write

    write(model, tmp_path / "mine.safetensors")
    script = (
        "import sys; from codeczoo import codecs; "
        f"codecs.spec('wavtokenizer:{tmp_path}/mine.safetensors'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_blocks_are_the_whole(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law of streaming codecs, on a clip of several windows."""
    assert isinstance(codec, StreamingCodec)
    monkeypatch.setattr("codeczoo.codecs.wavtokenizer_codec.WINDOW_S", 1.0)
    monkeypatch.setattr("codeczoo.codecs.wavtokenizer_long.WINDOW_S", 1.0)
    audio = noise(24_000 * 7 + 123)
    encoded = codec.encode(audio)
    blocks = codec.encode_blocks(audio.split(10_001, dim=-1))
    assert blocks == replace(encoded, codes=blocks.codes)
    assert torch.equal(blocks.codes[0], encoded.codes[0])
    decoded = list(codec.decode_blocks(encoded))
    assert len(decoded) > 1
    assert torch.equal(torch.cat(decoded, dim=-1), codec.decode(encoded))
