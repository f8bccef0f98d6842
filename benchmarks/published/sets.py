"""A printed data set and which clips of ours are of it: by the layout's own names, or by a corpus of that name.

A record is of `libritts-test-clean` where its corpus or its data set bears this very name, or where it is of the layout
`libritts` and its clip lies below `test-clean/`. How many clips a paper used is what that paper says, which need not be
what the archive holds (LibriTTS test-clean has 4837 clips, LibriSpeech train-clean-360 104 014, not 104 140).
"""

from __future__ import annotations

from dataclasses import dataclass

from codeczoo.benchmarks.errors import InvalidPublished
from codeczoo.benchmarks.records import Record


@dataclass(frozen=True)
class PublishedSet:
    """One data set as papers name it."""

    title: str
    domain: str
    """`speech`, `music`, `sound`; empty where it is several or not said."""
    dataset: str = ""
    """Our layout (codeczoo.benchmarks.layouts) or probe (codeczoo.benchmarks.probes.datasets)."""
    below: str = ""
    """Folder in it, with a slash: the split."""
    left_open: str = ""
    """What the paper does not say of its clips."""
    why_not: str = ""
    """Probes: why results on it are not compared."""


_RANDOM = "the papers divide it at random, with the same {who} in train and test; here none is in both"
_SEVERAL = "a clip may have several labels here and is scored by mAP; the papers call their number accuracy"

SETS: dict[str, PublishedSet] = {
    "libritts-test-clean": PublishedSet("LibriTTS test-clean", "speech", "libritts", "test-clean/"),
    "libritts-test-other": PublishedSet("LibriTTS test-other", "speech", "libritts", "test-other/"),
    "libritts-test": PublishedSet("LibriTTS test", "speech", left_open="Which subset of LibriTTS is not said."),
    "ljspeech": PublishedSet("LJSpeech", "speech", "ljspeech"),
    "librispeech-test-clean": PublishedSet("LibriSpeech test-clean", "speech", "librispeech", "test-clean/"),
    "librispeech-train-clean-360": PublishedSet(
        "LibriSpeech train-clean-360", "speech", "librispeech", "train-clean-360/"
    ),
    "musdb-test": PublishedSet(
        "MUSDB18 test", "music", "musdb18hq", "test/",
        left_open="The paper writes MusicDB and cites MUSDB18: whether mixtures or stems, whole or cut, and of which "
        "release is not said; here it is the mixtures of MUSDB18-HQ, whole.",
    ),
    "audioset-eval": PublishedSet(
        "AudioSet eval", "sound", "audioset", "eval/",
        left_open="Which of AudioSet's clips could still be had is not said.",
    ),
    "libritts-test-clean+musdb-test+audioset-eval": PublishedSet("all three", ""),
    **{
        f"mls-{language.lower()}": PublishedSet(f"MLS {language}", "speech")
        for language in ("Italian", "Polish", "Dutch", "French", "Portuguese", "German", "Spanish")
    },
    "ravdess": PublishedSet("RAVDESS", "speech", "ravdess", why_not=_RANDOM.format(who="actors")),
    "slurp": PublishedSet("SLURP", "speech", "slurp"),
    "emovo": PublishedSet("EMOVO", "speech", "emovo"),
    "audio_mnist": PublishedSet("AM", "speech", "audiomnist"),
    "fma_small": PublishedSet("FMA", "music", "fma-small", why_not=_RANDOM.format(who="artists")),
    "magnatagatune": PublishedSet("MTT", "music", "magnatagatune", why_not=_SEVERAL),
    "irmas": PublishedSet("IRMAS", "music", "irmas", why_not=_SEVERAL),
    "medley_solos_db": PublishedSet(
        "MS-DB", "music", "medley-solos-db",
        left_open="MS-DB: the papers cite MUSDB18 for it, which has no such labels.",
    ),
    "esc50": PublishedSet("ESC50", "sound", "esc-50"),
    "us8k": PublishedSet("US8K", "sound", "urbansound8k"),
    "fsd50k": PublishedSet("FSD50K", "sound", "fsd50k", why_not=_SEVERAL),
    "vivae": PublishedSet("VIVAE", "sound", "vivae"),
    "": PublishedSet("clips that are not named", ""),
}  # fmt: skip
"""Name in results/published -> what it is."""

CLIPS: dict[tuple[str, str], int] = {
    ("wavtokenizer", "libritts-test-clean"): 4837,
    ("wavtokenizer", "libritts-test-other"): 5120,
    ("wavtokenizer", "ljspeech"): 13_100,
    ("taae", "librispeech-test-clean"): 900,
    ("taae", "librispeech-train-clean-360"): 104_140,
}
"""(paper, set) -> clips it was measured on, where the paper says so."""


def of_name(name: str) -> PublishedSet:
    """The set of a name. Raises InvalidPublished."""
    if name not in SETS:
        raise InvalidPublished(f"The data set {name!r} is not known; there are {', '.join(filter(None, SETS))}.")
    return SETS[name]


def is_of(record: Record, name: str) -> bool:
    """Whether a record's clip is of the set of this name."""
    if not name:
        return False
    if name in (record.get("corpus"), record.get("dataset")):
        return True
    found = of_name(name)
    if not found.dataset or record.get("dataset") != found.dataset:
        return False
    return record["clip"].startswith(found.below) or record.get("split") == found.below.rstrip("/")
