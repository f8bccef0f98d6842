"""Encode, decode, score: the round trip through files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks import corpora, records

from .conftest import Run, tone


def test_files_to_tokens_to_files_to_scores(codeczoo: Run, tmp_path: Path, demo_audio: Path) -> None:
    work = tmp_path / "work"
    status, _, err = codeczoo(
        *["encode", "--codec", "opus@12kbps", "--corpus", "demo", "--limit", "3", "--workers", "1", "--out", "tokens"]
    )
    assert (status, err) == (0, "3 written, 0 already there, 0 failed\n")
    status, _, err = codeczoo(*["decode", "tokens", "--workers", "1", "--out", "wav"])
    assert (status, err) == (0, "3 written, 0 already there, 0 failed\n")
    names = sorted(str(path.relative_to(work / "wav")) for path in (work / "wav").rglob("*.wav"))
    assert names == sorted(clip.name for clip in corpora.resolve("demo", limit=3))
    score = ["score", "--reference", demo_audio, "--estimate", "wav", "--name", "mine", "--metrics", "si_sdr"]
    tone(work / "wav" / "of_no_reference.wav")
    status, out, err = codeczoo(*score, "--workers", "0", "--out", "scored")
    assert status == 1
    assert "1 estimates belong to no reference and are not used.\n" in err
    assert "24 references have no estimate; they are recorded as failed.\n" in err
    assert "kbps" not in out, "nobody stated a bitrate"
    scored = {record["clip"]: record for record in records.load(work / "scored") if record["scores"]}
    command = "bench --codecs opus@12kbps --corpus demo --limit 3 --metrics si_sdr --workers 0 --no-report --out coded"
    assert codeczoo(*command.split())[0] == 0
    for record in records.load(work / "coded"):
        assert scored[record["clip"]]["scores"] == record["scores"], "the same audio, whichever way it went"
        assert scored[record["clip"]]["bits"] == {}


def test_pairs_of_a_table(codeczoo: Run, tmp_path: Path, demo_audio: Path) -> None:
    clip = next(demo_audio.rglob("*.wav"))
    audio, rate = soundfile.read(clip)
    work = tmp_path / "work"
    soundfile.write(work / "ref.wav", audio, rate, "FLOAT")
    for number, level in enumerate((0.001, 0.1)):
        noise = np.random.default_rng(number).standard_normal(len(audio))
        soundfile.write(work / f"est{number}.wav", audio + level * noise, rate, "FLOAT")
    rows = ["ref.wav,est0.wav,good,8,speech", "ref.wav,est1.wav,bad,,speech"]
    (work / "pairs.csv").write_text("\n".join(["reference,estimate,codec,kbps,domain", *rows]))
    status, out, _ = codeczoo(
        *["score", "--pairs", "pairs.csv", "--metrics", "si_sdr", "--workers", "0", "--out", "run"]
    )
    assert status == 0
    good, bad = records.load(work / "run")
    assert (good["codec"], bad["codec"]) == ("good@8kbps", "bad")
    assert good["scores"]["si_sdr"] == pytest.approx(bad["scores"]["si_sdr"] + 40, abs=1)
    assert good["bits"] == {"stated": pytest.approx(8000 * len(audio) / rate)}
    assert bad["bits"] == {}
    assert "`good@8kbps` | 8.00 † |" in out
    assert "`bad` | – |" in out


def test_codecs_chosen_in_a_report_by_pattern(codeczoo: Run, tmp_path: Path) -> None:
    tone(tmp_path / "work" / "clips" / "a.wav")
    command = "bench --codecs pcm:8 pcm:16 --metrics si_sdr --corpus clips --workers 0 --no-report --out run"
    assert codeczoo(*command.split())[0] == 0
    status, out, _ = codeczoo("report", "run", "--codecs", "pcm:1*")
    assert status == 0
    assert "`pcm:16`" in out
    assert "`pcm:8`" not in out
    status, _, err = codeczoo("report", "run", "--codecs", "opus*")
    assert (status, err) == (2, "codeczoo: No record's codec matches opus*.\n")
