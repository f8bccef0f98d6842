"""How trainings went, as a table and a picture: `python -m codeczoo.benchmarks.training_curves RUN... --out OUT`.

OUT gets `curves.csv` (run, step, quantity, value; averages over stretches of steps, since single steps are noisy) and
`curves.png`. Validation scores are as they were measured. Several runs are drawn over one another.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeczoo.codecs.training import train_log

from .errors import BenchmarkError

PANELS: dict[str, tuple[str, ...]] = {
    "mel loss (nats)": ("generator/mel", "validation/mel"),
    "PESQ of held-out crops": ("validation/pesq_wb",),
    "STOI of held-out crops": ("validation/stoi",),
    "codebook used (share)": ("codebook/recent_utilisation", "validation/utilisation"),
    "feature matching": ("generator/period_features", "generator/resolution_features"),
    "discriminators' loss": ("discriminator/period", "discriminator/resolution"),
}
_POINTS = 100
"""Stretches of steps that a training's curve is made of."""


@dataclass(frozen=True)
class Point:
    """One value of a curve."""

    run: str
    step: int
    quantity: str
    value: float


def points(run: str, lines: Sequence[Mapping[str, float]]) -> list[Point]:
    """The points that are drawn of a run's scalars; what is logged often is averaged over stretches of steps."""
    last = max((int(line["step"]) for line in lines), default=0)
    width = max(1, last // _POINTS)
    found: list[Point] = []
    for quantity in dict.fromkeys(quantity for names in PANELS.values() for quantity in names):
        stretches: dict[int, list[float]] = {}
        for line in lines:
            if quantity in line:
                step = int(line["step"])
                end = step if quantity.startswith("validation/") else -(-step // width) * width
                stretches.setdefault(min(end, last), []).append(line[quantity])
        found += [Point(run, end, quantity, sum(values) / len(values)) for end, values in sorted(stretches.items())]
    return found


def draw(curves: Sequence[Point], path: Path) -> None:
    """The points as curves, one panel a kind."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    runs = list(dict.fromkeys(point.run for point in curves))
    figure, panels = plt.subplots(2, 3, figsize=(12, 6), layout="constrained")
    for panel, (title, quantities) in zip(panels.flat, PANELS.items(), strict=True):
        for run in runs:
            for quantity in quantities:
                curve = [(p.step, p.value) for p in curves if (p.run, p.quantity) == (run, quantity)]
                names = [run] * (len(runs) > 1) + [quantity] * (len(quantities) > 1)
                if curve:
                    panel.plot(*zip(*curve, strict=True), label=", ".join(names), linewidth=1.2)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("step")
        panel.grid(alpha=0.3)
        if panel.get_legend_handles_labels()[1] not in ([], [""]):
            panel.legend(fontsize=7)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, tabulate, draw."""
    parser = argparse.ArgumentParser(prog="python -m codeczoo.benchmarks.training_curves", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders of codeczoo train")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    curves: list[Point] = []
    for run in options.runs:
        if not (run / "scalars.jsonl").is_file():
            raise BenchmarkError(f"{run} holds no scalars.jsonl; name a run folder of codeczoo train.")
        curves += points(run.name, train_log.read(run))
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "curves.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("run", "step", "quantity", "value"))
        writer.writerows((point.run, point.step, point.quantity, f"{point.value:.6g}") for point in curves)
    draw(curves, options.out / "curves.png")


if __name__ == "__main__":
    main()
