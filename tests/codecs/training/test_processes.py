"""Two processes on a CPU: the same weights and codebook on both, and those that one process gets of the whole batch."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from codeczoo.codecs.training import train_log

SCRIPT = """\
import os, sys
from pathlib import Path
import torch
from codeczoo.codecs.training import recipe, trainer
from codeczoo.codecs.training.running import Running
from codeczoo.codecs.training.clips import find
from codeczoo.codecs.training.crops import validation_crops
from codeczoo.codecs.training.facts import describe
from codeczoo.codecs.training.validation import Validation
# What trainings import as they begin: once, and not in every process.
import accelerate, torch._dynamo, torch.distributed.tensor, torch.onnx

recipe_file, voices, run, port, *overrides = sys.argv[1:]

def train(name, until=None):
    torch.set_num_threads(1)
    made = recipe.load(recipe_file, overrides)
    clips = describe(find(Path(voices)), workers=1)
    validation = Validation(validation_crops(clips, made.crops)[:3])
    running = Running(device="cpu", tensorboard=False)
    training = trainer.Trainer(made, clips, Path(run) / name, running, validation)
    for module in training.model.modules():
        # Its masks differ between processes, and from those of one.
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    ended = training.run(until)
    rank = training.accelerator.process_index
    torch.save({**training.model.state_dict(), "scores": dict(ended.scores)}, f"{run}/{name}-{rank}.pt")

def on(processes, name, until=None):
    children = []
    for rank in range(processes):
        child = os.fork()
        if not child:
            if processes > 1:
                os.environ.update(
                    RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes),
                    MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
                )
            train(name, until)
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0

on(1, "one")
on(2, "two")
on(2, "resumed", 3)
on(2, "resumed")
"""
ENDS = ("one-0", "two-0", "two-1", "resumed-0", "resumed-1")
Run = Callable[..., tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]]


@pytest.fixture
def run(tmp_path: Path, one_thread_environment: dict[str, str]) -> Run:
    """Trains with one process, with two, and with two that are stopped after step 3; gives what each of them had."""

    def train(recipe: Path, clips: Path, *changes: str) -> Any:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-c", SCRIPT, str(recipe), str(clips), str(tmp_path), str(port), *changes]
        done = subprocess.run(command, env=one_thread_environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        one, *others = (torch.load(tmp_path / f"{name}.pt") for name in ENDS)
        return one, others[:2], others[2:]

    return train


def assert_logged_alike(folder: Path) -> None:
    """A training that was taken up prints what one prints that went through: what is counted over all processes too."""
    through, taken_up = (train_log.read(folder / name) for name in ("two", "resumed"))
    for lines in (through, taken_up):
        for line in lines:
            line.pop("steps_per_second", None)
    assert [line for line in through if "generator/mel" in line] == [
        line for line in taken_up if "generator/mel" in line
    ]


def assert_same(*states: dict[str, Any]) -> None:
    """Equal to the last bit, their scores too."""
    first, *others = states
    for other in others:
        assert other.keys() == first.keys()
        assert other["scores"] == first["scores"]
        for name, value in first.items():
            assert name == "scores" or torch.equal(value, other[name]), name


@pytest.mark.parametrize("procedure", ["joint", pytest.param("alternating", marks=pytest.mark.slow)])
def test_two_processes_are_one(run: Run, small_recipe_file: Path, voices: Path, tmp_path: Path, procedure: str) -> None:
    # As many entries as a process has frames: the steps before there is a codebook do not depend on the shares.
    one, two, resumed = run(
        small_recipe_file,
        voices,
        f"procedure={procedure}",
        "model.entries=100",
        "codebook.init_sample=160",
        "steps=5",
        "adversarial_from=1",
    )
    assert_same(*two, *resumed)
    assert_logged_alike(tmp_path)
    logs = [train_log.read(tmp_path / name) for name in ("one", "two")]
    for whole, shared in zip(logs[0][:2], logs[1][:2], strict=True):
        # Further on, rounding decides signs of what is nearly 0, and AdamW makes whole steps of them.
        for name in ("generator/total", "generator/mel", "generator/gradient"):
            assert shared[name] == pytest.approx(whole[name], rel=1e-3)
    assert logs[1][1]["discriminator/gradient"] == pytest.approx(logs[0][1]["discriminator/gradient"], rel=1e-3)
    assert two[0]["quantizer.inited"].item() == 1
    assert two[0]["scores"]["mel"] == pytest.approx(one["scores"]["mel"], rel=0.02)


def test_two_processes_make_one_codebook_of_a_unicodec(
    run: Run, small_unicodec_file: Path, labelled_voices: Path, tmp_path: Path
) -> None:
    """Of the features of both, where features passed before; also where the training is taken up at that very step."""
    one, two, resumed = run(small_unicodec_file, labelled_voices, "steps=6", "adversarial_from=4")
    assert_same(*two, *resumed)
    assert_logged_alike(tmp_path)
    whole, shared = (train_log.read(tmp_path / name) for name in ("one", "two"))
    used = [("codebook/perplexity" in line, "codebook/recent_utilisation" in line) for line in shared]
    # Of six steps and two validations: there is no codebook before step 4.
    assert used == [(False, False)] * 3 + [(True, True), (False, False), (True, True), (True, True), (False, False)]
    for name in ("codebook/perplexity", "codebook/utilisation", "codebook/recent_utilisation"):
        assert shared[3][name] == pytest.approx(whole[3][name], rel=0.1)
    for name in ("generator/total", "generator/mel", "generator/gradient"):
        assert shared[0][name] == pytest.approx(whole[0][name], rel=1e-3)
        assert shared[3][name] == pytest.approx(whole[3][name], rel=0.05)
    vectors = "quantizer.embedding.weight"
    # The same frames are drawn: no other vector is as near as their own.
    distances = torch.cdist(two[0][vectors], one[vectors])
    assert float(distances.diagonal().max()) < 0.1 * float(distances.median())
    assert two[0]["scores"]["mel"] == pytest.approx(one["scores"]["mel"], rel=0.02)


def test_two_processes_mask_frames_of_their_own(run: Run, small_unicodec_file: Path, labelled_voices: Path) -> None:
    """And learn one model: nothing that a process draws for itself parts their weights."""
    _, two, resumed = run(
        small_unicodec_file,
        labelled_voices,
        "steps=5",
        "adversarial_from=2",
        "codebook.from_step=0",
        "semantic.weight=0.01",
    )
    assert_same(*two, *resumed)


def test_two_processes_are_one_for_a_taae(run: Run, small_taae_file: Path, voices: Path, tmp_path: Path) -> None:
    one, two, resumed = run(small_taae_file, voices, "steps=5", "bottleneck.levels=[17]", "bottleneck.noise_share=0.0")
    assert_same(*two, *resumed)
    whole, shared = (train_log.read(tmp_path / name)[0] for name in ("one", "two"))
    for name in ("generator/waveform", "generator/spectrum", "discriminator/hinge", "discriminator/gradient"):
        assert shared[name] == pytest.approx(whole[name], rel=1e-3), name
    # Feature matching divides by what a process's own crops are like.
    for name in ("generator/features", "generator/total", "generator/gradient"):
        assert shared[name] == pytest.approx(whole[name], rel=0.02), name
    assert two[0]["scores"]["mel"] == pytest.approx(one["scores"]["mel"], rel=0.02)


@pytest.mark.slow
def test_two_processes_draw_noise_of_their_own(run: Run, small_taae_file: Path, voices: Path) -> None:
    _, two, resumed = run(small_taae_file, voices, "steps=5")
    assert_same(*two, *resumed)
