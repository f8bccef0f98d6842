"""What a safetensors file of this project says of its model, from its header alone: no tensor is read, nor torch
imported.

Two entries of the metadata, JSON each: `config`, the hyper-parameters, and `facts`: whole numbers from 1 on
(`parameters`, and what else a family counts), and text (`domain`, `training_data`, `weights_licence`, `source`,
`notes`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import WeightsCorrupt, WeightsMissing

TEXTS = ("domain", "training_data", "weights_licence", "source", "licence", "notes")


def metadata_of(path: Path, form: str, refusal: str) -> Mapping[str, str]:
    """The metadata of a file whose `format` is `form`. Raises WeightsMissing, and WeightsCorrupt, with `refusal` where
    the format is another."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise WeightsMissing(f"There is no file {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsCorrupt(f"{path} is damaged, or no safetensors file: {error}.") from error
    if metadata.get("format") != form:
        raise WeightsCorrupt(refusal)
    return metadata


def stated_facts(path: Path, metadata: Mapping[str, str], numbers: Sequence[str]) -> dict[str, Any]:
    """The facts, `numbers` among them. Raises WeightsCorrupt."""
    facts = stated_table(path, metadata, "facts")
    for key in numbers:
        if type(facts.get(key)) is not int or facts[key] < 1:
            raise WeightsCorrupt(f"{path} is damaged: its {key} is {facts.get(key)!r}, not a whole number from 1 on.")
    for key in TEXTS:
        if not isinstance(facts.get(key, ""), str):
            raise WeightsCorrupt(f"{path} is damaged: its {key} is {facts[key]!r}, not text.")
    return facts


def stated_table(path: Path, metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    """A table of the metadata. Raises WeightsCorrupt."""
    try:
        return dict(json.loads(metadata[key]))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsCorrupt(f"{path} is damaged: its {key} cannot be read: {error}.") from error
