"""How fast the native WavTokenizer is: against the arithmetic it does, and against the published form of it.

    python -m codeczoo.benchmarks.wavtokenizer_speed --threads 2
    python -m codeczoo.benchmarks.wavtokenizer_speed --device cuda

One process, on real speech (10 s unless told otherwise), float32. In turns, `--repeats` times over: a large matrix
product, our encoder and decoder, the same in the published form (`wavtokenizer_naive`), our decoder in bfloat16. Turns,
because a machine that slows down should do so for all; the minimum over them is the figure, the median is beside it.

- *limit*: the operations (`wavtokenizer_arithmetic`) over the rate of the matrix product, what no implementation by
  plain products comes below. The ratios are time over limit, and ours over the published form.
- *floor*: what no implementation out of PyTorch's operators comes below (`wavtokenizer_floor`).
- Codes must be identical, or the times mean nothing: the benchmark fails. Deviation of audio is signal over difference
  in dB; PESQ (wide band, 16 kHz) has the float32 output as its reference. Both are of random weights unless
  `--checkpoint` is given, and random weights make noise: the dB carry over to trained ones, PESQ does not.
- *peak memory*: how much more a fresh process holds at most while it encodes and decodes 60 s than before, read from
  `/proc` (Linux).
- *real-time factors*: seconds of encoding and decoding a second of audio, by duration and batch.

Figures go to OUT/wavtokenizer_speed.json and .md.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from codeczoo.codecs.errors import CodecError
from codeczoo.codecs.resampling import resample
from codeczoo.codecs.wavtokenizer import WavTokenizer
from codeczoo.metrics.base import Undefined
from codeczoo.metrics.registry import score

from . import wavtokenizer_memory, wavtokenizer_naive
from .environment import commit, cores, processor, versions
from .errors import BenchmarkError
from .wavtokenizer_arithmetic import decode_flop, encode_flop
from .wavtokenizer_floor import elus, floor_flop, products
from .wavtokenizer_material import for_inference, speech, trainable
from .wavtokenizer_words import in_words

_log = logging.getLogger(__name__)

PRODUCT = 4096
"""Rows and columns of the matrices whose product gives the rate."""

Figures = dict[str, Any]


def compare(
    model: WavTokenizer, audio: Tensor, *, repeats: int, device: str = "cpu", half: torch.dtype = torch.bfloat16
) -> Figures:
    """Times, ratios and agreement of a trainable model's forms on audio `[1, 1, T]`."""
    naive = model.to(device)
    ours, lower = for_inference(model).to(device), for_inference(model).to(device).decoder_to(half)
    audio = audio.to(device)
    codes = ours.encode(audio)
    factors = torch.randn(2, PRODUCT, PRODUCT, device=device)
    product = torch.empty(PRODUCT, PRODUCT, device=device)
    activations, values = elus(ours.encoder, audio)
    seconds = in_turns(
        {
            "product": lambda: torch.mm(factors[0], factors[1], out=product),
            "encode": lambda: ours.encode(audio),
            "decode": lambda: ours.decode(codes),
            "naive_encode": lambda: wavtokenizer_naive.encode(naive, audio),
            "naive_decode": lambda: wavtokenizer_naive.decode(naive, codes),
            "decode_half": lambda: lower.decode(codes),
            "recurrent_products": products(model.config.encoder, audio.shape[-1], device),
            "elus": activations,
        },
        repeats,
        device,
    )
    best = {name: min(times) for name, times in seconds.items()}
    rate = 2 * PRODUCT**3 / best["product"]
    flop = {"encode": encode_flop(model.config, audio.shape[-1]), "decode": decode_flop(model.config, codes.shape[-1])}
    limit = {name: operations / rate for name, operations in flop.items()}
    floor = {name: operations / rate for name, operations in floor_flop(model.config, audio.shape[-1]).items()}
    floor["encode"] += best["recurrent_products"] + best["elus"]
    decoded, naive_decoded = ours.decode(codes), wavtokenizer_naive.decode(naive, codes)
    lower_decoded = lower.decode(codes)
    differing = int((codes != wavtokenizer_naive.encode(naive, audio)).sum())
    return {
        "audio_s": audio.shape[-1] / model.config.sample_rate,
        "tokens": codes.numel(),
        "distinct_tokens": int(codes.unique().numel()),
        "differing_tokens": differing,
        "product_gflop_per_s": rate / 1e9,
        "gflop": {name: operations / 1e9 for name, operations in flop.items()},
        "limit_s": limit,
        "floor_s": floor,
        "elu_values": values,
        "least_s": best,
        "median_s": {name: statistics.median(times) for name, times in seconds.items()},
        "ratios": _ratios(best, limit, floor),
        "audio_to_naive_db": deviation_db(naive_decoded, decoded),
        "half": str(half).removeprefix("torch."),
        "half_to_float32_db": deviation_db(decoded, lower_decoded),
        "half_to_float32_pesq_wb": pesq_wb(decoded, lower_decoded, model.config.sample_rate),
    }


def _ratios(best: Mapping[str, float], limit: Mapping[str, float], floor: Mapping[str, float]) -> dict[str, float]:
    """Of least times to each other, to the limit and to the floor."""
    ours, naive = best["encode"] + best["decode"], best["naive_encode"] + best["naive_decode"]
    return {
        "encode_to_limit": best["encode"] / limit["encode"],
        "decode_to_limit": best["decode"] / limit["decode"],
        "sum_to_limit": ours / sum(limit.values()),
        "floor_to_limit": sum(floor.values()) / sum(limit.values()),
        "sum_to_floor": ours / sum(floor.values()),
        "naive_encode_to_limit": best["naive_encode"] / limit["encode"],
        "naive_decode_to_limit": best["naive_decode"] / limit["decode"],
        "naive_sum_to_limit": naive / sum(limit.values()),
        "sum_to_naive": ours / naive,
        "half_to_float32_decode": best["decode_half"] / best["decode"],
    }


def in_turns(parts: Mapping[str, Callable[[], object]], repeats: int, device: str = "cpu") -> dict[str, list[float]]:
    """Seconds of each part, `repeats` times in turns, after one turn that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for turn in range(repeats + 1):
        for name, part in parts.items():
            taken = timed(part, device)
            if turn:
                seconds[name].append(taken)
    return seconds


def timed(part: Callable[[], object], device: str) -> float:
    """Seconds of one call, its work on a GPU included."""
    _finish(device)
    start = time.perf_counter()
    part()
    _finish(device)
    return time.perf_counter() - start


def _finish(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def deviation_db(reference: Tensor, other: Tensor) -> float | None:
    """Energy of the reference over that of the difference; None: there is no difference."""
    noise = float((reference.double() - other.double()).square().sum())
    return None if noise == 0 else 10 * float(torch.log10(reference.double().square().sum() / noise))


def pesq_wb(reference: Tensor, other: Tensor, sample_rate_hz: int) -> float | str:
    """Wide-band PESQ of audio `[1, 1, T]`, of its first 15 s, or why there is none."""
    first, second = (
        resample(audio[0, 0, : 15 * sample_rate_hz].cpu().numpy(), sample_rate_hz, 16_000)
        for audio in (reference, other)
    )
    try:
        return score("pesq_wb", first, second, 16_000)
    except Undefined as reason:
        return str(reason)


def real_time_factors(
    model: WavTokenizer, corpus: str, durations: Sequence[float], batches: Sequence[int], device: str, repeats: int
) -> list[Figures]:
    """For every duration and batch the least seconds of encoding and decoding a second of audio."""
    rows: list[Figures] = []
    forms = {"float32": for_inference(model), "bfloat16": for_inference(model).decoder_to(torch.bfloat16)}
    for name, form in forms.items():
        form.to(device)
        for duration in durations:
            for batch in batches:
                audio = speech(corpus, duration * batch, model.config.sample_rate).view(batch, 1, -1).to(device)
                taken = in_turns(
                    {"both": lambda form=form, audio=audio: form.decode(form.encode(audio))}, repeats, device
                )
                rows.append(
                    {
                        "decoder": name,
                        "seconds": duration,
                        "batch": batch,
                        "real_time_factor": min(taken["both"]) / (duration * batch),
                    }
                )
    return rows


def measure(options: argparse.Namespace) -> Figures:
    """All that was asked for."""
    model = trainable(options.checkpoint, options.corpus)
    audio = speech(options.corpus, options.seconds, model.config.sample_rate)
    figures: Figures = {
        "machine": {"processor": processor(), "cores": cores(), "threads": torch.get_num_threads()},
        "device": torch.cuda.get_device_name(options.device) if options.device.startswith("cuda") else "cpu",
        "weights": options.checkpoint.name if options.checkpoint else "random",
        "versions": versions(),
        "commit": commit(),
        "repeats": options.repeats,
    }
    _log.info("times, %d turns", options.repeats)
    figures |= compare(model, audio, repeats=options.repeats, device=options.device)
    if options.memory_s:
        _log.info("peak memory")
        with tempfile.TemporaryDirectory(prefix="codeczoo-speed-") as folder:
            figures["memory"] = wavtokenizer_memory.compare(model.cpu(), options.corpus, options.memory_s, Path(folder))
    if options.durations:
        _log.info("real-time factors")
        figures["real_time_factors"] = real_time_factors(
            model.cpu(), options.corpus, options.durations, options.batches, options.device, min(options.repeats, 5)
        )
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m codeczoo.benchmarks.wavtokenizer_speed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="trained weights (default: random ones)")
    parser.add_argument("--corpus", default="demo", metavar="PATH|NAME", help="speech (default: the demo clips)")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="length of the clip (10)")
    parser.add_argument("--repeats", type=int, default=10, metavar="N", help="turns (10)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads (2)")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda")
    parser.add_argument("--memory-s", type=float, metavar="S", help="clip for peak memory (60 on a CPU; 0: leave out)")
    parser.add_argument(
        "--durations", type=float, nargs="*", metavar="S", help="for real-time factors (5 10 30 60 on cuda, else none)"
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16], metavar="N", help="likewise (1 16)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where figures go (default: nowhere but the terminal)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    on_gpu = options.device.startswith("cuda")
    if options.memory_s is None:
        options.memory_s = 0.0 if on_gpu else 60.0
    if options.durations is None:
        options.durations = [5.0, 10.0, 30.0, 60.0] if on_gpu else []
    torch.set_num_threads(options.threads)
    # A GPU would round the product's factors to 10 bits where TF32 is on, and codes would not be those of a CPU.
    torch.set_float32_matmul_precision("highest")
    try:
        figures = measure(options)
    except (BenchmarkError, CodecError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    text = in_words(figures)
    sys.stdout.write(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        written = json.dumps(figures, indent=1) + "\n"
        (options.out / "wavtokenizer_speed.json").write_text(written, encoding="utf-8")
        (options.out / "wavtokenizer_speed.md").write_text(text, encoding="utf-8")
    if figures["differing_tokens"]:
        sys.stderr.write(f"{figures['differing_tokens']} codes differ from those of the published form.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
