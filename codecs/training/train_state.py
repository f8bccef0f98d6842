"""Everything that a training is, at the end of a step: what a checkpoint holds, and how it is taken up again.

    model, discriminators     weights, buffers, the codebook with the sample it is made from
    optimisers, scaler        AdamW's moments and step counts; the scale of float16
    random                    the state of torch's generators, a row a process
    step                      from which learning rate, bandwidth ids and the position in the data follow
    used, skipped, best ...   what is counted along the way

A state is plain tables of tensors and numbers: reading it executes nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from codeczoo.codecs.errors import InvalidTraining

from .learning import Step
from .utilisation import RecentUse

if TYPE_CHECKING:
    from accelerate import Accelerator

FORMAT = "codeczoo-training-1"


@dataclass
class Counts:
    """What a training counts."""

    step: int = 0
    """Steps taken, skipped ones among them."""
    skipped: int = 0
    skipped_in_a_row: int = 0
    best_step: int | None = None
    """Of the best validation so far."""
    best_score: float | None = None
    best_undefined: int = 0
    """Crops that had no such score in it."""
    best_by: str = ""
    """What that score is, and of which crops: others are not compared with it."""
    replaced_crops: int = 0
    """Of all processes: crops whose file had gone bad."""


def capture(step: Step, counts: Counts, use: RecentUse) -> dict[str, Any]:
    """The state of all processes, which all call this."""
    scaler = step.accelerator.scaler
    return {
        "format": FORMAT,
        "model": step.model.state_dict(),
        "discriminators": step.judges.state_dict(),
        "generator_optimiser": step.generator.optimiser.state_dict(),
        "discriminator_optimiser": step.discriminator.optimiser.state_dict(),
        "scaler": None if scaler is None else scaler.state_dict(),
        "random": _random_states(step.accelerator),
        "used": use.of_all(step.accelerator),
        "counts": asdict(counts),
    }


@dataclass(frozen=True)
class Weights:
    """What a state has learnt, without how it was learning."""

    model: dict[str, Tensor]
    """Weights, buffers and codebook."""
    discriminators: dict[str, Tensor]


def weights_of(state: Any) -> Weights:
    """Raises InvalidTraining where it is not the state of a training."""
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InvalidTraining(f"It is not the state of a training that this version writes ({FORMAT}).")
    try:
        return Weights(state["model"], state["discriminators"])
    except KeyError as error:
        raise InvalidTraining(f"Its part {error} is missing.") from error


def restore(state: Any, step: Step, use: RecentUse) -> Counts:
    """Take a state up again on every process. Raises InvalidTraining where it is not one of this training."""
    weights = weights_of(state)
    try:
        step.model.load_state_dict(weights.model)
        step.judges.load_state_dict(weights.discriminators)
        step.generator.optimiser.load_state_dict(state["generator_optimiser"])
        step.discriminator.optimiser.load_state_dict(state["discriminator_optimiser"])
        if step.accelerator.scaler is not None and state["scaler"] is not None:
            step.accelerator.scaler.load_state_dict(state["scaler"])
        _restore_random(state["random"], step.accelerator)
        use.last.copy_(state["used"])
        return Counts(**state["counts"])
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise InvalidTraining(f"Its parts do not fit this training: {str(error).splitlines()[0]}") from error


def _random_states(accelerator: Accelerator) -> dict[str, Tensor]:
    """Of every process, `[processes, bytes]` a device."""
    states = {"cpu": torch.get_rng_state()}
    if accelerator.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(accelerator.device)
    gathered = {name: accelerator.gather(state[None].to(accelerator.device)) for name, state in states.items()}
    return {name: rows.cpu() for name, rows in gathered.items()}  # pyright: ignore[reportAttributeAccessIssue]


def _restore_random(states: dict[str, Tensor], accelerator: Accelerator) -> None:
    rank = accelerator.process_index
    # Cloned: of a row that is a view, torch 2.11 reads past the end, and crashes.
    torch.set_rng_state(states["cpu"][rank].clone())
    if accelerator.device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"][rank].clone(), accelerator.device)
