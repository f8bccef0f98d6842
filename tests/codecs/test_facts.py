"""Facts of every codec are read without what it takes to run one."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from codeczoo import codecs

specs = [codecs.spec(name) for name in codecs.names()]
assert len(specs) > 50 and len({spec.name for spec in specs}) == len(specs)
heavy = {"torch", "av", "pycodec2", "soundfile", "scipy", "librosa", "transformers", "encodec", "dac"}
print(" ".join(sorted(heavy & set(sys.modules))))
"""


def test_reading_facts_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
