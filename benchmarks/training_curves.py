"""How trainings went, as a table and a picture: `python -m codeczoo.benchmarks.training_curves RUN... --out OUT`.

OUT gets `curves.csv` (run, step, quantity, value; averages over stretches of steps, since single steps are noisy) and
`curves.png`. Validation scores are as they were measured. Several runs are drawn over one another; with `--stages` they
are stages of one training, each drawn where the one before ends.

What a validation scored by domain is drawn by domain, and its mean over domains is left out: PESQ and STOI are of
speech alone.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeczoo.codecs.domains import DOMAINS
from codeczoo.codecs.training import train_log

from .errors import BenchmarkError

PANELS: dict[str, tuple[str, ...]] = {
    "mel loss (nats)": ("generator/mel", "validation/mel"),
    "waveform, spectrum": ("generator/waveform", "generator/spectrum"),
    "PESQ of held-out crops": ("validation/pesq_wb",),
    "STOI of held-out crops": ("validation/stoi",),
    "mel distance of held-out crops": ("validation/mel_distance",),
    "codebook used (share)": ("codebook/recent_utilisation", "validation/utilisation"),
    "feature matching": ("generator/features", "generator/period_features", "generator/resolution_features"),
    "distance in the feature model": ("generator/perceptual",),
    "commitment": ("generator/commitment",),
    "masked prediction (nats a frame)": ("generator/contrastive",),
    "masked frames told apart (share)": ("generator/masked_accuracy", "generator/masked_chance"),
    "discriminators' loss": ("discriminator/hinge", "discriminator/period", "discriminator/resolution"),
}
_OF_SPEECH = ("validation/pesq_wb", "validation/stoi")
_POINTS = 100
"""Stretches of steps that a training's curve is made of."""
_COLUMNS = 3


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
    logged = {name for line in lines for name in line}
    for quantity in (drawn for names in PANELS.values() for name in names for drawn in _drawn(name, logged)):
        stretches: dict[int, list[float]] = {}
        for line in lines:
            if quantity in line:
                step = int(line["step"])
                end = step if quantity.startswith("validation/") else -(-step // width) * width
                stretches.setdefault(min(end, last), []).append(line[quantity])
        found += [Point(run, end, quantity, sum(values) / len(values)) for end, values in sorted(stretches.items())]
    return found


def _drawn(quantity: str, logged: Collection[str]) -> tuple[str, ...]:
    """The quantity, or what there is of it by domain."""
    apart = tuple(name for domain in DOMAINS if (name := f"{quantity}_{domain}") in logged)
    if quantity in _OF_SPEECH:
        apart = tuple(name for name in apart if name.endswith("_speech"))
    return apart or (quantity,)


def draw(curves: Sequence[Point], path: Path, *, stages: bool = False) -> None:
    """The points as curves, one panel a kind that there is something of. `stages`: runs follow one another."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    panels = _panels({point.quantity for point in curves})
    begins = _begins(curves, stages)
    rows = max(1, -(-len(panels) // _COLUMNS))
    figure, grid = plt.subplots(rows, _COLUMNS, figsize=(12, 3 * rows), layout="constrained", squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    for axes, (title, quantities) in zip(grid.flat, panels.items(), strict=False):
        for run, (at, quantity) in itertools.product(begins, enumerate(quantities)):
            curve = [(begins[run] + p.step, p.value) for p in curves if (p.run, p.quantity) == (run, quantity)]
            if curve:
                names = [run] * (len(begins) > 1 and not stages) + [quantity] * (len(quantities) > 1)
                look = {"color": f"C{at}"} if stages else {}
                label = ", ".join(names)
                # A curve of one point would not be seen.
                axes.plot(
                    *zip(*curve, strict=True),
                    label=label,
                    linewidth=1.2,
                    marker="." if len(curve) == 1 else None,
                    **look,
                )
        for begin in begins.values() if stages else ():
            axes.axvline(begin, color="0.5", linewidth=0.8, linestyle=":")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        # A quantity of several stages has one curve in each.
        lines, labels = axes.get_legend_handles_labels()
        once = dict(zip(labels, lines, strict=True))
        if any(once):
            axes.legend(once.values(), once.keys(), fontsize=7)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _panels(known: Collection[str]) -> dict[str, list[str]]:
    """The quantities of each panel that has any."""
    panels = {
        title: [drawn for name in names for drawn in _drawn(name, known) if drawn in known]
        for title, names in PANELS.items()
    }
    return {title: names for title, names in panels.items() if names}


def _begins(curves: Sequence[Point], stages: bool) -> dict[str, int]:
    """The step at which each run begins in the picture."""
    begins: dict[str, int] = {}
    end = 0
    for run in dict.fromkeys(point.run for point in curves):
        begins[run] = end if stages else 0
        end += max(point.step for point in curves if point.run == run)
    return begins


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, tabulate, draw."""
    parser = argparse.ArgumentParser(prog="python -m codeczoo.benchmarks.training_curves", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders of codeczoo train")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT")
    parser.add_argument("--stages", action="store_true", help="the runs are stages of one training, in their order")
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
    draw(curves, options.out / "curves.png", stages=options.stages)


if __name__ == "__main__":
    main()
