"""Suites named after the papers' tables: they agree with the printed rows, and run on data sets as these unpack."""

from __future__ import annotations

import csv
import heapq
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo import codecs
from codeczoo.benchmarks import corpora, suites
from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.errors import InvalidCorpus, InvalidSuite
from codeczoo.benchmarks.layouts import LAYOUTS
from codeczoo.benchmarks.published import papers, sets
from codeczoo.benchmarks.published.quantities import quantity
from codeczoo.benchmarks.published.systems import REFERENCE, points
from codeczoo.benchmarks.suites.official import resolve_all
from codeczoo.codecs import tokens

OF_PAPERS = tuple(name for name in suites.names() if papers.is_table(name))
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def codeczoo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Runs the command line in this process, without weights."""
    for name in ("CODECZOO_WEIGHTS", "HF_HOME", "HF_HUB_CACHE", "CODECZOO_DATA"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def data(demo_audio: Path, tmp_path: Path) -> Path:
    """A folder with LibriTTS and LJSpeech as they unpack, of short real clips."""
    root = tmp_path / "data"
    clips = sorted(demo_audio.rglob("*.wav"), key=lambda path: (path.stat().st_size, path.name))
    for number, clip in enumerate(clips[:5]):
        speaker = 100 + number // 2
        split = "test-clean" if number < 4 else "test-other"
        folder = root / "LibriTTS" / split / str(speaker) / "7"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, folder / f"{speaker}_7_{number:06}_000000.wav")
    wavs = root / "LJSpeech-1.1" / "wavs"
    wavs.mkdir(parents=True)
    for number, clip in enumerate(clips[5:7]):
        shutil.copy(clip, wavs / f"LJ001-{number:04}.wav")
    table = "".join(f"LJ001-{number:04}|x|x\n" for number in range(2))
    (root / "LJSpeech-1.1" / "metadata.csv").write_text(table, encoding="utf-8")
    return root


@pytest.mark.parametrize("name", OF_PAPERS)
def test_a_suite_names_the_codecs_of_its_table(name: str) -> None:
    """Every codec of the suite stands beside a printed row, and every printed system that we have is in the suite."""
    suite, table = suites.load(name), papers.load(name)
    where = [points(row) for row in table.rows]
    for codec in suite.codecs:
        assert any(of.covers(codec) for of in where) or name == "wavtokenizer-table8", codec
    chosen = [point for pattern in suite.codecs for point in codecs.expand(pattern)]
    for of in where:
        if of.same and of.same != (REFERENCE,):
            assert any(of.covers(point) for point in chosen), of


@pytest.mark.parametrize("name", OF_PAPERS)
def test_a_suite_measures_the_columns_of_its_table(name: str) -> None:
    suite, table = suites.load(name), papers.load(name)
    kinds = {kind for kind in table.kinds if kind not in ("none", "fact")}
    assert bool(suite.instead) == bool(kinds & {"probe", "reach"})
    if suite.instead:
        assert f"codeczoo published {name}" in suite.instead
        return
    for found in map(quantity, table.rows):
        if found.kind == "score" and found.same:
            assert found.ours[0] in suite.metrics
    if "speed" in kinds:
        assert {f"{length:g}" for length in suite.lengths_s or ()} == {
            row.metric.removeprefix("rtf_").removesuffix("s") for row in table.rows if row.metric.startswith("rtf_")
        }
        return
    named = {one.name: one for one in suite.corpora}
    assert [name for name in table.sets if "+" not in name and name] == list(named)
    for one in named.values():
        of = sets.of_name(one.name)
        assert (one.source, f"{one.split}/" if one.split else "") == (of.dataset, of.below)


def test_the_clips_of_a_suite(data: Path) -> None:
    suite = suites.load("wavtokenizer-table1")
    found = resolve_all(suite, data)
    assert [(corpus.name, len(corpus)) for corpus in found] == [
        ("libritts-test-clean", 4), ("libritts-test-other", 1), ("ljspeech", 2),
    ]  # fmt: skip
    assert {clip.split for clip in found[0]} == {"test-clean"}
    assert [len(corpus) for corpus in resolve_all(suite, data, limit=1)] == [1, 1, 1]


@pytest.mark.parametrize("root", [None, "nowhere"])
def test_what_is_missing_is_said_with_where_to_get_it(root: str | None, tmp_path: Path) -> None:
    suite = suites.load("unicodec-table2")
    with pytest.raises(InvalidCorpus) as caught:
        resolve_all(suite, None if root is None else tmp_path / root)
    text = str(caught.value)
    shown = "DATA" if root is None else str(tmp_path / root)
    for name, source, folder in (
        ("libritts-test-clean", "libritts", "LibriTTS"),
        ("musdb-test", "musdb18hq", "musdb18hq"),
        ("audioset-eval", "audioset", "audioset"),
    ):
        assert f"{name} from {LAYOUTS[source].url} to {shown}/{folder}" in text
    assert "test-clean/1089/134686/1089_134686_000001_000001.wav" in text
    assert "test/AM Contra - Heart Peripheral/mixture.wav" in text
    assert ("$CODECZOO_DATA" in text) == (root is None)
    assert "--corpus libritts:FOLDER --split test-clean" in text


def test_only_what_is_missing_is_named(data: Path) -> None:
    shutil.rmtree(data / "LJSpeech-1.1")
    with pytest.raises(InvalidCorpus) as caught:
        resolve_all(suites.load("wavtokenizer-table1"), data)
    assert "ljspeech from https://keithito.com/LJ-Speech-Dataset" in str(caught.value)
    assert "libritts-test-clean" not in str(caught.value)


def test_clips_by_their_length(data: Path) -> None:
    from codeczoo.benchmarks.audio import probe

    whole = corpora.resolve(f"libritts:{data}")
    lengths = sorted(probe(clip.path).seconds for clip in whole)
    middle = (lengths[1], lengths[3])
    assert len(corpora.resolve(f"libritts:{data}", duration_s=middle)) == 3
    with pytest.raises(InvalidCorpus, match=r"No clip of libritts is from 500 to 600 s long"):
        corpora.resolve(f"libritts:{data}", duration_s=(500, 600))
    with pytest.raises(InvalidCorpus, match="got 6 and 5"):
        corpora.resolve(f"libritts:{data}", duration_s=(6, 5))
    broken = next(iter(whole)).path
    broken.write_bytes(b"no audio")
    assert broken in {clip.path for clip in corpora.resolve(f"libritts:{data}", duration_s=(500, 600))}


def test_from_the_suite_to_the_papers_table(data: Path, codeczoo: Cli, tmp_path: Path) -> None:
    """The author's way: bench, report; her codec stands in each section, over the clips that are of it."""
    out = tmp_path / "t1"
    command = ("bench", "--suite", "wavtokenizer-table1", "--data", data, "--workers", "0", "--no-report")
    chosen = ("--codecs", "opus@6kbps", "g722@64kbps", "--metrics", "stoi")
    status, _, err = codeczoo(*command, *chosen, "--out", out)
    assert status == 0, err
    assert "14 (codec, clip) pairs" in err
    invocations = json.loads((out / "run.json").read_text(encoding="utf-8"))["invocations"]
    assert [one["corpus"] for one in invocations] == ["libritts-test-clean", "libritts-test-other", "ljspeech"]
    assert {one["suite"] for one in invocations} == {"wavtokenizer-table1"}

    status, text, _ = codeczoo("report", out, "--no-figures")
    assert status == 0
    assert "WavTokenizer, arXiv 2408.16532, Table 1: reconstruction of speech" in text
    parts = text.partition("arXiv 2408.16532")[2].split("### ")
    for title, clips in (("LibriTTS test-clean", 4), ("LibriTTS test-other", 1), ("LJSpeech", 2)):
        section = next(part for part in parts if part.startswith(title))
        lines = {line.split(" | ")[0].strip("| `"): line for line in section.splitlines() if line.startswith("|")}
        assert lines["opus@6kbps` (ours)"].endswith(f"| {clips} |")
        assert "WavTokenizer" in lines
    assert "Clips of LibriTTS test-clean: ours 4, the paper measured 4837." in text

    status, text, _ = codeczoo("published", "wavtokenizer-table1", out, "--match", "opus@6kbps=Encodec")
    assert status == 0
    written = (out / "report" / "published" / "wavtokenizer-table1.csv").read_text(encoding="utf-8")
    every = list(csv.DictReader(written.splitlines()))
    assert [line["verdict"] for line in every if line["codec"] == "g722@64kbps"] == ["alone"] * 3
    lines = [line for line in every if line["codec"] == "opus@6kbps"]
    assert {line["system"] for line in lines} == {"Encodec"}
    of_clips = {line["dataset"]: line["clips"] for line in lines if line["mean"]}
    assert of_clips == {"libritts-test-clean": "4", "libritts-test-other": "1", "ljspeech": "2"}

    status, _, err = codeczoo(*command, *chosen, "--out", out)
    assert status == 0
    assert "0 measured now, 14 known" in err


def test_wrong_requests(data: Path, codeczoo: Cli, tmp_path: Path) -> None:
    suite = ("bench", "--suite", "wavtokenizer-table1", "--out", tmp_path / "x", "--codecs", "opus@6kbps")
    for extra, sentence in (
        ((), "or $CODECZOO_DATA"),
        (("--data", data, "--split", "test-clean"), "--split does not go with the data sets of wavtokenizer-table1"),
        (("--data", data, "--duration-s", "5", "10"), "--duration-s does not go with"),
    ):
        status, _, err = codeczoo(*suite, "--metrics", "stoi", *extra)
        assert status == 2
        assert sentence in err
    assert not (tmp_path / "x").exists()
    status, _, err = codeczoo("bench", "--suite", "unicodec-table5", "--out", tmp_path / "x")
    assert status == 2
    assert "codeczoo probe --codecs unicodec:base" in err
    status, _, err = codeczoo("published", "wavtokenizer-table11")
    assert status == 2
    assert "no published numbers named" in err
    status, _, err = codeczoo("published", "wavtokenizer-table1", "--match", "opus")
    assert status == 2
    assert "--match reads CODEC=SYSTEM" in err


def huffman_bits(counts: list[int]) -> int:
    """Bits of all tokens by a Huffman code: the sum of the weights of its inner nodes."""
    heap = [count for count in counts if count]
    heapq.heapify(heap)
    bits = 0
    while len(heap) > 1:
        node = heapq.heappop(heap) + heapq.heappop(heap)
        bits += node
        heapq.heappush(heap, node)
    return bits


def test_tokens_beside_the_published_ones(demo_audio: Path, codeczoo: Cli, tmp_path: Path) -> None:
    """A codec that the paper does not print, on clips of the set: what its kept tokens come to, counted once more."""
    folder = tmp_path / "LibriSpeech" / "train-clean-360" / "7" / "8"
    folder.mkdir(parents=True)
    clips = sorted(demo_audio.rglob("*.wav"), key=lambda path: (path.stat().st_size, path.name))[:2]
    for number, clip in enumerate(clips):
        samples, rate = soundfile.read(clip, dtype="float32")
        soundfile.write(folder / f"7-8-{number:04}.flac", samples, rate)
    out = tmp_path / "t9"
    command = ("bench", "--suite", "taae-table9", "--data", tmp_path, "--workers", "0", "--threads", "1", "--no-report")
    status, _, err = codeczoo(*command, "--codecs", "pcm:8", "--out", out)
    assert status == 0, err
    status, text, _ = codeczoo("published", "taae-table9", out)
    assert status == 0
    line = next(line for line in text.splitlines() if "`pcm:8` (ours)" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]

    found = [tokens.read(path) for path in (out / "tokens").rglob("*.safetensors")]
    assert len(found) == 2
    codes = np.concatenate([of.encoded.codes[0][0].numpy() for of in found])
    counts = np.bincount(codes, minlength=256)
    shares = counts[counts > 0] / counts.sum()
    entropy = -float(np.sum(shares * np.log2(shares))) / 8
    seconds = sum(soundfile.info(str(path)).duration for path in folder.iterdir())
    assert f"{entropy:.3f}" in cells
    assert f"{huffman_bits(counts.tolist()) / seconds:.1f}" in cells
    assert cells[-1] == "2"
    assert "Clips of LibriSpeech train-clean-360: ours 2, the paper measured 104140." in text


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('source = "libritts"', 'source = "libri"', "`corpora.source` is 'libri'; one of librispeech, libritts"),
        ("duration_s = [5, 10]", "duration_s = [5]", "a least and a most length is needed"),
        ("duration_s = [5, 10]", "duration_s = [10, 5]", "a least and a most length is needed"),
        ("limit = 9", "limit = 0", "whole number from 1 on"),
        ("limit = 9", "limits = 9", r"unknown key `corpora\.limits`; is `limit` meant"),
        ('name = "one"', 'name = "two"', "two of `corpora` have one name"),
        ("[[corpora]]", '[corpus]\nsource = "demo"\n[[corpora]]', "exclude each other"),
    ],
)
def test_a_wrong_suite_gets_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    good = """
name = "mine"
description = "Two sets."
codecs = ["pcm:16"]
metrics = ["stoi"]
[[corpora]]
name = "one"
source = "libritts"
split = "test-clean"
duration_s = [5, 10]
limit = 9
[[corpora]]
name = "two"
source = "ljspeech"
"""
    path = tmp_path / "mine.toml"
    path.write_text(good, encoding="utf-8")
    assert [one.duration_s for one in suites.load(str(path)).corpora] == [(5, 10), None]
    path.write_text(good.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InvalidSuite, match=sentence):
        suites.load(str(path))
