"""Byte codecs through FFmpeg: aligned with the input, bits as the formats define them, quality as known."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from pesq import pesq

from codeczoo import codecs
from codeczoo.codecs import InvalidTokens, MissingDependency
from codeczoo.codecs.ffmpeg import FfmpegCoder
from codeczoo.codecs.packets import PacketCodec

from .speech import batch, lag, speech

FAMILIES = ("opus", "opus:audio", "mp3:16khz", "mp3:44khz", "aac:16khz", "aac:44khz", "amr-nb", "g722", "g726")
NAMES = [name for name in codecs.names() if codecs.parse(name).base in FAMILIES]
TOP = [name for name in NAMES if name.endswith(f"@{codecs.family(name).rates[-1]}")]


def packet_codec(name: str) -> PacketCodec:
    codec = codecs.load(name)
    assert isinstance(codec, PacketCodec)
    return codec


@pytest.mark.parametrize("name", NAMES)
def test_speech_comes_back_where_it_was(name: str, demo_audio: Path) -> None:
    codec = codecs.load(name)
    reference = speech(demo_audio, codec.spec.sample_rate, 3)
    decoded = codec.decode(codec.encode(batch(reference)))[0, 0].numpy()
    # Models of speech filter it with phases of their own: 0.08 ms in Opus' SILK modes, 0.07 ms in AMR-NB.
    inherent = {"opus": 5.0, "amr-nb": 0.75}.get(codecs.parse(name).family, 0.5)
    assert abs(lag(reference, decoded)) < inherent


@pytest.mark.parametrize("name", TOP)
def test_delay_is_the_one_the_encoder_reports(name: str) -> None:
    coder = packet_codec(name).coder
    assert isinstance(coder, FfmpegCoder)
    context = coder._open_encoder()
    from av import AudioFrame

    dtype = np.int16 if coder.sample_format == "s16" else np.float32
    times = []
    for index in range(8):
        frame = AudioFrame.from_ndarray(np.zeros((1, context.frame_size), dtype), coder.sample_format, "mono")
        frame.sample_rate, frame.pts = coder.sample_rate, index * context.frame_size
        times += [packet.pts for packet in context.encode(frame)]
    # AMR-NB: the encoder counts 50 samples of what 3GPP TS 26.090 looks ahead by 40, and speech says 39.
    reported = 50 if name.startswith("amr-nb") else coder.delay
    assert times[0] == -reported


@pytest.mark.parametrize(
    ("name", "frame", "delay", "frame_bytes"),
    [
        ("mp3:16khz@16kbps", 576, 1105, 72),
        ("amr-nb@4.75kbps", 160, 39, 13),
        ("amr-nb@12.2kbps", 160, 39, 32),
        ("g722@64kbps", 2, 22, 1),
        ("g726@16kbps", 8, 0, 2),
        ("g726@24kbps", 8, 0, 3),
        ("g726@40kbps", 8, 0, 5),
    ],
)
@pytest.mark.parametrize("length", [1, 4_001, 16_000])
def test_bytes_of_constant_rates_follow_from_the_length(
    name: str, frame: int, delay: int, frame_bytes: int, length: int
) -> None:
    payload = codecs.load(name).encode(0.1 * torch.randn(1, 1, length)).payload
    assert payload is not None
    assert len(payload) == -(-(length + delay) // frame) * frame_bytes


def test_mp3_keeps_its_rate_to_the_byte_over_a_minute(demo_audio: Path) -> None:
    # 44.1 kHz: frames of 104 and 105 bytes, which make up 32 kbit/s.
    encoded = codecs.load("mp3:44khz@32kbps").encode(batch(speech(demo_audio, 44_100)))
    sizes = encoded.packet_sizes[0]
    assert set(sizes) == {104, 105}
    assert 8 * sum(sizes) / (len(sizes) * 1152 / 44_100) == pytest.approx(32_000, rel=1e-3)


PESQ_16KHZ = {
    "opus@6kbps": 2.34,
    "opus@12kbps": 4.05,
    "opus@24kbps": 4.46,
    "mp3:16khz@8kbps": 1.48,
    "mp3:16khz@32kbps": 3.72,
    "aac:16khz@16kbps": 2.19,
    "amr-nb@4.75kbps": 1.98,
    "amr-nb@12.2kbps": 2.85,
    "g722@64kbps": 4.30,
    "g726@16kbps": 1.97,
    "g726@40kbps": 3.33,
}
"""PESQ wide-band found with FFmpeg 8.1 on two clips of 16 kHz speech: enough for a band, not for a rank."""


@pytest.mark.parametrize(("name", "expected"), PESQ_16KHZ.items())
def test_quality_is_in_the_known_band(name: str, expected: float, demo_audio: Path) -> None:
    codec = codecs.load(name)
    reference = speech(demo_audio, 16_000, 4)
    decoded = codec.decode(codec.encode(batch(speech(demo_audio, codec.spec.sample_rate, 4))))[0, 0].numpy()
    at_16khz = soxr.resample(decoded, codec.spec.sample_rate, 16_000)[: len(reference)]
    assert pesq(16_000, reference[: len(at_16khz)], at_16khz, "wb") == pytest.approx(expected, abs=0.6)


def test_music_survives_high_rates(shared: Path) -> None:
    path = sorted((shared / "audio" / "music").glob("*.flac"))[0]
    samples, rate = soundfile.read(path, frames=10 * 44_100, dtype="float32", always_2d=True)
    for name in ("opus:audio@128kbps", "mp3:44khz@128kbps", "aac:44khz@128kbps"):
        codec = codecs.load(name)
        reference = soxr.resample(samples.mean(1), rate, codec.spec.sample_rate).astype(np.float32)
        decoded = codec.decode(codec.encode(batch(reference)))[0, 0].numpy()
        assert 10 * np.log10(np.sum(reference**2) / np.sum((decoded - reference) ** 2)) > 10, name


def test_threads_do_not_disturb_each_other(demo_audio: Path) -> None:
    audio = batch(speech(demo_audio, 16_000, 2))
    codec = codecs.load("mp3:16khz@24kbps")
    expected = codec.encode(audio)
    with ThreadPoolExecutor(4) as pool:
        assert all(encoded.payload == expected.payload for encoded in pool.map(codec.encode, [audio] * 8))
        decoded = list(pool.map(codec.decode, [expected] * 8))
    assert all(torch.equal(samples, decoded[0]) for samples in decoded)


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the resident memory from /proc")
def test_an_hour_is_coded_in_little_memory(demo_audio: Path) -> None:
    codec = packet_codec("g722@64kbps")
    minute = batch(np.resize(speech(demo_audio, 16_000), 60 * 16_000))
    list(codec.decode_blocks(codec.encode(minute[:, :, :16_000])))
    before = resident_mib()
    used = [before]

    def hour() -> Iterator[torch.Tensor]:
        for _ in range(60):
            used.append(resident_mib())
            yield minute

    encoded = codec.encode_blocks(hour())
    length = 0
    for index, block in enumerate(codec.decode_blocks(encoded)):
        length += block.shape[2]
        if index % 10_000 == 0:
            used.append(resident_mib())
    assert length == encoded.length == 3_600 * 16_000
    # The payload itself is 29 MB, and there is a second one while it is closed; the audio would be 230 MB.
    assert max(used) - before < 120


@pytest.mark.parametrize("name", TOP)
def test_damaged_packets_are_refused_in_a_sentence(
    name: str, demo_audio: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    codec = codecs.load(name)
    encoded = codec.encode(batch(speech(demo_audio, codec.spec.sample_rate, 1)[:6_000]))
    assert encoded.payload is not None
    damaged = {
        "bytes in a payload": replace(encoded, payload=encoded.payload[:-1]),
        "before the": replace(encoded, length=encoded.length + 100_000),
        "hold none": replace(encoded, payload=None),
        "of 0 samples": replace(encoded, length=0),
        "negative": replace(encoded, packet_sizes=((-1, len(encoded.payload) + 1),)),
    }
    for reason, tokens in damaged.items():
        with pytest.raises(InvalidTokens, match=reason):
            codec.decode(tokens)
    assert capfd.readouterr() == ("", "")


def test_noise_for_packets_is_refused_or_decoded_to_the_stated_length(capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 4_000, np.uint8).tobytes()
    sentences = []
    for name in TOP:
        codec = codecs.load(name)
        tokens = codecs.Encoded((), 5_000, noise, ((200,) * 20,))
        try:
            assert codec.decode(tokens).shape == (1, 1, 5_000)
        except InvalidTokens as error:
            sentences.append(str(error))
    assert len(sentences) >= 3
    assert all("cannot read packet" in text or "expected mono" in text or "end " in text for text in sentences)
    assert capfd.readouterr() == ("", "")


def test_one_long_block_is_many_short_ones() -> None:
    codec = packet_codec("g726@24kbps")
    audio = 0.1 * torch.randn(1, 1, 600_001, generator=torch.Generator().manual_seed(1))
    assert codec.encode(audio).payload == codec.encode_blocks(audio.split(7_777, dim=2)).payload


def test_an_ffmpeg_without_the_encoder_is_named() -> None:
    coder = FfmpegCoder("libnothing", "libnothing", 8_000, 8_000, delay=0)
    with pytest.raises(MissingDependency, match=r"has no encoder libnothing.*pip install"):
        coder.encoder()


def test_fingerprint_changes_with_the_rate_and_not_with_the_object() -> None:
    assert codecs.load("opus@6kbps").fingerprint == codecs.load("opus@6kbps").fingerprint
    assert len({codecs.load(name).fingerprint for name in NAMES}) == len(NAMES)
