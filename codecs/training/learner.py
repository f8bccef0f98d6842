"""One optimiser, the weights that it moves, and the guard over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from codeczoo.codecs.quantizers.shared_rows import summed

if TYPE_CHECKING:
    from accelerate import Accelerator

    from .recipe import OptimiserRecipe


class Learner:
    """AdamW over the parameters of one module."""

    def __init__(self, module: nn.Module, settings: OptimiserRecipe, accelerator: Accelerator) -> None:
        self._parameters = list(module.parameters())
        self._limit = settings.max_gradient_norm
        self._accelerator = accelerator
        self.optimiser = torch.optim.AdamW(
            self._parameters, settings.learning_rate, settings.betas, weight_decay=settings.weight_decay, fused=True
        )
        """What is saved. Steps are taken through accelerate's wrapper, which knows of float16's scaling."""
        self._stepping: Any = accelerator.prepare(self.optimiser)

    def set_rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def gradient_length(self) -> Tensor:
        """Of all gradients as one vector, float32."""
        self._accelerator.unscale_gradients(self._stepping)
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        return torch.nn.utils.get_total_norm(gradients)

    def move(self, finite: bool, length: Tensor) -> None:
        """Take the step that the gradients ask for, if they are finite, and drop them."""
        if finite and self._limit is not None:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, self._limit, length)
        if finite or self._accelerator.scaler is not None:
            # Float16's scaler skips what is not finite by itself, and takes a smaller scale from then on.
            self._stepping.step()
        self._stepping.zero_grad()


def all_finite(*values: Tensor) -> bool:
    """Whether these are finite on every process."""
    bad = summed((~torch.isfinite(torch.stack([value.detach() for value in values]))).sum())
    return not bad.item()
