"""Codecs that are right get no alarm, and the instruments of the doctor measure what they say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from codeczoo import codecs
from codeczoo.benchmarks.doctor import examination, golden, likeness, rates
from codeczoo.benchmarks.doctor.patient import differences
from codeczoo.benchmarks.doctor.voice import FIRST, SECOND, sung
from codeczoo.codecs import Encoded, wavtokenizer_shipped
from codeczoo.codecs.availability import why_not
from codeczoo.codecs.resampling import resample

POINTS = (
    *("pcm:8", "opus@6kbps", "mp3:16khz@8kbps", "aac:44khz@24kbps", "amr-nb@4.75kbps", "g722@64kbps", "g726@16kbps"),
    *("codec2@0.7kbps", wavtokenizer_shipped.NAME),
)


@pytest.mark.parametrize("name", POINTS)
def test_no_false_alarm(name: str) -> None:
    if reason := why_not(codecs.family(name)):
        pytest.skip(reason)
    diagnosis = examination.examine(name)
    statuses = {finding.check: finding.status for finding in diagnosis.findings}
    assert statuses.pop("golden") in {"ok", "warning"}, diagnosis
    assert set(statuses.values()) == {"ok"}, diagnosis
    assert {"facts", "licence", "bits", "again", "state", "batch", "lengths", "delay", "speed"} <= statuses.keys()
    if name == wavtokenizer_shipped.NAME:
        assert {"weights", "tokens", "threads", "precision"} <= statuses.keys()


@pytest.mark.parametrize("name", ["opus", "amr-nb", "mp3:16khz"])
def test_rates_of_a_family(name: str) -> None:
    diagnosis = examination.examine_family(name)
    assert diagnosis is not None
    assert [finding.status for finding in diagnosis.findings] == ["ok"]


def test_a_codec_with_weights_outside_of_the_package(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODECZOO_WEIGHTS", str(shared / "weights"))
    if reason := why_not(codecs.family("lyra:v2")):
        pytest.skip(reason)
    diagnosis = examination.examine("lyra:v2@0.8kbps")
    assert diagnosis.verdict == "healthy", diagnosis
    look_ahead = next(finding for finding in diagnosis.findings if finding.check == "look-ahead")
    # Its frame of 20 ms must be complete, and no more.
    assert look_ahead.measured == pytest.approx(20.0, abs=0.1)


def test_every_codec_that_needs_no_weights_has_golden_tokens() -> None:
    entries = golden.read()
    needless = [name for name in codecs.names() if codecs.spec(name).parameters == 0]
    assert {*needless, wavtokenizer_shipped.NAME} <= entries.keys()


def test_the_voice_is_the_same_everywhere() -> None:
    voice = sung(FIRST, 16_000)
    assert len(voice) == 32_000
    # Defined in time, not in samples: no sample rate changes what lies at an instant.
    assert np.array_equal(sung(FIRST, 48_000)[::3], voice)
    assert np.array_equal(sung(FIRST, 16_000, 5_001), voice[:5_001])
    assert np.array_equal(voice * 32_768, np.rint(voice * 32_768))
    assert 0.1 < float(np.abs(voice).max()) < 1
    digest = hashlib.sha256(voice.tobytes()).hexdigest()
    assert digest.startswith("94184da7b5afe74816d5be0be9e14113"), digest


@pytest.mark.parametrize("late", [-50, 0, 13, 160])
def test_lag(late: int) -> None:
    voice = sung(FIRST, 16_000)
    found = likeness.lag_s(voice, np.roll(voice, 16 * late))
    assert found.value == pytest.approx(late / 1000)


@pytest.mark.parametrize(
    ("taken_hz", "for_hz"), [(16_000, 24_000), (24_000, 16_000), (44_100, 48_000), (8_000, 16_000)]
)
def test_speed(taken_hz: int, for_hz: int) -> None:
    voice = sung(SECOND, 16_000)
    played = resample(voice, for_hz, taken_hz)
    found = likeness.speed(voice, np.pad(played, (0, max(0, len(voice) - len(played))))[: len(voice)])
    assert found.value == pytest.approx(for_hz / taken_hz, rel=0.006)


def test_differences_of_tokens_and_of_packets() -> None:
    first = Encoded((torch.tensor([[1, 2, 3]]), torch.tensor([[4, 5, 6]])), 10)
    second = Encoded((torch.tensor([[1, 2, 7]]), torch.tensor([[4, 5]])), 10)
    found = differences(first, second)
    assert (found.differ, found.total) == (2, 6)
    assert str(found) == "2 of 6 tokens differ (33 %)"
    packets = [Encoded((), 10, payload, ((1, 2),)) for payload in (b"abc", b"abd")]
    assert str(differences(*packets)) == "1 of 2 packets differ (50 %)"
    louder = Encoded(first.codes, 10, side={"gain": torch.ones(1)})
    assert differences(first, louder).share == 1


def test_which_rates_are_compared() -> None:
    assert rates.chosen([6.0, 8.0, 12.0, 16.0]) == [0, 2, 3]
    assert rates.chosen([3.0, 1.0]) == [1, 0]
    assert rates.chosen([1.05, 1.05, 1.05]) == [0]
    assert rates.chosen([None]) == []
