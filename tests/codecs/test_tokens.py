"""Token files: nothing is lost, nothing foreign or damaged is believed; and the bit ledger."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from codeczoo import codecs
from codeczoo.codecs import Encoded, InvalidTokens, Spec, tokens
from codeczoo.codecs.bits import ledger

TWO_CODEBOOKS = Spec("fake@2q", 16_000, frame_rates=(50.0, 25.0), codebook_sizes=(256, 70_000))


@dataclass(frozen=True)
class Tokenizer:
    """A codec of two codebooks of 256 and 70,000 entries at two frame rates, with side information."""

    spec: Spec = TWO_CODEBOOKS
    fingerprint: str = "0123456789abcdef"

    def encode(self, audio: torch.Tensor) -> Encoded:
        n = -(-audio.shape[2] // 640)
        first = torch.arange(2 * n).repeat(len(audio), 1) % 256
        second = 69_999 - torch.arange(n).repeat(len(audio), 1)
        return Encoded((first, second), audio.shape[2], side={"scale": torch.full((len(audio), 1), 0.1)})

    def decode(self, encoded: Encoded) -> torch.Tensor:
        return torch.zeros(encoded.batch_size, 1, encoded.length)


def test_codes_and_side_information_come_back(tmp_path: Path) -> None:
    codec, path = Tokenizer(), tmp_path / "deep" / "a.safetensors"
    encoded = codec.encode(torch.zeros(3, 1, 16_001))
    tokens.save(path, encoded, codec, clip="speech/a.flac", clip_sha256="9a1f")
    loaded = tokens.load(path, codec)
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(loaded.codes, encoded.codes, strict=True))
    assert torch.equal(loaded.side["scale"], encoded.side["scale"])
    assert (loaded.length, loaded.payload, loaded.packet_sizes) == (16_001, None, ())
    assert {name: array.dtype for name, array in load_file(path).items()} == {
        "codes.0": np.uint8,
        "codes.1": np.uint32,
        "side.scale": np.float32,
    }
    found = tokens.read(path)
    assert (found.codec, found.clip, found.clip_sha256) == ("fake@2q", "speech/a.flac", "9a1f")
    assert [entry.name for entry in path.parent.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("name", ["opus@12kbps", "pcm:12"])
def test_tokens_of_real_codecs_decode_to_the_same_audio(name: str, tmp_path: Path) -> None:
    codec = codecs.load(name)
    encoded = codec.encode(0.1 * torch.randn(2, 1, 5_000, generator=torch.Generator().manual_seed(0)))
    path = tmp_path / "a.safetensors"
    tokens.save(path, encoded, codec)
    loaded = tokens.load(path, codec)
    assert (loaded.payload, loaded.packet_sizes) == (encoded.payload, encoded.packet_sizes)
    assert torch.equal(codec.decode(loaded), codec.decode(encoded))
    if name == "pcm:12":
        assert load_file(path)["codes.0"].dtype == np.uint16


def test_tokens_of_another_codec_or_version_are_refused(tmp_path: Path) -> None:
    codec, path = Tokenizer(), tmp_path / "a.safetensors"
    tokens.save(path, codec.encode(torch.zeros(1, 1, 700)), codec)
    with pytest.raises(InvalidTokens, match=r"tokens of fake@2q; other@2q cannot"):
        tokens.load(path, replace(codec, spec=replace(codec.spec, name="other@2q")))
    with pytest.raises(InvalidTokens, match="made by 0123456789abcdef, this one is ffff"):
        tokens.load(path, replace(codec, fingerprint="ffff"))
    with pytest.raises(InvalidTokens, match="at 16000 Hz; fake@2q works at 8000 Hz"):
        tokens.load(path, replace(codec, spec=replace(codec.spec, sample_rate=8_000)))
    with pytest.raises(InvalidTokens, match="has 2 entries; got codes 0 to 3"):
        tokens.load(path, replace(codec, spec=replace(codec.spec, codebook_sizes=(2, 70_000))))


def test_files_that_are_no_token_files_are_refused(tmp_path: Path) -> None:
    codec, path = Tokenizer(), tmp_path / "a.safetensors"
    tokens.save(path, codec.encode(torch.zeros(1, 1, 64_000)), codec)
    whole = path.read_bytes()
    for damaged in (b"", b"garbage", whole[:5], whole[:100], whole[:-1], pickle.dumps({"codes": 1})):
        path.write_bytes(damaged)
        with pytest.raises(InvalidTokens, match="is not a token file, or damaged"):
            tokens.load(path, codec)
    with pytest.raises(InvalidTokens, match="There is no token file"):
        tokens.load(tmp_path / "absent.safetensors", codec)
    with pytest.raises(InvalidTokens, match="There is no token file"):
        tokens.load(tmp_path, codec)


METADATA = {
    "format": "codeczoo-tokens",
    "version": "1",
    "codec": "x",
    "codec_fingerprint": "y",
    "sample_rate": "8000",
    "length": "10",
    "clip": "",
    "clip_sha256": "",
}
CODES = {"codes.0": np.zeros((1, 3), np.uint8)}
PACKETS = {
    "payload": np.zeros(5, np.uint8),
    "packet_sizes": np.array([2, 3], np.int32),
    "packet_counts": np.array([2], np.int32),
}


@pytest.mark.parametrize(
    ("arrays", "metadata", "reason"),
    [
        (CODES, {}, "not of tokens"),
        (CODES, METADATA | {"version": "2"}, "version '2'; this program reads version 1"),
        (CODES, {key: METADATA[key] for key in METADATA if key != "codec"}, "lacks codec"),
        (CODES, METADATA | {"length": "-3"}, "length of '-3'"),
        (CODES, METADATA | {"length": "0"}, "length of '0'"),
        (CODES, METADATA | {"sample_rate": "²"}, "sample_rate of"),
        ({"codes.0": np.zeros((1, 3), np.float32)}, METADATA, "holds float32 where uint8"),
        ({"codes.0": np.zeros(3, np.uint8)}, METADATA, r"not \[B, N\]"),
        (CODES | {"codes.1": np.zeros((2, 3), np.uint8)}, METADATA, "of one B"),
        ({"codes.1": np.zeros((1, 3), np.uint8)}, METADATA, "lacks the tensor 'codes.0'"),
        ({"side.scale": np.zeros((1, 3), np.float32)}, METADATA, "neither codes nor packets"),
        (PACKETS | {"payload": np.zeros(6, np.uint8)}, METADATA, "do not make up"),
        (PACKETS | {"packet_counts": np.array([1], np.int32)}, METADATA, "do not make up"),
        (PACKETS | {"packet_sizes": np.array([-1, 6], np.int32)}, METADATA, "negative"),
        ({"payload": PACKETS["payload"]}, METADATA, "lacks the tensor 'packet_sizes'"),
    ],
)
def test_contents_that_do_not_fit_are_refused(
    arrays: dict[str, np.ndarray], metadata: dict[str, str], reason: str, tmp_path: Path
) -> None:
    save_file(arrays, tmp_path / "a.safetensors", metadata)
    with pytest.raises(InvalidTokens, match=reason):
        tokens.read(tmp_path / "a.safetensors")


def test_a_failing_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, path = Tokenizer(), tmp_path / "a.safetensors"
    tokens.save(path, codec.encode(torch.zeros(1, 1, 700)), codec)
    before = path.read_bytes()

    def full_disk(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        tokens.save(path, codec.encode(torch.zeros(1, 1, 7_000)), codec)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_code_that_was_damaged_into_another_is_found_out(tmp_path: Path) -> None:
    codec = codecs.load("pcm:8")
    path = tmp_path / "a.safetensors"
    tokens.save(path, codec.encode(torch.zeros(1, 1, 100)), codec, clip="a.wav")
    whole = path.read_bytes()
    for place in (len(whole) - 1, whole.index(b"a.wav")):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(InvalidTokens, match="not what its checksum says"):
            tokens.load(path, codec)
    path.write_bytes(whole)
    assert torch.equal(tokens.load(path, codec).codes[0], torch.full((1, 100), 128))


def test_files_of_before_there_were_checksums_are_read(tmp_path: Path) -> None:
    codec = codecs.load("pcm:8")
    path = tmp_path / "a.safetensors"
    tokens.save(path, codec.encode(torch.zeros(1, 1, 100)), codec)
    with safe_open(path, framework="numpy") as file:
        metadata = {key: value for key, value in file.metadata().items() if key != "checksum"}
    save_file(load_file(path), path, metadata)
    assert tokens.load(path, codec).length == 100


def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("I/O error: File too large (os error 27)")

    codec = codecs.load("pcm:8")
    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(OSError, match=r"a\.safetensors cannot be written: I/O error: File too large"):
        tokens.save(tmp_path / "a.safetensors", codec.encode(torch.zeros(1, 1, 10)), codec)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_token_is_not_stored(tmp_path: Path) -> None:
    codec = Tokenizer()
    with pytest.raises(InvalidTokens, match="neither codes nor packets"):
        tokens.save(tmp_path / "a", Encoded((), 5), codec)
    wrong = (torch.full((1, 2), 256), torch.zeros(1, 1, dtype=torch.int64))
    with pytest.raises(InvalidTokens, match="has 256 entries; got codes 256"):
        tokens.save(tmp_path / "a", Encoded(wrong, 5), codec)
    assert list(tmp_path.iterdir()) == []


def test_ledger_of_tokens() -> None:
    codec = Tokenizer()
    bits = ledger(codec.encode(torch.zeros(1, 1, 16_001)), codec.spec, 16_001 / 16_000)
    # 52 tokens of 8 bits, 26 of 17, and one number of side information.
    assert bits == {"nominal": pytest.approx((50 * 8 + 25 * 16.0951) * 1.0000625, rel=1e-5), "packed": 890, "side": 32}
    two = ledger(codec.encode(torch.zeros(2, 1, 16_001)), codec.spec, 16_001 / 16_000)
    assert two == {key: pytest.approx(2 * value) for key, value in bits.items()}


def test_ledger_of_packets() -> None:
    encoded = Encoded((), 960, payload=bytes(37), packet_sizes=((30, 7),))
    assert ledger(encoded, codecs.spec("opus@6kbps"), 0.02) == {"payload": 296}
