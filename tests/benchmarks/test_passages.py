"""Passages: every length hears the same samples, under names that mean the same audio in any run."""

from __future__ import annotations

import itertools
import math
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from codeczoo import codecs
from codeczoo.benchmarks import audio, corpora, protocol, records, runner
from codeczoo.benchmarks import passages as module
from codeczoo.benchmarks.clip import Clip, Corpus, Part
from codeczoo.benchmarks.errors import InvalidClip, InvalidCorpus
from codeczoo.benchmarks.listing import ListedCorpus
from codeczoo.benchmarks.passages import passages, wrong_lengths
from codeczoo.benchmarks.request import Point, Request
from codeczoo.benchmarks.signal import DiskSignal
from codeczoo.codecs import Codec, Encoded, Spec

RATE = 8_000
LENGTHS = (0.5, 1.0, 3.0)


def corpus_of(clips: Iterable[Clip], name: str = "made") -> Corpus:
    held = list(clips)
    return ListedCorpus(name, lambda: iter(held), len(held))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Clip]:
    """Writes a file of noise of its own, and gives its clip."""

    def make(name: str, seconds: float, rate: int = RATE, **facts: str | None) -> Clip:
        path = tmp_path / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(zlib.crc32(name.encode())).uniform(-1, 1, round(seconds * rate))
        soundfile.write(path, noise, rate, "PCM_16")
        return Clip(f"{name}.wav", path, **facts)  # pyright: ignore[reportArgumentType]

    return make


def of_passage(corpus: Corpus) -> dict[str, dict[float, list[Clip]]]:
    """Pieces by passage and length, in the order of the corpus."""
    found: dict[str, dict[float, list[Clip]]] = {}
    for clip in corpus:
        assert clip.piece is not None
        found.setdefault(clip.piece.passage, {}).setdefault(clip.piece.length_s, []).append(clip)
    return found


def sound(pieces: Iterable[Clip]) -> np.ndarray:
    return np.concatenate([audio.clip_samples(piece)[0] for piece in pieces])


def test_pieces_of_every_length_are_the_passage_sample_for_sample(write: Callable[..., Clip]) -> None:
    clips = [write(f"{number}", seconds) for number, seconds in enumerate((1.3, 0.7001, 2.2, 4.0, 1.1))]
    whole = np.concatenate([audio.read_mono(clip.path)[0] for clip in clips])
    made = passages(corpus_of(clips), LENGTHS)
    found = of_passage(made)
    assert len(found) == 3
    assert len(made) == sum(1 for _ in made) == 3 * (6 + 3 + 1)
    for number, lengths in enumerate(found.values()):
        passage = whole[number * 3 * RATE : (number + 1) * 3 * RATE]
        assert tuple(lengths) == LENGTHS
        for length, pieces in lengths.items():
            assert [one.name for one in pieces] == [
                f"{pieces[0].piece.passage}@{length:g}s-{k + 1}"
                for k in range(len(pieces))  # pyright: ignore
            ]
            assert [audio.extent(one) for one in pieces] == [(RATE, length)] * len(pieces)
            np.testing.assert_array_equal(sound(pieces), passage)


def test_joins_are_on_record(write: Callable[..., Clip]) -> None:
    """What a piece says it consists of is what one hears, and where the parts meet is where the joins are."""
    clips = [write("a", 1.25), write("b", 0.5), write("c", 1.5)]
    longest = [clip for clip in passages(corpus_of(clips), LENGTHS) if clip.piece and clip.piece.length_s == 3.0]
    assert len(longest) == 1
    assert longest[0].piece is not None
    told = [(part.clip, part.start, part.samples) for part in longest[0].piece.parts]
    assert told == [("a.wav", 0, 10_000), ("b.wav", 0, 4_000), ("c.wav", 0, 10_000)]
    second = next(clip for clip in passages(corpus_of(clips), LENGTHS) if clip.name.endswith("@1s-2"))
    assert second.piece is not None
    assert second.piece.offset_s == 1.0
    assert [(part.clip, part.start, part.samples) for part in second.piece.parts] == [
        ("a.wav", 8_000, 2_000), ("b.wav", 0, 4_000), ("c.wav", 0, 2_000),
    ]  # fmt: skip


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=12),
    rate=st.sampled_from([8_000, 11_025, 44_100]),
)
def test_whatever_the_clips_pieces_tile_the_passage(lengths: list[int], rate: int) -> None:
    """0.05 s at 11 025 Hz is 551.25 samples: pieces differ by one, share none and leave none out."""
    parts = [Part(f"{k}", Path(f"{k}"), 7 * k, samples * rate // 1000) for k, samples in enumerate(lengths)]
    parts = [part for part in parts if part.samples]
    full, rest = module._filled(parts, round(0.2 * rate))
    assert sum(part.samples for one in [*full, rest] for part in one) == sum(part.samples for part in parts)
    for found in full:
        passage = module.Passage(rate, tuple(found), Clip("x", Path("x")))
        for pieces in of_passage(corpus_of(module.pieces(passage, (0.05, 0.1, 0.2)))).values():
            for members in pieces.values():
                assert merged([part for one in members if one.piece is not None for part in one.piece.parts]) == found


def merged(parts: Iterable[Part]) -> list[Part]:
    """Parts with those that follow each other in one file made one."""
    found: list[Part] = []
    for part in parts:
        if found and found[-1].clip == part.clip and found[-1].start + found[-1].samples == part.start:
            part = replace(found[-1], samples=found[-1].samples + part.samples)
            found.pop()
        found.append(part)
    return found


def test_ids_do_not_depend_on_the_order_or_size_of_the_corpus(write: Callable[..., Clip]) -> None:
    one = [write(f"x/{number}", 1.4, dataset="x") for number in range(6)]
    other = [write(f"a/{number}", 1.7, dataset="a") for number in range(4)]
    alone = [clip.name for clip in passages(corpus_of(one), LENGTHS)]
    assert len(alone) == 2 * 10
    assert [clip.name for clip in passages(corpus_of(reversed(one)), LENGTHS)] == alone
    assert [clip.name for clip in passages(corpus_of([*one, *other]), LENGTHS)][-20:] == alone
    assert list(passages(corpus_of([*one, *other]), LENGTHS)) == list(passages(corpus_of([*other, *one]), LENGTHS))
    changed = [*one[:5], write("x/5", 1.5, dataset="x")]
    assert [clip.name for clip in passages(corpus_of(changed), LENGTHS)] == alone, "what is used of it is the same"


def test_data_sets_rates_and_splits_are_not_joined(write: Callable[..., Clip]) -> None:
    clips = [
        write("a/1", 2.0, dataset="x"), write("b/1", 2.0, dataset="x", speaker="p"), write("b/2", 2.0, dataset="y"),
        write("b/3", 2.0, rate=16_000, dataset="y"), write("b/4", 2.0, dataset="y", split="test"),
        write("c/1", 2.0), write("c/2", 2.0), write("d/1", 2.0),
    ]  # fmt: skip
    found = [lengths[3.0][0] for lengths in of_passage(passages(corpus_of(clips), LENGTHS)).values()]
    told = [{part.clip for part in one.piece.parts} for one in found if one.piece is not None]
    assert told == [{"a/1.wav", "b/1.wav"}, {"c/1.wav", "c/2.wav"}]
    assert [(one.dataset, one.speaker) for one in found] == [("x", None), (None, None)]


def test_a_passage_has_one_voice_as_long_as_there_is_audio(write: Callable[..., Clip]) -> None:
    clips = [
        write(f"{speaker}{number}", seconds, dataset="x", speaker=speaker)
        for speaker, seconds in (("p", 2.1), ("q", 0.9), ("r", 2.0))
        for number in range(4)
    ]
    found = [lengths[3.0][0] for lengths in of_passage(passages(corpus_of(clips), LENGTHS)).values()]
    assert [one.speaker for one in found] == ["p", "p", "q", "r", "r", None]
    assert {one.dataset for one in found} == {"x"}
    mixed = found[-1].piece
    assert mixed is not None
    # What is left of p2 (0.3 s) and q3 (0.6 s) is too short to be joined to others.
    assert [(part.clip, part.start, part.samples) for part in mixed.parts] == [
        ("p3.wav", 0, 16_800), ("r3.wav", 0, 7_200),
    ]  # fmt: skip


def test_a_long_file_is_cut_into_passages(write: Callable[..., Clip]) -> None:
    clip = replace(write("long", 10.0), start_s=0.5, seconds=9.25)
    found = of_passage(passages(corpus_of([clip]), LENGTHS))
    assert len(found) == 3
    joined = np.concatenate([sound(lengths[1.0]) for lengths in found.values()])
    np.testing.assert_array_equal(joined, audio.read_mono(clip.path, 0.5, 9.0)[0])


def test_a_limit_draws_passages_and_a_smaller_one_among_those_of_a_larger(write: Callable[..., Clip]) -> None:
    corpus = corpus_of([write("long", 31.0)])
    names = [list(of_passage(passages(corpus, LENGTHS, limit, seed=1))) for limit in (2, 5, 10, 100)]
    assert [len(one) for one in names] == [2, 5, 10, 10]
    for smaller, larger in itertools.pairwise(names):
        assert set(smaller) <= set(larger)
        assert smaller == [name for name in larger if name in smaller]
    assert names[0] != list(of_passage(passages(corpus, LENGTHS, 2, seed=3)))


def test_too_little_audio_gets_a_sentence(write: Callable[..., Clip]) -> None:
    clips = [write("a", 2.0, dataset="x"), write("b", 2.9, dataset="y")]
    sentence = r"made has too little audio for one passage of 3 s: .* data set 'y' at 8000 Hz, has 2\.9 s\. Name a"
    with pytest.raises(InvalidCorpus, match=sentence):
        passages(corpus_of(clips), LENGTHS)


def test_a_file_that_cannot_be_read_is_left_out_and_named(
    write: Callable[..., Clip], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    broken = Clip("broken.wav", tmp_path / "broken.wav")
    broken.path.write_bytes(b"no samples")
    assert len(passages(corpus_of([broken, write("a", 3.5)]), LENGTHS)) == 10
    assert "broken.wav cannot be read" in caplog.text
    with pytest.raises(InvalidCorpus, match="None of the 1 clips of made can be read"):
        passages(corpus_of([broken]), LENGTHS)


@pytest.mark.parametrize(
    ("lengths", "sentence"),
    [
        ([], "there is none"),
        ([0, 3], "0 s is no length"),
        ([-1.0, 3], "-1 s is no length"),
        ([3, math.inf], "inf s is no length"),
        ([math.nan], "nan s is no length"),
        ([3, 3, 6], "3 s follows 3 s; lengths rise, and each is named once"),
        ([6, 3], "3 s follows 6 s; lengths rise"),
        ([3, 7, 60], "7 s does not fit a whole number of times into 60 s"),
    ],
)
def test_lengths_that_do_not_go_together(lengths: list[float], sentence: str) -> None:
    assert sentence in wrong_lengths(lengths)
    with pytest.raises(InvalidCorpus, match="Lengths of pieces are"):
        passages(corpus_of([]), lengths)


def test_lengths_that_do() -> None:
    for lengths in ([3, 5, 10, 30, 60], [2.5, 5.0], [0.3, 0.9], [0.1, 0.7], [60]):
        assert wrong_lengths(lengths) == ""


def test_pieces_know_their_content(write: Callable[..., Clip]) -> None:
    """One hash a piece, that changes with the samples of its own files and with nothing else."""
    clips = [write("a", 2.0), write("b", 2.0)]
    before = {clip.name: audio.content_sha256(clip) for clip in passages(corpus_of(clips), LENGTHS)}
    assert len(set(before.values())) == len(before) == 10
    write("b", 2.0, rate=RATE)
    samples, _ = soundfile.read(clips[1].path)
    soundfile.write(clips[1].path, samples[::-1], RATE, "PCM_16")
    after = {clip.name: audio.content_sha256(clip) for clip in passages(corpus_of(clips), LENGTHS)}
    assert [name.partition("@")[2] for name in before if before[name] == after[name]] == [
        "0.5s-1", "0.5s-2", "0.5s-3", "0.5s-4", "1s-1", "1s-2",
    ]  # fmt: skip
    soundfile.write(clips[1].path, samples[:100], RATE, "PCM_16")


def test_a_file_that_has_shrunk_since_costs_its_pieces(write: Callable[..., Clip]) -> None:
    clips = [write("a", 2.0), write("b", 2.0)]
    pieces = list(passages(corpus_of(clips), LENGTHS))
    write("b", 0.1)
    np.testing.assert_array_equal(audio.clip_samples(pieces[0])[0], audio.read_mono(clips[0].path, 0, 0.5)[0])
    with pytest.raises(InvalidClip, match="has changed since the passages were laid out"):
        audio.clip_samples(pieces[-1])


def test_a_long_piece_is_read_in_blocks(write: Callable[..., Clip], tmp_path: Path) -> None:
    clips = [write("a", 100.0), write("b", 100.0)]
    piece = list(passages(corpus_of(clips), (50, 150)))[-1]
    signal, rate = protocol.read_reference(piece, tmp_path / "spool", audio.content_sha256(piece))
    assert rate == RATE
    assert isinstance(signal, DiskSignal)
    np.testing.assert_array_equal(signal[:], audio.clip_samples(piece)[0])
    protocol.release(signal)


def without_timing(out: Path) -> dict[records.Key, records.Record]:
    return {
        records.key_of(one): {name: one[name] for name in one if name not in {"timing", "scoring_s"}}
        for one in records.load(out)
    }


@pytest.fixture
def speech(demo_audio: Path) -> Corpus:
    assert demo_audio.is_dir()
    return corpora.resolve("demo", lengths_s=(1, 2, 6), limit=1)


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(
    speech: Corpus, request_of: Callable[..., Request], tmp_path: Path
) -> None:
    pieces = list(speech)
    assert len(pieces) == 10
    undisturbed = request_of(pieces)
    assert runner.run(undisturbed).measured == 20
    stopped = replace(undisturbed, out=tmp_path / "stopped")
    seen = 0

    def stop(_family: str, done: int) -> None:
        nonlocal seen
        seen += done
        if seen == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run(stopped, stop)
    assert 0 < len(without_timing(stopped.out)) < 20
    again = runner.run(stopped)
    assert (again.measured, again.known) == (13, 7)
    assert without_timing(stopped.out) == without_timing(undisturbed.out)
    for one in records.load(undisturbed.out):
        assert one["seconds"] == one["piece"]["length_s"] == sum(part["seconds"] for part in one["piece"]["parts"])
        assert one["clip"].startswith(f"{one['piece']['passage']}@{one['piece']['length_s']:g}s-")


@dataclass(frozen=True)
class SlowAtFirst:
    """A codec that is slow at a length which it has not seen, as a GPU is."""

    inner: Codec
    seen: set[int]

    @property
    def spec(self) -> Spec:
        return self.inner.spec

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    def encode(self, audio: Tensor) -> Encoded:
        if audio.shape[-1] not in self.seen:
            self.seen.add(audio.shape[-1])
            time.sleep(3.0)
        return self.inner.encode(audio)

    def decode(self, encoded: Encoded) -> Tensor:
        return self.inner.decode(encoded)


def test_every_length_is_warmed_up_before_it_is_timed(speech: Corpus, request_of: Callable[..., Request]) -> None:
    codec = SlowAtFirst(codecs.load("g722@64kbps"), set())
    first_of_each = [clip for clip in speech if clip.name.endswith("-1")]
    request = request_of(first_of_each, [Point("g722@64kbps", lambda: codec)], ["si_sdr"])
    runner.run(request)
    assert codec.seen == {16_000, 32_000, 96_000}
    found = records.load(request.out)
    assert [one["seconds"] for one in found] == [1.0, 2.0, 6.0]
    assert all(one["timing"]["encode_s"] < 1.5 for one in found)
    assert all(one["timing"]["encode_rtf"] == one["timing"]["encode_s"] / one["seconds"] for one in found)
