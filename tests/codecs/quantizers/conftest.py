"""Features and quantizers that the tests of this folder share."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test starts from the same global generator."""
    torch.manual_seed(20_261_121)
