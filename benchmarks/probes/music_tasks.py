"""The four data sets of music in ARCH, as they are unpacked.

    fma-small         fma_small/000/000002.mp3 and fma_metadata/tracks.csv (two rows of heads); 8000 clips of eight
                      genres, divided by artist. Six files cannot be decoded or last a second or less, and are left out,
                      as by most users. The published protocol divides at random (`published_shares`)
    magnatagatune     0/ARTIST-ALBUM-NN-TITLE-START-END.mp3 and annotations_final.csv (tabs); 50 most frequent tags,
                      folders 0-b train, c validation, d-f test; clips without one of the 50 tags and three broken files
                      are left out, which gives 4332 test clips. Albums do not cross the division, 56 artists do
    irmas             IRMAS-TrainingData/cel/*.wav (one instrument a clip) and IRMAS-TestingData-Part{1,2,3}/*/*.wav
                      with a text of one instrument a line (1 to 5). Part 2 unpacks to a folder of another name than
                      parts 1 and 3; whatever their folders are called, texts are found beside the audio here
    medley-solos-db   Medley-solos-DB_test-0_UUID.wav and Medley-solos-DB_metadata.csv; 21 571 clips of 2.97 s; train
                      and validation come from another collection than test, with other shares of the instruments

Sources: github.com/mdeff/fma and its wiki (bad files); Law et al., ISMIR 2009, with the tag list and the division of
github.com/jordipons/musicnn-training; Zenodo 1290750; Zenodo 3464194.
"""

from __future__ import annotations

import re
from pathlib import Path

from codeczoo.benchmarks.errors import InvalidProbe
from codeczoo.benchmarks.listing import audio_names

from .reading import PART_NAMES, Reading, root_of, table
from .task import Part, Task

FMA_BAD = frozenset({98565, 98567, 98569, 99134, 108925, 133297})

MTT_TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
    "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip
MTT_BAD = frozenset({"35644", "55753", "57881"})
_MTT_FOLDERS: dict[str, Part] = {
    **dict.fromkeys("0123456789ab", "train"), "c": "validation", **dict.fromkeys("def", "test"),
}  # fmt: skip

IRMAS_INSTRUMENTS = ("cel", "cla", "flu", "gac", "gel", "org", "pia", "sax", "tru", "vio", "voi")
_IRMAS_TEST = re.compile(r"IRMAS-TestingData-Part([123])/.+\.wav", re.IGNORECASE)
_IRMAS_TRAIN = re.compile(r"IRMAS-TrainingData/(?P<label>[a-z]{3})/(?P<recording>.+?)__\d+\.wav", re.IGNORECASE)


def fma_small(root: Path) -> Task:
    """Eight genres."""
    import pandas as pd

    root = root_of(root, "fma_metadata/tracks.csv")
    if not (root / "fma_small").is_dir():
        raise InvalidProbe(f"{root} has fma_metadata, but no folder fma_small with the audio.")
    try:
        tracks = pd.read_csv(root / "fma_metadata" / "tracks.csv", index_col=0, header=[0, 1], low_memory=False)
        chosen = tracks[tracks["set", "subset"] == "small"]
        rows = zip(
            chosen.index, chosen["track", "genre_top"], chosen["artist", "id"], chosen["set", "split"], strict=True
        )
    except (KeyError, ValueError, UnicodeDecodeError) as error:
        raise InvalidProbe(f"{root}/fma_metadata/tracks.csv is not FMA's table of tracks: {error}.") from error
    reading = Reading("fma-small", "music", root, expected=8000 - len(FMA_BAD))
    for track, genre, artist, split in rows:
        number = int(track)
        if number in FMA_BAD:
            reading.left_out["known not to decode or to last two seconds at most"] += 1
            continue
        name = f"fma_small/{number // 1000:03d}/{number:06d}.mp3"
        reading.add(name, (str(genre),), group=f"artist {artist}", part=PART_NAMES.get(str(split)), check=True)
    return Task(
        "fma-small", reading.found("fma_small/000/000002.mp3"), group_is="artist", published_shares=(0.1, 0.1),
        official=True, domain="music", notes=reading.notes(), licence="each track its own",
    )  # fmt: skip


def magnatagatune(root: Path) -> Task:
    """Fifty tags, any number of them a clip."""
    root = root_of(root, "annotations_final.csv")
    reading = Reading("magnatagatune", "music", root, expected=21_108)
    for row in table(root / "annotations_final.csv", ("clip_id", "mp3_path", *MTT_TAGS), "\t"):
        name = row["mp3_path"]
        labels = tuple(tag for tag in MTT_TAGS if row[tag] == "1")
        if row["clip_id"] in MTT_BAD:
            reading.left_out["known to be broken"] += 1
        elif not labels:
            reading.left_out["without one of the 50 tags"] += 1
        elif (part := _MTT_FOLDERS.get(name.partition("/")[0])) is not None:
            artist = name.partition("/")[2].partition("-")[0]
            reading.add(name, labels, group=f"artist {artist}", part=part, check=True)
    return Task(
        "magnatagatune", reading.found("0/american_bach_soloists-j_s__bach_solo_cantatas-01-...-0-29.mp3"),
        multi_label=True, group_is="artist", disjoint=False, official=True,
        leak="the division by folder keeps albums together, not artists: 56 of 230 are on both sides", domain="music",
        notes=reading.notes(), licence="not clearly stated",
    )  # fmt: skip


def irmas(root: Path) -> Task:
    """Eleven instruments: one a training clip, any number a test clip."""
    root = root_of(root, "IRMAS-TrainingData")
    reading = Reading("irmas", "music", root, expected=6705 + 2874)
    parts: set[str] = set()
    for name in audio_names(root):
        if match := _IRMAS_TRAIN.fullmatch(name):
            if (label := match["label"].lower()) in IRMAS_INSTRUMENTS:
                # The folder, not a bracket of the name: the genre [cla] is spelt as the clarinet.
                reading.add(name, (label,), group=f"{label} {match['recording']}", part="train")
        elif match := _IRMAS_TEST.fullmatch(name):
            text = (root / name).with_suffix(".txt")
            if not text.is_file():
                reading.left_out["without a text of its instruments"] += 1
                continue
            labels = {line.strip() for line in text.read_text(encoding="utf-8").splitlines()} & set(IRMAS_INSTRUMENTS)
            recording = re.sub(r"-\d+$", "", text.stem)
            reading.add(name, tuple(sorted(labels)), group=f"test {recording}", part="test")
            parts.add(match[1])
    if missing := sorted({"1", "2", "3"} - parts):
        reading.remarks.append(f"test part {', '.join(missing)} is not there: results are of the others alone")
    return Task(
        "irmas", reading.found("IRMAS-TrainingData/cel/[cel][cla]0001__1.wav"), multi_label=True, group_is="recording",
        official=True, domain="music", notes=reading.notes(), licence="CC BY-NC-SA 3.0",
    )  # fmt: skip


def medley_solos_db(root: Path) -> Task:
    """Eight instruments."""
    root = root_of(root, "Medley-solos-DB_metadata.csv")
    audio = root if any(root.glob("Medley-solos-DB_*.wav")) else root / "Medley-solos-DB"
    reading = Reading("medley-solos-db", "music", audio, expected=21_571)
    needed = ("subset", "instrument", "instrument_id", "uuid4")
    for row in table(root / "Medley-solos-DB_metadata.csv", needed):
        name = f"Medley-solos-DB_{row['subset']}-{row['instrument_id']}_{row['uuid4']}.wav"
        # One copy of the table calls the recording `track_id`.
        song = row.get("song_id") or row.get("track_id") or ""
        part = PART_NAMES.get(row["subset"])
        group = f"recording {row['subset']} {song}" if song else ""
        reading.add(name, (row["instrument"],), group=group, part=part, check=True)
    return Task(
        "medley-solos-db", reading.found("Medley-solos-DB_test-0_0a282672-c22c-59ff-faaa-ff9eb73fc8e6.wav"),
        group_is="recording", official=True, domain="music", notes=reading.notes(), licence="CC BY 4.0",
    )  # fmt: skip
