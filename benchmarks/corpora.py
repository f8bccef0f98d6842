"""Corpora: which clips are measured. A folder, a glob, a manifest, an official data set or the demo clips.

`resolve` is what `--corpus` takes:

    demo                                    27 clips of real speech from the optional package of the extra `demo`
    librispeech:/data/LibriSpeech           an official data set as it was unpacked (`LAYOUTS` of layouts.py)
    /data/clips, "/data/*/clean/*.wav"      every audio file below a folder, or that a pattern stands for
    /data/clips/manifest.csv                a table (manifest.py)
    /data/clips/one.wav                     one file

Nothing here opens audio, except that `cut` and `passages` read headers: a missing or broken file costs its own record
only. A corpus without clips is an error, never an empty table.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from codeczoo.codecs.clip_names import as_text

from .audio import AUDIO_SUFFIXES
from .clip import Clip, Corpus
from .errors import InvalidCorpus, UnknownSuite
from .layouts import LAYOUTS, layout
from .listing import ListedCorpus, audio_names, check_folder, folder_name, listed, warn_of_unread
from .manifest import SUFFIXES as MANIFEST_SUFFIXES
from .manifest import manifest
from .passages import passages
from .selection import Where, cut, filtered, lasting, take

_WILDCARDS = "*?["


def descriptions() -> dict[str, str]:
    """Corpora that have a name, with what they are; all but `demo` are given as NAME:FOLDER."""
    return {
        "demo": "27 clips of real speech in nine languages at 16 kHz, from the extra `demo`; no download beside it",
        **{f"{name}:FOLDER": known.description for name, known in LAYOUTS.items()},
    }


def names() -> tuple[str, ...]:
    """Corpora that have a name; all but `demo` need the folder where the data set is: `ljspeech:/data/LJSpeech-1.1`."""
    return ("demo", *LAYOUTS)


def folder(root: Path) -> Corpus:
    """Every audio file below a folder. Raises InvalidCorpus."""
    check_folder(root)
    warn_of_unread(root)
    return listed(
        folder_name(root),
        lambda: (Clip(as_text(name), root / name) for name in audio_names(root)),
        empty=f"{root} holds no audio: no file in it ends in {', '.join(AUDIO_SUFFIXES)}.",
    )


def matching(pattern: str) -> Corpus:
    """The audio files that a shell pattern stands for (`**` goes through folders). Names are relative to the last
    folder before the first wildcard. Raises InvalidCorpus."""
    parts = PurePath(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if any(letter in part for letter in _WILDCARDS))
    root, rest = Path(*parts[:fixed]), str(PurePath(*parts[fixed:]))
    check_folder(root)

    def clips() -> Iterator[Clip]:
        found = (path for path in root.glob(rest) if path.suffix.lower() in AUDIO_SUFFIXES and not path.is_dir())
        for parts in sorted(path.relative_to(root).parts for path in found):
            if not any(part.startswith(".") for part in parts):
                yield Clip(as_text("/".join(parts)), root.joinpath(*parts))

    return listed(folder_name(root), clips, empty=f"No audio file ({', '.join(AUDIO_SUFFIXES)}) matches {pattern}.")


def single(path: Path) -> Corpus:
    """One audio file."""
    return ListedCorpus(as_text(path.stem), lambda: iter((Clip(as_text(path.name), path),)), 1)


def demo() -> Corpus:
    """27 clips of real 16 kHz speech in nine languages, out of the installed package pytest-audioeval; the label is the
    language. Raises InvalidCorpus where the package is not installed."""
    # Found without importing it: the package is a plug-in of pytest.
    found = importlib.util.find_spec("pytest_audioeval")
    if found is None or not found.submodule_search_locations:
        raise InvalidCorpus("The demo clips are not installed: pip install 'codeczoo[demo]'.")
    root = Path(found.submodule_search_locations[0]) / "samples" / "audio"
    check_folder(root)

    def clips() -> Iterator[Clip]:
        for name in audio_names(root):
            language = name.partition("/")[0]
            yield Clip(name, root / name, domain="speech", dataset="pytest-audioeval", label=language)

    return listed("demo", clips, empty=f"{root} holds no audio: reinstall 'codeczoo[demo]'.", licence="MIT")


def resolve(
    text: str,
    *,
    where: Where | None = None,
    split: str | None = None,
    duration_s: tuple[float, float] | None = None,
    segment_s: float | None = None,
    lengths_s: Sequence[float] | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Corpus:
    """The corpus that `text` names. In this order: only clips of `split` and `where` that last `duration_s` (least and
    most), then `limit` files of them drawn by `seed`, then each cut into stretches of `segment_s`; with `lengths_s`,
    pieces of `limit` passages that the clips are joined to (passages.py). Raises InvalidCorpus, UnknownSuite."""
    if lengths_s is not None and segment_s is not None:
        raise InvalidCorpus("Clips are cut by --segment-s or joined and cut by --lengths-s; give one of the two.")
    conditions = dict(where or {})
    name, _, root = text.partition(":")
    path = Path(text).expanduser()
    if root and name in LAYOUTS:
        corpus = filtered(layout(name, Path(root).expanduser(), split), conditions)
    else:
        if split is not None:
            conditions["split"] = (split,)
        if path.suffix.lower() in MANIFEST_SUFFIXES and (path.is_file() or not _is_pattern(text)):
            corpus = manifest(path, where=conditions)
        else:
            corpus = filtered(_plain(text, path), conditions)
    if duration_s is not None:
        corpus = lasting(corpus, *duration_s)
    if lengths_s is not None:
        return passages(corpus, lengths_s, limit, seed)
    if limit is not None:
        corpus = take(corpus, limit, seed)
    return corpus if segment_s is None else cut(corpus, segment_s)


def _plain(text: str, path: Path) -> Corpus:
    if text == "demo":
        return demo()
    if path.is_dir():
        return folder(path)
    if path.is_file():
        if path.suffix.lower() in AUDIO_SUFFIXES:
            return single(path)
        readable = ", ".join(AUDIO_SUFFIXES)
        raise InvalidCorpus(f"{path} is neither audio ({readable}) nor a manifest ({', '.join(MANIFEST_SUFFIXES)}).")
    if _is_pattern(text):
        return matching(str(path))
    if (name := text.rstrip(":")) in LAYOUTS:
        raise InvalidCorpus(f"{name} needs the folder where the data set is: {name}:/path/to/{LAYOUTS[name].folder}.")
    near = difflib.get_close_matches(text.partition(":")[0], names(), n=3, cutoff=0.5)
    if near or "/" not in text:
        hint = f"Nearest: {', '.join(near)}." if near else f"There are {', '.join(names())}."
        raise UnknownSuite(f"There is no corpus, file or folder named {text!r}. {hint}")
    raise InvalidCorpus(
        f"{text} does not exist; a corpus is a folder, a glob, a manifest or one of {', '.join(names())}."
    )


def _is_pattern(text: str) -> bool:
    return any(letter in text for letter in _WILDCARDS)
