"""Official data sets of speech, each as a tiny folder of its own layout, with the traps that the real ones hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codeczoo.benchmarks.errors import InvalidProbe
from codeczoo.benchmarks.probes import speech_tasks
from codeczoo.benchmarks.probes.division import divisions

from .conftest import write_wav
from .layouts import labels, parts, wavs


def test_ravdess(tmp_path: Path) -> None:
    above, tmp_path = tmp_path, tmp_path / "RAVDESS"
    names = [
        f"Actor_{actor:02d}/03-01-{emotion:02d}-01-01-01-{actor:02d}.wav"
        for actor in range(1, 25)
        for emotion in range(1, 9)
    ]
    wavs(tmp_path, names)
    # A mirror's nested copy, a song, a video without sound.
    wavs(tmp_path, ["audio_speech/Actor_01/03-01-01-01-01-01-01.wav", "Actor_01/03-02-01-01-01-01-01.wav"])
    write_wav(tmp_path / names[0], 0.01, channels=2)
    task = speech_tasks.ravdess(tmp_path)
    assert len(task.examples) == 24 * 8
    assert task.classes == tuple(sorted(speech_tasks.EMOTIONS))
    assert labels(task, "03-01-06-01-01-01-02.wav") == ("fearful",)
    assert "left out: 1 clips, copies of a file of the same name" in task.notes
    assert "left out: 1 clips, song or video, not speech" in task.notes
    assert "192 clips, where the whole data set has 1440" in task.notes
    found = divisions(task, seed=0)
    assert len(found) == 6
    for division in found:
        actors = [{task.examples[i].group for i in part} for part in (division.train, division.test)]
        assert not actors[0] & actors[1]
        assert len({int(actor[-2:]) % 2 for actor in actors[1]}) == 2, "both sexes are tested"
    (published,) = divisions(task, seed=0, published=True)
    assert (len(published.test), len(published.validation), len(published.train)) == (39, 31, 122)
    assert speech_tasks.ravdess(above).examples == task.examples, "the folder above does as well"


def test_audiomnist(tmp_path: Path) -> None:
    speakers = range(1, 61)
    wavs(tmp_path, [f"data/{speaker:02d}/{digit}_{speaker:02d}_0.wav" for speaker in speakers for digit in range(2)])
    task = speech_tasks.audiomnist(tmp_path)
    assert sorted(speaker for fold in speech_tasks.AUDIOMNIST_FOLDS for speaker in fold) == list(speakers)
    found = divisions(task, seed=0)
    assert [len(division.test) for division in found] == [24] * 5
    assert not any(division.drawn for division in found)
    assert {task.examples[i].group for i in found[0].test} == {
        f"speaker {speaker:02d}" for speaker in speech_tasks.AUDIOMNIST_FOLDS[0]
    }


def test_slurp(tmp_path: Path) -> None:
    rows = {
        "train": [("1", "set", "alarm_set", ["a-1.flac", "a-1-headset.flac"]), ("2", "play", "music", ["a-2.flac"])],
        "devel": [("3", "set", "alarm_set", ["a-3.flac"])],
        "test": [("4", "play", "play_music", ["a-4.flac", "a-5.flac"])],
    }
    for stem, of in rows.items():
        lines = [
            json.dumps(
                {
                    "slurp_id": number, "scenario": "alarm" if action == "set" else "play", "action": action,
                    "intent": intent, "recordings": [{"file": file, "status": "correct"} for file in files],
                }
            )
            for number, action, intent, files in of
        ]  # fmt: skip
        path = tmp_path / "dataset" / "slurp" / f"{stem}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    for file in ("a-1.flac", "a-1-headset.flac", "a-2.flac", "a-3.flac", "a-4.flac"):
        write_wav(tmp_path / "slurp_real" / file, 0.01)
    metadata = {"1": {"recordings": {"a-1.flac": {"usrid": "FO-1"}, "a-1-headset.flac": {"usrid": "FO-1"}}}}
    (tmp_path / "dataset" / "slurp" / "metadata.json").write_text(json.dumps(metadata))
    task = speech_tasks.slurp(tmp_path)
    assert parts(task) == {"train": 3, "validation": 1, "test": 1}
    assert task.classes == ("alarm_set", "music", "play_music")
    assert speech_tasks.slurp_action(tmp_path).classes == ("alarm_set", "play_play")
    assert "left out: 1 clips, listed, but not there" in task.notes
    assert "speakers are in train and in test" in task.leak
    assert [example.group for example in task.examples][:2] == ["FO-1", "FO-1"]
    (division,) = divisions(task, seed=0)
    assert len(division.test) == 1, "a label that train lacks is part of the official test set"
    (tmp_path / "dataset" / "slurp" / "devel.jsonl").unlink()
    with pytest.raises(InvalidProbe, match=r"devel\.jsonl is missing"):
        speech_tasks.slurp(tmp_path)


def test_emovo(tmp_path: Path) -> None:
    actors = ("f1", "f2", "f3", "m1", "m2", "m3")
    wavs(
        tmp_path,
        [f"EMOVO/{a}/{e}-{a}-{s}.wav" for a in actors for e in speech_tasks.EMOVO_EMOTIONS for s in ("b1", "n5")],
    )
    task = speech_tasks.emovo(tmp_path)
    assert (len(task.examples), task.folds) == (84, actors)
    assert labels(task, "pau-f1-b1.wav") == ("fear",)
    for division in divisions(task, seed=0):
        assert {task.examples[i].group for i in division.test} == {division.name}
        assert not {task.examples[i].group for i in division.train} & {
            task.examples[i].group for i in division.validation
        }
