"""Real-time factor and peak memory of the native models at published size, by the clip's length.

    python -m codeczoo.benchmarks.native_speed --models taae wavtokenizer --lengths 5 10 30 60 --threads 2
    python -m codeczoo.benchmarks.native_speed --device cuda --out results/native

The tables of the papers: UniCodec's Table 8 and TAAE's Table 10 (real-time factors on a GPU at 5, 30 and 60 s). Each
model is measured in a process of its own, randomly weighted (speed and memory do not depend on weights), in float32, on
one clip of noise of each length, batch 1: one run that is not counted, then `--repeats`, of which the least counts.

- *real-time factor*: seconds of encoding and decoding a second of audio; below 1 is faster than real time. The papers
  do not say what theirs include; here it is both directions.
- *peak memory*: on a GPU what PyTorch holds at most, the model included; on a CPU how much more the process holds at
  most while it works on a clip than before (`/proc`, Linux). Windowed attention makes it grow linearly: the last column
  is memory beyond the model for a second of audio.
- *others*: cores that other programs took meanwhile, by model (Linux). Where they are not next to 0, times are theirs
  as much as the model's; memory is not touched by them.

Figures go to OUT/native_speed.json and .md.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .environment import commit, cores, processor, versions
from .errors import BenchmarkError
from .process_tree import Cost

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_log = logging.getLogger(__name__)

Figures = dict[str, Any]

_STATUS = Path("/proc/self/status")
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Coder:
    """A model that codes: audio `[1, 1, T]` to audio, by tokens."""

    parameters: int
    sample_rate: int
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One model on one length."""

    model: str
    parameters: int
    seconds: float
    encode_s: float
    """The least."""
    decode_s: float
    real_time_factor: float
    peak_mib: float | None
    """Beyond what the model takes; None where the system does not tell."""


def models() -> tuple[str, ...]:
    """Names of what can be measured."""
    return tuple(_MAKERS)


def measure(
    name: str, lengths_s: Sequence[float], *, device: str, threads: int, repeats: int, small: bool
) -> list[Row]:
    """All lengths of one model, in a process of its own. `small`: a model of the same kind that a test can pay for.

    Raises BenchmarkError.
    """
    if name not in _MAKERS:
        raise BenchmarkError(f"There is no native model {name!r} to measure; there are {', '.join(_MAKERS)}.")
    if not lengths_s or min(lengths_s) <= 0 or repeats < 1 or threads < 1:
        raise BenchmarkError(f"Lengths, repeats and threads are above 0; got {lengths_s}, {repeats}, {threads}.")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_measure, name, tuple(lengths_s), device, threads, repeats, small).result()


def _measure(
    name: str, lengths_s: tuple[float, ...], device: str, threads: int, repeats: int, small: bool
) -> list[Row]:
    import torch

    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    torch.manual_seed(0)
    coder = make(name, torch.device(device), small=small)
    rows: list[Row] = []
    # What is made once and kept, transformed kernels, belongs to the model.
    coder.decode(coder.encode(0.1 * torch.randn(1, 1, coder.sample_rate, device=device)))
    for seconds in sorted(lengths_s):
        audio = 0.1 * torch.randn(1, 1, round(seconds * coder.sample_rate), device=device)
        memory = _Memory(device)
        codes = coder.encode(audio)
        coder.decode(codes)
        peak_mib = memory.peak_mib()
        encode_s = min(_timed(lambda audio=audio: coder.encode(audio), device) for _ in range(repeats))
        decode_s = min(_timed(lambda codes=codes: coder.decode(codes), device) for _ in range(repeats))
        factor = (encode_s + decode_s) / seconds
        rows.append(Row(name, coder.parameters, seconds, encode_s, decode_s, factor, peak_mib))
    return rows


def make(name: str, device: torch.device, *, small: bool) -> Coder:
    """A randomly weighted model, of published size unless `small`."""
    return _MAKERS[name](device, small)


def _timed(work: Callable[[], object], device: str) -> float:
    import torch

    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    if cuda:
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


class _Memory:
    """What is held at most from here on, beyond what is held here."""

    def __init__(self, device: str) -> None:
        import torch

        self._cuda = device if torch.device(device).type == "cuda" else None
        if self._cuda is not None:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._cuda)
            self._before = torch.cuda.memory_allocated(self._cuda) / _MIB
        elif _STATUS.exists():
            # Sets VmHWM back to what is held now.
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            self._before = _status_mib("VmRSS")

    def peak_mib(self) -> float | None:
        import torch

        if self._cuda is not None:
            return torch.cuda.max_memory_allocated(self._cuda) / _MIB - self._before
        return _status_mib("VmHWM") - self._before if _STATUS.exists() else None


def _status_mib(name: str) -> float:
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def _taae(device: torch.device, small: bool) -> Coder:
    import torch

    from codeczoo.codecs.taae import TAAE, TAAEConfig
    from codeczoo.codecs.taae_checkpoint import parameters

    config = TAAEConfig(channels=32, dim_heads=16, transformer_depths=(1, 1)) if small else TAAEConfig()
    with torch.device("meta"):
        model = TAAE(config)
    model = model.to_empty(device=device)
    count = parameters(model)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            # Drawn in place: initial weights by the layers' own rules would take a minute.
            if name.endswith(("gamma", "norm.weight", "weight_g")):
                tensor.fill_(1)
            elif name.endswith(("beta", "bias")):
                tensor.zero_()
            else:
                tensor.uniform_(-0.02, 0.02)
    model = model.for_inference()
    return Coder(count, config.sample_rate, model.encode, model.decode)


def _wavtokenizer(device: torch.device, small: bool) -> Coder:
    from codeczoo.codecs.layers.seanet import SeanetConfig
    from codeczoo.codecs.layers.vocos import VocosConfig
    from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig

    config = WavTokenizerConfig()
    if small:
        config = WavTokenizerConfig(
            encoder=SeanetConfig(width=4, dimension=32),
            decoder=VocosConfig(dimension=32, width=64, intermediate=96, layers=2),
        )
    model = WavTokenizer(config)
    model.quantizer.embed.normal_()
    model.quantizer.inited.fill_(1)
    count = sum(parameter.numel() for parameter in model.parameters()) + model.quantizer.embed.numel()
    model = model.for_inference().to(device)
    return Coder(count, config.sample_rate, model.encode, model.decode)


def _unicodec(device: torch.device, small: bool) -> Coder:
    from codeczoo.codecs.unicodec import UniCodec, UniCodecConfig

    config = UniCodecConfig()
    if small:
        config = replace(
            config,
            encoder=replace(config.encoder, width=4, dimension=32),
            transformer=replace(config.transformer, layers=1, heads=2, expert_width=32),
            decoder=replace(config.decoder, dimension=32, width=64, intermediate=96, layers=2),
        )
    model = UniCodec(config)
    count = sum(parameter.numel() for parameter in model.parameters())
    model = model.for_inference().to(device)
    return Coder(count, config.sample_rate, model.encode, model.decode)


_MAKERS: dict[str, Callable[[torch.device, bool], Coder]] = {
    "wavtokenizer": _wavtokenizer,
    "unicodec": _unicodec,
    "taae": _taae,
}


def in_words(figures: Figures) -> str:
    """The figures as Markdown."""
    machine = figures["machine"]
    lines = [
        f"{figures['device']}, {machine['processor']}, {machine['threads']} of {machine['cores']} cores; float32, "
        f"batch 1, random weights, least of {figures['repeats']}.{_of_others(figures['other_programs_cores'])}",
        "",
        "| model | weights (M) | seconds | RTF | encode (s) | decode (s) | peak memory (MiB) | MiB a second |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in figures["rows"]:
        peak = row["peak_mib"]
        memory = "| |" if peak is None else f"{peak:.0f} | {peak / row['seconds']:.1f} |"
        lines.append(
            f"| {row['model']} | {row['parameters'] / 1e6:.0f} | {row['seconds']:g} | {row['real_time_factor']:.4f} | "
            f"{row['encode_s']:.3f} | {row['decode_s']:.3f} | {memory}"
        )
    return "\n".join(lines) + "\n"


def _of_others(cores_taken: Mapping[str, float]) -> str:
    taken = ", ".join(f"{name} {cores_taken[name]:.2f}" for name in cores_taken)
    return f" Cores that other programs took meanwhile: {taken}." if taken else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m codeczoo.benchmarks.native_speed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--models", nargs="+", default=models(), metavar="NAME", help=f"of {', '.join(models())} (all)")
    parser.add_argument("--lengths", type=float, nargs="+", default=[5.0, 10.0, 30.0, 60.0], metavar="S")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="runs that count (3)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads (2)")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda")
    parser.add_argument("--small", action="store_true", help="small models of the same kinds, to try the command")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where figures go (default: nowhere but the terminal)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    rows: list[Row] = []
    others: dict[str, float] = {}
    figures: Figures = {}
    try:
        for name in options.models:
            _log.info("%s, %s s", name, options.lengths)
            with Cost() if _STATUS.exists() else nullcontext() as cost:
                rows += measure(
                    name,
                    options.lengths,
                    device=options.device,
                    threads=options.threads,
                    repeats=options.repeats,
                    small=options.small,
                )
            if cost is not None:
                others[name] = round(cost.others_cpu_s / cost.wall_s, 2)
            # After each model: they take minutes, and what is measured is kept.
            figures = {
                "machine": {"processor": processor(), "cores": cores(), "threads": options.threads},
                "device": _device_name(options.device),
                "versions": versions(),
                "commit": commit(),
                "repeats": options.repeats,
                "other_programs_cores": others,
                "small": options.small,
                "rows": [asdict(row) for row in rows],
            }
            _write(figures, options.out)
    except (BenchmarkError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(in_words(figures))
    return 0


def _write(figures: Figures, out: Path | None) -> None:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "native_speed.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        (out / "native_speed.md").write_text(in_words(figures), encoding="utf-8")


def _device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "cpu"


if __name__ == "__main__":
    sys.exit(main())
