"""How much of the codebook is in use, over more than one batch: a batch of few frames cannot use a large codebook.

Source of the name: S. Ji et al., "WavTokenizer", ICLR 2025, Table 5, which counts entries that occur in a test set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from codeczoo.codecs.quantizers.base import Quantizer, usage

if TYPE_CHECKING:
    from accelerate import Accelerator

WINDOW_STEPS = 100


class RecentUse:
    """The step at which each entry was last chosen."""

    def __init__(self, entries: int, device: torch.device) -> None:
        self.last = torch.zeros(entries, dtype=torch.int64, device=device)
        """0: never."""

    def note(self, codes: Tensor, step: int) -> None:
        """These codes were chosen in this step."""
        self.last[codes.flatten()] = step

    def of_all(self, accelerator: Accelerator) -> Tensor:
        """The step at which each entry was last chosen on any process. Every process calls this."""
        gathered: Tensor = accelerator.gather(self.last[None])  # pyright: ignore[reportAssignmentType]
        return gathered.amax(dim=0)

    def share(self, step: int, accelerator: Accelerator) -> float:
        """Of the entries, how many were chosen on any process within the last `WINDOW_STEPS`. Every process calls
        this."""
        return float((self.of_all(accelerator) > max(0, step - WINDOW_STEPS)).float().mean())


def use_of_batch(codes: Tensor, quantizer: Quantizer, accelerator: Accelerator) -> dict[str, float]:
    """How the codes `[B, K, N]` of all processes, a whole batch, use the one codebook; and how many of its entries the
    step replaced. Every process calls this with as many codes."""
    every: Tensor = accelerator.gather(codes)  # pyright: ignore[reportAssignmentType]
    found = {name: float(value[0]) for name, value in usage(every, quantizer.codebook_sizes).items()}
    return found | {"replaced": float(quantizer.replaced)}
