"""`codeczoo tokens`: what it counts is what is in the token files, and what is not there is said."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from codeczoo.benchmarks import records
from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.errors import BenchmarkError, InvalidRun
from codeczoo.benchmarks.report import token_table
from codeczoo.benchmarks.run_folder import RunFolder
from codeczoo.benchmarks.token_corpus import CodecTokens, gather, sources, stream_bits
from codeczoo.benchmarks.token_prediction import held_out_of, predict, predict_all, validation_of
from codeczoo.metrics import Undefined
from codeczoo.metrics.token_counts import TokenCounts
from codeczoo.metrics.token_language_model import TokenTransformer, TransformerRecipe
from codeczoo.metrics.token_ngram import NGram

NAME = "wavtokenizer:tiny-speech-216"
COMMAND = f"bench --codecs {NAME} opus@12kbps --corpus demo --limit 4 --metrics si_sdr --workers 0 --no-report --out"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("tokens") / "run"
    assert main([*COMMAND.split(), str(run)]) == 0
    return run


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A run of its own for every test, whose tokens may be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def files(run: Path) -> list[Path]:
    """Token files of the codec that has tokens."""
    return sorted(path for path in run.glob("tokens/*/*/*.safetensors") if "codes.0" in load_file(path))


def test_counts_are_those_of_the_files(run: Path) -> None:
    (found,) = gather(sources(run))
    clips = [load_file(path)["codes.0"][0].astype(int).tolist() for path in files(run)]
    expected = Counter(token for clip in clips for token in clip)
    assert found.codec == NAME
    assert (found.clips, found.not_counted) == (4, 0)
    assert {entry: int(n) for entry, n in enumerate(found.counts[0].counts) if n} == expected
    pairs = Counter(pair for clip in clips for pair in itertools.pairwise(clip))
    first, second, numbers = (array.tolist() for array in found.counts[0].pairs())
    assert dict(zip(zip(first, second, strict=True), numbers, strict=True)) == pairs
    seconds = sum(record["seconds"] for record in records.load(run) if record["codec"] == NAME)
    assert found.seconds == pytest.approx(seconds)
    assert found.bitrates.packed_bps == pytest.approx(12 * sum(expected.values()) / seconds)


def test_streams_are_as_long_as_the_sum(run: Path) -> None:
    (found,) = gather(sources(run))
    assert stream_bits(*sources(run), found) == pytest.approx(found.bitrates.huffman_bps * found.seconds)
    assert found.bitrates.entropy_bps <= found.bitrates.huffman_bps < found.bitrates.nominal_bps


def test_processes_come_to_the_same(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (alone,) = gather(sources(run))
    monkeypatch.setattr("codeczoo.benchmarks.token_corpus._CHUNK", 1)
    (together,) = gather(sources(run), jobs=2)
    assert all(
        np.array_equal(array, together.counts[0].arrays()[name]) for name, array in alone.counts[0].arrays().items()
    )
    assert (alone.seconds, alone.clips) == (pytest.approx(together.seconds), together.clips)


def test_what_is_not_there_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file is gone, one is torn; of a third the record says that it is of other audio."""
    gone, torn, _, _ = files(run)
    gone.unlink()
    torn.write_bytes(torn.read_bytes()[:50])
    lines = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    other = next(line for line in lines if line["codec"] == NAME and file_of(run, line) not in (gone, torn))
    other["clip_sha256"] = "0" * 64
    (run / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (found,) = gather(sources(run))
    assert (found.clips, found.not_counted) == (1, 3)
    assert main(["tokens", str(run)]) == 0
    assert f"`{NAME}`: tokens of 3 of 4 clips are not there" in capsys.readouterr().out


def file_of(run: Path, record: dict[str, str]) -> Path:
    return RunFolder(run).token_file(record["codec"], record["corpus"], record["clip"])


def test_the_tables(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tokens", str(run), "--group-by", "corpus", "--out", str(run / "here")]) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith(f"| `{NAME}` | 1 | 4096 |"))
    (found,) = gather(sources(run, "corpus"))
    (of,) = found.statistics
    assert f"| {of.tokens} † | {100 * of.utilisation:.1f} |" in row
    assert "fewer than 10 tokens an entry" in out
    with (run / "here" / "tokens.csv").open(newline="") as file:
        values = {
            (row["codebook"], row["quantity"]): float(row["value"]) for row in csv.DictReader(file) if row["value"]
        }
    assert values["0", "entropy_bits"] == pytest.approx(of.entropy_bits)
    with (run / "here" / "histogram.csv").open(newline="") as file:
        histogram = {int(row["entry"]): int(row["tokens"]) for row in csv.DictReader(file)}
    assert histogram == {entry: int(n) for entry, n in enumerate(found.counts[0].counts) if n}
    assert values["all", "huffman_bps"] == pytest.approx(found.bitrates.huffman_bps)
    assert {path.suffix for path in (run / "here").glob("entries.*")} == {".png", ".pdf", ".svg"}
    assert {path.suffix for path in (run / "here").glob("utilisation.*")} == {".png", ".pdf", ".svg"}
    assert "opus" not in out


def test_runs_without_tokens_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidRun, match=r"No codec that was asked for has tokens in .*; there are wavtok"):
        sources(run, codecs=lambda name: name.startswith("opus"))
    for path in files(run):
        path.unlink()
    assert main(["tokens", str(run)]) == 2
    assert "--no-tokens" in capsys.readouterr().err
    assert main(["tokens", str(run), "--jobs", "0"]) == 2
    assert main(["tokens", str(run), "--groups", "music"]) == 2
    assert "no group that matches music" in capsys.readouterr().err


def test_predictions_are_of_clips_never_seen(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (of,) = sources(run)
    names = sorted(source.cluster for source in of.clips)
    monkeypatch.setattr("codeczoo.benchmarks.token_prediction.held_out_of", lambda clusters: {names[0]})
    found = predict(of, ["ngram"])
    held_out = [source for source in of.clips if source.cluster == names[0]]
    learnt = [source for source in of.clips if source.cluster != names[0]]
    streams = [(source.codes() or [])[0] for source in held_out]
    assert [prediction.model for prediction in found] == ["ngram_1", "ngram_2", "ngram_3"]
    for order, prediction in enumerate(found, 1):
        model = NGram(4096, order, [(source.codes() or [])[0] for source in learnt])
        bits = np.concatenate([model.bits(stream) for stream in streams])
        assert prediction.bits_a_token == pytest.approx(bits.mean())
        assert prediction.bits_a_second == pytest.approx(bits.sum() / sum(source.seconds for source in held_out))
        assert (prediction.held_out_tokens, prediction.learnt_tokens) == (
            len(bits),
            sum(len((source.codes() or [])[0]) for source in learnt),
        )
        assert (prediction.nominal_bits_a_token, prediction.enough, prediction.steps) == (12.0, False, None)
    monkeypatch.setattr("codeczoo.benchmarks.token_prediction.held_out_of", lambda clusters: set())
    with pytest.raises(Undefined, match="no clips to hold out"):
        predict(of, ["ngram"])
    with pytest.raises(BenchmarkError, match="ngram and transformer; got gru"):
        predict(of, ["gru"])


def test_the_transformer_learns_validates_and_is_tried_on_different_clips(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (of,) = sources(run)
    codes = {source.cluster: source.codes() or [] for source in of.clips}
    a, b, *learnt = sorted(codes)
    recipe = TransformerRecipe(width=16, layers=1, heads=2, context=32, batch=2, validate_every=2, most_steps=4)
    where = "codeczoo.benchmarks.token_prediction"
    monkeypatch.setattr(f"{where}.TransformerRecipe", lambda: recipe)
    monkeypatch.setattr(f"{where}.held_out_of", lambda clusters: {a})
    monkeypatch.setattr(f"{where}.validation_of", lambda clusters: {b})
    model = TokenTransformer((4096,), [codes[name] for name in codes if name in learnt], [codes[b]], recipe)
    bits = model.bits(codes[a])[0]
    (found,) = predict(of, ["transformer"])
    assert (found.model, found.steps, found.parameters) == ("transformer", model.steps, model.parameters)
    assert found.bits_a_token == pytest.approx(bits.mean())
    assert found.interval is None
    assert (found.validation_tokens, found.held_out_tokens) == (len(codes[b][0]), len(bits))
    assert found.learnt_tokens == sum(len(codes[name][0]) for name in (b, *learnt))
    assert f"{recipe.identity}|held_out:0.2|validation:0.125|split:" in found.identity

    assert main(["tokens", str(run), "--predict", "ngram", "transformer"]) == 0
    text = capsys.readouterr().out
    head = next(line for line in text.splitlines() if "1-gram (bits/token)" in line).split(" | ")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{NAME}` | 12.00 |")).split(" | ")
    assert row[head.index("Transformer (bits/token)")] == f"{bits.mean():.2f}"
    (counted,) = gather(sources(run))
    assert row[head.index("Nominal (bps)")] == f"{counted.bitrates.nominal_bps:.0f}"
    assert row[head.index("Transformer (bps)")] == f"{found.bits_a_second:.0f}"
    assert f"{found.learnt_tokens} †" in text
    assert "fewer than 10 tokens an entry to learn from" in text
    stored = json.loads((run / "report/tokens/predictions.json").read_text())
    assert [of["model"] for of in stored] == ["ngram_1", "ngram_2", "ngram_3", "transformer"]
    assert stored[3]["identity"] == found.identity
    assert stored[3]["steps"] == found.steps


def test_what_cannot_be_predicted_is_said(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("codeczoo.benchmarks.token_prediction.held_out_of", lambda clusters: set(clusters))
    assert main(["tokens", str(run)]) == 0
    assert f"`{NAME}`: not predicted: no clips to learn from" in capsys.readouterr().out
    assert main(["tokens", str(run), "--predict", "none"]) == 0
    assert "not predicted" not in capsys.readouterr().out
    assert main(["tokens", str(run), "--predict", "none", "ngram"]) == 2
    assert "goes with no other model" in capsys.readouterr().err


def test_a_fifth_of_the_speakers_is_held_out() -> None:
    speakers = {f"('set', 'speaker-{number}')" for number in range(4000)}
    held_out = held_out_of(speakers)
    assert 0.18 < len(held_out) / 4000 < 0.22
    validation = validation_of(speakers - held_out)
    assert 0.11 < len(validation) / len(speakers - held_out) < 0.14
    assert not validation & held_out
    some = set(sorted(speakers)[:500])
    assert held_out_of(some) == held_out & some


def test_no_side_of_three_speakers_is_empty() -> None:
    for number in range(200):
        speakers = {f"{number}-{letter}" for letter in "abc"}
        held_out = held_out_of(speakers)
        validation = validation_of(speakers - held_out)
        assert (len(held_out), len(validation)) == (1, 1)
        assert len(held_out_of(sorted(speakers)[:2])) == 1
    assert held_out_of({"alone"}) == held_out_of(()) == validation_of({"alone"}) == frozenset()


def test_n_grams_remain_where_the_transformer_has_nothing_to_be_validated_on(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codeczoo.benchmarks.token_prediction.validation_of", lambda clusters: set())
    found, left_out = predict_all(sources(run), ["ngram", "transformer"])
    assert [of.model for of in found] == ["ngram_1", "ngram_2", "ngram_3"]
    assert list(left_out.values()) == ["not predicted by transformer: no clips to validate the transformer with"]


def of_parts(codec: str, group: str, tokens: list[int]) -> CodecTokens:
    counts = TokenCounts(16)
    counts.add(np.array(tokens))
    return CodecTokens(codec, group, (counts,), 1.0, 1, 0, (("speech", 0, 4), ("music", 4, 8), ("sound", 8, 16)))


def test_the_parts_of_a_codebook_have_columns() -> None:
    """Of each group, and of all together, where an entry that both use counts once."""
    found = [of_parts("unicodec:base", "speech", [0, 1, 1, 5]), of_parts("unicodec:base", "sound", [1, 2, 8, 9])]
    table = token_table.parts(found)
    assert table is not None
    assert table.head == ("Model", "Tokens", "Whole (%)", "Speech (%)", "Music (%)", "Sound (%)")
    rows = [[cell.text for cell in row][2:] for section in table.sections for row in section.rows]
    assert rows == [
        ["18.8", "50.0", "25.0", "0.0"],
        ["25.0", "50.0", "0.0", "25.0"],
        ["37.5", "75.0", "25.0", "25.0"],
    ]
    assert [section.title for section in table.sections] == ["speech", "sound", "all clips"]
    lines = token_table.csv_text(found).splitlines()
    assert any(line.startswith("sound,unicodec:base,0,utilisation_sound,0.25") for line in lines)
    without = [replace(of, partitions=()) for of in found]
    assert token_table.parts(without) is None
    assert "utilisation_sound" not in token_table.csv_text(without)


def test_declared_parts_come_through_the_records(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    for line in lines:
        if line["codec"] == NAME:
            assert line["codec_facts"]["partitions"] == []
            line["codec_facts"]["partitions"] = [["low", 0, 2048], ["high", 2048, 4096]]
    (run / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (found,) = gather(sources(run))
    used = found.utilisation_of_parts
    assert sum(used.values()) / 2 == pytest.approx(found.statistics[0].utilisation)
    assert main(["tokens", str(run)]) == 0
    assert "Low (%)" in (run / "report" / "tokens" / "parts.md").read_text()
