"""How much of the codebook is in use, over more than one batch: a batch of few frames cannot use a large codebook.

Source of the name: S. Ji et al., "WavTokenizer", ICLR 2025, Table 5, which counts entries that occur in a test set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

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

    def share(self, step: int, accelerator: Accelerator) -> float:
        """Of the entries, how many were chosen on any process within the last `WINDOW_STEPS`. Every process calls
        this."""
        gathered: Tensor = accelerator.gather(self.last[None])  # pyright: ignore[reportAssignmentType]
        return float((gathered.amax(dim=0) > max(0, step - WINDOW_STEPS)).float().mean())
