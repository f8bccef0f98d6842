"""Audio that another program decoded: which file belongs to a clip, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from codeczoo import codecs
from codeczoo.codecs import CodecError, DecodedAudioMissing, UnknownRate
from codeczoo.codecs.bits import ledger
from codeczoo.codecs.decoded import DecodedAudio


def write(path: Path, samples: np.ndarray, rate: int = 16_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, "FLOAT")
    return path


def ramp(n: int, start: float = 0.0) -> np.ndarray:
    return (start + np.arange(n) / 65_536).astype(np.float32)


def test_the_file_of_a_clip_is_decoded_at_its_own_rate(tmp_path: Path) -> None:
    stereo = np.stack([ramp(700), 3 * ramp(700)], 1)
    write(tmp_path / "mine" / "speech" / "a.wav", stereo, 22_050)
    codec = codecs.load(f"decoded:{tmp_path / 'mine'}@6.4kbps")
    assert isinstance(codec, DecodedAudio)
    bound = codec.bind("speech/a.flac")
    assert bound.spec.name == codec.spec.name == "decoded:mine@6.4kbps"
    assert (bound.spec.sample_rate, bound.spec.bitrate_kbps) == (22_050, 6.4)
    encoded = bound.encode(torch.zeros(1, 1, 650))
    assert (encoded.codes, encoded.payload, encoded.length) == ((), None, 650)
    decoded = bound.decode(encoded)
    np.testing.assert_allclose(decoded[0, 0], 2 * ramp(700), rtol=0, atol=1e-7)
    assert ledger(encoded, bound.spec, 2.0) == {"stated": 12_800.0}


def test_relative_path_first_then_bare_name(tmp_path: Path) -> None:
    write(tmp_path / "x" / "a.wav", ramp(10))
    write(tmp_path / "y" / "a.wav", ramp(20))
    write(tmp_path / "z" / "b.c.wav", ramp(30))
    codec = DecodedAudio.from_folder(tmp_path, 6, name="theirs")

    def length(clip: str) -> int:
        bound = codec.bind(clip)
        return bound.decode(bound.encode(torch.zeros(1, 1, 5))).shape[2]

    assert (length("y/a.flac"), length("x/a.wav"), length("elsewhere/b.c.flac"), length("b.c.mp3")) == (20, 10, 30, 30)
    with pytest.raises(DecodedAudioMissing, match=r"holds 2 files for w/a\.flac"):
        codec.bind("w/a.flac")
    with pytest.raises(DecodedAudioMissing, match=r"no file for the clip x/q\.flac"):
        codec.bind("x/q.flac")
    assert codec.spec.name == "theirs"


def test_two_suffixes_of_one_name_are_ambiguous(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", ramp(10))
    soundfile.write(tmp_path / "a.flac", ramp(10), 16_000)
    with pytest.raises(DecodedAudioMissing, match="holds 2 files"):
        DecodedAudio.from_folder(tmp_path, 6).bind("a.wav")


def test_a_stretch_has_its_own_file_or_is_cut_from_the_whole(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", ramp(32_000, -0.4))
    write(tmp_path / "b.wav", ramp(32_000))
    write(tmp_path / "b#0.5-1.wav", ramp(77))
    codec = DecodedAudio.from_folder(tmp_path, 6)
    cut, own = codec.bind("a.flac#0.5-1.25"), codec.bind("b.flac#0.5-1")
    request = cut.encode(torch.zeros(1, 1, 5))
    np.testing.assert_array_equal(cut.decode(request)[0, 0], ramp(32_000, -0.4)[8_000:20_000])
    assert own.decode(request).shape[2] == 77
    assert cut.fingerprint != codec.bind("a.flac").fingerprint
    with pytest.raises(DecodedAudioMissing, match="a stretch that starts at 2 s is not in it"):
        codec.bind("a.flac#2-3").decode(request)


def test_a_stretch_to_the_end_is_not_the_whole_file(tmp_path: Path) -> None:
    """`a.flac#0.5-` was read from the file's first second on."""
    write(tmp_path / "a.wav", ramp(32_000, -0.4))
    write(tmp_path / "b.wav", ramp(32_000))
    write(tmp_path / "b#0.5-.wav", ramp(77))
    codec = DecodedAudio.from_folder(tmp_path, 6)
    cut, own = codec.bind("a.flac#0.5-"), codec.bind("b.flac#0.5-")
    request = cut.encode(torch.zeros(1, 1, 5))
    np.testing.assert_array_equal(cut.decode(request)[0, 0], ramp(32_000, -0.4)[8_000:])
    assert own.decode(request).shape[2] == 77


def test_a_stretch_begins_where_its_clip_does_not_where_its_name_is_rounded_to(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", ramp(32_000, -0.4))
    codec = DecodedAudio.from_folder(tmp_path, 6)
    for name, stretch_s in (("a.flac#0.1-0.2", (0.10045, 0.1)), ("a.flac#0.1-", (0.10045, None))):
        cut = codec.bind(name, stretch_s)
        decoded = cut.decode(cut.encode(torch.zeros(1, 1, 5)))[0, 0]
        np.testing.assert_array_equal(decoded[:100], ramp(32_000, -0.4)[1607:1707])


def test_a_stretch_of_mp3_is_what_decoding_the_whole_gives(tmp_path: Path) -> None:
    """After a seek libsndfile gives damaged samples of MP3."""
    noise = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    soundfile.write(tmp_path / "a.mp3", noise, 16_000)
    codec = DecodedAudio.from_folder(tmp_path, 6)
    whole, cut = codec.bind("a.wav"), codec.bind("a.wav#1-2")
    request = whole.encode(torch.zeros(1, 1, 5))
    np.testing.assert_allclose(cut.decode(request)[0, 0], whole.decode(request)[0, 0, 16_000:32_000], rtol=0, atol=2e-6)


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", ramp(48_000), 16_000)
    content = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(content[: len(content) * 9 // 10])
    bound = DecodedAudio.from_folder(tmp_path, 6).bind("a.wav")
    with pytest.raises(DecodedAudioMissing, match="truncated"):
        bound.decode(bound.encode(torch.zeros(1, 1, 5)))


def test_exact_takes_no_file_by_its_bare_name(tmp_path: Path) -> None:
    write(tmp_path / "twin.wav", ramp(10))
    codec = DecodedAudio.from_folder(tmp_path, 6)
    assert codec.bind("p/twin.wav").path == tmp_path / "twin.wav"
    with pytest.raises(DecodedAudioMissing, match="its bare name is that of another clip as well"):
        codec.bind("p/twin.wav", exact=True)


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", ramp(10))
    codec = DecodedAudio.from_folder(tmp_path, 6)
    before = codec.bind("a.wav").fingerprint
    assert codec.bind("a.wav").fingerprint == before
    write(path, ramp(10, 0.1))
    assert codec.bind("a.wav").fingerprint != before


def test_files_of_no_use_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is not audio")
    write(tmp_path / "nan.wav", np.array([0.0, np.nan], np.float32))
    write(tmp_path / "empty.wav", ramp(0))
    codec = DecodedAudio.from_folder(tmp_path, 6)
    with pytest.raises(DecodedAudioMissing, match=r"text\.wav cannot be read as audio"):
        codec.bind("text.flac")
    for name, reason in (("nan", "NaN or infinite"), ("empty", "no samples")):
        bound = codec.bind(f"{name}.flac")
        with pytest.raises(DecodedAudioMissing, match=reason):
            bound.decode(bound.encode(torch.zeros(1, 1, 5)))


def test_folders_and_rates_of_no_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DecodedAudioMissing, match="There is no folder"):
        codecs.load(f"decoded:{tmp_path / 'absent'}@6kbps")
    with pytest.raises(DecodedAudioMissing, match="holds no audio files"):
        codecs.load(f"decoded:{tmp_path}@6kbps")
    write(tmp_path / "a.wav", ramp(10))
    for name in (f"decoded:{tmp_path}", f"decoded:{tmp_path}@0kbps", f"decoded:{tmp_path}@fast"):
        with pytest.raises(UnknownRate, match="@6kbps"):
            codecs.load(name)


def test_unbound_it_neither_encodes_nor_decodes(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", ramp(10))
    codec = codecs.load(f"decoded:{tmp_path}@6kbps")
    assert codec.spec.sample_rate == 16_000
    with pytest.raises(CodecError, match=r"bind\(clip\)"):
        codec.encode(torch.zeros(1, 1, 5))
    with pytest.raises(CodecError, match=r"bind\(clip\)"):
        codec.decode(codecs.Encoded((), 5))
