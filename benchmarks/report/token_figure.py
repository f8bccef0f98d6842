"""The figure of token statistics: how unevenly the entries of codebooks are used (WavTokenizer's Figure 2a)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from codeczoo.benchmarks.token_corpus import CodecTokens

_COLUMNS = 3
_CURVES = 8
"""Codebooks of a codec that are drawn; of more, evenly chosen ones."""


def draw(found: Sequence[CodecTokens], paths: Sequence[Path]) -> None:
    """A panel a (group, codec): entries from the most to the least frequent against their share times the number of
    entries, so that an evenly used codebook lies at 1."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    columns = min(_COLUMNS, len(found))
    rows = -(-len(found) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(4.0 * columns, 2.9 * rows), layout="constrained", squeeze=False, sharey=True
    )
    groups = {codec.group for codec in found}
    for panel, codec in zip(grid.flat, found, strict=False):
        chosen = {round(at) for at in np.linspace(0, len(codec.counts) - 1, _CURVES).tolist()}
        for index, counts in enumerate(codec.counts):
            if index not in chosen:
                continue
            shares = np.sort(counts.counts)[::-1] / counts.tokens * counts.entries
            rank = np.arange(1, counts.entries + 1) / counts.entries
            label = f"codebook {index + 1}" if len(codec.counts) > 1 else f"{counts.entries} entries"
            # What did not occur has no place on a logarithmic axis: the curve ends there.
            panel.plot(rank, np.where(shares > 0, shares, np.nan), linewidth=1.2, label=label)
        panel.axhline(1.0, color="0.6", linewidth=0.8, linestyle=":")
        panel.set_yscale("log")
        panel.set_xlim(0, 1)
        panel.set_title(codec.codec + (f"\n{codec.group}" if len(groups) > 1 else ""), fontsize=9)
        panel.set_xlabel("entries, most frequent first (share)", fontsize=8)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=6)
    for row in grid:
        row[0].set_ylabel("frequency x entries", fontsize=8)
    for panel in list(grid.flat)[len(found) :]:
        panel.set_visible(False)
    for path in paths:
        # Without the time of making, the same tokens give the same file.
        metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(path.suffix[1:])
        figure.savefig(path, dpi=130, metadata=metadata)
    plt.close(figure)
