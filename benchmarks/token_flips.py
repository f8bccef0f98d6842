"""How many tokens of WavTokenizer come out differently in another precision, or on another device.

    python -m codeczoo.benchmarks.token_flips --checkpoint model.safetensors --corpus demo
    python -m codeczoo.benchmarks.token_flips --device cuda

Every clip is encoded in float32 on the CPU, and again by the same weights in the other forms: on the CPU in bfloat16
and float16; with `--device cuda` there in float32, bfloat16 and float16. A token that differs is one whose frame lies
about as near to two entries. The search itself is float32 in all of them. Without a checkpoint the weights are random
(`wavtokenizer_material`); how many tokens differ depends on the codebook, so only trained weights tell of a model.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from codeczoo.codecs.errors import CodecError
from codeczoo.codecs.resampling import resample
from codeczoo.codecs.wavtokenizer import WavTokenizer

from .audio import read_mono
from .corpora import resolve
from .errors import BenchmarkError
from .wavtokenizer_material import for_inference, trainable

Form = tuple[str, torch.dtype]
"""Device and precision."""

LOWER = (torch.bfloat16, torch.float16)


def forms(device: str) -> tuple[Form, ...]:
    """What is compared with float32 on the CPU."""
    if device == "cpu":
        return tuple(("cpu", dtype) for dtype in LOWER)
    return tuple((device, dtype) for dtype in (torch.float32, *LOWER))


def flips(model: WavTokenizer, clips: Iterable[Tensor], compared: Sequence[Form]) -> dict[str, int]:
    """Tokens of all clips `[1, 1, T]`, and how many differ, by form: `{"tokens": 750, "cpu bfloat16": 3}`."""
    reference = for_inference(model)
    others = {_name(form): (for_inference(model).to(*form), form[0]) for form in compared}
    found = {"tokens": 0, **dict.fromkeys(others, 0)}
    for clip in clips:
        codes = reference.encode(clip)
        found["tokens"] += codes.numel()
        for name, (other, device) in others.items():
            found[name] += int((other.encode(clip.to(device)).cpu() != codes).sum())
    return found


def _name(form: Form) -> str:
    return f"{form[0]} {str(form[1]).removeprefix('torch.')}"


def in_words(found: dict[str, int], weights: str) -> str:
    """A table."""
    lines = [
        f"{found['tokens']} tokens of {weights} weights; those that differ from float32 on the CPU:",
        "",
        "| | differ | % |",
        "|---|--:|--:|",
    ]
    lines += [
        f"| {name} | {count} | {100 * count / found['tokens']:.2f} |"
        for name, count in found.items()
        if name != "tokens"
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m codeczoo.benchmarks.token_flips", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="trained weights (default: random ones)")
    parser.add_argument("--corpus", default="demo", metavar="PATH|NAME", help="clips (default: the demo clips)")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N clips")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the counts there too")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    torch.set_float32_matmul_precision("highest")
    try:
        model = trainable(options.checkpoint, options.corpus)
        rate_hz = model.config.sample_rate
        paths = [clip.path for clip in resolve(options.corpus)][: options.limit]
        clips = (torch.from_numpy(resample(*read_mono(path), rate_hz))[None, None] for path in paths)
        found = flips(model, clips, forms(options.device))
    except (BenchmarkError, CodecError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(in_words(found, options.checkpoint.name if options.checkpoint else "random"))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
