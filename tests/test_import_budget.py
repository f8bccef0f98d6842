"""What starts quickly must not import what is slow: the command line's help, and the facts of every codec."""

from __future__ import annotations

import logging
import subprocess
import sys
import time

import pytest

_log = logging.getLogger(__name__)

VERBS = (
    *("list", "info", "bench", "score", "report", "published", "listen", "tokens", "probe", "doctor", "encode"),
    *("decode", "fetch", "train"),
)
HEAVY = (
    "torch", "torchaudio", "numpy", "scipy", "pandas", "matplotlib", "sklearn", "librosa", "transformers", "soundfile",
    "soxr", "av", "onnxruntime", "encodec", "dac", "huggingface_hub", "joblib",
)  # fmt: skip

HELP = """\
import sys
from codeczoo.benchmarks.cli import main
try:
    main(sys.argv[1:])
except SystemExit as stop:
    assert not stop.code
print("IMPORTED", *sys.modules)
"""

FACTS = """\
import sys
import codeczoo.codecs
specs = [codeczoo.codecs.spec(name) for name in codeczoo.codecs.names()]
assert len({spec.name for spec in specs}) == len(specs) > 150
print("IMPORTED", *sys.modules)
"""


def imported(script: str, *arguments: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after running a script."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    _log.info("%s: %.2f s", " ".join(arguments) or "facts", time.perf_counter() - began)
    return {name.partition(".")[0] for name in done.stdout.rpartition("IMPORTED")[2].split()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *([verb, "--help"] for verb in VERBS),
    ],
    ids=lambda arguments: arguments[0],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert imported(HELP, *arguments) & set(HEAVY) == set()


def test_the_facts_of_all_codecs_need_no_torch() -> None:
    assert imported(FACTS) & (set(HEAVY) - {"numpy"}) == set()


def test_the_list_of_codecs_needs_no_torch() -> None:
    assert "torch" not in imported(HELP, "list", "codecs", "--json")
