"""Official data sets, each as a tiny folder of its own layout, with the traps that the real ones hold."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from codeczoo.benchmarks import corpora
from codeczoo.benchmarks.errors import InvalidCorpus, InvalidProbe, UnknownSuite
from codeczoo.benchmarks.probes import datasets, music_tasks, sound_tasks, speech_tasks
from codeczoo.benchmarks.probes.division import divisions
from codeczoo.benchmarks.probes.task import Task

from .conftest import write_wav


def wavs(root: Path, names: Iterable[str]) -> None:
    for name in names:
        write_wav(root / name, 0.01)


def table(path: Path, rows: Sequence[Sequence[object]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)


def parts(task: Task) -> Counter[str | None]:
    return Counter(example.part for example in task.examples)


def labels(task: Task, name: str) -> tuple[str, ...]:
    return next(example.labels for example in task.examples if example.clip.name.endswith(name))


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


def test_every_data_set_says_what_is_missing(tmp_path: Path) -> None:
    for name, dataset in datasets.DATASETS.items():
        with pytest.raises(InvalidProbe, match="holds none of"):
            dataset.read(tmp_path)
        with pytest.raises(InvalidCorpus, match="does not exist"):
            dataset.read(tmp_path / name)
    (tmp_path / "Actor_01").mkdir()
    write_wav(tmp_path / "Actor_01" / "other.wav", 0.01)
    with pytest.raises(
        InvalidProbe, match=r"holds nothing of ravdess as it is unpacked: no file is named like Actor_01/03-"
    ):
        speech_tasks.ravdess(tmp_path)


def test_names_of_data_sets(tmp_path: Path) -> None:
    found = datasets.named("esc-50:/data/ESC-50")
    assert found is not None
    assert found[1] == Path("/data/ESC-50")
    assert datasets.named("esc-50=/data/ESC-50") == found
    assert datasets.named(str(tmp_path)) is None
    assert datasets.named("librispeech:/data/LibriSpeech") is None
    with pytest.raises(UnknownSuite, match="ravdess needs the folder where it is unpacked: ravdess:/path/to/it"):
        datasets.named("ravdess")
    with pytest.raises(UnknownSuite, match="There is no data set 'ravdes' to probe; did you mean ravdess"):
        datasets.named("ravdes:/data")
    assert list(datasets.DATASETS)[:12] == list(datasets.DATASETS)[:-1]


# --- clips of one's own ---------------------------------------------------------------------------------------------


def own(tmp_path: Path, head: str, rows: Sequence[str]) -> Task:
    for row in rows:
        write_wav(tmp_path / row.partition(",")[0], 0.01)
    (tmp_path / "manifest.csv").write_text("\n".join([head, *rows]) + "\n")
    return datasets.labelled(corpora.resolve(str(tmp_path / "manifest.csv")))


def test_a_manifest_with_parts_folds_and_several_labels(tmp_path: Path) -> None:
    rows = [f"{n}.wav,{'ab'[n % 2]},s{n},{('train', 'dev', 'test')[n % 3]}" for n in range(12)]
    task = own(tmp_path, "path,label,speaker,split", rows)
    assert parts(task) == {"train": 4, "validation": 4, "test": 4}
    assert task.examples[3].group == "s3"
    assert task.metric == "accuracy"
    anew = datasets.labelled(corpora.resolve(str(tmp_path / "manifest.csv")), cross_validate=True)
    assert parts(anew) == {None: 12}
    assert len(divisions(anew, seed=0)) == 5
    task = own(tmp_path, "path,label,fold", [f"{n}.wav,{'ab'[n % 2]},{n // 4}" for n in range(12)])
    assert task.folds == ("0", "1", "2")
    task = own(tmp_path, "path,label,split", [f"{n}.wav,{'ab'[n % 2]},fold{n // 4 + 1}" for n in range(12)])
    assert task.folds == ("1", "2", "3")
    task = own(tmp_path, "path,label", [f"{n}.wav,{('a', 'a; b', 'b;c')[n % 3]}" for n in range(12)])
    assert task.multi_label
    assert task.examples[1].labels == ("a", "b")


def test_clips_without_a_label_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = own(tmp_path, "path,label", [f"{n}.wav,{'ab'[n % 2] if n < 8 else ''}" for n in range(10)])
    assert len(task.examples) == 8
    assert task.notes == ("left out: 2 clips, without a label",)
    assert "2 of 10 clips" in caplog.text


def test_a_folder_of_folders(tmp_path: Path) -> None:
    wavs(tmp_path, [f"{label}/{number}.wav" for label in ("cat", "dog") for number in range(5)])
    task = datasets.labelled(corpora.resolve(str(tmp_path)))
    assert task.classes == ("cat", "dog")
    with pytest.raises(InvalidProbe, match="No clip of cat has a label"):
        datasets.labelled(corpora.resolve(str(tmp_path / "cat")))


def test_what_a_manifest_must_not_hold(tmp_path: Path) -> None:
    with pytest.raises(InvalidProbe, match="clips of the split 'clean'"):
        own(tmp_path, "path,label,split", ["1.wav,a,clean", "2.wav,b,test"])
    with pytest.raises(InvalidProbe, match=r"No clip of .* has a label"):
        own(tmp_path, "path,split", ["1.wav,train", "2.wav,test"])


def test_a_part_of_an_official_set_has_a_name_of_its_own(tmp_path: Path) -> None:
    task = own(tmp_path, "path,label,dataset", ["1.wav,a,ravdess", "2.wav,b,ravdess"])
    assert task.name == "ravdess subset"
