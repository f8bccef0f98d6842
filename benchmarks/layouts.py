"""Official data sets as they are unpacked: who speaks, which split, which label, read from the folders' own layout.

    librispeech      test-clean/1089/134686/1089-134686-0000.flac; https://www.openslr.org/12
    libritts         test-clean/1089/134686/1089_134686_000001_000001.wav; https://www.openslr.org/60
    ljspeech         metadata.csv (id|text|normalised text) and wavs/LJ001-0001.wav; https://keithito.com/LJ-Speech-Dataset
    vctk             0.92: wav48_silence_trimmed/p225/p225_001_mic1.flac, microphone 1 only, since microphone 2 was not
                     recorded for every speaker; 0.80: wav48/p225/p225_001.wav; https://doi.org/10.7488/ds/2645
    musdb18hq        test/ARTIST - TITLE/mixture.wav; https://doi.org/10.5281/zenodo.3338373
    musdb18hq-stems  test/ARTIST - TITLE/{bass,drums,other,vocals}.wav; the label is the stem
    audioset         YTID.wav in a folder for each split, or in one; YTID may follow a Y, and be followed by _START.
                     Labels are the positive_labels of the segments files in the root (*segments*.csv), as display names
                     where class_labels_indices.csv is there too; https://research.google.com/audioset/download.html

The root is the folder that these names start from, or the one above it.
"""

from __future__ import annotations

import csv
import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .clip import Clip, Corpus
from .errors import InvalidCorpus, UnknownSuite
from .listing import audio_names, check_folder, listed


@dataclass(frozen=True)
class Layout:
    """One data set."""

    folder: str
    """What its archive unpacks to."""
    clips: Callable[[Path], Iterator[Clip]]
    """Root to clips; nothing where the root is of another layout."""
    example: str
    """A file, relative to the root."""
    licence: str
    description: str
    url: str
    """Where it is had."""


def layout(name: str, root: Path, split: str | None = None) -> Corpus:
    """The clips of a data set, of one split or of those that a shell pattern stands for (`train-*`).

    Raises UnknownSuite for the name, InvalidCorpus for the folder or the split."""
    if name not in LAYOUTS:
        raise UnknownSuite(f"There is no data set layout named {name!r}; there are {', '.join(LAYOUTS)}.")
    found = LAYOUTS[name]
    check_folder(root)
    try:
        return _listed(name, found, root, split)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidCorpus(f"{root} holds {found.folder} with a table that cannot be read: {error}.") from error


def _listed(name: str, found: Layout, root: Path, split: str | None) -> Corpus:
    root = next((at for at in (root / found.folder, root) if any(found.clips(at))), root)
    corpus = listed(
        name,
        lambda: found.clips(root),
        empty=f"{root} does not hold {found.folder} as it is unpacked: no file is named like {found.example}.",
        licence=found.licence,
    )
    if split is None:
        return corpus

    def of_split() -> Iterator[Clip]:
        return (clip for clip in corpus if clip.split and fnmatch.fnmatchcase(clip.split, split))

    present = sorted({clip.split for clip in corpus if clip.split})
    there = f"it has {', '.join(present)}" if present else "it has none"
    return listed(name, of_split, empty=f"{root} has no split {split!r}; {there}.", licence=found.licence)


def _by_pattern(pattern: str, dataset: str, domain: str) -> Callable[[Path], Iterator[Clip]]:
    """Clips whose names a regular expression matches; its groups are their facts."""
    expression = re.compile(pattern)

    def clips(root: Path) -> Iterator[Clip]:
        for name in audio_names(root) if root.is_dir() else ():
            if match := expression.fullmatch(name):
                fact = match.groupdict().get
                yield Clip(
                    name, root / name, domain=domain, dataset=dataset,
                    speaker=fact("speaker"), label=fact("label"), split=fact("split"),
                )  # fmt: skip

    return clips


_SENTENCE = re.compile(r"LJ\d{3}-\d{4}")


def _ljspeech(root: Path) -> Iterator[Clip]:
    table = root / "metadata.csv"
    if not table.is_file():
        return
    with table.open(encoding="utf-8") as file:
        for line in file:
            if _SENTENCE.fullmatch(sentence := line.partition("|")[0]):
                name = f"wavs/{sentence}.wav"
                yield Clip(name, root / name, domain="speech", dataset="ljspeech", speaker="LJ")


def _audioset(root: Path) -> Iterator[Clip]:
    if not root.is_dir():
        return
    labels = _audioset_labels(root)
    for name in audio_names(root):
        path = root / name
        if video := _VIDEO.fullmatch(path.stem):
            split = path.parent.name if "/" in name else None
            label = labels.get(video["id"])
            yield Clip(name, path, domain="sound", dataset="audioset", label=label, split=split)


_VIDEO = re.compile(r"Y?(?P<id>[\w-]{11})(_.*)?")


def _audioset_labels(root: Path) -> Mapping[str, str]:
    """YouTube id -> labels, out of whatever segments files there are."""
    names: dict[str, str] = {}
    if (classes := root / "class_labels_indices.csv").is_file():
        with classes.open(encoding="utf-8", newline="") as file:
            names = {row[1]: row[2] for row in csv.reader(file) if len(row) == 3}
    labels: dict[str, str] = {}
    for table in sorted(root.glob("*segments*.csv")):
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file, skipinitialspace=True):
                if len(row) == 4 and not row[0].startswith("#"):
                    labels[row[0]] = "; ".join(names.get(mid, mid) for mid in row[3].split(","))
    return labels


def _libri(dataset: str, file: str) -> Callable[[Path], Iterator[Clip]]:
    return _by_pattern(
        r"(?P<split>(dev|test|train)-(clean|other)(-\d+)?)/(?P<speaker>\d+)/\d+/" + file, dataset, "speech"
    )


_MUSDB = r"(?P<split>train|test)/[^/]+/"

_VCTK = r"wav48(?P<silence>_silence_trimmed)?/(?P<speaker>[ps]\d+)/\w+(?(silence)_mic1\.flac|\.wav)"

LAYOUTS: dict[str, Layout] = {
    "librispeech": Layout(
        folder="LibriSpeech",
        clips=_libri("librispeech", r"\d+-\d+-\d+\.flac"),
        example="test-clean/1089/134686/1089-134686-0000.flac",
        licence="CC BY 4.0",
        description="LibriSpeech: read English audiobooks at 16 kHz; splits such as test-clean",
        url="https://www.openslr.org/12",
    ),
    "libritts": Layout(
        folder="LibriTTS",
        clips=_libri("libritts", r"\d+_\d+_\d+_\d+\.wav"),
        example="test-clean/1089/134686/1089_134686_000001_000001.wav",
        licence="CC BY 4.0",
        description="LibriTTS: read English audiobooks at 24 kHz; splits such as test-clean",
        url="https://www.openslr.org/60",
    ),
    "ljspeech": Layout(
        folder="LJSpeech-1.1",
        clips=_ljspeech,
        example="wavs/LJ001-0001.wav and listed in metadata.csv",
        licence="public domain",
        description="LJ Speech 1.1: one reader of English at 22.05 kHz",
        url="https://keithito.com/LJ-Speech-Dataset",
    ),
    "vctk": Layout(
        folder="VCTK-Corpus-0.92",
        clips=_by_pattern(_VCTK, "vctk", "speech"),
        example="wav48_silence_trimmed/p225/p225_001_mic1.flac",
        licence="CC BY 4.0",
        description="VCTK 0.92 (microphone 1) or 0.80: 110 speakers of English at 48 kHz",
        url="https://doi.org/10.7488/ds/2645",
    ),
    "musdb18hq": Layout(
        folder="musdb18hq",
        clips=_by_pattern(_MUSDB + r"mixture\.wav", "musdb18hq", "music"),
        example="test/AM Contra - Heart Peripheral/mixture.wav",
        licence="academic use only; each track under its own licence",
        description="MUSDB18-HQ: mixtures of 150 music tracks at 44.1 kHz; splits train and test",
        url="https://doi.org/10.5281/zenodo.3338373",
    ),
    "musdb18hq-stems": Layout(
        folder="musdb18hq",
        clips=_by_pattern(_MUSDB + r"(?P<label>bass|drums|other|vocals)\.wav", "musdb18hq", "music"),
        example="test/AM Contra - Heart Peripheral/vocals.wav",
        licence="academic use only; each track under its own licence",
        description="MUSDB18-HQ: bass, drums, other and vocals of the same tracks as single clips",
        url="https://doi.org/10.5281/zenodo.3338373",
    ),
    "audioset": Layout(
        folder="audioset",
        clips=_audioset,
        example="eval/YTID.wav",
        licence="labels CC BY 4.0; the audio is its uploaders'",
        description="AudioSet or any folder of YouTube ids: sounds, with labels where the segments files are there",
        url="https://research.google.com/audioset/download.html",
    ),
}
"""Data set -> layout."""
