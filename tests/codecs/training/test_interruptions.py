"""Killed at random moments, stopped by a signal, a disk that is full: what comes out is what an undisturbed run gives.

The trainings run in processes of their own. One script imports everything and then forks, since importing takes longer
than such a training.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training import train_log
from codeczoo.codecs.training.checkpoints import Checkpoints
from codeczoo.codecs.training.clips import find
from codeczoo.codecs.training.facts import describe
from codeczoo.codecs.training.running import Running
from codeczoo.codecs.training.trainer import Trainer

COMMON = """\
import os, random, signal, sys, time
from pathlib import Path
import torch
from codeczoo.codecs.training import recipe, trainer
from codeczoo.codecs.training.running import Running
from codeczoo.codecs.training.clips import find
from codeczoo.codecs.training.facts import describe
# What trainings import as they begin: once, and not in every process.
import accelerate, torch._dynamo, torch.distributed.tensor, torch.onnx

recipe_file, voices, run = sys.argv[1:4]

def train(folder, changes=(), **running):
    torch.set_num_threads(1)
    made = trainer.Trainer(
        recipe.load(recipe_file, changes),
        describe(find(Path(voices)), workers=1),
        Path(folder),
        Running(device="cpu", tensorboard=False, **running),
    )
    return made.run()
"""

KILLED = """\
draw = random.Random(int(sys.argv[4]))
log = Path(run + "/killed/scalars.jsonl")
steps = lambda: len([line for line in log.read_text().splitlines() if "learning_rate" in line]) if log.exists() else 0
killed = 0
while True:
    child = os.fork()
    if not child:
        train(run + "/killed")
        os._exit(0)
    if killed < int(sys.argv[5]):
        after = draw.randint(1, 10)
        while steps() < after and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    killed += 1
print("KILLED", killed)
"""

STAGES = """\
def stage(name, after, *changes, **running):
    for at in after:
        log = Path(run, name, "scalars.jsonl")
        child = os.fork()
        if not child:
            train(Path(run, name), changes, watch=lambda *_: time.sleep(0.03), **running)
            os._exit(0)
        while at and not (log.exists() and len(log.read_text().splitlines()) >= at):
            assert os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
            time.sleep(0.001)
        if at:
            os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == (signal.SIGKILL if at else 0)

stage("first", [None])
stage("first-killed", [3, 5, None])
if sys.argv[4:]:
    begun = dict(initial=Path(run, "first/checkpoints/step-00000008.pt"))
    stage("second", [None], *sys.argv[4:], **begun)
    stage("second-killed", [3, None], *sys.argv[4:], **begun)
"""

STOPPED = """\
child = os.fork()
if not child:
    ended = train(run + "/stopped", watch=lambda step, _: step == 5 and os.kill(os.getpid(), signal.SIGTERM))
    os._exit(40 + ended.step if ended.stopped_by == signal.SIGTERM and not ended.finished else 1)
print("STATUS", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert train(run + "/stopped").finished
"""

FULL = """\
import resource
from codeczoo.codecs.errors import TrainingFailed
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def fill(step, _):
    if step == int(sys.argv[4]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
try:
    train(run + "/full", watch=fill)
except TrainingFailed as error:
    print("ERROR", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("LEFT", sorted(os.listdir(run + "/full/checkpoints")))
assert train(run + "/full").finished
"""


@pytest.fixture
def script(
    small_recipe_file: Path, voices: Path, tmp_path: Path, one_thread_environment: dict[str, str]
) -> Callable[..., str]:
    """Runs one of the scripts with trainings in `tmp_path`; gives what it prints."""

    def run(text: str, *arguments: object, recipe: Path = small_recipe_file, clips: Path = voices) -> str:
        command = [sys.executable, "-c", COMMON + text, str(recipe), str(clips), str(tmp_path)]
        done = subprocess.run(
            [*command, *map(str, arguments)], env=one_thread_environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def undisturbed(small_recipe_file: Path, voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing happens to."""
    run = tmp_path_factory.mktemp("undisturbed")
    clips = describe(find(voices), workers=1, index=run / "facts.sqlite")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert (
        Trainer(recipes.load(str(small_recipe_file)), clips, run, Running(device="cpu", tensorboard=False))
        .run()
        .finished
    )
    torch.set_num_threads(threads)
    return run


def state(run: Path) -> dict[str, Any]:
    checkpoints = Checkpoints(run)
    return checkpoints.read(checkpoints.steps()[-1])


def assert_same(a: Path, b: Path) -> None:
    """Equal to the last bit: weights, moments, codebook, random states, counts; and the same lines in the log."""
    left, right = state(a), state(b)
    for part in ("model", "discriminators", "random"):
        assert left[part].keys() == right[part].keys()
        for name, value in left[part].items():
            assert torch.equal(value, right[part][name]), (part, name)
    for part in ("generator_optimiser", "discriminator_optimiser"):
        assert left[part]["param_groups"] == right[part]["param_groups"]
        for number, moments in left[part]["state"].items():
            for name, value in moments.items():
                assert torch.equal(value, right[part]["state"][number][name]), (part, number, name)
    assert torch.equal(left["used"], right["used"])
    assert left["counts"] == right["counts"]
    logs = [
        [{k: v for k, v in line.items() if k != "steps_per_second"} for line in train_log.read(run)] for run in (a, b)
    ]
    assert logs[0] == logs[1]


@pytest.mark.parametrize(("seed", "kills"), [(0, 3), pytest.param(1, 15, marks=pytest.mark.slow)])
def test_killed_at_random_moments(
    script: Callable[..., str], undisturbed: Path, tmp_path: Path, seed: int, kills: int
) -> None:
    assert f"KILLED {kills}" in script(KILLED, seed, kills)
    assert_same(undisturbed, tmp_path / "killed")
    assert not list((tmp_path / "killed" / "checkpoints").glob(".*"))


def test_a_unicodec_is_killed_in_two_stages(
    script: Callable[..., str], small_unicodec_file: Path, labelled_voices: Path, tmp_path: Path
) -> None:
    """Before its codebook begins, in the steps that are done again up to there, behind it; and while it masks frames,
    which the next stage draws anew."""
    masking = ("semantic.weight=0.01", "codebook.from_step=0", "scale_features=false", "steps=5", "adversarial_from=2")
    script(STAGES, *masking, recipe=small_unicodec_file, clips=labelled_voices)
    for stage in ("first", "second"):
        assert_same(tmp_path / stage, tmp_path / f"{stage}-killed")
    accuracies = [line["generator/masked_accuracy"] for line in train_log.read(tmp_path / "second")]
    assert len(accuracies) == 5


def test_a_taae_is_killed(script: Callable[..., str], small_taae_file: Path, tmp_path: Path) -> None:
    script(STAGES, recipe=small_taae_file)
    assert_same(tmp_path / "first", tmp_path / "first-killed")


def test_stopped_by_sigterm(script: Callable[..., str], undisturbed: Path, tmp_path: Path) -> None:
    """The step is finished, saved although it is none of those that are, and the next call goes on behind it."""
    assert "STATUS 45" in script(STOPPED)
    assert_same(undisturbed, tmp_path / "stopped")


@pytest.mark.parametrize(
    ("step", "unwritten", "left"),
    [
        (5, "model.safetensors cannot be written: Error while serializing: I/O error: File too large", (3,)),
        (7, "step-00000009.pt cannot be written: File too large. The checkpoint of step 6 is intact", (3, 6)),
    ],
)
def test_a_full_disk(
    script: Callable[..., str], undisturbed: Path, tmp_path: Path, step: int, unwritten: str, left: tuple[int, ...]
) -> None:
    """As the model is exported, and as a checkpoint is written."""
    said = script(FULL, step)
    assert unwritten in said
    assert f"LEFT {[f'step-{kept:08}.pt' for kept in left]}" in said
    assert_same(undisturbed, tmp_path / "full")


def test_ctrl_c_on_the_command_line(
    small_recipe_file: Path, voices: Path, tmp_path: Path, one_thread_environment: dict[str, str]
) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "codeczoo.benchmarks.cli", "train", str(small_recipe_file), "--steps", "100000"]
    where = ["--data", str(voices), "--hold-out", "0", "--out", str(run), "--device", "cpu"]
    with subprocess.Popen(
        [*command, *where], env=one_thread_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as training:
        deadline = time.monotonic() + 100
        while not list(run.glob("checkpoints/*.pt")):
            assert training.poll() is None, training.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(training.pid, signal.SIGINT)
        out, err = training.communicate(timeout=60)
    assert training.returncode == 130
    assert "small: 16000 Hz, 100 tokens/s, 32 entries" in out
    assert "stopped by SIGINT after step" in err
    assert "Traceback" not in err
    step = Checkpoints(run).steps()[-1]
    assert state(run)["counts"]["step"] == step
    assert f"after step {step} of 100000" in err
