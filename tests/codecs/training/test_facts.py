"""Facts of clips: lengths and peaks of real files in several containers, kept between runs; bad files named."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.codecs.errors import InvalidClips
from codeczoo.codecs.training import facts
from codeczoo.codecs.training.clips import Clip, find
from codeczoo.codecs.training.facts import Facts, describe


def test_length_start_and_peak_of_stretches(tmp_path: Path) -> None:
    samples = np.zeros((8_000, 2))
    samples[1_000] = (0.5, -0.25)  # mono: 0.125
    samples[5_000] = (-0.5, -0.75)  # mono: -0.625
    soundfile.write(tmp_path / "a.wav", samples, 8_000, subtype="FLOAT")
    (tmp_path / "i.csv").write_text("path,start_s,end_s\na.wav,,\na.wav,0,0.5\na.wav,0.5,9\na.wav,0.9,1\n")
    described = describe(find(tmp_path / "i.csv"), workers=2)
    assert described.facts == (
        Facts(8_000, 0, 8_000, 0.625),
        Facts(8_000, 0, 4_000, 0.125),
        Facts(8_000, 4_000, 4_000, 0.625),
        Facts(8_000, 7_200, 800, 0.0),
    )
    assert described.seconds == pytest.approx(2.1)


def test_a_peak_above_one_counts_as_one(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5, -1.75]), 8_000, subtype="FLOAT")
    assert describe(find(tmp_path)).facts[0].peak == 1.0


def test_lossy_containers_have_the_length_and_about_the_peak_of_their_source(tmp_path: Path, demo_audio: Path) -> None:
    source, rate = soundfile.read(sorted(demo_audio.rglob("*.wav"))[0])
    for name, options in {
        "a.flac": {},
        "b.mp3": {},
        "c.opus": {"format": "OGG", "subtype": "OPUS"},
        "d.ogg": {"format": "OGG", "subtype": "VORBIS"},
    }.items():
        soundfile.write(tmp_path / name, source, rate, **options)
    described = describe(find(tmp_path))
    peak = float(np.abs(source).max())
    assert [clip.name for clip in described.clips] == ["a.flac", "b.mp3", "c.opus", "d.ogg"]
    for found in described.facts:
        assert found.sample_rate == rate
        assert len(source) <= found.frames <= len(source) + 2_400  # MP3 is padded to whole frames
        assert found.peak == pytest.approx(peak, rel=0.15)


def test_known_clips_are_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(800, 0.5), 8_000)
    (tmp_path / "b.wav").write_bytes(b"not audio")
    opened: list[str] = []
    real = facts.open_audio

    def counted(path: Path):
        opened.append(path.name)
        return real(path)

    monkeypatch.setattr(facts, "open_audio", counted)
    seen: list[tuple[int, int]] = []
    first = describe(find(tmp_path), progress=lambda done, of: seen.append((done, of)))
    assert sorted(opened) == ["a.wav", "b.wav"]
    assert seen == [(2, 2)]
    assert list(first.unreadable) == ["b.wav"]
    assert "cannot be read as audio" in first.unreadable["b.wav"]
    assert caplog.text.count("b.wav is left out") == 1
    opened.clear()
    again = describe(find(tmp_path))
    assert opened == ["b.wav"]  # what is broken may be mended
    assert again.facts == first.facts
    assert again.fingerprint == first.fingerprint

    opened.clear()
    soundfile.write(tmp_path / "a.wav", np.full(900, 0.25), 8_000)
    changed = describe(find(tmp_path))
    assert changed.facts[0].frames == 900
    assert changed.fingerprint != first.fingerprint


def test_one_long_shard_in_many_jobs_keeps_its_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    levels = rng.uniform(0.1, 0.9, 150).astype(np.float32)
    soundfile.write(tmp_path / "s.wav", np.repeat(levels, 80), 8_000, subtype="FLOAT")
    rows = "".join(f"s.wav,{n / 100},{(n + 1) / 100}\n" for n in range(150))
    (tmp_path / "i.csv").write_text("path,start_s,end_s\n" + rows)
    clips = find(tmp_path / "i.csv")
    described = describe(clips, workers=3)
    assert [found.peak for found in described.facts] == [pytest.approx(level) for level in levels]
    assert described.clips == clips


def test_bad_files_of_every_kind_are_named_and_all_bad_is_an_error(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8_000, subtype="FLOAT")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 8_000)
    (tmp_path / "empty.flac").touch()
    soundfile.write(tmp_path / "cut.flac", np.random.default_rng(0).uniform(-1, 1, 80_000), 8_000)
    whole = (tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidClips, match=r"None of the 4 training clips can be read\. The first: .*cut\.flac"):
        describe(find(tmp_path))
    soundfile.write(tmp_path / "good.wav", np.ones(8) / 2, 8_000)
    described = describe([*find(tmp_path), Clip("gone.wav", tmp_path / "gone.wav")])
    assert [clip.name for clip in described.clips] == ["good.wav"]
    reasons = described.unreadable
    assert sorted(reasons) == ["cut.flac", "empty.flac", "gone.wav", "nan.wav", "none.wav"]
    assert "NaN" in reasons["nan.wav"]
    assert "no samples" in reasons["none.wav"]
    assert "empty file" in reasons["empty.flac"]
    assert "does not exist" in reasons["gone.wav"]


def test_an_index_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.ones(8) / 2, 8_000)
    broken = tmp_path / "index" / "facts.sqlite"
    broken.parent.mkdir()
    broken.write_bytes(b"this is not a database" * 100)
    with pytest.raises(InvalidClips, match=r"cannot be used .*not a database.*delete it"):
        describe(find(tmp_path), index=broken)
    with pytest.raises(InvalidClips, match="cannot be written"):
        describe(find(tmp_path), index=tmp_path / "a.wav" / "facts.sqlite")
    with pytest.raises(InvalidClips, match="no training clips"):
        describe([])


def test_the_index_is_where_it_is_asked_for(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.ones(8) / 2, 8_000)
    index = tmp_path / "deep" / "er" / "facts.sqlite"
    describe(find(tmp_path), index=index)
    with sqlite3.connect(index) as database:
        assert database.execute("SELECT rate, start, frames, peak FROM facts_1").fetchall() == [(8_000, 0, 8, 0.5)]
    database.close()
