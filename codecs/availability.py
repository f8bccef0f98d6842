"""Whether a codec can run on this machine, without loading it."""

from __future__ import annotations

import importlib.util

from .base import Family
from .weights import is_here

_MODULE_OF_EXTRA = {"codec2": "pycodec2", "lyra": "ai_edge_litert"}
"""Optional dependency group of codeczoo -> a module that it installs."""


def why_not(family: Family) -> str:
    """What is missing, as a phrase (`weights: codeczoo fetch dac:44khz`); empty where nothing is."""
    if family.extra and importlib.util.find_spec(_MODULE_OF_EXTRA[family.extra]) is None:
        return f"package: pip install 'codeczoo[{family.extra}]'"
    if family.weights is not None and not is_here(family.weights):
        return f"weights: codeczoo fetch {family.name}"
    return ""
