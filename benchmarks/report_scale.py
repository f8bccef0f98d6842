"""How long `codeczoo report` takes on a large run, and how much memory: synthetic records, real command.

    python -m codeczoo.benchmarks.report_scale --codecs 20 --clips 5000 --out results/performance

Records have every field that `bench` writes and thirteen metrics; clips are of speakers, some scores are undefined,
some clips failed. They are written to a folder of their own and reported by the command line in a process of its own,
which is measured: seconds by the clock, seconds of the processor, greatest memory. Before it a report of a few clips
runs unmeasured, so that Python's compiled files are there, as they are from the second command of a user on.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import environment, records

_log = logging.getLogger(__name__)

METRICS = {
    # metric: (worst, best)
    "pesq_wb": (1.1, 4.5),
    "stoi": (0.6, 0.99),
    "vuv_f1_yin": (0.6, 0.98),
    "pesq_nb": (1.2, 4.5),
    "estoi": (0.4, 0.98),
    "si_sdr": (-10.0, 18.0),
    "si_sdr_aligned": (-8.0, 20.0),
    "mel_distance": (2.0, 0.3),
    "mel_distance_taae": (1.5, 0.2),
    "stft_distance": (4.0, 0.8),
    "stft_distance_taae": (2.5, 0.5),
    "f0_rmse_cents_yin": (300.0, 2.0),
    "distillmos": (1.5, 4.3),
}
FAMILIES = ("alpha", "beta", "gamma", "delta")
CLIPS_A_SPEAKER = 20


def made(codecs: int, clips: int, seed: int = 0) -> Iterator[records.Record]:
    """Records as a run would have written them: clip by clip, every codec."""
    rng = np.random.default_rng(seed)
    names = list(METRICS)
    low, high = np.array([METRICS[name] for name in names]).T
    kbps = [1.5 * 2 ** (number // len(FAMILIES)) for number in range(codecs)]
    identities = {name: f"{number:08x}" for number, name in enumerate(names)}
    for clip in range(clips):
        ease = rng.normal(0, 0.4)
        for number in range(codecs):
            quality = np.log2(kbps[number] / 4) * 0.7 + 0.1 * (number % len(FAMILIES)) + ease
            share = 1 / (1 + np.exp(-(quality + rng.normal(0, 0.15, size=len(names)))))
            scores = dict(zip(names, (low + (high - low) * share).tolist(), strict=True))
            yield _record(number, kbps[number], clip, scores, identities, rng)


def _record(
    number: int,
    kbps: float,
    clip: int,
    scores: dict[str, float],
    identities: dict[str, str],
    rng: np.random.Generator,
) -> records.Record:
    seconds = 2.0 + clip % 17 * 0.5
    undefined: dict[str, str] = {}
    failed: dict[str, str] = {}
    if clip % 100 == 7:
        undefined["f0_rmse_cents_yin"] = "no frame is voiced in both signals"
        del scores["f0_rmse_cents_yin"]
    if clip % 500 == 11 and number == 0:
        failed["decode"] = "RuntimeError: out of memory"
        scores = {}
    codec = f"{FAMILIES[number % len(FAMILIES)]}:24khz@{kbps:g}kbps"
    return {
        "schema": records.SCHEMA,
        "codec": codec,
        "codec_fingerprint": f"{number:016x}",
        "codec_facts": {
            "bitrate_kbps": kbps,
            "channels": 1,
            "codebook_sizes": [1024] * (number + 1),
            "domain": "speech",
            "licence": "MIT",
            "n_codebooks": number + 1,
            "sample_rate": 24000,
            "tokens_per_second": 75.0 * (number + 1),
            "weights_licence": "MIT",
        },
        "corpus": "synthetic",
        "clip": f"speaker{clip // CLIPS_A_SPEAKER:04}/chapter-17/utterance_{clip:06}.flac",
        "clip_sha256": f"{clip:064x}",
        "seconds": seconds,
        "domain": "speech",
        "dataset": "synthetic",
        "speaker": f"speaker{clip // CLIPS_A_SPEAKER:04}",
        "label": "en",
        "split": "test",
        "sample_rate": 24000,
        "bits": {"nominal": kbps * 1000 * seconds, "packed": round(kbps * 1000 * seconds), "side": 0},
        "tokens": round(75 * (number + 1) * seconds),
        "scores": scores,
        "undefined": undefined,
        "failed": failed,
        "identities": identities,
        "reference_scores": {"distillmos": 4.1 + 0.2 * float(np.sin(clip))},
        "delay_ms": 0.0,
        "delay_correlation": 0.99,
        "clipped": {"input": 0, "output": clip % 3},
        "length_difference": 0,
        "timing": {
            "busy_workers": 2,
            "decode_rtf": 0.01,
            "decode_s": 0.01 * seconds * float(rng.uniform(0.9, 1.1)),
            "device": "cpu",
            "encode_rtf": 0.012,
            "encode_s": 0.012 * seconds * float(rng.uniform(0.9, 1.1)),
            "threads": 2,
            "warm_up": True,
        },
        "scoring_s": {"distillmos": 3.1, "pesq_wb": 0.2, "stoi": 0.4, "mel_distance": 0.05},
    }


def measure(codecs: int, clips: int, arguments: list[str]) -> dict[str, Any]:
    """Write the records, report them in a process of its own, and give what that took."""
    with tempfile.TemporaryDirectory(prefix="report-scale-") as folder:
        run, small = Path(folder) / "run", Path(folder) / "small"
        _write_run(run, codecs, clips)
        _write_run(small, codecs, 3)
        size = (run / records.RECORDS_FILE).stat().st_size
        command = [sys.executable, "-m", "codeczoo.benchmarks.cli", "report"]
        compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        compiled["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "compiled")
        subprocess.run([*command, str(small), *arguments], check=True, stdout=subprocess.DEVNULL, env=compiled)
        load = os.getloadavg()[0]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run([*command, str(run), *arguments], check=True, stdout=subprocess.DEVNULL, env=compiled)
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        files = sum(path.is_file() for path in (run / "report").rglob("*"))
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "codecs": codecs,
        "clips": clips,
        "metrics": len(METRICS),
        "records_mb": round(size / 1e6, 1),
        "arguments": " ".join(arguments),
        "files_written": files,
        "load_before": round(load, 1),
        "clock_s": round(seconds, 2),
        "processor_s": round(processor_s, 2),
        # Linux counts in KiB; the largest of all children, of which there is one.
        "peak_memory_mb": round(after.ru_maxrss * 1024 / 1e6),
    }


def _write_run(run: Path, codecs: int, clips: int) -> None:
    run.mkdir()
    with (run / records.RECORDS_FILE).open("w", encoding="utf-8") as file:
        for record in made(codecs, clips):
            file.write(json.dumps(record, sort_keys=True) + "\n")


def written(found: list[dict[str, Any]]) -> str:
    """The measurements as Markdown."""
    lines = [
        "# `codeczoo report` on a large run",
        "",
        f"Synthetic records of {len(METRICS)} metrics, {environment.processor()}, Python {platform.python_version()}; "
        "the whole command, from starting a Python that has run it before to the last file. Made by",
        "`python -m codeczoo.benchmarks.report_scale`. Load is of other programs, on "
        f"{environment.cores()} cores: the clock waits for them, and processor seconds grow with what they take of "
        "caches.",
        "",
        "| codecs | clips | records (MB) | arguments | files | load | clock (s) | processor (s) | peak memory (MB) |",
        "| ---: | ---: | ---: | :--- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {each['codecs']} | {each['clips']} | {each['records_mb']} | `{each['arguments'] or 'none'}` | "
        f"{each['files_written']} | {each['load_before']} | {each['clock_s']} | {each['processor_s']} | "
        f"{each['peak_memory_mb']} |"
        for each in found
    ]
    return "\n".join([*lines, ""])


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codecs", type=int, default=20)
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument("--out", type=Path, default=Path("results/performance"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    found = []
    for arguments in ([], ["--no-figures"], ["--no-figures", "--intervals", "--at", "1.5", "3", "6"]):
        found.append(measure(options.codecs, options.clips, arguments))
        _log.info("%s", found[-1])
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report_scale.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (options.out / "report_scale.md").write_text(written(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
