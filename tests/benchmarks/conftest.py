"""Requests on real clips, cheap enough to run many times, synthetic records, and a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from codeczoo.benchmarks import corpora
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.listing import ListedCorpus
from codeczoo.benchmarks.request import Point, Request, points

from . import synthetic
from .browser import Browser, executable


@pytest.fixture
def request_of(tmp_path: Path) -> Callable[..., Request]:
    """Makes a request that scores in this process, in the folder `tmp_path/run`."""

    def make(
        clips: Sequence[Clip],
        codecs: Sequence[str | Point] = ("opus@12kbps", "g722@64kbps"),
        metrics: Sequence[str] = ("stoi", "si_sdr_aligned"),
        **changes: object,
    ) -> Request:
        named = [points([codec])[0] if isinstance(codec, str) else codec for codec in codecs]
        corpus = ListedCorpus("test", lambda: iter(clips), len(clips))
        made = Request(tuple(named), corpus, tuple(metrics), tmp_path / "run", workers=0)
        return replace(made, **changes)

    return make


@pytest.fixture
def demo_clips(demo_audio: Path) -> list[Clip]:
    """Four short clips of real speech."""
    assert demo_audio.is_dir()
    return sorted(corpora.demo(), key=lambda clip: clip.path.stat().st_size)[:4]


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """Makers of records and facts: `record`, `run`, `fact`, and the `facts` of every metric in them."""
    return SimpleNamespace(record=synthetic.record, run=synthetic.run, fact=synthetic.fact, facts=synthetic.FACTS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    binary = executable()
    if binary is None:
        pytest.skip("needs Chromium or Chrome: apt-get install chromium, or name it in CODECZOO_CHROMIUM")
    with Browser(binary) as running:
        yield running
