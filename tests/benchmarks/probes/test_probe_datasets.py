"""All data sets alike, and clips of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from codeczoo.benchmarks import corpora
from codeczoo.benchmarks.errors import InvalidCorpus, InvalidProbe, UnknownSuite
from codeczoo.benchmarks.probes import datasets, speech_tasks
from codeczoo.benchmarks.probes.division import divisions
from codeczoo.benchmarks.probes.task import Task

from .conftest import write_wav
from .layouts import parts, wavs


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
