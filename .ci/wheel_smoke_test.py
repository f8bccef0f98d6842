"""The wheel's installed form: unpacked outside of the checkout, all of it is there, and the main job runs.

The dependencies of the environment that runs this are shared; the checkout and its editable install are not seen.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def sources() -> set[str]:
    """Every module and suite of the checkout, as the wheel must name it."""
    found: set[str] = set()
    for package in ("codecs", "metrics", "benchmarks"):
        for path in (ROOT / package).rglob("*"):
            if path.suffix in {".py", ".toml", ".safetensors"} or path.name == "py.typed":
                found.add(f"codeczoo/{path.relative_to(ROOT).as_posix()}")
    return found


def main(wheel: Path) -> int:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        missing = sorted(sources() - names)
        if missing:
            print(f"{wheel.name} lacks {', '.join(missing)}; is a package missing in pyproject.toml?", file=sys.stderr)
            return 1
        foreign = sorted(name for name in names if not name.startswith(("codeczoo/", "codeczoo-")))
        if foreign:
            print(f"{wheel.name} holds {', '.join(foreign)} outside of codeczoo/.", file=sys.stderr)
            return 1
        site = Path(folder) / "site"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel]
        subprocess.run(pip, check=True)
        # -P and a foreign folder keep the checkout out; PYTHONPATH puts the unpacked wheel before the editable install.
        environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(Path(folder) / "cache")}
        where = "import codeczoo.benchmarks as b; print(b.__file__)"
        run = {"cwd": folder, "env": environment, "check": True, "text": True}
        found = subprocess.run([sys.executable, "-P", "-c", where], capture_output=True, **run).stdout.strip()
        if not found.startswith(str(site)):
            print(f"The smoke test ran {found} instead of the wheel.", file=sys.stderr)
            return 1
        codecs = "opus@12kbps wavtokenizer:tiny-speech-216"
        bench = f"bench --codecs {codecs} --corpus demo --limit 3 --metrics stoi si_sdr_aligned --out run"
        subprocess.run([sys.executable, "-P", "-m", "codeczoo.benchmarks.cli", *bench.split()], **run)
        table = Path(folder, "run", "report", "quality.md").read_text(encoding="utf-8")
    if "opus@12kbps" not in table or "tiny-speech-216" not in table:
        print(f"The installed wheel's table lacks a codec:\n{table}", file=sys.stderr)
        return 1
    print(f"{wheel.name}: installed form works.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
