"""`codeczoo compare`: which of two codecs is better, and whether these clips can tell."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codeczoo.benchmarks.comparison import FamilyComparison, PointComparison, Ranking
    from codeczoo.benchmarks.records import Record
    from codeczoo.benchmarks.report.summary import GroupBy

_DESCRIPTION = """\
Compare codecs of a run on the clips that they share, one sentence a metric.

Two operating points: a paired test by flipping signs, speakers kept together, corrected for the number of metrics; the
difference with its 95 % interval; and how many clips a difference of this size needs to be seen (in four of five
studies, at 5 %). Two families (names without a rate): BD-rate and BD-quality, the second against the first, from curves
between their points, never beyond them. Three or more operating points: their ranks, with letters: codecs that share a
letter cannot be told apart.

Records under different definitions of a metric, disjoint clips or a single clip are not compared, and it is said why.
"""

_EPILOG = """\
examples:
  codeczoo compare results/speech opus@12kbps lyra:v2@6kbps
  codeczoo compare results/speech opus lyra:v2 --metrics pesq_wb stoi
  codeczoo compare runs/mine 'mine@*' opus@6kbps lyra:v2@6kbps --metrics pesq_wb
  codeczoo compare runs/mine encodec:24khz dac:24khz --axis tokens

exit status: 0 all compared; 2 wrong request; 3 some metrics could not be compared, and it is said why
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "compare",
        help="which of two codecs is better, and whether these clips can tell",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("records", type=Path, metavar="RUN", help="run folder, or .jsonl file of records")
    parser.add_argument("codecs", nargs="+", metavar="CODEC", help="operating points, quoted patterns, or two families")
    parser.add_argument(
        "--also", nargs="+", type=Path, default=[], metavar="RUN", help="further runs to take records from"
    )
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="only these metrics, in this order")
    parser.add_argument(
        "--group-by",
        choices=("corpus", "domain", "dataset"),
        help="compare within each (default: domain if there are several, else corpus)",
    )
    parser.add_argument(
        "--axis",
        choices=("kbps", "tokens"),
        default="kbps",
        help="of families: at equal bitrate or at equal tokens a second (default kbps)",
    )
    parser.add_argument(
        "--correction",
        choices=("holm", "bh"),
        default="holm",
        help="for the number of metrics, of two points: holm, one wrong claim at all; bh, share of wrong claims",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the comparisons."""
    from codeczoo.benchmarks import comparison, records
    from codeczoo.benchmarks.errors import BenchmarkError

    merged = records.load_runs([options.records, *options.also])
    names = _named(options.codecs, merged)
    _warn_of_versions(names, merged)
    _warn_of_overlaps(names, merged, options.group_by)
    points = {record["codec"] for record in merged}
    chosen = {"group_by": options.group_by, "metrics": options.metrics}
    if all(name in points for name in names):
        if len(names) < 2:
            raise BenchmarkError(f"Name at least two codecs to compare; got {', '.join(names)}.")
        if len(names) > 2:
            return _show(comparison.rank(merged, names, **chosen), options.json)
        return _show(comparison.compare_points(merged, *names, correction=options.correction, **chosen), options.json)
    if len(names) == 2 and not any(name in points for name in names):
        axis = "tokens_per_second" if options.axis == "tokens" else "kbps"
        return _show(comparison.compare_families(merged, *names, axis=axis, **chosen), options.json)
    raise BenchmarkError(
        f"Compare operating points with operating points, or two families with each other; got {', '.join(names)}. "
        "A point of a family beside another codec needs its rate, as in opus@12kbps."
    )


def _warn_of_versions(names: list[str], merged: list[Record]) -> None:
    """Say which operating points were measured by several versions, as the notes of a report do."""
    import logging

    from codeczoo.benchmarks.report.summary import versions
    from codeczoo.benchmarks.statistics.families import family_of

    own: dict[str, list[Record]] = {}
    for record in merged:
        if record["codec"] in names or family_of(record["codec"]) in names:
            own.setdefault(record["codec"], []).append(record)
    for codec, members in own.items():
        if (count := versions(members)) > 1:
            logging.getLogger(__name__).warning(
                "%s mixes records of %d versions of the codec or its weights.", codec, count
            )


def _warn_of_overlaps(names: list[str], merged: list[Record], grouping: GroupBy | None) -> None:
    """Say where audio counts twice in what is compared, as the notes of a report do."""
    import logging

    from codeczoo.benchmarks.comparison import by_group
    from codeczoo.benchmarks.report.notes import overlap_sentence
    from codeczoo.benchmarks.statistics.families import family_of
    from codeczoo.benchmarks.statistics.sample import clip_key
    from codeczoo.benchmarks.stretches import overlapping

    own = [record for record in merged if record["codec"] in names or family_of(record["codec"]) in names]
    for group, codecs in by_group(own, grouping).items():
        shared = set.intersection(*(set(map(clip_key, members)) for members in codecs.values()))
        first = next(iter(codecs.values()))
        overlaps = overlapping(record for record in first if clip_key(record) in shared)
        if overlaps.clips:
            said = overlap_sentence(overlaps)
            if all(record.get("piece") for record in first):
                said = (
                    f"{overlaps.clips} of the clips are pieces of several lengths of {overlaps.files} passages, which "
                    "count once a length in means; length.md of `codeczoo report` has the means of each length."
                )
            logging.getLogger(__name__).warning("%s: %s", group, said)


def _named(patterns: list[str], merged: list[Record]) -> list[str]:
    """Operating points and families of the records that names and patterns stand for, each once."""
    import difflib
    import fnmatch

    from codeczoo.benchmarks.errors import BenchmarkError, InvalidRun
    from codeczoo.benchmarks.statistics.families import family_of

    if not merged:
        raise InvalidRun("There are no records to compare. `codeczoo bench` makes some.")
    points = dict.fromkeys(record["codec"] for record in merged)
    families = dict.fromkeys(map(family_of, points))
    found: list[str] = []
    for pattern in patterns:
        matching = [name for name in points if name == pattern or fnmatch.fnmatchcase(name, pattern)]
        if not matching and pattern in families:
            matching = [pattern]
        if not matching:
            known = list(dict.fromkeys([*points, *families]))
            near = difflib.get_close_matches(pattern, known, n=4, cutoff=0.4) or sorted(known)[:8]
            raise BenchmarkError(f"The records hold no codec {pattern!r}; they hold, among others: {', '.join(near)}.")
        found += matching
    return list(dict.fromkeys(found))


def _show(found: list[Any], as_json: bool) -> int:
    from codeczoo.benchmarks.comparison import PointComparison

    tested = sum(isinstance(each, PointComparison) and not each.reason for each in found)
    if as_json:
        print(json.dumps([_plain(each) for each in found], indent=2))
    else:
        groups = list(dict.fromkeys(each.group for each in found if not isinstance(each, str)))
        for each in found:
            start = f"[{each.group}] " if len(groups) > 1 and not isinstance(each, str) else ""
            print(start + _sentence(each, tested))
    missing = [each for each in found if isinstance(each, str) or getattr(each, "reason", "")]
    return 3 if missing else 0


def _sentence(each: PointComparison | FamilyComparison | Ranking | str, tested: int) -> str:
    from codeczoo.benchmarks.comparison import PointComparison

    if isinstance(each, str):
        return each
    return each.sentence(tested) if isinstance(each, PointComparison) else each.sentence()


def _plain(each: PointComparison | FamilyComparison | Ranking | str) -> dict[str, Any]:
    """JSON has no NaN: what is not known is null."""
    import dataclasses
    import math

    from codeczoo.benchmarks.comparison import Ranking

    if isinstance(each, str):
        return {"reason": each}
    if isinstance(each, Ranking):
        groups = [list(group) for group in each.ties.groups()]
        return {
            "group": each.group,
            "metric": each.metric.name,
            "means": dict(each.means),
            "not_told_apart": groups,
            "n_clips": each.n_clips,
            "n_clusters": each.n_clusters,
            "drawn_as": each.drawn_as,
            "left_out": each.left_out,
        }
    plain = {**dataclasses.asdict(each), "metric": each.metric.name}
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in plain.items()
    }
