"""The figure of utilisation against codebook size: how much of a codebook a corpus uses, a mark a codebook."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codeczoo.benchmarks.token_corpus import CodecTokens

_SPREAD = 0.2
"""Share of the axis over which the marks of codebooks of one size are spread."""


def draw(found: Sequence[CodecTokens], paths: Sequence[Path]) -> None:
    """Left: share of the entries that occur (the bar up to the corrected share). Right: entropy over log2 of the
    entries, the same way. A colour a codec, a shape a group; hollow where tokens are too few to be believed."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    codecs = list(dict.fromkeys(codec.codec for codec in found))
    groups = list(dict.fromkeys(codec.group for codec in found))
    colours = {codec: plt.get_cmap("tab20" if len(codecs) > 10 else "tab10")(at) for at, codec in enumerate(codecs)}
    shapes = dict(zip(groups, "osD^vP*X" * len(groups), strict=False))
    figure, panels = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained", sharex=True)
    sizes = sorted({of.entries for codec in found for of in codec.counts})
    octaves = [math.log2(after / before) for before, after in itertools.pairwise(sizes)]
    spread = min(_SPREAD * sum(octaves), 0.8 * min(octaves)) if octaves else 1.0
    for at, codec in enumerate(found):
        for of in codec.statistics:
            # Codecs of one size stand side by side.
            beside = [at for at, other in enumerate(found) if any(book.entries == of.entries for book in other.counts)]
            place = (beside.index(at) + 0.5) / len(beside) - 0.5
            x = of.entries * 2 ** (spread * place)
            values = (
                (of.utilisation, of.utilisation_corrected),
                (of.normalised_entropy, of.normalised_entropy_corrected),
            )
            for panel, (counted, corrected) in zip(panels, values, strict=True):
                colour = colours[codec.codec]
                panel.plot([x, x], [100 * counted, 100 * corrected], color=colour, linewidth=0.8, zorder=1)
                face = colour if of.enough else "white"
                panel.scatter(
                    x, 100 * counted, s=22, marker=shapes[codec.group], color=face, edgecolors=[colour], zorder=2
                )
    for panel, name in zip(panels, ("entries that occur (%)", "normalised entropy (%)"), strict=True):
        panel.set_xscale("log", base=2)
        panel.set_xticks(sizes, [str(size) for size in sizes])
        panel.set_xlim(sizes[0] * 2 ** (-0.8 * spread), sizes[-1] * 2 ** (0.8 * spread))
        panel.minorticks_off()
        panel.set_ylim(0, 104)
        panel.set_xlabel("entries of the codebook")
        panel.set_ylabel(name)
        panel.grid(alpha=0.3)
    handles = [Line2D([], [], color=colours[codec], marker="o", linestyle="", label=codec) for codec in codecs]
    if len(groups) > 1:
        handles += [Line2D([], [], color="0.3", marker=shapes[of], linestyle="", label=of) for of in groups]
    if any(not of.enough for codec in found for of in codec.statistics):
        handles.append(
            Line2D([], [], color="0.3", marker="o", linestyle="", markerfacecolor="white", label="few tokens")
        )
    figure.legend(handles=handles, loc="outside right upper", fontsize=7)
    for path in paths:
        # Without the time of making, the same tokens give the same file.
        metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(path.suffix[1:])
        figure.savefig(path, dpi=130, metadata=metadata)
    plt.close(figure)
