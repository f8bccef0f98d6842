"""The report's numbers to the page: choose clips, make their audio, write the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codeczoo.benchmarks.errors import BenchmarkError, InvalidRun
from codeczoo.benchmarks.records import Record
from codeczoo.benchmarks.report import Numbers
from codeczoo.benchmarks.statistics.sample import clip_key

from . import facts, html, level, listening
from .choice import Choice, choose
from .embed import DESCRIPTIONS, Format, likely_bytes
from .sources import RunAudio

CLIPS = 6
"""Where nobody says how many, and the codecs are few."""
MOST_VERSIONS = 120
"""Where nobody says how many clips: so many codecs times clips, but two clips at least."""
LIMIT_MB = 60.0
NAME = "page.html"

_SURELY = 2.0
"""A page of which the likely size is so many times the limit is not begun."""


@dataclass(frozen=True)
class Wanted:
    """What the page is to hold."""

    title: str
    clips: int | None = None
    """How many are to be heard; 0: none; None: see `CLIPS` and `MOST_VERSIONS`."""
    patterns: tuple[str, ...] = ()
    """Clips by name, instead of the extreme ones."""
    kind: Format = "flac"
    limit_mb: float = LIMIT_MB


@dataclass(frozen=True)
class Written:
    """What became of it."""

    path: Path
    bytes: int
    audio_bytes: int
    """Of these, embedded files."""
    heard: int
    """Versions that can be heard, references among them."""
    not_heard: tuple[str, ...]
    """Why others cannot, each reason once."""


def write(
    numbers: Numbers,
    out_dir: Path,
    audio: RunAudio,
    wanted: Wanted,
    progress: listening.Progress = lambda _codec, _done, _all: None,
) -> Written:
    """Write `page.html` below `out_dir`. Raises InvalidRun, BenchmarkError."""
    summary, clips = numbers.summary, numbers.clips
    if summary is None:
        raise InvalidRun("The records are of pieces of passages, which the page does not show; see length.md.")
    data = facts.of_summary(summary, numbers.conducts)
    codecs = list(dict.fromkeys(row.codec for group in summary.groups for row in group.rows))
    count = wanted.clips if wanted.clips is not None else max(2, min(CLIPS, MOST_VERSIONS // len(codecs)))
    choices = choose(summary, count, wanted.patterns) if count or wanted.patterns else []
    _refuse_far_too_large(choices, clips, wanted)
    made = listening.make(choices, clips, codecs, summary.metrics, audio, wanted.kind, progress)
    audio_bytes = sum(len(file.base64) for file in made.files)
    data |= {
        "title": wanted.title,
        "clips": made.clips,
        "listening": {
            "method": level.METHOD,
            "format": DESCRIPTIONS[wanted.kind],
            "mostSeconds": listening.MOST_S,
            "audioMb": round(audio_bytes / 1e6, 2),
        },
    }
    text = html.document(data, made.files)
    if len(text.encode()) > wanted.limit_mb * 1e6:
        sizes = f"{len(text.encode()) / 1e6:.1f} MB, {audio_bytes / 1e6:.1f} of them audio of {len(choices)} clips"
        raise BenchmarkError(_too_large(sizes, len(choices), wanted))
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / NAME
    path.write_text(text, encoding="utf-8", newline="\n")
    return Written(path, len(text.encode()), audio_bytes, *_counts(made))


def _refuse_far_too_large(choices: Sequence[Choice], records: Sequence[Record], wanted: Wanted) -> None:
    """Before hours of coding, not after them."""
    chosen = {choice.clip for choice in choices}
    likely = sum(
        likely_bytes(min(record["seconds"], listening.MOST_S), record["sample_rate"], wanted.kind)
        for record in records
        if record.get("seconds") and record.get("sample_rate") and clip_key(record) in chosen
    )
    if likely > _SURELY * wanted.limit_mb * 1e6:
        sizes = f"about {likely / 1e6:.0f} MB of audio of {len(choices)} clips"
        raise BenchmarkError(_too_large(sizes, len(choices), wanted))


def _too_large(sizes: str, clips: int, wanted: Wanted) -> str:
    return (
        f"The page would have {sizes}, and at most {wanted.limit_mb:g} MB are allowed. Take fewer clips (--listen "
        f"{max(1, clips // 2)}) or codecs (--codecs), --audio-format opus, or allow more: --page-mb."
    )


def _counts(made: listening.Listening) -> tuple[int, tuple[str, ...]]:
    versions = [version for clip in made.clips for version in clip["versions"]]
    reasons = [item["missing"] for item in (*made.clips, *versions) if "missing" in item]
    return len(made.files), tuple(dict.fromkeys(reasons))
