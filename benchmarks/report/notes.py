"""What must be said under a section of the quality table, as sentences: nothing is compared or left out in silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from codeczoo.benchmarks.statistics.permutation import least_p
from codeczoo.benchmarks.statistics.sample import counted, drawn_as
from codeczoo.benchmarks.statistics.sample_size import ALPHA, LEAST_CLUSTERS
from codeczoo.benchmarks.stretches import Overlaps
from codeczoo.metrics import Metric

from .columns import label
from .summary import Cell, Group

_REASON_CHARACTERS = 160
_NAMED_CODECS = 6
"""More than this many codecs are counted in a figure's note, not named."""


def code(name: str) -> str:
    """A codec's name as it stands in notes; writers turn the backticks into their own markup."""
    return f"`{name.replace('`', '')}`"


def listed(names: Iterable[str]) -> str:
    return ", ".join(map(code, names))


def named(codecs: Sequence[str]) -> str:
    """Codecs as a figure's note names them."""
    return ", ".join(codecs) if len(codecs) <= _NAMED_CODECS else f"{len(codecs)} codecs (see the table)"


def section_notes(group: Group, shown: Sequence[Metric]) -> tuple[str, ...]:
    """Every caveat of one group, the gravest first."""
    notes = [*_overlaps(group), *_other_clips(group), *_mixed_versions(group), *few_clips(group), *_twins(group)]
    for fact in shown:
        notes += _other_identities(group, fact)
    notes += _losses(group, shown)
    if any(row.bitrate.kind == "stated" for row in group.rows):
        notes.append("† bitrate as stated by whoever decoded the audio; no bits were seen.")
    return tuple(notes)


def too_few_clips(group: Group) -> bool:
    """Whether the clips of most rows are so few that the paired test can tell no two codecs apart."""
    return least_p(_independent(group)) > ALPHA


def few_clips(group: Group) -> list[str]:
    """The note that stands in place of a mark on every mean."""
    compared = sum(row.clips == group.common_clips for row in group.rows)
    if compared < 2 or not too_few_clips(group):
        return []
    cell = _fullest(group)
    clips, independent = (0, 0) if cell is None else (cell.n, len(set(cell.clusters)))
    named = f"{clips} clip{'' if clips == 1 else 's'}"
    if independent < clips:
        named += f" of {counted(independent, drawn_as(() if cell is None else cell.clusters))}"
    return [f"No two codecs can be told apart with {named}: the paired test takes {LEAST_CLUSTERS} at least."]


def _independent(group: Group) -> int:
    """Speakers of the scored clips, or the passages or files they were cut from; a clip without any counts as one."""
    cell = _fullest(group)
    return 0 if cell is None else len(set(cell.clusters))


def _fullest(group: Group) -> Cell | None:
    """The metric with the most scored clips, among the rows that may be compared."""
    cells = (cell for row in group.rows for cell in row.cells.values() if row.clips == group.common_clips)
    return max(cells, key=lambda cell: cell.n, default=None)


def _overlaps(group: Group) -> list[str]:
    alike: dict[Overlaps, list[str]] = {}
    for row in group.rows:
        if row.overlaps.clips:
            alike.setdefault(row.overlaps, []).append(row.codec)
    return [f"{listed(codecs)}: {overlap_sentence(overlaps)}" for overlaps, codecs in alike.items()]


def overlap_sentence(overlaps: Overlaps) -> str:
    """What is said of codecs whose clips overlap."""
    clips, files = overlaps
    return (
        f"{clips} of the clips are overlapping stretches of {files} file{'' if files == 1 else 's'}, whose audio "
        "counts more than once in means. Measure whole clips and stretches of them in run folders of their own."
    )


def _other_clips(group: Group) -> list[str]:
    common = group.common_clips
    notes = [
        f"‡ {code(row.codec)} was measured on {len(row.clips)} clips, of which {len(row.clips & common)} are among the "
        f"{len(common)} of the other rows: its means are not comparable with theirs and are not ranked."
        for row in group.rows
        if row.clips != common
    ]
    return notes


def _twins(group: Group) -> list[str]:
    clips = len(group.common_clips)
    contents = len({sha256 or (corpus, name) for corpus, name, sha256 in group.common_clips})
    if clips == contents:
        return []
    return [
        f"Of the {clips} clips {contents} are different audio: clips of one content each count in means, and where "
        "their speakers are not known as one draw in intervals and tests."
    ]


def _mixed_versions(group: Group) -> list[str]:
    return [
        f"{code(row.codec)} mixes records of {row.fingerprints} versions of the codec or its weights."
        for row in group.rows
        if row.fingerprints > 1
    ]


def _other_identities(group: Group, fact: Metric) -> list[str]:
    by_identity: dict[frozenset[str], list[str]] = {}
    for row in group.rows:
        cell = row.cells.get(fact.name)
        if cell is not None and cell.n:
            by_identity.setdefault(cell.identities, []).append(row.codec)
    if len(by_identity) < 2:
        return []
    named = "; ".join(
        f"{' and '.join(sorted(key)) or 'unknown'}: {listed(codecs)}" for key, codecs in by_identity.items()
    )
    return [f"{label(fact.name)} was computed under different identities and is ranked only within one ({named})."]


def _losses(group: Group, shown: Sequence[Metric]) -> list[str]:
    """Counts of clips without a value; alike counts of several metrics or codecs share a line."""
    by_codec: dict[tuple[str, str], list[str]] = {}
    for row in group.rows:
        for fact in shown:
            for text in _loss(row.cells.get(fact.name)):
                by_codec.setdefault((row.codec, text), []).append(label(fact.name))
    lines: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (codec, text), metrics in by_codec.items():
        lines.setdefault((tuple(metrics), text), []).append(codec)
    return [f"{_who(codecs, group)}, {', '.join(metrics)}: {text}." for (metrics, text), codecs in lines.items()]


def _who(codecs: Sequence[str], group: Group) -> str:
    """The codecs, or the exceptions where these are fewer."""
    others = [row.codec for row in group.rows if row.codec not in codecs]
    if not others and len(codecs) > 1:
        return "every codec"
    return f"every codec but {listed(others)}" if len(others) < len(codecs) // 4 else listed(codecs)


def _loss(cell: Cell | None) -> Iterator[str]:
    """One phrase a kind of loss."""
    if cell is None:
        return
    for kind, reasons in (("undefined", cell.undefined), ("failed", cell.failed)):
        if reasons:
            yield f"{sum(reasons.values())} {kind} ({_most_frequent(reasons)})"
    if cell.missing:
        yield f"{cell.missing} not measured"


def _most_frequent(reasons: Mapping[str, int]) -> str:
    reason, count = max(reasons.items(), key=lambda item: (item[1], item[0]))
    text = " ".join(reason.split()).rstrip(".").replace("`", "'")
    if len(text) > _REASON_CHARACTERS:
        text = text[: _REASON_CHARACTERS - 1] + "…"
    if len(reasons) == 1:
        return text
    return f"{count} of them: {text}" if count > 1 else f"each for another reason, one of them: {text}"
