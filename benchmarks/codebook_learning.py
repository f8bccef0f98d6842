"""What the published order of updates costs a codebook: `python -m codeczoo.benchmarks.codebook_learning --data ...`.

One recipe is trained twice on the same data, crops, fresh weights and seed; only how the codebook learns differs
(`codeczoo.codecs.quantizers.vector`):

    ours         k-means of a sample of frames, averages summed over the step, dead entries replaced so that it holds
    published    k-means of the first batch, dead entries replaced before the averages that overwrite them

The published procedure updates the codebook in both of its forwards; this one has a single forward, so that what is
shown is the order alone, to the published one's advantage or not. Utilisation and mel distance of held-out crops are
drawn over the steps, and with them the share of entries that were used in the last 100 training steps.

The same command goes on where it was stopped. OUT gets `codebook_learning.csv`, `.png`, and the runs themselves.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codeczoo.codecs.quantizers.vector import UpdateOrder
from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training import train_log
from codeczoo.codecs.training.clips import find, split
from codeczoo.codecs.training.crops import validation_crops
from codeczoo.codecs.training.facts import ClipSet, describe
from codeczoo.codecs.training.recipe import Recipe
from codeczoo.codecs.training.running import Device
from codeczoo.codecs.training.validation import Validation

from .training_runs import train
from .training_validation import ZooScores

ORDERS: dict[str, UpdateOrder] = {"ours": "ema_first", "published": "reference"}
_SHOWN = (
    ("validation/utilisation", "codebook used by held-out crops"),
    ("codebook/recent_utilisation", "codebook used in the last 100 steps"),
    ("validation/mel_distance", "mel distance of held-out crops (nats)"),
)


def learn(recipe: Recipe, training: ClipSet, held_out: ClipSet, out: Path, device: Device) -> dict[str, list[Any]]:
    """Train in both orders; the scalars of each."""
    validation = Validation(validation_crops(held_out, recipe.crops), ZooScores(("mel_distance",)), examples=0)
    found: dict[str, list[Any]] = {}
    for name, order in ORDERS.items():
        made = replace(recipe, codebook=replace(recipe.codebook, update_order=order))
        train(made, training, out / name, device, validation)
        found[name] = train_log.read(out / name)
    return found


def rows(found: Mapping[str, Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """One row a (order, step, quantity) of those that are drawn."""
    return [
        {"order": order, "step": int(line["step"]), "quantity": quantity, "value": line[quantity]}
        for order, lines in found.items()
        for quantity, _ in _SHOWN
        for line in lines
        if quantity in line
    ]


def draw(table: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """The rows as curves, one panel a quantity."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(_SHOWN), figsize=(4.2 * len(_SHOWN), 3.4), layout="constrained")
    for panel, (quantity, label) in zip(panels, _SHOWN, strict=True):
        for order in ORDERS:
            curve = [
                (row["step"], row["value"]) for row in table if (row["order"], row["quantity"]) == (order, quantity)
            ]
            panel.plot(*zip(*curve, strict=True), label=order) if curve else None
        panel.set_xlabel("step")
        panel.set_title(label, fontsize=9)
        panel.grid(alpha=0.3)
    panels[0].legend()
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, tabulate, draw."""
    parser = argparse.ArgumentParser(prog="python -m codeczoo.benchmarks.codebook_learning", description=__doc__)
    parser.add_argument("--data", required=True, nargs="+", type=Path, metavar="PATH", help="folders or manifests")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT")
    parser.add_argument("--recipe", default="tiny")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="as codeczoo train")
    parser.add_argument("--hold-out", type=float, default=0.02, metavar="SHARE", help="to validate on (default 0.02)")
    parser.add_argument("--validation-clips", type=int, default=32, metavar="N", help="default 32")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args(arguments)
    recipe = recipes.load(options.recipe, options.set)
    training, held_out = split(find(*options.data), options.hold_out)
    step = max(1, len(held_out) // options.validation_clips)
    described = describe(training), describe(held_out[::step][: options.validation_clips])
    table = rows(learn(recipe, *described, options.out, options.device))
    with (options.out / "codebook_learning.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns := ("order", "step", "quantity", "value"))
        writer.writerows([row[column] for column in columns] for row in table)
    title = f"{recipe.name}: {recipe.model.entries} entries, {recipe.batch_size} x {recipe.data.seconds:g} s a step"
    draw(table, options.out / "codebook_learning.png", title)


if __name__ == "__main__":
    main()
