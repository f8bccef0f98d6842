"""What two kinds of probe have in common: what they are given and what they give back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pooling import Vectors

MODES = ("linear", "arch")


@dataclass(frozen=True, eq=False)
class Set:
    """Features with their labels."""

    features: Vectors
    """`[clips, D]`."""
    labels: NDArray[np.bool_]
    """`[clips, classes]`."""

    def classes(self) -> NDArray[np.intp]:
        """The one label of each clip."""
        return self.labels.argmax(axis=1)


@dataclass(frozen=True, eq=False)
class Answers:
    """Scores of the test clips and how they were come by."""

    scores: NDArray[np.float64]
    """`[clips, classes]`, higher is likelier."""
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the probe chose: regularisation, whether it converged."""
