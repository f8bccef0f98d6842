"""The figure of `training_ablations`: what a codebook's size changes, and how unevenly its entries are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

_PANELS = (("pesq_wb", "PESQ"), ("stoi", "STOI"), ("mel_distance", "mel distance (nats)"))


def draw(values: Mapping[str, Mapping[str, Sequence[float]]], counts: Mapping[str, Sequence[int]], path: Path) -> None:
    """`values`: model, metric, a number a clip. `counts`: model, frames an entry."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(12, 6.5), layout="constrained")
    by_size = sorted((name for name in counts if name == "base" or name.startswith("codebook-")), key=_size(counts))
    others = [name for name in counts if name not in by_size]
    for panel, (metric, title) in zip(panels[0], _PANELS, strict=True):
        names = [*by_size, *others]
        for at, name in enumerate(names):
            numbers = np.asarray(values[name][metric], dtype=np.float64)
            if len(numbers):
                error = 1.96 * numbers.std(ddof=1) / len(numbers) ** 0.5 if len(numbers) > 1 else 0.0
                panel.errorbar(
                    at, numbers.mean(), error, marker="o", capsize=3, color="C0" if name in by_size else "C1"
                )
        panel.set_xticks(range(len(names)), [_label(name, counts) for name in names], rotation=35, fontsize=8)
        panel.set_title(title, fontsize=10)
        panel.grid(alpha=0.3)
    used, sorted_shares, histogram = panels[1]
    sizes = [len(counts[name]) for name in by_size]
    used.plot(sizes, [100 * np.mean(np.asarray(counts[name]) > 0) for name in by_size], marker="o")
    used.set(xscale="log", xlabel="entries", title="entries that occur (%)", ylim=(0, 105))
    used.set_xticks(sizes, [str(size) for size in sizes])
    used.minorticks_off()
    for name in by_size:
        shares = np.sort(np.asarray(counts[name], dtype=np.float64))[::-1] / max(1, sum(counts[name]))
        sorted_shares.plot(np.arange(1, len(shares) + 1) / len(shares), shares * len(shares), label=str(len(shares)))
    sorted_shares.set(
        yscale="log", xlabel="entries, most frequent first (share)", title="frequency x entries (1: even)"
    )
    sorted_shares.legend(title="entries", fontsize=7, title_fontsize=7)
    base = np.asarray(counts["base"])
    histogram.bar(np.arange(len(base)), base, width=1.0)
    histogram.set(xlabel="entry", title=f"tokens of base ({base.sum()} in all)")
    for panel in panels[1]:
        panel.grid(alpha=0.3)
        panel.title.set_fontsize(10)
    figure.suptitle("bars: 95 % intervals of the mean over clips", fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _size(counts: Mapping[str, Sequence[int]]) -> Callable[[str], int]:
    return lambda name: len(counts[name])


def _label(name: str, counts: Mapping[str, Sequence[int]]) -> str:
    return str(len(counts[name])) if name == "base" or name.startswith("codebook-") else name
