"""How fast one training step is, ours beside the published procedure: `python -m codeczoo.benchmarks.training_speed`.

    published     the model's forward, without gradients; real audio and estimate are judged, one after the other, and
                  the discriminators move; the model's forward again; both are judged again, and the model moves
    alternating   the same gradients from one forward of the model, both signals judged in one call
    joint         the gradients of both from one judgement of each signal

Same networks, same batch, same AdamW, one process, the procedures in turn, the median of the rounds: what is compared
is the order of work. Lightning, in which the published code runs, freezes the discriminators while the model learns; so
does the published procedure here. Its codebook changes in both forwards.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from accelerate import Accelerator
from torch import Tensor

from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training.loader import Batch
from codeczoo.codecs.training.losses import Losses
from codeczoo.codecs.training.mel_loss import MelLoss
from codeczoo.codecs.training.recipe import Precision, Procedure, Recipe
from codeczoo.codecs.training.running import compile_networks

from .cli.text import table


@dataclass(frozen=True)
class Timed:
    """One procedure and the seconds that its steps took."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)


def published_step(recipe: Recipe, device: torch.device, audio: Tensor) -> Callable[[int], None]:
    """A step of the published procedure as a function of the step's number."""
    learning = replace(recipe, codebook=replace(recipe.codebook, update_order="reference"))
    model, judges = learning.build_model().to(device), learning.build_discriminators().to(device)
    settings = recipe.optimiser
    optimisers = [
        torch.optim.AdamW(part.parameters(), settings.learning_rate, settings.betas, weight_decay=settings.weight_decay)
        for part in (model, judges)
    ]
    losses = Losses(_OneByOne(judges), MelLoss(recipe.model.sample_rate).to(device), recipe.losses)

    def condition() -> Tensor | None:
        count = recipe.discriminators.conditions
        return torch.randint(count, (1,), device=device) if count else None

    def step(number: int) -> None:
        identity = condition()
        with torch.no_grad():
            estimate = model(audio, _id(identity)).audio
        optimisers[1].zero_grad()
        losses.discriminator_loss(audio, estimate, identity).total.backward()
        optimisers[1].step()
        identity = condition()
        made = model(audio, _id(identity))
        optimisers[0].zero_grad()
        losses.generator_loss(audio, made.audio, made.commitment, identity).total.backward()
        optimisers[0].step()

    return step


class _OneByOne(torch.nn.Module):
    """Discriminators that judge each signal in a call of its own."""

    def __init__(self, judges: torch.nn.Module) -> None:
        super().__init__()
        self.judges = judges

    def forward(self, *audios: Tensor, condition: Tensor | None = None) -> tuple[object, ...]:
        return tuple(self.judges(audio, condition=condition)[0] for audio in audios)


def _id(condition: Tensor | None) -> int:
    return 0 if condition is None else int(condition)


def our_step(
    recipe: Recipe, procedure: Procedure, accelerator: Accelerator, audio: Tensor, compiled: bool = False
) -> Callable[[int], object]:
    """A step of ours as a function of the step's number."""
    learning = replace(recipe, procedure=procedure, adversarial_from=0)
    model, judges = learning.build_model(), learning.build_discriminators()
    if compiled:
        compile_networks(model, judges)
    step = learning.build_step(accelerator, model, judges)
    count = len(audio)
    part = Batch(audio, (None,) * count, ("",) * count, (0.0,) * count)
    return lambda number: step([part], number)


def in_turn(procedures: dict[str, Callable[[int], object]], rounds: int, warm_up: int = 1) -> list[Timed]:
    """All procedures once a round."""
    seconds: dict[str, list[float]] = {name: [] for name in procedures}
    for number in range(1, warm_up + rounds + 1):
        for name, run in procedures.items():
            _wait()
            began = time.perf_counter()
            run(number)
            _wait()
            seconds[name].append(time.perf_counter() - began)
    return [Timed(name, tuple(taken[warm_up:])) for name, taken in seconds.items()]


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m codeczoo.benchmarks.training_speed", description=__doc__)
    parser.add_argument("--recipe", default="small-320")
    parser.add_argument("--batch", type=int, default=2, metavar="N", help="crops a step (default 2)")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="of a crop (default 1)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="steps of each procedure (default 5)")
    parser.add_argument("--precision", choices=("no", "bf16"), default="no", help="of ours; the published is float32")
    parser.add_argument("--compile", action="store_true", help="compile ours; the published is not")
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto")
    options = parser.parse_args(arguments)
    precision: Precision = options.precision
    accelerator = Accelerator(cpu=options.device == "cpu", mixed_precision=precision, rng_types=[])
    recipe = recipes.load(options.recipe)
    samples = round(options.seconds * recipe.model.sample_rate)
    audio = 0.1 * torch.randn(options.batch, 1, samples, device=accelerator.device)
    timed = in_turn(
        {
            "published": published_step(recipe, accelerator.device, audio),
            "alternating": our_step(recipe, "alternating", accelerator, audio, options.compile),
            "joint": our_step(recipe, "joint", accelerator, audio, options.compile),
        },
        options.rounds,
        warm_up=3 if options.compile else 1,
    )
    device = (
        torch.cuda.get_device_name() if accelerator.device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    )
    head = f"{recipe.name}: {options.batch} x {options.seconds:g} s, {device}, ours in precision {precision}"
    rows = [
        {
            "procedure": row.name,
            "steps per second": round(1 / row.median_s, 4),
            "times the published": round(timed[0].median_s / row.median_s, 3),
        }
        for row in timed
    ]
    sys.stdout.write(f"{head}\n{table(rows)}\n")


if __name__ == "__main__":
    main()
