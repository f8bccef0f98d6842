"""The tables of the papers: what each is about, and how it is laid out."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cached_property

from codeczoo.benchmarks.errors import InvalidPublished

from .quantities import Kind, quantity
from .rows import PAPERS, PublishedRow, published

NAMES = {
    "wavtokenizer": "WavTokenizer, arXiv 2408.16532",
    "unicodec": "UniCodec, arXiv 2502.20067",
    "taae": "TAAE, arXiv 2411.19842",
}
_SCRIPT = (
    "Audio: WavTokenizer's script writes 16-bit PCM before it scores, resamples by torchaudio, and cuts both signals "
    "to the shorter one; here nothing is written, soxr (very high quality) resamples, and the estimate is cut to the "
    "reference."
)
AUDIO: dict[str, str] = {
    "wavtokenizer": _SCRIPT,
    "unicodec": f"{_SCRIPT} UniCodec does not describe its own, and repeats WavTokenizer's rows.",
    "taae": "Audio: how it was resampled is not said; the data set is at 16 kHz already. TAAE itself is given clips at "
    "-20 LUFS by its authors' code.",
}
"""Paper -> what is known of how its scores were made, against ours."""
_TITLES: dict[str, str] = {
    "wavtokenizer-table1": "Reconstruction of speech",
    "wavtokenizer-table2": "Reconstruction as listeners judge it",
    "wavtokenizer-table3": "Linear probes of tokens",
    "wavtokenizer-table4": "Speech synthesis as listeners judge it",
    "wavtokenizer-table5": "Size of the codebook",
    "wavtokenizer-table6": "Length of the training crops",
    "wavtokenizer-table7": "Parts left out",
    "wavtokenizer-table8": "More training data for a large codebook",
    "wavtokenizer-table9": "Linear probes without attention and long crops",
    "unicodec-table2": "Mel and STFT distances of speech, music and sound",
    "unicodec-table3": "Reconstruction of speech",
    "unicodec-table4": "Reconstruction as listeners judge it",
    "unicodec-table5": "Linear probes of tokens",
    "unicodec-table6": "Parts and stages left out",
    "unicodec-table7": "Reconstruction of noisy speech",
    "unicodec-table8": "Real-time factors and parameters",
    "unicodec-table9": "Use of the codebook and of its parts",
    "taae-table2": "Reconstruction of speech",
    "taae-table3": "Without the perceptual loss",
    "taae-table4": "Size of the model",
    "taae-table5": "Rates after training",
    "taae-table6": "Causal or not",
    "taae-table7": "Other languages",
    "taae-table8": "Against units of a self-supervised model",
    "taae-table9": "How evenly codebooks are used, and Huffman codes",
    "taae-table10": "Real-time factors and parameters",
    "taae-table11": "Receptive field and latency",
    "taae-table12": "Codecs compared with",
}
_WIDE = frozenset(
    {
        *("wavtokenizer-table2", "wavtokenizer-table3", "wavtokenizer-table9"),
        *("unicodec-table2", "unicodec-table4", "unicodec-table5", "unicodec-table6", "unicodec-table9"),
    }
)
"""Printed with the data sets side by side; the others have one below another."""


@dataclass(frozen=True)
class PaperTable:
    """One table of one paper."""

    name: str
    title: str
    rows: tuple[PublishedRow, ...]
    wide: bool

    @property
    def paper(self) -> str:
        return self.rows[0].paper

    @property
    def caption(self) -> str:
        """`WavTokenizer, arXiv 2408.16532, Table 1: reconstruction of speech`."""
        title = self.title[0].lower() + self.title[1:] if self.title[1:2].islower() else self.title
        return f"{NAMES[self.paper]}, Table {self.rows[0].table}: {title}"

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """Data sets, in the paper's order."""
        return tuple(dict.fromkeys(row.dataset for row in self.rows))

    @cached_property
    def kinds(self) -> frozenset[Kind]:
        return frozenset(quantity(row).kind for row in self.rows)


def names() -> tuple[str, ...]:
    """Every table there are numbers of, in the order of the papers."""
    return tuple(dict.fromkeys(row.suite for paper in PAPERS for row in published(paper)))


def load(name: str) -> PaperTable:
    """A table by its name. Raises InvalidPublished with the nearest names."""
    paper, _, number = name.partition("-table")
    if paper in PAPERS and re.fullmatch(r"[1-9][0-9]?", number):
        rows = tuple(row for row in published(paper) if row.table == int(number))
        if rows:
            return PaperTable(name, _TITLES.get(name, f"Table {number}"), rows, name in _WIDE)
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.6)
    hint = f"Nearest: {', '.join(near)}." if near else f"There are {', '.join(names())}."
    raise InvalidPublished(f"There are no published numbers named {name!r}. {hint}")


def is_table(name: str) -> bool:
    """Whether a suite's name is that of a table."""
    return name in names()
