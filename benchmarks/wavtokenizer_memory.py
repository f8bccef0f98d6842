"""Peak memory of encoding and decoding one clip, each form in a process of its own.

    python -m codeczoo.benchmarks.wavtokenizer_memory FORM MODEL.safetensors CORPUS SECONDS THREADS

What is given, in MiB: the most memory the process held while it worked, less what it held before, model and audio
loaded. Read from `/proc/self/status` (VmHWM, set back by writing 5 to `clear_refs`), because `ru_maxrss` counts the
parent's memory before the fork as well, and the peak of loading the model.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from codeczoo.codecs.wavtokenizer import WavTokenizer
from codeczoo.codecs.wavtokenizer_checkpoint import write

from . import wavtokenizer_naive
from .errors import BenchmarkError
from .wavtokenizer_material import speech

FORMS = ("ours", "naive")


def compare(model: WavTokenizer, corpus: str, seconds: float, folder: Path) -> dict[str, float]:
    """Peak in MiB of each form, and their ratio; the model is written to `folder`."""
    path = folder / "model.safetensors"
    write(model, path)
    arguments = [str(path), corpus, str(seconds), str(torch.get_num_threads())]
    found: dict[str, float] = {"seconds": seconds}
    for form in FORMS:
        command = [sys.executable, "-m", "codeczoo.benchmarks.wavtokenizer_memory", form, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"The memory of the form {form} was not measured: {done.stderr.strip()[-500:]}")
        found[f"{form}_mib"] = json.loads(done.stdout)
    return found | {"ratio": found["ours_mib"] / found["naive_mib"]}


def peak_mib(form: str, path: Path, corpus: str, seconds: float) -> float:
    """In this process, see above."""
    model = WavTokenizer.from_checkpoint(path, trainable=form == "naive")
    audio = speech(corpus, seconds, model.config.sample_rate)
    # A second: what is made once and kept, transformed kernels, belongs to the model.
    short = audio[..., : model.config.sample_rate]
    _once(form, model, short)
    before = _status_mib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    _once(form, model, audio)
    return _status_mib("VmHWM") - before


def _once(form: str, model: WavTokenizer, audio: torch.Tensor) -> None:
    if form == "naive":
        wavtokenizer_naive.decode(model, wavtokenizer_naive.encode(model, audio))
    else:
        model.decode(model.encode(audio))


def _status_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def main(arguments: Sequence[str]) -> int:
    """The command."""
    form, path, corpus, seconds, threads = arguments
    torch.set_num_threads(int(threads))
    sys.stdout.write(json.dumps(peak_mib(form, Path(path), corpus, float(seconds))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
