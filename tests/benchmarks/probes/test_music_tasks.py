"""Official data sets of music, each as a tiny folder of its own layout, with the traps that the real ones hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeczoo.benchmarks.errors import InvalidProbe
from codeczoo.benchmarks.probes import music_tasks
from codeczoo.benchmarks.probes.division import divisions

from .conftest import write_wav
from .layouts import labels, parts, table, wavs


def test_fma_small(tmp_path: Path) -> None:
    head = [
        ["", "artist", "set", "set", "track", "track"],
        ["", "id", "split", "subset", "genre_top", "title"],
        ["track_id", "", "", "", "", ""],
    ]
    rows: list[list[object]] = []
    tracks = [*range(140, 164), 98565, 99134, 5, 7]
    for number, track in enumerate(tracks):
        split = ("training", "training", "validation", "test")[number % 4]
        subset = "large" if track == 5 else "small"
        rows.append([track, number % 4 + 100 * (number // 4), split, subset, ("Rock", "Folk")[number // 4 % 2], "a, b"])
        if track not in (7, 99134):
            path = tmp_path / "fma_small" / f"{track // 1000:03d}" / f"{track:06d}.mp3"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    table(tmp_path / "fma_metadata" / "tracks.csv", [*head, *rows])
    task = music_tasks.fma_small(tmp_path)
    assert [example.clip.name for example in task.examples[:2]] == [
        "fma_small/000/000140.mp3",
        "fma_small/000/000141.mp3",
    ]
    assert len(task.examples) == 24
    assert task.classes == ("Folk", "Rock")
    assert parts(task) == {"train": 12, "validation": 6, "test": 6}
    assert "left out: 2 clips, known not to decode or to last two seconds at most" in task.notes
    assert "left out: 1 clips, listed, but not there" in task.notes
    assert len(divisions(task, seed=0)[0].test) == 6
    assert "every artist is in train and in test" in divisions(task, seed=0, published=True)[0].leak
    table(tmp_path / "fma_metadata" / "tracks.csv", [["a", "b"], ["c", "d"]])
    with pytest.raises(InvalidProbe, match="is not FMA's table of tracks"):
        music_tasks.fma_small(tmp_path)


def test_magnatagatune(tmp_path: Path) -> None:
    tags = [*music_tasks.MTT_TAGS, "strange"]
    rows: list[list[object]] = [["clip_id", *tags, "mp3_path"]]
    for number, (folder, told) in enumerate(
        [("0", ("guitar", "rock")), ("b", ("rock",)), ("c", ("guitar",)), ("d", ("rock",)), ("f", ("guitar",)),
         ("0", ("strange",)), ("8", ("rock",)), ("e", ("rock",))]
    ):  # fmt: skip
        clip = 55753 if folder == "8" else number
        name = f"{folder}/artist{number % 3}-album-01-title-0-29.mp3"
        rows.append([clip, *("1" if tag in told else "0" for tag in tags), name])
        if folder != "e":
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"")
    table(tmp_path / "annotations_final.csv", rows, "\t")
    task = music_tasks.magnatagatune(tmp_path)
    assert parts(task) == {"train": 2, "validation": 1, "test": 2}
    assert labels(task, "0/artist0-album-01-title-0-29.mp3") == ("guitar", "rock")
    assert task.multi_label
    assert len(music_tasks.MTT_TAGS) == len(set(music_tasks.MTT_TAGS)) == 50
    for reason in ("known to be broken", "without one of the 50 tags", "listed, but not there"):
        assert f"left out: 1 clips, {reason}" in task.notes
    assert "56 of 230" in task.leak


def test_irmas(tmp_path: Path) -> None:
    train = [
        f"IRMAS-TrainingData/{inst}/[{inst}][cla]{n:04d}__{k}.wav"
        for inst in ("cel", "flu")
        for n in range(6)
        for k in (1, 2)
    ]
    wavs(
        tmp_path,
        [
            *train,
            "IRMAS-TrainingData/cla/008__[cla][nod][cla]0058__1.wav",
            "IRMAS-TrainingData/cla/9__[cla]0059__1.wav",
        ],
    )
    test = {
        "IRMAS-TestingData-Part1/Part1/(02) dont kill the whale-1": "gel\t\nvoi\t\n",
        "IRMAS-TestingData-Part2/IRTestingData-Part2/song è-3": "cel\t\n",
        "IRMAS-TestingData-Part3/Part3/song-12": "cla\t\r\nflu\t\r\n",
    }
    for name, text in test.items():
        write_wav(tmp_path / f"{name}.wav", 0.01, channels=2)
        (tmp_path / f"{name}.txt").write_text(text)
    write_wav(tmp_path / "IRMAS-TestingData-Part1/Part1/without-1.wav", 0.01)
    task = music_tasks.irmas(tmp_path)
    assert parts(task) == {"train": 26, "test": 3}
    assert labels(task, "whale-1.wav") == ("gel", "voi")
    assert labels(task, "song è-3.wav") == ("cel",), "part 2 has a folder of another name"
    assert labels(task, "song-12.wav") == ("cla", "flu")
    assert labels(task, "[cel][cla]0000__1.wav") == ("cel",), "[cla] is a genre as well"
    assert "left out: 1 clips, without a text of its instruments" in task.notes
    (division,) = divisions(task, seed=0)
    recordings = [{task.examples[i].group for i in part} for part in (division.train, division.validation)]
    assert recordings[1]
    assert not recordings[0] & recordings[1], "excerpts of one recording stay together"
    for path in (tmp_path / "IRMAS-TestingData-Part2").rglob("*.wav"):
        path.unlink()
    assert "test part 2 is not there: results are of the others alone" in music_tasks.irmas(tmp_path).notes


@pytest.mark.parametrize("flat", [True, False])
def test_medley_solos_db(tmp_path: Path, flat: bool) -> None:
    rows: list[list[object]] = [["subset", "instrument", "instrument_id", "song_id", "uuid4"]]
    for number in range(24):
        subset = ("training", "training", "validation", "test")[number % 4]
        rows.append([subset, ("flute", "violin")[number // 4 % 2], number // 4 % 2, number, f"u-{number}"])
        folder = tmp_path if flat else tmp_path / "Medley-solos-DB"
        write_wav(folder / f"Medley-solos-DB_{subset}-{number // 4 % 2}_u-{number}.wav", 0.01)
    table(tmp_path / "Medley-solos-DB_metadata.csv", rows)
    task = music_tasks.medley_solos_db(tmp_path)
    assert parts(task) == {"train": 12, "validation": 6, "test": 6}
    assert task.classes == ("flute", "violin")
    assert len(divisions(task, seed=0)[0].test) == 6
