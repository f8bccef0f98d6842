"""Two processes on a CPU: the same weights and codebook on both, and those that one process gets of the whole batch."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

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
import accelerate

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


@pytest.mark.parametrize("procedure", ["joint", pytest.param("alternating", marks=pytest.mark.slow)])
def test_two_processes_are_one(
    small_recipe_file: Path, voices: Path, tmp_path: Path, one_thread_environment: dict[str, str], procedure: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # As many entries as a process has frames: the steps before there is a codebook do not depend on the shares.
    changes = [
        f"procedure={procedure}",
        "model.entries=100",
        "codebook.init_sample=160",
        "steps=5",
        "adversarial_from=1",
    ]
    command = [sys.executable, "-c", SCRIPT, str(small_recipe_file), str(voices), str(tmp_path), str(port), *changes]
    done = subprocess.run(command, env=one_thread_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, *two = (torch.load(tmp_path / f"{name}.pt") for name in ("one-0", "two-0", "two-1"))
    resumed = torch.load(tmp_path / "resumed-1.pt")
    for name, value in two[0].items():
        if name != "scores":
            assert torch.equal(value, two[1][name]), name
            assert torch.equal(value, resumed[name]), name
    logs = [train_log.read(tmp_path / name) for name in ("one", "two")]
    for whole, shared in zip(logs[0][:2], logs[1][:2], strict=True):
        # Further on, rounding decides signs of what is nearly 0, and AdamW makes whole steps of them.
        for name in ("generator/total", "generator/mel", "generator/gradient"):
            assert shared[name] == pytest.approx(whole[name], rel=1e-3)
    assert logs[1][1]["discriminator/gradient"] == pytest.approx(logs[0][1]["discriminator/gradient"], rel=1e-3)
    assert two[0]["quantizer.inited"].item() == 1
    assert two[0]["scores"] == two[1]["scores"] == resumed["scores"]
    assert two[0]["scores"]["mel"] == pytest.approx(one["scores"]["mel"], rel=0.02)
