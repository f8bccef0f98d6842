"""Official data sets of sound, each as a tiny folder of its own layout, with the traps that the real ones hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeczoo.benchmarks.errors import InvalidProbe
from codeczoo.benchmarks.probes import sound_tasks
from codeczoo.benchmarks.probes.division import divisions

from .conftest import write_wav
from .layouts import labels, parts, table, wavs


def test_esc_50(tmp_path: Path) -> None:
    rows: list[list[object]] = [["filename", "fold", "target", "category", "esc10", "src_file", "take"]]
    for fold in range(1, 6):
        for target, category in enumerate(("dog", "rain")):
            for source in range(5):
                for take in "AB":
                    name = f"{fold}-{fold}{target}{source}-{take}-{target}.wav"
                    rows.append([name, fold, target, category, "True", f"{fold}{target}{source}", take])
                    write_wav(tmp_path / "ESC-50-master" / "audio" / name, 0.01)
    table(tmp_path / "ESC-50-master" / "meta" / "esc50.csv", rows)
    task = sound_tasks.esc50(tmp_path)
    assert len(task.examples) == 100
    assert task.folds == ("1", "2", "3", "4", "5")
    for division in divisions(task, seed=0):
        assert {task.examples[i].fold for i in division.test} == {division.name}
        assert len(division.validation) == 16
        sources = [{task.examples[i].group for i in part} for part in (division.train, division.validation)]
        assert not sources[0] & sources[1]


@pytest.mark.parametrize("name", ["../../secret.wav", "/etc/secret.wav"])
def test_a_table_reaches_no_other_files(tmp_path: Path, name: str) -> None:
    write_wav(tmp_path / "secret.wav", 0.01)
    (tmp_path / "esc" / "audio").mkdir(parents=True)
    row = [name, 1, 0, "dog", "True", "x", "A"]
    table(
        tmp_path / "esc" / "meta" / "esc50.csv",
        [["filename", "fold", "target", "category", "esc10", "src_file", "take"], row],
    )
    if name.startswith("/"):
        # What follows the folder's name is relative all the same.
        with pytest.raises(InvalidProbe, match="holds nothing of esc-50"):
            sound_tasks.esc50(tmp_path / "esc")
    else:
        with pytest.raises(InvalidProbe, match="lies outside"):
            sound_tasks.esc50(tmp_path / "esc")


def test_urbansound8k(tmp_path: Path) -> None:
    rows: list[list[object]] = [["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"]]
    for fold in range(1, 11):
        for number in range(6):
            # One recording is in two folds, under two classes.
            source = 999 if number == 0 and fold in (1, 2) else 100 * fold + number
            name = f"{source}-{number % 2}-0-{number}.wav"
            rows.append([name, source, 0, 4, 1, fold, number % 2, ("siren", "drilling")[number % 2]])
            write_wav(tmp_path / "UrbanSound8K" / "audio" / f"fold{fold}" / name, 0.01, channels=1 + number % 2)
    table(tmp_path / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv", rows)
    task = sound_tasks.urbansound8k(tmp_path)
    found = divisions(task, seed=0)
    assert [division.name for division in found] == [str(fold) for fold in range(1, 11)]
    assert all("in two of them" in division.leak for division in found)


def test_fsd50k(tmp_path: Path) -> None:
    dev = [(1, "Bark,Dog", "train"), (2, "Rain", "train"), (3, "Rain,Water", "val"), (4, "Bark,Dog", "val")]
    table(
        tmp_path / "FSD50K.ground_truth" / "dev.csv",
        [["fname", "labels", "mids", "split"], *([n, told, "/m/x", split] for n, told, split in dev)],
    )
    table(
        tmp_path / "FSD50K.ground_truth" / "eval.csv",
        [["fname", "labels", "mids"], [5, "Bark,Dog", "/m/x"], [6, "Rain,Water", "/m/x"]],
    )
    wavs(tmp_path, [f"FSD50K.dev_audio/{n}.wav" for n in (1, 2, 3, 4)] + [f"FSD50K.eval_audio/{n}.wav" for n in (5, 6)])
    task = sound_tasks.fsd50k(tmp_path)
    assert parts(task) == {"train": 2, "validation": 2, "test": 2}
    assert task.classes == ("Bark", "Dog", "Rain", "Water")
    assert labels(task, "eval_audio/6.wav") == ("Rain", "Water")
    (tmp_path / "FSD50K.ground_truth" / "eval.csv").unlink()
    with pytest.raises(InvalidProbe, match=r"eval\.csv is missing"):
        sound_tasks.fsd50k(tmp_path)


def test_vivae(tmp_path: Path) -> None:
    names = [f"S{s:02d}_{e}_low_{i:02d}.wav" for s in range(1, 12) for e in ("anger", "fear", "pain") for i in (1, 2)]
    wavs(tmp_path / "VIVAE", [f"full_set/{name}" for name in names])
    wavs(tmp_path / "VIVAE", [f"core_set/{name}" for name in names[:10]])
    task = sound_tasks.vivae(tmp_path)
    assert len(task.examples) == 66
    found = divisions(task, seed=0)
    assert len(found) == 11
    assert {task.examples[i].group for i in found[10].validation} == {"speaker 01"}, (
        "the fold after the last is the first"
    )
