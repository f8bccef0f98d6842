"""The contract of a codec, over every registered operating point that this machine can build."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from pesq import pesq

from codeczoo import codecs
from codeczoo.codecs import Codec, Encoded, InvalidAudio, MissingDependency, StreamingCodec, WeightsMissing
from codeczoo.codecs.bits import ledger

from .speech import batch, speech

BITRATE_TOLERANCE = 0.25
"""What an encoder may make of the rate it is asked for, over running speech. Padding and headers are inside."""

QUALITY_SLACK_PESQ = 0.2
"""How much worse a higher rate may be: encoders change their coding mode between rates."""


@cache
def loaded(name: str) -> Codec | str:
    try:
        return codecs.load(name)
    except (MissingDependency, WeightsMissing) as error:
        return str(error)


@pytest.fixture(params=codecs.names())
def codec(request: pytest.FixtureRequest) -> Codec:
    found = loaded(request.param)
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(params=codecs.families())
def points(request: pytest.FixtureRequest) -> list[Codec]:
    """All operating points of a family, in rising order of rate."""
    found = [loaded(name) for name in codecs.names() if codecs.parse(name).base == request.param]
    missing = next((reason for reason in found if isinstance(reason, str)), None)
    if missing is not None:
        pytest.skip(missing)
    return [codec for codec in found if isinstance(codec, Codec)]


def clip(folder: Path, codec: Codec, seconds: float = 0.7, start_s: float = 0.4) -> torch.Tensor:
    rate = codec.spec.sample_rate
    start = round(start_s * rate)
    return batch(speech(folder, rate, 4)[start : start + round(seconds * rate)], codec.spec.channels)


def decoded_length(codec: Codec, length: int) -> int:
    return round(length * codec.spec.decoded_sample_rate / codec.spec.sample_rate)


def assert_same(first: Encoded, second: Encoded) -> None:
    assert first.length == second.length
    assert first.payload == second.payload
    assert first.packet_sizes == second.packet_sizes
    assert len(first.codes) == len(second.codes)
    assert all(torch.equal(a, b) for a, b in zip(first.codes, second.codes, strict=True))
    assert first.side.keys() == second.side.keys()
    assert all(torch.equal(first.side[key], second.side[key]) for key in first.side)


def test_facts(codec: Codec) -> None:
    spec = codec.spec
    assert spec == codecs.spec(spec.name), "a loaded codec says other things of itself than the registry"
    assert 4_000 <= spec.sample_rate <= 192_000
    assert len(spec.frame_rates) == len(spec.codebook_sizes)
    assert spec.licence
    assert spec.bitrate_kbps is not None
    assert spec.bitrate_kbps > 0
    assert len(codec.fingerprint) == 16


def test_tokens_and_length(codec: Codec, demo_audio: Path) -> None:
    audio = clip(demo_audio, codec)
    encoded = codec.encode(audio)
    spec = codec.spec
    assert encoded.length == audio.shape[2]
    assert encoded.batch_size == 1
    assert len(encoded.codes) == spec.n_codebooks
    seconds = audio.shape[2] / spec.sample_rate
    for codes, size, frame_rate in zip(encoded.codes, spec.codebook_sizes, spec.frame_rates, strict=True):
        assert codes.dtype == torch.int64
        assert 0 <= int(codes.min()) <= int(codes.max()) < size
        assert codes.shape == (1, pytest.approx(math.ceil(seconds * frame_rate - 1e-6), abs=1))
    if not encoded.codes:
        assert encoded.payload is not None
        assert sum(map(sum, encoded.packet_sizes)) == len(encoded.payload)
    decoded = codec.decode(encoded)
    assert decoded.dtype == torch.float32
    assert decoded.shape == (1, spec.channels, decoded_length(codec, audio.shape[2]))
    assert torch.isfinite(decoded).all()


def test_same_audio_gives_same_tokens_and_audio(codec: Codec, demo_audio: Path) -> None:
    audio = clip(demo_audio, codec, 0.4)
    kept = audio.clone()
    first, second = codec.encode(audio), codec.encode(audio)
    assert torch.equal(audio, kept), "encode changes its input"
    assert_same(first, second)
    assert torch.equal(codec.decode(first), codec.decode(second))


def test_batch_is_its_clips(codec: Codec, demo_audio: Path) -> None:
    one, other = clip(demo_audio, codec, 0.3, 0.5), clip(demo_audio, codec, 0.3, 1.1)
    both = codec.encode(torch.cat([one, other]))
    apart = [codec.encode(one), codec.encode(other)]
    assert both.batch_size == 2
    for index in range(len(both.codes)):
        assert torch.equal(both.codes[index], torch.cat([encoded.codes[index] for encoded in apart]))
    if both.payload is not None:
        assert both.payload == b"".join(encoded.payload or b"" for encoded in apart)
        assert both.packet_sizes == tuple(encoded.packet_sizes[0] for encoded in apart)
    expected = torch.cat([codec.decode(encoded) for encoded in apart])
    torch.testing.assert_close(codec.decode(both), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 1_023])
def test_any_length_comes_back(codec: Codec, demo_audio: Path, length: int) -> None:
    audio = clip(demo_audio, codec)[:, :, :length]
    decoded = codec.decode(codec.encode(audio))
    assert decoded.shape == (1, codec.spec.channels, decoded_length(codec, length))
    assert torch.isfinite(decoded).all()


def test_silence_stays_quiet(codec: Codec) -> None:
    silence = torch.zeros(1, codec.spec.channels, codec.spec.sample_rate // 3 + 1)
    decoded = codec.decode(codec.encode(silence))
    assert decoded.shape[2] == decoded_length(codec, silence.shape[2])
    assert float(decoded.abs().max()) < 0.01


def test_bad_audio_is_refused(codec: Codec) -> None:
    good = torch.zeros(1, codec.spec.channels, 1_600)
    bad = {
        "without samples": good[:, :, :0],
        "NaN": good.index_fill(2, torch.tensor([7]), torch.nan),
        "infinite": good.index_fill(2, torch.tensor([7]), -torch.inf),
        "channel": torch.zeros(1, codec.spec.channels + 1, 1_600),
        "float64": good.double(),
        r"\[B, C, T\]": good[0],
    }
    for reason, audio in bad.items():
        with pytest.raises(InvalidAudio, match=reason):
            codec.encode(audio)


def test_blocks_of_a_clip_give_its_tokens(codec: Codec, demo_audio: Path) -> None:
    if not isinstance(codec, StreamingCodec):
        pytest.skip(f"{codec.spec.name} takes whole clips")
    audio = clip(demo_audio, codec, 0.5)
    whole = codec.encode(audio)
    for cuts in ([1], [7, 8, 3_000], list(range(331, audio.shape[2], 331))):
        assert_same(codec.encode_blocks(torch.tensor_split(audio, cuts, dim=2)), whole)
    assert torch.equal(torch.cat(list(codec.decode_blocks(whole)), dim=2), codec.decode(whole))


def test_measured_bits_are_the_stated_ones(codec: Codec, demo_audio: Path) -> None:
    if codec.spec.codebook_sizes:
        audio = clip(demo_audio, codec, 4.0, 0.0)
        seconds = audio.shape[2] / codec.spec.sample_rate
        bits = ledger(codec.encode(audio), codec.spec, seconds)
        assert bits["packed"] - bits.get("side", 0) >= bits["nominal"] * 0.999
        tokens = (bits["packed"] - bits.get("side", 0)) / seconds
        codebooks = zip(codec.spec.frame_rates, codec.spec.codebook_sizes, strict=True)
        whole_bits = sum(rate * math.ceil(math.log2(size)) for rate, size in codebooks)
        assert tokens == pytest.approx(whole_bits, rel=0.05)
        return
    samples = speech(demo_audio, codec.spec.sample_rate, 5)
    seconds = len(samples) / codec.spec.sample_rate
    payload = ledger(codec.encode(batch(samples)), codec.spec, seconds)["payload"]
    assert payload / seconds / 1000 == pytest.approx(codec.spec.bitrate_kbps, rel=BITRATE_TOLERANCE)


def test_more_bits_are_better(points: list[Codec], demo_audio: Path) -> None:
    if len(points) == 1:
        pytest.skip(f"{points[0].spec.name} has one operating point")
    if len({codec.spec.bitrate_kbps for codec in points}) == 1:
        pytest.skip(f"the operating points of {points[0].spec.name} are of one bitrate")
    reference = speech(demo_audio, 16_000, 2)
    values = []
    for codec in points:
        spec = codec.spec
        audio = batch(speech(demo_audio, spec.sample_rate, 2), spec.channels)
        decoded = codec.decode(codec.encode(audio))[0].mean(0).numpy()
        at_16khz = soxr.resample(decoded, spec.decoded_sample_rate, 16_000)[: len(reference)]
        values.append(pesq(16_000, reference[: len(at_16khz)], at_16khz, "wb"))
    assert (np.diff(values) > -QUALITY_SLACK_PESQ).all(), values
    assert values[-1] > values[0], values
