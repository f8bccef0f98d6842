"""What a run was made with: versions, hardware, commit, command. Stored in `run.json`, one entry an invocation."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeczoo.codecs import resampling
from codeczoo.codecs.fingerprint import sha256_of

from . import protocol

if TYPE_CHECKING:
    from .request import Request

PACKAGES = (
    "codeczoo", "torch", "numpy", "scipy", "soxr", "soundfile", "av", "pesq", "pystoi", "speechmos", "onnxruntime",
    "distillmos", "utmos-pytorch", "torchcrepe", "encodec", "descript-audio-codec", "transformers", "pycodec2",
    "ai-edge-litert", "scikit-learn",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of the packages that can change a number; absent ones are left out."""
    found: dict[str, str] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The processor's name as the operating system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit() -> str | None:
    """The commit of the codeczoo checkout that runs, with `+changes` where it is not clean; None where installed."""
    here = Path(__file__).resolve().parents[1]
    if not (here / ".git").exists():
        return None
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        status = subprocess.run(["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+changes" if status.stdout.strip() else "")


@lru_cache(maxsize=1)
def software() -> str:
    """This codeczoo in a few words: its version, and a hash of its source, since two checkouts share a version."""
    digest = hashlib.sha256()
    here = Path(__file__).resolve().parents[1]
    for folder in ("codecs", "metrics", "benchmarks"):
        for path in sorted((here / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(here)} {sha256_of(path)}\n".encode())
    python = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    return f"codeczoo {version('codeczoo')} (source {digest.hexdigest()[:8]}, {python})"


def fact_sheet(command: str) -> dict[str, Any]:
    """When, by which command, with which versions, on which hardware."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "versions": versions(),
        "hardware": {"processor": processor(), "cores": cores(), "system": platform.system()},
        "commit": commit(),
    }


def invocation(request: Request, identities: dict[str, str]) -> dict[str, Any]:
    """The entry of `run.json` for one invocation of the runner."""
    return {
        **fact_sheet(request.command),
        "suite": request.suite,
        "codecs": [point.name for point in request.points],
        "skipped_codecs": dict(request.skipped),
        "corpus": request.corpus.name,
        "corpus_licence": request.corpus.licence,
        "clips": len(request.corpus),
        "metrics": identities,
        "protocol": {"version": protocol.VERSION, "text": protocol.TEXT, "resampler": resampling.identity()},
        "backend": request.backend.name,
        "coded_by": "workers" if request.codes_in_workers else "coordinator",
        "workers": request.workers,
        "threads": request.threads,
        "device": request.device,
    }
