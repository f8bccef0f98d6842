"""Tables of probes in the layout of WavTokenizer's Table 3: a row a codec, a column a task; and everything as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from codeczoo.benchmarks.probes.datasets import DATASETS
from codeczoo.benchmarks.probes.probing import MAJORITY, UNIFORM

from .columns import kbps_text, rate_text
from .notes import listed
from .probe_summary import ProbeResult
from .published_probes import Published, published
from .table import NOTHING, Section, Table, TextCell
from .tidy import as_csv, number

MODE_TITLES = {
    "linear": "linear: standardised, regularisation chosen on validation clips",
    "arch": "arch: the published protocol (AdamW, 200 epochs, not standardised, last epoch)",
}
_FEW_GROUPS = 6
"""Below this many clusters a bootstrap makes intervals that are too narrow by far."""
_FACTS = ("Model", "kbps", "Nq", "tokens/s")
_CSV_HEAD = (
    "task", "features", "mode", "pooling", "metric", "mean", "ci_low", "ci_high", "seed_std", "seeds", "folds",
    "test_clips", "train_clips", "classes", "failed", "macro_f1", "map_weighted", "labels_scored", "kbps_nominal",
    "tokens_per_second", "n_codebooks", "undefined",
)  # fmt: skip

Cells = tuple[TextCell, ...]


def table(found: Sequence[ProbeResult]) -> Table:
    """A section a mode (and pooling, where there are several), baselines first."""
    tasks = _tasks(found)
    head = (*_FACTS, *(f"{_short(task)} ({_metric(found, task)}) ↑" for task in tasks))
    ways = list(dict.fromkeys((result.mode, result.pooling) for result in found))
    poolings = {pooling for _, pooling in ways}
    sections = [_section(mode, pooling, found, tasks, len(poolings) > 1) for mode, pooling in ways]
    printed = published() if any(mode == "arch" for mode, _ in ways) else ()
    if printed and any(task in printed[0].values for task in tasks):
        sections.append(_published(printed, tasks))
    return Table("Linear probes", head, 1, tuple(sections), tuple(_notes(found, tasks)))


def _tasks(found: Sequence[ProbeResult]) -> list[str]:
    place = {name: number for number, name in enumerate(DATASETS)}
    tasks = list(dict.fromkeys(result.task for result in found))
    return sorted(tasks, key=lambda task: place.get(task, len(place)))


def _short(task: str) -> str:
    return DATASETS[task].short if task in DATASETS else task


def _metric(found: Sequence[ProbeResult], task: str) -> str:
    return "mAP" if next(result.metric for result in found if result.task == task) == "map" else "acc."


def _section(mode: str, pooling: str, found: Sequence[ProbeResult], tasks: Sequence[str], say_pooling: bool) -> Section:
    members = [result for result in found if (result.mode, result.pooling) == (mode, pooling)]
    by_row: dict[str, dict[str, ProbeResult]] = {}
    for result in members:
        by_row.setdefault(result.features, {})[result.task] = result
    emphasis = {
        task: _ranks([of[task] for of in by_row.values() if task in of and of[task].is_codec]) for task in tasks
    }
    rows = tuple(_row(name, of, tasks, emphasis) for name, of in by_row.items() if not _undefined(of))
    notes: list[str] = []
    reasons: dict[str, list[str]] = {}
    for result in members:
        if result.undefined:
            reasons.setdefault(result.undefined, []).append(result.features)
    notes += [f"{listed(dict.fromkeys(names))}: undefined, {reason}." for reason, names in reasons.items()]
    lost = [f"{listed([result.features])} {result.failed} ({result.task})" for result in members if result.failed]
    if lost:
        notes.append(f"Clips without a feature, left out: {', '.join(lost)}.")
    if stopped := [result.features for result in members if result.unconverged]:
        notes.append(f"Some probes stopped before they had converged: {listed(dict.fromkeys(stopped))}.")
    title = MODE_TITLES[mode] + (f"; pooling {pooling}" if say_pooling else "")
    return Section(title, rows, tuple(notes))


def _undefined(of: dict[str, ProbeResult]) -> bool:
    return all(result.undefined for result in of.values())


def _ranks(of: Sequence[ProbeResult]) -> dict[str, Literal["best", "second"]]:
    """Best and second codec of a column; only among results over the same clips, and where there are two."""
    same = [result for result in of if result.mean is not None and result.task_identity == of[0].task_identity]
    printed = {result.features: round(100 * result.mean, 1) for result in same if result.mean is not None}
    places = sorted(set(printed.values()), reverse=True)
    if len(places) < 2:
        return {}
    found: dict[str, Literal["best", "second"]] = {}
    for name, value in printed.items():
        if value in places[:2]:
            found[name] = "best" if value == places[0] else "second"
    return found


def _row(
    name: str,
    of: dict[str, ProbeResult],
    tasks: Sequence[str],
    emphasis: dict[str, dict[str, Literal["best", "second"]]],
) -> Cells:
    first = next(iter(of.values()))
    facts = first.facts
    kbps, rate, codebooks = (facts.get(key) for key in ("bitrate_kbps", "tokens_per_second", "n_codebooks"))
    cells = [
        TextCell(name, is_name=first.is_codec),
        TextCell(NOTHING if kbps is None else kbps_text(kbps)),
        TextCell(str(codebooks) if codebooks else NOTHING),
        TextCell(NOTHING if rate is None else rate_text(rate)),
    ]
    for task in tasks:
        result = of.get(task)
        cells.append(TextCell(NOTHING) if result is None else _cell(result, emphasis[task].get(name, "")))
    return tuple(cells)


def _cell(result: ProbeResult, emphasis: Literal["", "best", "second"]) -> TextCell:
    if result.mean is None:
        return TextCell(NOTHING)
    text = f"{100 * result.mean:.1f}"
    # Chance is known, not measured.
    if result.interval is not None and result.features not in (MAJORITY, UNIFORM):
        text += f" ± {50 * (result.interval[1] - result.interval[0]):.1f}"
    return TextCell(text, emphasis)


def _published(printed: Sequence[Published], tasks: Sequence[str]) -> Section:
    def row(of: Published) -> Cells:
        values = (of.values.get(task) for task in tasks)
        return (
            TextCell(f"{of.system} ({of.paper})"),
            TextCell(NOTHING),
            TextCell(NOTHING if of.codebooks is None else str(of.codebooks)),
            TextCell(NOTHING if of.tokens_per_second is None else rate_text(of.tokens_per_second)),
            *(TextCell(NOTHING if value is None else f"{value:.2f}") for value in values),
        )

    note = (
        "As printed in the papers, which call every column accuracy and state neither head, pooling nor layer; RAVDESS "
        "and FMA there are divided at random, with speakers and artists in train and test."
    )
    return Section("published", tuple(row(of) for of in printed), (note,))


def _notes(found: Sequence[ProbeResult], tasks: Sequence[str]) -> list[str]:
    notes = [
        "Percent. ± is half the 95 % interval (bootstrap over speakers or recordings of the test clips). "
        "Bold is best and underlined second among codecs. kbps and tokens/s are nominal.",
        "Features are what the decoder is given for the tokens (for residual codecs the sum over codebooks), pooled "
        "over the clip's own frames; clips are neither padded nor cut. log-mel: 80 bands, MFCC: 20 coefficients, at "
        "24 kHz, pooled alike. Chance: the most frequent training label, and a uniform draw.",
    ]
    for task in tasks:
        for mode in dict.fromkeys(result.mode for result in found if result.task == task):
            of = [result for result in found if (result.task, result.mode) == (task, mode) and result.mean is not None]
            if of:
                notes.append(_task_note(max(of, key=lambda result: result.seeds)))
    return list(dict.fromkeys(notes))


def _task_note(of: ProbeResult) -> str:
    parts = f"{of.folds} folds" if of.folds > 1 else "one division"
    seeds = f"{of.seeds} seeds" if of.seeds > 1 else "one seed"
    of_groups = ""
    if of.test_groups is not None and of.test_groups < of.test_clips:
        of_groups = f" of {of.test_groups} {of.group_is}s"
        of_groups += ", too few for intervals that hold" if of.test_groups < _FEW_GROUPS else ""
    text = (
        f"{of.task} ({of.mode}): {of.classes} labels, {of.test_clips} test clips{of_groups}, "
        f"{of.train_clips} to learn from{' in each fold' if of.folds > 1 else ''}; {parts}, {seeds}."
    )
    for said in (of.leak, *of.notes):
        text += f" {said[0].upper()}{said[1:]}." if said else ""
    return text


def csv_text(found: Sequence[ProbeResult]) -> str:
    """Everything: a line a result."""
    lines: list[tuple[str, ...]] = [_CSV_HEAD]
    for of in found:
        low, high = of.interval or (None, None)
        lines.append(
            (
                *(of.task, of.features, of.mode, of.pooling, of.metric),
                *map(number, (of.mean, low, high, of.seed_std, of.seeds, of.folds, of.test_clips, of.train_clips)),
                *map(number, (of.classes, of.failed)),
                *(number(of.extra.get(name)) for name in ("macro_f1", "map_weighted", "labels_scored")),
                *(number(of.facts.get(name)) for name in ("bitrate_kbps", "tokens_per_second", "n_codebooks")),
                of.undefined,
            )
        )
    return as_csv(lines)
