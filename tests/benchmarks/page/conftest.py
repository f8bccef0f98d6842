"""A small real run, its page, and that page in a browser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from codeczoo import codecs
from codeczoo.benchmarks import corpora, records, runner
from codeczoo.benchmarks.listing import ListedCorpus
from codeczoo.benchmarks.page import writing
from codeczoo.benchmarks.page.sources import RunAudio, RunSource, owners_of
from codeczoo.benchmarks.report import numbers_of
from codeczoo.benchmarks.request import Request, points

from .asking import opened

CODECS = ("opus@12kbps", "g722@64kbps", "g726@16kbps")


@pytest.fixture(scope="session")
def corpus(demo_audio: Path) -> ListedCorpus:
    """Three clips of real speech."""
    assert demo_audio.is_dir()
    # Some seconds each: a test that looks twice at what plays must not find it at its end on a busy machine.
    clips = sorted(corpora.demo(), key=lambda clip: clip.path.stat().st_size)[-4:-1]
    return ListedCorpus("demo", lambda: iter(clips), len(clips))


@pytest.fixture(scope="session")
def run_folder(corpus: ListedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three codecs on them, with tokens kept."""
    out = tmp_path_factory.mktemp("page") / "run"
    runner.run(Request(points(CODECS), corpus, ("stoi", "si_sdr_aligned", "mel_distance"), out, workers=0))
    return out


def audio_of(folder: Path, known: Sequence[records.Record], corpus: ListedCorpus, spool: Path) -> RunAudio:
    source = RunSource(folder, (corpus,), codecs.load)
    return RunAudio(owners_of([(source, known)]), spool)


@pytest.fixture(scope="session")
def page_file(run_folder: Path, corpus: ListedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of that run, two clips to be heard."""
    known = records.load(run_folder)
    folder = tmp_path_factory.mktemp("written")
    audio = audio_of(run_folder, known, corpus, folder)
    return writing.write(numbers_of(known, resamples=200), folder, audio, writing.Wanted("a small run", clips=2)).path


@pytest.fixture
def real(browser: Any, page_file: Path) -> Iterator[Any]:
    with opened(browser, page_file) as page:
        yield page
