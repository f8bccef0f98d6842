"""Set up codeczoo in .venv and do one thing with it. Needs nothing but Python 3.11 to 3.13 and this checkout.

    python3.11 .ci/start.py demo     measure a dozen codecs on real speech: table and plots under runs/demo/report
    python3.11 .ci/start.py test     run the tests

Exact versions come from constraints.txt. A second call finds the environment and does not install again.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEWEST = (3, 13)
OLDEST = (3, 11)


def install(environment: Path) -> Path:
    """Make the environment, unless it stands for this very pyproject.toml and constraints.txt; gives its Python."""
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = hashlib.sha256(
        (ROOT / "pyproject.toml").read_bytes() + (ROOT / "constraints.txt").read_bytes()
    ).hexdigest()
    mark = environment / "codeczoo-installed"
    if python.is_file() and mark.is_file() and mark.read_text() == wanted:
        return python
    print(f"Installing codeczoo and its dependencies into {environment} (about 6 GB with torch's CUDA libraries) ...")
    venv.create(environment, with_pip=True, clear=environment.exists())
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--constraint",
        "constraints.txt",
    ]
    subprocess.run([*command, "--editable", ".[dev]"], cwd=ROOT, check=True)
    mark.write_text(wanted)
    return python


def demo(python: Path) -> int:
    """The main job on the demo clips."""
    command = [python, "-m", "codeczoo.benchmarks.cli", "bench", "--suite", "demo", "--out", "runs/demo"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def test(python: Path) -> int:
    """The whole suite, on all cores."""
    return subprocess.run([python, "-m", "pytest", "-q", "-n", "auto"], cwd=ROOT, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("demo", "test"))
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv", help="default: .venv")
    options = parser.parse_args()
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        print(f"codeczoo needs Python 3.11 to 3.13; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    python = install(options.environment.resolve())
    return demo(python) if options.what == "demo" else test(python)


if __name__ == "__main__":
    sys.exit(main())
