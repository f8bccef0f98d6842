"""What can be probed: ARCH's data sets by name and folder, and labelled clips of one's own.

ravdess:/data/RAVDESS      an official data set as it is unpacked (`DATASETS`)
my/manifest.csv            columns path and label, and where known speaker, split (train, validation, test) or fold;
                           several labels a clip stand between semicolons
my/sounds                  a folder of folders, whose names are the labels
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from codeczoo.benchmarks.clip import Clip, Corpus
from codeczoo.benchmarks.errors import InvalidProbe, UnknownSuite

from . import music_tasks, sound_tasks, speech_tasks
from .reading import PART_NAMES
from .task import Example, Task

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """One data set of the benchmark."""

    read: Callable[[Path], Task]
    """Folder to task. Raises InvalidProbe, InvalidCorpus."""
    short: str
    """As the papers' tables head its column."""
    description: str


DATASETS: dict[str, Dataset] = {
    "ravdess": Dataset(speech_tasks.ravdess, "RAVDESS", "emotion of acted speech, 8 classes, 6 folds of 4 actors"),
    "slurp": Dataset(speech_tasks.slurp, "SLURP", "intent of spoken commands, raw field as ARCH, official parts"),
    "emovo": Dataset(speech_tasks.emovo, "EMOVO", "emotion of acted Italian, 7 classes, a fold an actor"),
    "audiomnist": Dataset(speech_tasks.audiomnist, "AM", "spoken digits, 10 classes, 5 folds of 12 speakers"),
    "fma-small": Dataset(music_tasks.fma_small, "FMA", "genre, 8 classes, official parts by artist"),
    "magnatagatune": Dataset(music_tasks.magnatagatune, "MTT", "50 tags a clip may have, parts by folder; mAP"),
    "irmas": Dataset(music_tasks.irmas, "IRMAS", "11 instruments, several in a test clip, official parts; mAP"),
    "medley-solos-db": Dataset(music_tasks.medley_solos_db, "MS-DB", "8 instruments, official parts"),
    "esc-50": Dataset(sound_tasks.esc50, "ESC50", "50 environmental sounds, 5 official folds"),
    "urbansound8k": Dataset(sound_tasks.urbansound8k, "US8K", "10 sounds of the city, 10 official folds"),
    "fsd50k": Dataset(sound_tasks.fsd50k, "FSD50K", "200 classes of sound a clip may have, official parts; mAP"),
    "vivae": Dataset(sound_tasks.vivae, "VIVAE", "emotion of voices without words, 6 classes, a fold a speaker"),
    "slurp-action": Dataset(speech_tasks.slurp_action, "SLURP (action)", "intent by scenario and action; not in ARCH"),
}
"""In the order of the columns of WavTokenizer's Table 3."""


def named(text: str) -> tuple[Dataset, Path] | None:
    """The data set and folder of `NAME:FOLDER` (or `NAME=FOLDER`); None where `text` is of another kind. Raises
    UnknownSuite for a known name without a folder."""
    for sign in (":", "="):
        name, _, root = text.partition(sign)
        if name in DATASETS and root:
            return DATASETS[name], Path(root).expanduser()
    if text.rstrip(":=") in DATASETS and not Path(text).exists():
        raise UnknownSuite(
            f"{text.rstrip(':=')} needs the folder where it is unpacked: {text.rstrip(':=')}:/path/to/it."
        )
    near = difflib.get_close_matches(text.partition(":")[0], DATASETS, n=1, cutoff=0.75)
    if near and ":" in text and not Path(text).exists():
        raise UnknownSuite(f"There is no data set {text.partition(':')[0]!r} to probe; did you mean {near[0]}?")
    return None


def labelled(corpus: Corpus, leaky: bool = False, cross_validate: bool = False) -> Task:
    """Clips of one's own. Raises InvalidProbe.

    `leaky`: take the division although speakers are on both sides; the results say so. `cross_validate`: pass over
    splits and folds, and draw folds."""
    clips = [replace(clip, split=None, fold=None) if cross_validate else clip for clip in corpus]
    if not any(clip.label for clip in clips):
        clips = [_by_folder(clip) for clip in clips]
    with_label = [clip for clip in clips if clip.label]
    notes: list[str] = []
    if not with_label:
        raise InvalidProbe(
            f"No clip of {corpus.name} has a label; a manifest has a column `label`, a folder has a folder a label."
        )
    if missing := len(clips) - len(with_label):
        notes.append(f"left out: {missing} clips, without a label")
        _log.warning("%d of %d clips of %s have no label and are left out.", missing, len(clips), corpus.name)
    labels = {clip.name: _labels(clip) for clip in with_label}
    folds = _folds(with_label)
    examples = tuple(
        Example(
            clip,
            labels[clip.name],
            clip.speaker or "",
            None if folds else PART_NAMES.get((clip.split or "").lower()),
            folds.get(clip.name),
        )
        for clip in with_label
    )
    if not folds:
        _refuse_unknown_parts(corpus.name, with_label)
    domains = {clip.domain for clip in with_label}
    return Task(
        _name(corpus.name, with_label),
        examples,
        multi_label=any(len(of) > 1 for of in labels.values()),
        group_is="speaker",
        disjoint=not leaky,
        leak="speakers may be in train and in test (--leaky)" if leaky else "",
        domain=next(iter(domains)) or "" if len(domains) == 1 else "",
        notes=tuple(notes),
        licence=corpus.licence,
    )


def _by_folder(clip: Clip) -> Clip:
    folder = clip.name.rpartition("/")[0].rpartition("/")[2]
    return replace(clip, label=folder or None)


def _labels(clip: Clip) -> tuple[str, ...]:
    parts = (part.strip() for part in (clip.label or "").split(";"))
    return tuple(dict.fromkeys(part for part in parts if part))


def _folds(clips: Iterable[Clip]) -> dict[str, str]:
    """Clip -> fold, by the column `fold`, or by a `split` that reads `fold1`, `fold2`, ..."""
    found = {clip.name: clip.fold for clip in clips if clip.fold}
    if found:
        return found
    splits = {clip.name: (clip.split or "").lower() for clip in clips}
    if all(split.startswith("fold") for split in splits.values()):
        return {name: split.removeprefix("fold").strip(" _-") or split for name, split in splits.items()}
    return {}


def _refuse_unknown_parts(name: str, clips: Iterable[Clip]) -> None:
    splits = {(clip.split or "").lower() for clip in clips}
    if splits == {""}:
        return
    unknown = sorted(splits - set(PART_NAMES))
    if unknown:
        shown = ", ".join(repr(split) for split in unknown[:4])
        raise InvalidProbe(
            f"{name} has clips of the split {shown}; a probe knows train, validation and test (or dev, val, eval), "
            "and folds (fold1, fold2, or a column `fold`). Choose clips with --where."
        )


def _name(corpus: str, clips: Iterable[Clip]) -> str:
    """The data set where all clips are of one: a manifest may hold many. A part of an official one, in a division of
    its own, must not go by the name of the whole."""
    datasets = {clip.dataset for clip in clips}
    only = next(iter(datasets))
    name = only if len(datasets) == 1 and only else corpus
    return f"{name} subset" if name in DATASETS else name
