"""The four data sets of speech in ARCH, as they are unpacked.

    ravdess      Actor_01/03-01-06-01-02-01-01.wav: modality-channel-emotion-intensity-statement-repetition-actor; 1440
                 clips of 24 actors. Without an official division: six folds of four actors, two of each sex. The
                 published protocol divides at random, with every actor in train and test (`published_shares`)
    audiomnist   data/01/7_01_32.wav: digit_speaker_repetition; 30 000 clips of 60 speakers in the authors' five folds
    slurp        slurp_real/audio-ID.flac, train.jsonl, devel.jsonl, test.jsonl (and metadata.json with the speakers);
                 divided by sentence, speakers are on both sides. `slurp` tells the raw field `intent`, as ARCH does; it
                 holds short and outdated values beside the 60 classes of scenario and action, told by `slurp-action`
    emovo        EMOVO/f1/dis-f1-b1.wav: emotion-actor-sentence; 588 clips of six actors, one fold an actor

Sources: Zenodo 1188976; github.com/soerenab/AudioMNIST (digit folds of the authors' preparation); Zenodo 4274930 and
github.com/pswietojanski/slurp; Costantini et al., LREC 2014.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codeczoo.benchmarks.errors import InvalidProbe

from .reading import Reading, root_of
from .task import Part, Task

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_RAVDESS = re.compile(r"(\d\d)-(\d\d)-(\d\d)-\d\d-\d\d-\d\d-(\d\d)\.wav")
_SPEECH, _AUDIO_ONLY = "01", "03"
_ACTORS_A_FOLD = 4

_AUDIOMNIST = re.compile(r"(\d)_(\d+)_(\d+)\.wav")
AUDIOMNIST_FOLDS = (
    (12, 47, 59, 15, 27, 41, 4, 11, 21, 31, 44, 50),
    (26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51),
    (28, 56, 7, 19, 35, 1, 6, 16, 23, 34, 46, 53),
    (36, 57, 9, 24, 37, 2, 8, 17, 29, 39, 48, 54),
    (43, 58, 14, 25, 38, 3, 10, 20, 30, 40, 49, 55),
)

_EMOVO = re.compile(r"([a-z]{3})-([fm][123])-([a-z]\d)\.wav", re.IGNORECASE)
EMOVO_EMOTIONS = {
    "dis": "disgust",
    "gio": "joy",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}

_SLURP_PARTS: tuple[tuple[str, Part], ...] = (("train", "train"), ("devel", "validation"), ("test", "test"))


def ravdess(root: Path) -> Task:
    """Eight emotions."""
    reading = Reading("ravdess", "speech", root_of(root, "Actor_[0-9][0-9]"), expected=1440)
    for name, match in reading.once(_RAVDESS):
        modality, channel, emotion, actor = match.groups()
        if (modality, channel) != (_AUDIO_ONLY, _SPEECH) or not 1 <= int(emotion) <= len(EMOTIONS):
            reading.left_out["song or video, not speech"] += 1
            continue
        fold = str((int(actor) - 1) // _ACTORS_A_FOLD + 1)
        reading.add(name, (EMOTIONS[int(emotion) - 1],), group=f"actor {actor}", fold=fold)
    examples = reading.found("Actor_01/03-01-06-01-02-01-01.wav")
    return Task(
        "ravdess", examples, group_is="speaker", published_shares=(0.2, 0.2), domain="speech", notes=reading.notes(),
        licence="CC BY-NC-SA 4.0",
    )  # fmt: skip


def audiomnist(root: Path) -> Task:
    """Ten spoken digits."""
    reading = Reading("audiomnist", "speech", root_of(root, "data/[0-9][0-9]", "[0-9][0-9]"), expected=30_000)
    fold_of = {speaker: str(fold) for fold, of in enumerate(AUDIOMNIST_FOLDS, 1) for speaker in of}
    for name, match in reading.once(_AUDIOMNIST):
        digit, speaker, _ = match.groups()
        if int(speaker) not in fold_of:
            reading.left_out["of a speaker who is none of the 60"] += 1
            continue
        reading.add(name, (digit,), group=f"speaker {int(speaker):02d}", fold=fold_of[int(speaker)])
    return Task(
        "audiomnist", reading.found("data/01/7_01_32.wav"), group_is="speaker", next_fold_validates=True, official=True,
        domain="speech", notes=reading.notes(), licence="MIT",
    )  # fmt: skip


def emovo(root: Path) -> Task:
    """Seven emotions in Italian."""
    reading = Reading("emovo", "speech", root_of(root, "f1", "m1"), expected=588)
    for name, match in reading.once(_EMOVO):
        emotion, actor = match[1].lower(), match[2].lower()
        if emotion not in EMOVO_EMOTIONS:
            reading.left_out["of an unknown emotion"] += 1
            continue
        reading.add(name, (EMOVO_EMOTIONS[emotion],), group=actor, fold=actor)
    return Task(
        "emovo", reading.found("f1/dis-f1-b1.wav"), group_is="speaker", domain="speech", notes=reading.notes(),
        licence="non-commercial use with acknowledgement",
    )  # fmt: skip


def slurp(root: Path) -> Task:
    """Intents, by the raw field that ARCH takes."""
    return _slurp(root, "slurp", lambda row: row["intent"])


def slurp_action(root: Path) -> Task:
    """Intents, by scenario and action."""
    return _slurp(root, "slurp-action", lambda row: f"{row['scenario']}_{row['action']}")


def _slurp(root: Path, name: str, label: Any) -> Task:
    audio = root_of(root, "slurp_real/*.flac") / "slurp_real"
    text = root_of(root, "train.jsonl", "dataset/slurp/train.jsonl")
    if not (text / "train.jsonl").is_file():
        text = text / "dataset" / "slurp"
    reading = Reading(name, "speech", audio, expected=72_396)
    speakers = _slurp_speakers(text / "metadata.json")
    for stem, part in _SLURP_PARTS:
        for row in _json_lines(text / f"{stem}.jsonl"):
            for recording in row["recordings"]:
                file = recording["file"]
                reading.add(file, (label(row),), group=speakers.get(file, ""), part=part, check=True)
    if not speakers:
        reading.remarks.append("metadata.json is not there: speakers are unknown, and intervals treat clips as unlike")
    return Task(
        name, reading.found("slurp_real/audio-1488.flac"), group_is="speaker", disjoint=False, official=True,
        leak="the official division is by sentence: speakers are in train and in test", domain="speech",
        notes=reading.notes(), licence="CC BY-NC 4.0",
    )  # fmt: skip


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise InvalidProbe(f"{path} is missing; SLURP's texts are in dataset/slurp of its repository.")
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                if not {"intent", "scenario", "action", "recordings"} <= set(row):
                    raise InvalidProbe(f"{path}:{number} lacks intent, scenario, action or recordings.")
            except json.JSONDecodeError as error:
                raise InvalidProbe(f"{path}:{number} is not JSON: {error.msg}.") from error
            yield row


def _slurp_speakers(path: Path) -> dict[str, str]:
    """Audio file -> speaker; nothing where the file is not there."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            file: str(facts["usrid"])
            for sentence in found.values()
            for file, facts in sentence.get("recordings", {}).items()
            if facts.get("usrid")
        }
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise InvalidProbe(f"{path} is not SLURP's metadata: {error}.") from error
