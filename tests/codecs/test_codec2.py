"""Codec 2: bytes a frame, delay of the envelope, the same audio each time, and the extra that it needs."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfiltfilt

from codeczoo import codecs
from codeczoo.codecs import InvalidTokens, MissingDependency

from .speech import batch, lag, speech

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("pycodec2") is None, reason="needs pycodec2: pip install 'codeczoo[codec2]'"
)


@needs_package
@pytest.mark.parametrize(
    ("rate", "frame", "delay", "frame_bytes"),
    [
        ("3.2kbps", 160, 160, 8),
        ("2.4kbps", 160, 160, 6),
        ("1.6kbps", 320, 160, 8),
        ("1.4kbps", 320, 160, 7),
        ("1.3kbps", 320, 160, 7),
        ("1.2kbps", 320, 160, 6),
        ("0.7kbps", 320, 240, 4),
    ],
)
def test_bytes_and_alignment(rate: str, frame: int, delay: int, frame_bytes: int, demo_audio: Path) -> None:
    codec = codecs.load(f"codec2@{rate}")
    reference = speech(demo_audio, 8_000, 12)
    encoded = codec.encode(batch(reference))
    assert encoded.payload is not None
    assert len(encoded.payload) == -(-(len(reference) + delay) // frame) * frame_bytes
    decoded = codec.decode(encoded)[0, 0].numpy()
    # The waveform is not kept, so the delay is that of the envelope, as far as it can be told: 2.5 ms.
    smooth = butter(2, 30, fs=8_000, output="sos")
    envelopes = [sosfiltfilt(smooth, np.abs(samples)) for samples in (reference, decoded)]
    centred = [envelope - envelope.mean() for envelope in envelopes]
    assert abs(lag(*centred)) < 20
    assert np.corrcoef(*centred)[0, 1] > 0.75


@needs_package
def test_audio_is_the_same_in_every_thread_and_each_time(demo_audio: Path) -> None:
    codec = codecs.load("codec2@0.7kbps")
    encoded = codec.encode(batch(speech(demo_audio, 8_000, 1)))
    with ThreadPoolExecutor(2) as pool:
        first, *others = pool.map(codec.decode, [encoded] * 3)
    assert all(torch.equal(first, other) for other in others)
    assert float(first.abs().max()) > 0.05


@needs_package
def test_packets_of_another_size_are_refused() -> None:
    codec = codecs.load("codec2@3.2kbps")
    encoded = codec.encode(torch.zeros(1, 1, 400))
    with pytest.raises(InvalidTokens, match="Packet 0 has 12 bytes; Codec 2 3200 has 8"):
        codec.decode(replace(encoded, packet_sizes=((12, 12, 8),), payload=bytes(32)))


@needs_package
def test_padding_is_said_where_there_is_any() -> None:
    padded = {rate for rate in codecs.family("codec2").rates if "are sent" in codecs.spec(f"codec2@{rate}").notes}
    assert padded == {"0.7kbps", "1.3kbps"}
    assert "0.8 kbit/s are sent" in codecs.spec("codec2@0.7kbps").notes


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"codeczoo\[codec2\]"):
        codecs.load("codec2@1.3kbps")
