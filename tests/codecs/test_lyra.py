"""Lyra v2: the real codec, where its weights are; what the figures must be is from an independent run of it.

That run (20 utterances of LibriSpeech, whole, with the same release) gave, as PESQ-WB / STOI:
1.6 kbit/s 1.70 / .852, 3.2 kbit/s 2.35 / .898, 6 kbit/s 2.91 / .928, 9.2 kbit/s 3.16 / .940. Its utterances are not
known; over the ten here the standard error of the mean is about 0.06 and 0.008, and the tolerances are about three.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch

from codeczoo import codecs
from codeczoo.codecs import CodecError, InvalidAudio, InvalidTokens, UnknownRate, WeightsCorrupt, WeightsMissing
from codeczoo.codecs.base import EmbeddingCodec, Encoded

from . import standins

PUBLISHED = {"1.6kbps": (1.70, 0.852), "3.2kbps": (2.35, 0.898), "6kbps": (2.91, 0.928), "9.2kbps": (3.16, 0.940)}
PESQ_TOLERANCE = 0.18
STOI_TOLERANCE = 0.025


@pytest.fixture
def real(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs codeczoo[lyra]")
    standins.use(monkeypatch, shared / "weights")


@pytest.fixture(scope="module")
def clips(request: pytest.FixtureRequest) -> list[torch.Tensor]:
    """Ten LibriSpeech utterances, mostly of as many speakers, [1, 1, T], at most 5 s each."""
    folder = request.getfixturevalue("shared") / "audio" / "speech"
    files = sorted(folder.glob("librispeech-*"))[::5][:10]
    return [torch.from_numpy(soundfile.read(file, dtype="float32")[0][:80_000])[None, None] for file in files]


def _speech(clips: list[torch.Tensor], samples: int) -> torch.Tensor:
    return clips[0][:, :, 16_000 : 16_000 + samples]


@pytest.mark.parametrize("rate", list(PUBLISHED))
def test_quality_is_that_of_the_independent_run(real, clips: list[torch.Tensor], rate: str) -> None:
    from pesq import pesq
    from pystoi import stoi

    codec = codecs.load(f"lyra:v2@{rate}")
    quality = []
    for clip in clips:
        reference, estimate = clip[0, 0].numpy(), codec.decode(codec.encode(clip))[0, 0].numpy()
        quality.append((pesq(16_000, reference, estimate, "wb"), stoi(reference, estimate, 16_000)))
    mean_pesq, mean_stoi = torch.tensor(quality, dtype=torch.float64).mean(dim=0).tolist()
    assert mean_pesq == pytest.approx(PUBLISHED[rate][0], abs=PESQ_TOLERANCE)
    assert mean_stoi == pytest.approx(PUBLISHED[rate][1], abs=STOI_TOLERANCE)


def test_codes_of_a_rate_are_the_first_of_every_higher_rate(real, clips) -> None:
    audio = _speech(clips, 16_000)
    full = codecs.load("lyra:v2@9.2kbps").encode(audio)
    assert len(full.codes) == 46
    for rate, count in (("0.2kbps", 1), ("3.2kbps", 16), ("6kbps", 30), ("9kbps", 45)):
        codes = codecs.load(f"lyra:v2@{rate}").encode(audio).codes
        assert len(codes) == count
        assert all(torch.equal(low, high) for low, high in zip(codes, full.codes, strict=False))


@pytest.mark.parametrize("length", [1, 319, 320, 321, 4_801])
def test_every_sample_is_given_back_in_ceil_frames(real, clips, length: int) -> None:
    codec = codecs.load("lyra:v2@0.8kbps")
    encoded = codec.encode(_speech(clips, length))
    assert [codes.shape for codes in encoded.codes] == [(1, -(-length // 320))] * 4
    assert codec.decode(encoded).shape == (1, 1, length)


def test_a_clip_does_not_hear_the_one_before(real, clips) -> None:
    codec = codecs.load("lyra:v2@3.2kbps")
    first, second = _speech(clips, 8_000), clips[1][:, :, :8_000]
    alone = codec.encode(second)
    codec.encode(first)
    again = codec.encode(second)
    batch = codec.encode(torch.cat([first, second]))
    for a, b, c in zip(alone.codes, again.codes, batch.codes, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c[1:])
    decoded = codec.decode(alone)
    assert torch.equal(decoded, codec.decode(again))
    assert torch.equal(decoded, codec.decode(batch)[1:])


def test_the_delay_is_zero(real, clips) -> None:
    codec = codecs.load("lyra:v2@9.2kbps")
    audio = clips[2][:, :, :32_000]
    reference, estimate = audio[0, 0], codec.decode(codec.encode(audio))[0, 0]
    spectrum = torch.fft.rfft(estimate, 65_536) * torch.fft.rfft(reference, 65_536).conj()
    assert int(torch.fft.irfft(spectrum).argmax()) == 0


def test_embed_and_wrong_tokens(real, clips) -> None:
    codec = codecs.load("lyra:v2@3.2kbps")
    assert isinstance(codec, EmbeddingCodec)
    encoded = codec.encode(_speech(clips, 3_200))
    assert codec.embed(encoded).shape == (1, 64, 10)
    with pytest.raises(InvalidTokens, match="has 16 codebook"):
        codec.decode(Encoded(encoded.codes[:15], 3_200))
    with pytest.raises(InvalidTokens, match="16 entries"):
        codec.decode(Encoded(tuple(codes + 16 for codes in encoded.codes), 3_200))
    with pytest.raises(InvalidTokens, match="3201 samples"):
        codec.decode(Encoded(encoded.codes, 3_201))
    with pytest.raises(InvalidAudio, match="1 channel"):
        codec.encode(torch.zeros(1, 2, 320))


def test_silence_stays_quiet(real) -> None:
    codec = codecs.load("lyra:v2@9.2kbps")
    decoded = codec.decode(codec.encode(torch.zeros(1, 1, 16_000)))
    assert float(decoded.abs().max()) < 0.01


def test_changed_weights_are_refused(shared: Path, monkeypatch, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs codeczoo[lyra]")
    (tmp_path / "lyra-1.3.2").mkdir()
    for file in (shared / "weights" / "lyra-1.3.2").iterdir():
        (tmp_path / "lyra-1.3.2" / file.name).write_bytes(file.read_bytes() + b" ")
    standins.use(monkeypatch, tmp_path)
    with pytest.raises(WeightsCorrupt, match="2d88972e9536ba54deed37db380728b3c58eab9bca1d173ae523098b0774cdf5"):
        codecs.load("lyra:v2@3.2kbps")


def test_without_weights_it_is_said_how_to_get_them(monkeypatch, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs codeczoo[lyra]")
    standins.use(monkeypatch, tmp_path)
    with pytest.raises(WeightsMissing, match="codeczoo fetch lyra:v2"):
        codecs.load("lyra:v2@3.2kbps")


def test_rates() -> None:
    assert codecs.family("lyra:v2").rates == (
        "0.8kbps",
        "1.6kbps",
        "2.4kbps",
        "3.2kbps",
        "4.8kbps",
        "6kbps",
        "7.6kbps",
        "9.2kbps",
    )
    for count in range(1, 47):
        spec = codecs.spec(f"lyra:v2@{count}q")
        assert spec.bitrate_kbps == pytest.approx(0.2 * count)
        assert codecs.spec(spec.name) == spec
    for rate in ("0kbps", "0.1kbps", "3.3kbps", "9.4kbps", "6.0kbps", "47q", "3.2"):
        with pytest.raises(UnknownRate, match=f"has no rate '{rate}'"):
            codecs.spec(f"lyra:v2@{rate}")


def test_another_device_is_refused() -> None:
    with pytest.raises(CodecError, match="runs on the CPU only"):
        codecs.load("lyra:v2@3.2kbps", device="cuda")
