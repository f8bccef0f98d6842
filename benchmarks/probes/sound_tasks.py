"""The four data sets of sounds in ARCH, as they are unpacked.

    esc-50         audio/1-100032-A-0.wav and meta/esc50.csv; 2000 clips of 50 classes in five official folds, by source
    urbansound8k   audio/fold1/101415-3-0-2.wav and metadata/UrbanSound8K.csv; 8732 slices in ten official folds, never
                   to be shuffled; accuracy is the mean of the folds', which are of unequal size. Five recordings are in
                   two folds, each time under another class
    fsd50k         FSD50K.dev_audio/64760.wav, FSD50K.eval_audio/37199.wav, FSD50K.ground_truth/{dev,eval}.csv; 51 197
                   clips, 200 classes, any number a clip, propagated upwards; split train and val in dev.csv
    vivae          full_set/S01_achievement_low_01.wav: speaker_emotion_intensity_item; 1085 vocalisations of 11
                   speakers, six emotions; one fold a speaker. core_set holds copies of a part of full_set

Sources: github.com/karolpiczak/ESC-50; Zenodo 1203745; Zenodo 4060432; Zenodo 4066235.
"""

from __future__ import annotations

import re
from pathlib import Path

from .reading import PART_NAMES, Reading, root_of, table
from .task import Part, Task

_VIVAE = re.compile(r"S(\d\d)_(achievement|anger|fear|pain|pleasure|surprise)_[a-z]+_\w+\.wav", re.IGNORECASE)


def esc50(root: Path) -> Task:
    """Fifty environmental sounds."""
    root = root_of(root, "meta/esc50.csv")
    reading = Reading("esc-50", "sound", root, expected=2000)
    for row in table(root / "meta" / "esc50.csv", ("filename", "fold", "category", "src_file")):
        group, fold = f"recording {row['src_file']}", row["fold"]
        reading.add(f"audio/{row['filename']}", (row["category"],), group=group, fold=fold, check=True)
    return Task(
        "esc-50", reading.found("audio/1-100032-A-0.wav"), group_is="recording", official=True, domain="sound",
        notes=reading.notes(), licence="CC BY-NC 3.0",
    )  # fmt: skip


def urbansound8k(root: Path) -> Task:
    """Ten sounds of the city."""
    root = root_of(root, "metadata/UrbanSound8K.csv")
    reading = Reading("urbansound8k", "sound", root, expected=8732)
    needed = ("slice_file_name", "fsID", "fold", "class")
    for row in table(root / "metadata" / "UrbanSound8K.csv", needed):
        name = f"audio/fold{row['fold']}/{row['slice_file_name']}"
        reading.add(name, (row["class"],), group=f"recording {row['fsID']}", fold=row["fold"], check=True)
    return Task(
        "urbansound8k", reading.found("audio/fold1/101415-3-0-2.wav"), group_is="recording", disjoint=False,
        official=True, leak="five recordings of the official folds are in two of them, each time under another class",
        domain="sound", notes=reading.notes(), licence="CC BY-NC 3.0",
    )  # fmt: skip


def fsd50k(root: Path) -> Task:
    """200 classes of sounds, any number of them a clip."""
    root = root_of(root, "FSD50K.ground_truth")
    reading = Reading("fsd50k", "sound", root, expected=51_197)
    truth = root / "FSD50K.ground_truth"
    for row in table(truth / "dev.csv", ("fname", "labels", "split")):
        _fsd_row(reading, row, "dev", PART_NAMES.get(row["split"]))
    for row in table(truth / "eval.csv", ("fname", "labels")):
        _fsd_row(reading, row, "eval", "test")
    return Task(
        "fsd50k", reading.found("FSD50K.dev_audio/64760.wav"), multi_label=True, official=True, domain="sound",
        notes=reading.notes(), licence="CC BY 4.0; each clip its own",
    )  # fmt: skip


def _fsd_row(reading: Reading, row: dict[str, str], folder: str, part: Part | None) -> None:
    labels = tuple(sorted(label for label in row["labels"].split(",") if label))
    reading.add(f"FSD50K.{folder}_audio/{row['fname']}.wav", labels, part=part, check=True)


def vivae(root: Path) -> Task:
    """Six emotions in voices without words."""
    reading = Reading("vivae", "sound", root_of(root, "full_set"), expected=1085)
    for name, match in reading.once(_VIVAE, below="full_set"):
        speaker = match[1]
        reading.add(name, (match[2].lower(),), group=f"speaker {speaker}", fold=speaker)
    return Task(
        "vivae", reading.found("full_set/S01_achievement_low_01.wav"), group_is="speaker", next_fold_validates=True,
        domain="sound", notes=reading.notes(), licence="CC BY-NC-SA 4.0",
    )  # fmt: skip
