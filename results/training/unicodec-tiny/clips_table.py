"""From an index of speech and a manifest of music and sound to the tables that the tiny UniCodec is trained on.

    python clips_table.py DATA

DATA holds train/index.csv and audio/manifest.csv with their audio, and gets training.csv and speech.csv (its speech
alone, for the fine-tuning stage), heldout.csv (the clips that are held out) and validation.csv (some of them, evenly).

* nothing of a held-out recording is trained on: speech is held out by speaker; of music and sound, excerpts of one
  recording, and notes of one instrument of one set, are on one side; ESC-10 holds out its fold 5, the instruments of
  FSDKaggle2018 their split `test`
* music and sound are little, and an epoch takes one crop a row: they are listed as overlapping stretches of 1.2 s, one
  every 0.2 s, without those that hold nothing louder than -40 dB of their file's peak (ESC-10 pads with silence). Of
  speech there are 2000 rows, of music and sound 1000 each, evenly over the lists
"""

from __future__ import annotations

import csv
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

Row = Mapping[str, str]

COLUMNS = ("path", "start_s", "end_s", "seconds", "domain", "dataset", "speaker")
FOLDERS = ("music", "sound", "probe_esc10", "probe_instruments")
ROWS = {"speech": 2000, "music": 1000, "sound": 1000}
STRETCH_S, EVERY_S = 1.2, 0.2
QUIETEST = 0.01
SPEECH_HELD_OUT, RECORDINGS_HELD_OUT = 0.02, 0.3
VALIDATION_CLIPS = 16


def main(data: Path) -> None:
    speech = [_speech(row) for row in _read(data / "train" / "index.csv")]
    others = [row for row in _read(data / "audio" / "manifest.csv") if row["path"].split("/")[0] in FOLDERS]
    kept: dict[str, list[Row]] = {"speech": [], "music": [], "sound": []}
    held_out: dict[str, list[Row]] = {"speech": [], "music": [], "sound": []}
    for row in speech:
        (held_out if _chosen(f"speaker {row['speaker']}", SPEECH_HELD_OUT) else kept)["speech"].append(row)
    for row in others:
        if _is_held_out(row):
            held_out[row["domain"]].append(_whole(row))
        else:
            kept[row["domain"]] += _stretches(row, data)
    training = {domain: _evenly(rows, ROWS[domain]) for domain, rows in kept.items()}
    _write(data / "training.csv", [row for rows in training.values() for row in rows])
    _write(data / "speech.csv", training["speech"])
    validation = [row for rows in held_out.values() for row in _evenly(rows, VALIDATION_CLIPS)]
    _write(data / "validation.csv", validation)
    _write(data / "heldout.csv", [_of_corpus(row) for rows in held_out.values() for row in rows])


def _speech(row: Row) -> Row:
    return {**row, "path": f"train/{row['shard']}", "domain": "speech"}


def _whole(row: Row) -> Row:
    return {"path": f"audio/{row['path']}", "domain": row["domain"], "dataset": row["dataset"]}


def _of_corpus(row: Row) -> Row:
    """As `codeczoo bench` takes it: a stretch has a length."""
    if not row.get("end_s"):
        return row
    return {**row, "end_s": "", "seconds": f"{float(row['end_s']) - float(row['start_s']):.3f}"}


def _is_held_out(row: Row) -> bool:
    if row["dataset"] == "esc10":
        return row["split"] == "fold5"
    if row["dataset"].startswith("fsdkaggle"):
        return row["split"] == "test"
    recording = row["label"] or re.sub(r"__\d+$", "", row["id"])
    return _chosen(f"{row['dataset']} {recording}", RECORDINGS_HELD_OUT)


def _stretches(row: Row, data: Path) -> Iterator[Row]:
    audio, rate = soundfile.read(data / "audio" / row["path"], always_2d=True)
    level = np.abs(audio).max(axis=1)
    whole = _whole(row)
    if len(level) < STRETCH_S * rate:
        yield whole
        return
    for number in range(int((len(level) / rate - STRETCH_S) / EVERY_S) + 1):
        start_s = number * EVERY_S
        part = level[round(start_s * rate) : round((start_s + STRETCH_S) * rate)]
        if part.max() >= QUIETEST * level.max():
            yield {**whole, "start_s": f"{start_s:.1f}", "end_s": f"{start_s + STRETCH_S:.1f}"}


def _chosen(key: str, share: float) -> bool:
    """By a hash of the key alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") < share * 2**64


def _evenly(rows: Sequence[Row], count: int) -> list[Row]:
    step = max(1.0, len(rows) / count)
    return [rows[int(at * step)] for at in range(min(len(rows), count))]


def _read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
