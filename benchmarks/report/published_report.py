"""Published tables with ours beside them, as files: NAME.md, NAME.tex, NAME.csv in a folder `published`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from codeczoo.benchmarks import records
from codeczoo.benchmarks.errors import InvalidRun
from codeczoo.benchmarks.probes.probe_records import PROBES_FILE
from codeczoo.benchmarks.published import ours as measured_here
from codeczoo.benchmarks.published import papers
from codeczoo.benchmarks.published.comparison import beside
from codeczoo.benchmarks.published.ours import Ours
from codeczoo.benchmarks.published.papers import PaperTable
from codeczoo.benchmarks.published.quantities import quantity

from . import published_table, writers


def gather(table: PaperTable, runs: Sequence[Path], jobs: int = 1) -> Ours:
    """What runs hold of a table. Raises InvalidRun where one of them is none that this table can be read from."""
    ours = Ours(identities=measured_here.known_identities(run for run in runs if run.suffix != ".json"))
    merged = records.load_runs([run for run in runs if _has_records(run)])
    scores = [name for row in table.rows if quantity(row).kind == "score" for name in quantity(row).ours]
    if merged and scores:
        measured_here.of_records(merged, table.sets, tuple(dict.fromkeys(scores)), ours)
    if merged and "fact" in table.kinds:
        measured_here.of_facts(merged, ours)
    if merged and "speed" in table.kinds:
        measured_here.of_timings(merged, ours)
    for run in runs:
        _of_run(table, run, ours, jobs)
    return ours


def _of_run(table: PaperTable, run: Path, ours: Ours, jobs: int) -> None:
    if run.suffix == ".json":
        if "reach" in table.kinds:
            measured_here.of_reach(run, ours)
        elif "speed" in table.kinds:
            measured_here.of_native_speed(run, ours)
        else:
            raise InvalidRun(f"{table.name} is not read from {run}; name a run folder.")
        return
    if "probe" in table.kinds and _has_probes(run):
        measured_here.of_probes(run, table.sets, ours)
        return
    if "tokens" in table.kinds and run.is_dir() and (run / "tokens").is_dir():
        from codeczoo.benchmarks.published.ours_tokens import of_tokens

        of_tokens(run, table.sets, ours, jobs)
        return
    if "reach" in table.kinds:
        raise InvalidRun(
            f"{table.name} is read from what codeczoo info NAME --measure --json prints; {run} is no such .json file."
        )
    if "probe" in table.kinds:
        raise InvalidRun(f"{run} holds no probes; {table.name} is read from a run of codeczoo probe.")
    if not _has_records(run):
        raise InvalidRun(f"{run} holds no records; {table.name} is read from a run of codeczoo bench.")
    if "tokens" in table.kinds:
        ours.notes.append(f"{run.name} kept no tokens, so that what is counted of them is not here.")


def _has_records(run: Path) -> bool:
    if run.is_dir():
        return any((run / f"{records.RECORDS_FILE}{end}").is_file() for end in ("", ".gz"))
    return run.is_file() and run.suffix in (".jsonl", ".gz")


def _has_probes(run: Path) -> bool:
    if run.is_dir():
        return any((run / f"{PROBES_FILE}{end}").is_file() for end in ("", ".gz"))
    return run.is_file() and run.name.startswith(PROBES_FILE.partition(".")[0])


def write(
    name: str, runs: Sequence[Path], out: Path | None, matches: Mapping[str, str], jobs: int = 1
) -> tuple[str, list[Path]]:
    """The table as Markdown, and the files written (none without `out`). Raises InvalidPublished, InvalidRun."""
    table = papers.load(name)
    found = beside(table, gather(table, runs, jobs), matches)
    made = published_table.render(found)
    text = writers.markdown(made)
    if out is None:
        return text, []
    texts = {
        f"{name}.md": text,
        f"{name}.tex": writers.latex(made, f"tab:{name}"),
        f"{name}.csv": published_table.csv_text(found),
    }
    out.mkdir(parents=True, exist_ok=True)
    for file, content in texts.items():
        (out / file).write_text(content, encoding="utf-8", newline="\n")
    return text, [out / file for file in texts]


def suites_of(runs: Sequence[Path]) -> tuple[str, ...]:
    """The papers' tables that runs were made for, as their `run.json` states."""
    found: dict[str, None] = {}
    for run in runs:
        for invocation in records.invocations(run):
            suite = invocation.get("suite", "")
            if isinstance(suite, str) and papers.is_table(suite):
                found[suite] = None
    return tuple(found)
