"""Kept tokens in the terms of a published table: use of codebooks and of their parts, Huffman-coded bitrates.

Over several data sets together (UniCodec's Table 9, whole codebook) the counts are added. Where the codec is told the
domain these are of three operating points, each on its own set, and named `unicodec:base@speech+music+sound`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codeczoo.benchmarks.records import Record
from codeczoo.benchmarks.token_corpus import CodecTokens, gather, sources
from codeczoo.metrics.token_counts import TokenCounts

from .ours import OWN, Measured, Operating, Ours
from .sets import is_of

TOGETHER = "+"
"""Joins the names of sets whose tokens are counted together."""
WHOLE = "whole"
DOMAINS = {"speech": "libritts-test-clean", "music": "musdb-test", "sound": "audioset-eval"}
"""Domain of UniCodec's codebook -> the set that its Table 9 counts it on."""


def of_tokens(run: Path, sets: Sequence[str], ours: Ours, jobs: int = 1) -> None:
    """Statistics of the tokens that a run kept, on each of the sets. Raises InvalidRun where it kept none."""
    single = [name for name in sets if name and TOGETHER not in name]

    def set_of(record: Record) -> str:
        of_set = next((name for name in single if is_of(record, name)), None)
        return OWN + str(record.get("corpus", "")) if of_set is None else of_set

    there = sources(run, group_of=set_of)
    own = all(of.group.startswith(OWN) for of in there)
    found = gather([of for of in there if own or not of.group.startswith(OWN)], jobs)
    for of in found:
        ours.codecs.setdefault(of.codec, Operating())
        if own:
            ours.own[of.group.removeprefix(OWN)] = of.clips
        ours.measured += _statistics(of, of.group)
    for name in sets:
        if TOGETHER in name:
            ours.measured += _together(found, name)
    lost = {of.codec: of.not_counted for of in found if of.not_counted}
    if lost:
        named = ", ".join(f"`{codec}` {count}" for codec, count in lost.items())
        ours.notes.append(f"Tokens of some clips are not there and are not counted: {named}.")


def _statistics(of: CodecTokens, dataset: str) -> list[Measured]:
    made = [Measured(of.codec, dataset, "huffman_bps", of.bitrates.huffman_bps, n=of.clips, item="all")]
    for number, statistics in enumerate(of.statistics):
        for quantity in ("normalised_entropy", "utilisation"):
            value = getattr(statistics, quantity)
            if value is not None:
                made.append(Measured(of.codec, dataset, quantity, float(value), n=of.clips, item=str(number)))
    if len(of.statistics) == 1:
        made.append(Measured(of.codec, dataset, "utilisation", of.statistics[0].utilisation, n=of.clips, item=WHOLE))
    for part, used in of.utilisation_of_parts.items():
        made.append(Measured(of.codec, dataset, "utilisation", used, n=of.clips, item=part))
    return made


def _together(found: Sequence[CodecTokens], name: str) -> list[Measured]:
    """Use of the whole codebook over all sets of the name: by each codec alone, and by the points of one codec that are
    told the domain."""
    parts = name.split(TOGETHER)
    made: list[Measured] = []
    for codec in dict.fromkeys(of.codec for of in found):
        made += _counted([of for of in found if of.codec == codec and of.group in parts], codec, name, len(parts))
    told = [of for of in found if DOMAINS.get(of.codec.rpartition("@")[2]) == of.group]
    by_family: dict[str, list[CodecTokens]] = {}
    for of in told:
        by_family.setdefault(of.codec.rpartition("@")[0], []).append(of)
    for family, members in by_family.items():
        # A point that is told one domain says nothing of the three sets together.
        made = [one for one in made if one.codec not in {f"{family}@{domain}" for domain in DOMAINS}]
        made += _counted(members, f"{family}@{TOGETHER.join(DOMAINS)}", name, len(parts))
    return made


def _counted(members: Sequence[CodecTokens], codec: str, name: str, wanted: int) -> list[Measured]:
    if len(members) < wanted or len(members[0].counts) != 1:
        return []
    whole = TokenCounts(members[0].counts[0].entries)
    for of in members:
        whole.merge(of.counts[0])
    used = float((whole.counts > 0).sum()) / whole.entries
    return [Measured(codec, name, "utilisation", used, n=sum(of.clips for of in members), item=WHOLE)]
