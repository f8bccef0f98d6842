"""What is committed under results/ is what its records say: the report commands of results/README.md, run again."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from codeczoo.benchmarks import cli

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = re.findall(r"^    codeczoo (report .+)$", (ROOT / "results" / "README.md").read_text(), re.MULTILINE)


def test_every_committed_run_has_its_command() -> None:
    runs = {file.parent for file in (ROOT / "results").glob("*/records.jsonl.gz")}
    assert {ROOT / shlex.split(command)[1] for command in COMMANDS} == runs


@pytest.mark.parametrize("command", COMMANDS)
def test_committed_tables_are_what_the_records_say(command: str, tmp_path: Path) -> None:
    verb, run, *options = shlex.split(command)
    made = tmp_path / "report"
    assert cli.main([verb, str(ROOT / run), *options, "--no-figures", "--out", str(made)]) == 0
    tables = sorted(path.name for path in made.iterdir() if path.suffix in {".md", ".csv", ".tex"})
    assert {"quality.md", "quality.csv"} <= set(tables) or {"length.md", "length.csv"} <= set(tables)
    for name in tables:
        assert (made / name).read_text() == (ROOT / run / "report" / name).read_text(), name
