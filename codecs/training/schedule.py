"""What changes from step to step, as pure functions of the step: nothing of it has to be saved to resume exactly.

Steps count from 1; step n is the n-th time that the optimisers move.
"""

from __future__ import annotations

import numpy as np

from .recipe import Recipe


def bandwidth_id(recipe: Recipe, step: int) -> int:
    """The id that step's batch is decoded with, drawn evenly; the same on every process.

    The published models have four ids and were trained with all of them alike (spec: they stand for the same rate).
    """
    # The raw words of a counter-based generator, as crops are drawn: NumPy guarantees them for ever.
    generator = np.random.Philox(
        key=np.array([recipe.seed, 1], np.uint64), counter=np.array([0, 0, step, 0], np.uint64)
    )
    return int(generator.random_raw()) * recipe.model.bandwidths >> 64


def adversarial(recipe: Recipe, step: int) -> bool:
    """Whether the discriminators have joined."""
    return step > recipe.adversarial_from
