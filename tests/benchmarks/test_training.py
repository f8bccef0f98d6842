"""`codeczoo train` and the scripts around it, in this process."""

from __future__ import annotations

import csv
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from codeczoo import codecs, metrics
from codeczoo.benchmarks import codebook_learning, training_ablations, training_curves, training_speed
from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.training_validation import ZooScores, decisive
from codeczoo.codecs.resampling import resample
from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training.trainer import Ended, Trainer

from ..small_training import RECIPE, write_voice

SHORTER = """\
extends = "all.toml"
steps = 6
batch_size = 2
[model]
entries = 16
[codebook]
init_sample = 60
[data]
seconds = 0.6
[pace]
checkpoint_every = 2
validate_every = 3
"""
"""Fewer steps, of clips long enough for metrics."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks gain nothing by more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "all.toml").write_text(RECIPE)
    path = tmp_path / "small.toml"
    path.write_text(SHORTER)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A manifest of clips of eight voices."""
    rows = ["path,speaker"]
    for number in range(16):
        write_voice(tmp_path / f"{number}.wav", number, 1.0)
        rows.append(f"{number}.wav,voice{number // 2}")
    manifest = tmp_path / "index.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return manifest


def train(recipe: Path, data: Path, run: Path, *more: str) -> int:
    options = ["--data", str(data), "--out", str(run), "--device", "cpu", "--hold-out", "0.3"]
    return main(["train", str(recipe), *options, *more])


def test_trained_validated_exported(
    recipe: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, copy = tmp_path / "run", tmp_path / "out" / "mine.safetensors"
    assert train(recipe, data, run, "--metrics", "stoi", "mel_distance", "--best", "mel", "--until", "3") == 0
    assert "step 3 of 6" in capsys.readouterr().out
    more = ("--metrics", "stoi", "mel_distance", "--best", "mel", "--export", str(copy))
    assert train(recipe, data, run, *more, "--training-data", "sines", "--weights-licence", "CC0") == 0
    out = capsys.readouterr().out
    assert "goes on from step 3 of 6" in out
    assert f"wavtokenizer:{copy}" in out
    lines = [json.loads(line) for line in (run / "scalars.jsonl").read_text().splitlines()]
    validated = [line for line in lines if "validation/stoi" in line]
    assert [line["step"] for line in validated] == [3, 6]
    assert {"validation/mel", "validation/mel_distance", "validation/utilisation"} <= set(validated[-1])
    assert f"{validated[-1]['validation/stoi']:.4f}" in out
    assert list((run / "tensorboard").iterdir())
    spec = codecs.spec(f"wavtokenizer:{copy}")
    assert (spec.training_data, spec.weights_licence, spec.sample_rate) == ("sines", "CC0", 16_000)
    assert "Recipe small, step 6 of 6." in spec.notes
    # Nothing is left to do: the same answer, the same file.
    before = copy.read_bytes()
    assert train(recipe, data, run, *more) == 0
    assert copy.read_bytes() == before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--steps", "7"), "steps is 7 here and 6 there"),
        (("--set", "optimiser.learning_rate=1"), "optimiser.learning_rate is 1.0 here and 0.001 there"),
        (("--hold-out", "0"), "the training clips are others"),
        (("--export", "model.pt"), "--export must end in .safetensors"),
        (("--workers", "-1"), "--workers is 0 or more"),
        (("--metrics", "stoy"), "no metric named 'stoy'"),
        (("--metrics", "stoi", "--best", "pesq_wb"), "pesq_wb is to tell which step is best, but it is not measured"),
        (("--set", "stepz=1"), "There is no key `stepz`"),
    ],
)
def test_wrong_requests_change_nothing(
    recipe: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str
) -> None:
    run = tmp_path / "run"
    assert train(recipe, data, run, "--until", "1", "--metrics") == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert train(recipe, data, run, *more) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_what_is_trained_on_is_not_validated_on(
    recipe: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    validation = ["--validation", str(data.parent / "0.wav")]
    assert main(["train", str(recipe), "--data", str(data), "--out", str(tmp_path / "run"), *validation]) == 2
    assert "0.wav is to be validated on, and 0.wav, which is trained on, holds some of it" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [("path\n", "has no rows"), ("path\nnone.wav\n", "None of the 1 training clips can be read")],
)
def test_data_that_holds_nothing(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    manifest = tmp_path / "bad.csv"
    manifest.write_text(content)
    run = tmp_path / "run"
    assert main(["train", str(recipe), "--data", str(manifest), "--out", str(run), "--hold-out", "0"]) == 2
    assert said in capsys.readouterr().err
    assert not run.exists()


def test_scores_are_those_of_a_benchmark() -> None:
    rng = np.random.default_rng(0)
    reference = (0.1 * rng.standard_normal(16_000)).astype(np.float32)
    estimate = (reference + 0.02 * rng.standard_normal(16_000)).astype(np.float32)
    got = ZooScores(("stoi", "mel_distance", "si_sdr"))(reference, estimate, 16_000)
    pair = (resample(reference, 16_000, 24_000), resample(estimate, 16_000, 24_000))
    assert got == {
        "stoi": metrics.score("stoi", reference, estimate, 16_000),
        "mel_distance": metrics.score("mel_distance", *pair, 24_000),
        "si_sdr": metrics.score("si_sdr", reference, estimate, 16_000),
    }


def test_what_a_clip_does_not_have_is_none() -> None:
    silence = np.zeros(16_000, np.float32)
    assert ZooScores(("pesq_wb", "mel_distance"))(silence, silence, 16_000) == {"pesq_wb": None, "mel_distance": 0.0}


def test_what_tells_the_best_step() -> None:
    assert decisive(("stoi", "pesq_wb"), None) == ("pesq_wb", True)
    assert decisive(("stoi",), None) == ("mel", False)
    assert decisive(("mel_distance",), "mel_distance") == ("mel_distance", False)
    with pytest.raises(BenchmarkError, match="there are stoi"):
        decisive(("stoi",), "utmos")


def test_the_procedures_side_by_side(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers of steps this small say nothing; that all three learn is what is looked at."""
    training_speed.main(["--recipe", str(recipe), "--device", "cpu", "--seconds", "0.3", "--rounds", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["published", "alternating", "joint"]
    assert lines[2].split()[-1] == "1"


def test_two_orders_of_updates(recipe: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "orders"
    options = ["--data", str(data), "--out", str(out), "--recipe", str(recipe), "--device", "cpu", "--hold-out", "0.3"]
    codebook_learning.main([*options, "--validation-clips", "2", "--set", "codebook.init_iterations=3"])
    with (out / "codebook_learning.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shown = {(row["order"], row["step"]) for row in rows if row["quantity"] == "validation/utilisation"}
    assert shown == {("ours", "3"), ("ours", "6"), ("published", "3"), ("published", "6")}
    assert (out / "codebook_learning.png").stat().st_size > 10_000


def test_an_experiment_that_is_stopped_begins_no_other_training(
    recipe: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to end while it learns in one order, it must not go on to the other."""
    out = tmp_path / "orders"
    options = ["--data", str(data), "--out", str(out), "--recipe", str(recipe), "--device", "cpu", "--hold-out", "0.3"]
    begins = Trainer.run

    def stopped(trainer: Trainer, until: int | None = None) -> Ended:
        # Not before the training listens for it.
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return begins(trainer, until)

    monkeypatch.setattr(Trainer, "run", stopped)
    with pytest.raises(SystemExit) as ended:
        codebook_learning.main([*options, "--validation-clips", "2", "--set", "steps=2000"])
    assert ended.value.code == 128 + signal.SIGTERM
    assert sorted(path.name for path in out.iterdir()) == ["ours"]


def test_curves_of_runs(tmp_path: Path) -> None:
    """What is logged every few steps is averaged over stretches, validation is not."""
    for run, level in (("a", 1.0), ("b", 2.0)):
        (tmp_path / run).mkdir()
        lines = [{"step": step, "generator/mel": level + step % 2} for step in range(1, 1001)]
        lines += [{"step": step, "validation/pesq_wb": level + step / 1000} for step in (500, 1000)]
        (tmp_path / run / "scalars.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    training_curves.main([str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out")])
    with (tmp_path / "out" / "curves.csv").open(newline="") as file:
        rows = [(row["run"], int(row["step"]), row["quantity"], float(row["value"])) for row in csv.DictReader(file)]
    mel = [row for row in rows if row[2] == "generator/mel"]
    assert mel == [
        (run, step, "generator/mel", level) for run, level in (("a", 1.5), ("b", 2.5)) for step in range(10, 1001, 10)
    ]
    assert ("b", 500, "validation/pesq_wb", 2.5) in rows
    assert (tmp_path / "out" / "curves.png").stat().st_size > 10_000
    with pytest.raises(BenchmarkError, match=r"holds no scalars\.jsonl"):
        training_curves.main([str(tmp_path / "c"), "--out", str(tmp_path / "out")])


def test_curves_of_stages_follow_one_another(tmp_path: Path) -> None:
    """And scores are by domain where a validation tells them apart."""
    scores = {"validation/pesq_wb": 1.5, "validation/pesq_wb_speech": 2.0, "validation/pesq_wb_music": 1.0}
    scores |= {"validation/utilisation": 0.5, "validation/utilisation_music": 0.25, "validation/mel_speech": 3.0}
    lines = [{"step": 2, **scores}, {"step": 4, **scores, "generator/contrastive": 7.0}]
    found = training_curves.points("first", lines) + training_curves.points("second", lines[:1])
    assert {point.quantity: point.value for point in found} == {
        "validation/mel_speech": 3.0,
        "validation/pesq_wb_speech": 2.0,
        "validation/utilisation_music": 0.25,
        "generator/contrastive": 7.0,
    }
    assert [(p.run, p.step) for p in found if p.quantity == "validation/mel_speech"] == [
        ("first", 2), ("first", 4), ("second", 2),
    ]  # fmt: skip
    drawn: list[tuple[list[float], str]] = []
    with pytest.MonkeyPatch.context() as patch:
        from matplotlib.axes import Axes

        patch.setattr(Axes, "plot", lambda _axes, x, _y, **look: drawn.append((list(x), look["color"])))
        training_curves.draw(found, tmp_path / "curves.png", stages=True)
    assert drawn[:2] == [([2, 4], "C0"), ([6], "C0")]
    assert len(drawn) == 7


def test_ablations_differ_in_one_thing(recipe: Path) -> None:
    made = training_ablations.variants(recipes.load(str(recipe)), (8, 16))
    base = made.pop("base").facts()
    changed = {
        name: {key for key, value in variant.facts().items() if base[key] != value} for name, variant in made.items()
    }
    assert set(changed) == {"codebook-8", "no-attention", "no-discriminators"}
    assert changed["codebook-8"] == {"model.entries"}
    assert changed["no-attention"] == {"model.decoder.attention"}
    assert changed["no-discriminators"] == {"adversarial_from"}


def test_ablations_from_training_to_table(
    recipe: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ablations"
    options = ["--data", str(data), "--out", str(out), "--recipe", str(recipe), "--device", "cpu", "--hold-out", "0.3"]
    training_ablations.main([*options, "--codebooks", "8", "--clips", "3", "--set", "codebook.init_iterations=3"])
    rows = [
        line.split(" | ")[0].strip("| `") for line in capsys.readouterr().out.splitlines() if line.startswith("| `")
    ]
    assert rows == ["base", "codebook-8", "no-attention", "no-discriminators"]
    clips = [json.loads(line) for line in (out / "clips.jsonl").read_text().splitlines()]
    assert len(clips) == 8
    counts = json.loads((out / "codebooks.json").read_text())
    assert len(counts["codebook-8"]) == 8
    # 3 s at 100 tokens a second, of two clips.
    assert {sum(frames) for frames in counts.values()} == {600}
    assert (out / "ablations.png").stat().st_size > 10_000


def test_how_a_codebook_is_used() -> None:
    even = training_ablations.Use((5, 5, 5, 5, 0, 0, 0, 0))
    assert (even.frames, even.utilisation, even.entropy_bits) == (20, 0.5, 2.0)
