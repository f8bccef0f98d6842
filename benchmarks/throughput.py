"""How much faster the runner is than a plain loop over the same packages, metrics and clips, and where time goes.

    python -m codeczoo.benchmarks.throughput --corpus manifest.csv --where 'path=speech/*' --limit 40

Both do the same work in one invocation, the runner first: `runner.run` in a fresh run folder with an empty cache of
references, the start of its worker processes included, and then `plain_loop.loop`. Imports and the loading of codecs
come before either clock; what only the loop loads (models of metrics) is loaded before its clock, what the runner's
workers load is inside of the runner's.

The numbers must agree: by metric, the largest difference over all clips is printed, and above `TOLERANCES` the
benchmark fails and writes nothing. Figures go to OUT/throughput.json and OUT/throughput.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codeczoo.metrics import measures

from . import plain_loop, records, runner, suites
from .clip import Corpus
from .corpora import resolve
from .environment import commit, cores, processor, versions
from .errors import BenchmarkError
from .plain_loop import Scores
from .process_tree import Cost
from .request import Request, points
from .selection import parse_where

_log = logging.getLogger(__name__)

CODECS = (
    "opus@12kbps", "opus@24kbps", "mp3:16khz@32kbps", "aac:16khz@24kbps", "amr-nb@12.2kbps", "g722@64kbps",
    "g726@32kbps", "codec2@3.2kbps",
)  # fmt: skip
"""Eight operating points that need no weights."""

TOLERANCES: Mapping[str, float] = {"mel_distance": 0.3}
"""Where more than `TOLERANCE` is right: torch's float32 against our float64, in bands without sound (see
`codeczoo.metrics.mel`)."""
TOLERANCE = 1e-3

Figures = dict[str, Any]


def compare(codecs: Sequence[str], corpus: Corpus, metrics: Sequence[str], workers: int) -> Figures:
    """Run both and give the figures, differences of the scores among them."""
    clips = list(corpus)
    if any(clip.start_s or clip.seconds is not None for clip in clips):
        raise BenchmarkError("The plain loop takes whole files; leave out --segment-s and stretches.")
    operating_points = points(codecs)
    loaded = [point.load() for point in operating_points]
    with tempfile.TemporaryDirectory(prefix="codeczoo-throughput-") as folder, _empty_cache(Path(folder) / "cache"):
        out = Path(folder) / "run"
        _log.info("the runner, %d workers", workers)
        with Cost() as ours:
            runner.run(Request(operating_points, corpus, tuple(metrics), out, workers=workers, threads=max(1, workers)))
        measured = records.load(out)
    _log.info("the plain loop")
    packages = plain_loop.load(metrics)
    with Cost() as theirs:
        done = plain_loop.loop(loaded, clips, packages, metrics)
    return {
        "codecs": list(codecs),
        "clips": len(clips),
        "audio_s": round(sum({one["clip"]: one["seconds"] for one in measured}.values()), 1),
        "metrics": list(metrics),
        "workers": workers,
        "machine": {"processor": processor(), "cores": cores()},
        "versions": versions(),
        "commit": commit(),
        "ratio": round(theirs.wall_s / ours.wall_s, 2),
        "loop": {**_cost(theirs), "step_s": _rounded(done.step_s)},
        "runner": {**_cost(ours), "step_s": _rounded(_runner_steps(measured, metrics))},
        "differences": differences(done.scores, measured, metrics),
    }


def differences(plain: Scores, measured: Sequence[records.Record], metrics: Sequence[str]) -> dict[str, Figures]:
    """By metric: (codec, clip) pairs compared, their largest difference, pairs that neither and that only one of the
    two has a number for."""
    found: dict[str, Figures] = {}
    for metric in metrics:
        worst, compared, without, one_sided = 0.0, 0, 0, 0
        for record in measured:
            ours = record["scores"].get(metric)
            theirs = plain[record["codec"], record["clip"]][metric]
            if (ours is None) != math.isnan(theirs):
                one_sided += 1
            elif ours is None:
                without += 1
            else:
                worst, compared = max(worst, abs(ours - theirs)), compared + 1
        allowed = TOLERANCES.get(metric, TOLERANCE)
        found[metric] = {
            "compared": compared, "largest": worst, "allowed": allowed, "without": without, "one_sided": one_sided,
        }  # fmt: skip
    return found


def check_agreement(found: Mapping[str, Figures]) -> None:
    """Raise BenchmarkError where `differences` are above the tolerance."""
    wrong = [metric for metric, one in found.items() if one["largest"] > one["allowed"] or one["one_sided"]]
    if wrong:
        told = "; ".join(f"{metric}: {found[metric]}" for metric in wrong)
        raise BenchmarkError(
            f"The runner and the plain loop give different numbers, so their times mean nothing: {told}."
        )


def _runner_steps(measured: Sequence[records.Record], metrics: Sequence[str]) -> dict[str, float]:
    """Core seconds by step, from the records."""
    steps: dict[str, float] = defaultdict(float)
    for record in measured:
        steps["encode"] += record["timing"].get("encode_s", 0.0)
        steps["decode"] += record["timing"].get("decode_s", 0.0)
        for name, seconds in record["scoring_s"].items():
            steps[name] += seconds
    ordered = ["encode", "decode", *(measure.names[0] for measure in measures(metrics))]
    return {name: steps[name] for name in ordered}


def _cost(cost: Cost) -> Figures:
    return {
        "wall_s": round(cost.wall_s, 2),
        "cpu_s": round(cost.cpu_s, 2),
        "cores_busy": round(cost.cpu_s / cost.wall_s, 2),
        "other_programs_cores": round(cost.others_cpu_s / cost.wall_s, 2),
        "peak_rss_mib": round(cost.peak_rss_mib),
    }


def _rounded(steps: Mapping[str, float]) -> dict[str, float]:
    return {name: round(seconds, 2) for name, seconds in steps.items()}


@contextmanager
def _empty_cache(folder: Path):
    """No analysis of a reference is known from an earlier run."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before


def in_words(figures: Figures) -> str:
    """The figures as Markdown."""
    loop, ours = figures["loop"], figures["runner"]
    machine = figures["machine"]
    lines = [
        "# `codeczoo bench` against a plain loop",
        "",
        f"{len(figures['codecs'])} operating points x {figures['clips']} clips ({figures['audio_s']:.0f} s of audio), "
        f"{len(figures['metrics'])} metrics, {machine['cores']} cores ({machine['processor']}), one invocation of "
        "`python -m codeczoo.benchmarks.throughput`. Generated from `throughput.json`.",
        "",
        "| | plain loop | runner | ratio |",
        "|---|--:|--:|--:|",
        _row("wall time (s)", loop["wall_s"], ours["wall_s"]),
        _row("processor time (core s)", loop["cpu_s"], ours["cpu_s"]),
        f"| cores kept busy | {loop['cores_busy']} | {ours['cores_busy']} | |",
        f"| cores used by other programs meanwhile | {loop['other_programs_cores']} "
        f"| {ours['other_programs_cores']} | |",
        f"| peak memory, all processes (MiB) | {loop['peak_rss_mib']} | {ours['peak_rss_mib']} | |",
        "",
        f"**The runner is {figures['ratio']} times as fast.**",
        "",
        "## Where the time goes",
        "",
        "Seconds of the loop are wall time, in which a library may use every core; those of the runner are of one core "
        "each, so that two workers do two of them in a second of wall time. The runner's hold the analysis of the "
        "reference, once a clip.",
        "",
        "| step | plain loop (s) | runner (s on one core) |",
        "|---|--:|--:|",
    ]
    steps = list(dict.fromkeys([*loop["step_s"], *ours["step_s"]]))
    for step in steps:
        shown = (f"{part['step_s'][step]:.2f}" if step in part["step_s"] else "" for part in (loop, ours))
        lines.append(f"| {step} | {' | '.join(shown)} |")
    known = sum(ours["step_s"].values())
    rest = ours["cpu_s"] - known
    idle = machine["cores"] * ours["wall_s"] - ours["cpu_s"]
    rest_of_loop = loop["wall_s"] - sum(loop["step_s"].values())
    lines += [
        f"| everything else | {rest_of_loop:.2f} | {max(0.0, rest):.2f} |",
        f"| cores not ours: idle, or taken by other programs | | {max(0.0, idle):.2f} |",
        "",
        "Everything else of the runner is the start of the workers (each imports torch and the metrics' packages), "
        "reading, hashing and resampling, delays, tokens and records.",
        "",
        "## The numbers agree",
        "",
        "| metric | pairs | largest difference | allowed |",
        "|---|--:|--:|--:|",
    ]
    lines += [
        f"| {metric} | {one['compared']} | {one['largest']:.2g} | {one['allowed']:g} |"
        for metric, one in figures["differences"].items()
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, plain: float, ours: float) -> str:
    return f"| {name} | {plain:.1f} | {ours:.1f} | {plain / ours:.2f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    from .cli.options import add_corpus

    parser = argparse.ArgumentParser(prog="python -m codeczoo.benchmarks.throughput", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_corpus(parser, required=True)
    parser.add_argument("--codecs", nargs="+", metavar="NAME", default=list(CODECS), help="operating points")
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="metrics (default: those of the suite speech)")
    parser.add_argument("--workers", type=int, default=cores(), metavar="N", help="scoring processes (one a core)")
    parser.add_argument("--out", type=Path, default=Path("results/performance"), metavar="DIR", help="where figures go")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    metrics = options.metrics or suites.load("speech").metrics
    try:
        corpus = resolve(
            options.corpus,
            where=parse_where(options.where or ()),
            split=options.split,
            segment_s=options.segment_s,
            limit=options.limit,
            seed=options.seed,
        )
        figures = compare(options.codecs, corpus, metrics, options.workers)
        text = in_words(figures)
        sys.stdout.write(text)
        check_agreement(figures["differences"])
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "throughput.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (options.out / "throughput.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
