"""`codeczoo convert`: a checkpoint of a native model to safetensors."""

from __future__ import annotations

import argparse
from pathlib import Path

_DESCRIPTION = """\
Convert a checkpoint of a native model, a published .ckpt (a pickle; nothing of it is executed) or a .safetensors with
the same tensor names, to a .safetensors file that holds the model alone: no discriminators, no states of optimizers.
Every tensor is checked. The new file can be used by its path wherever a codec is named: wavtokenizer:PATH.safetensors,
unicodec:PATH.safetensors. TAAE's weights need none of it: they are published, and trained, as .safetensors.
"""

_EPILOG = """\
examples:
  codeczoo convert WavTokenizer_small_320_24k_4096.ckpt
  codeczoo convert last.ckpt --out mine.safetensors --sample-rate 16000
  codeczoo convert runs/tiny/model.safetensors --out tiny.safetensors --half
  codeczoo convert unicode.ckpt --model unicodec
  codeczoo bench --codecs wavtokenizer:mine.safetensors --corpus my/clips --out runs/mine

codeczoo fetch converts what it fetches by itself.
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "convert",
        help="a checkpoint of a native model to safetensors",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help=".ckpt or .safetensors")
    parser.add_argument(
        "--model",
        choices=("wavtokenizer", "unicodec"),
        default="wavtokenizer",
        help="what it is (default: wavtokenizer)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: CHECKPOINT with the suffix .safetensors")
    parser.add_argument(
        "--sample-rate", type=int, metavar="HZ", help="of a checkpoint that does not state it (default: 24000)"
    )
    parser.add_argument(
        "--half", action="store_true", help="store float16: half the size; the model computes in float32 all the same"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Convert one checkpoint and print what was found in it."""
    import torch

    from codeczoo.codecs import CodecError
    from codeczoo.codecs.fingerprint import sha256_of

    out: Path = options.out or options.checkpoint.with_suffix(".safetensors")
    if out.suffix != ".safetensors":
        raise CodecError(f"--out must end in .safetensors; got {out}.")
    if out.exists():
        raise CodecError(f"{out} is there already; name another file by --out.")
    dtype = torch.float16 if options.half else torch.float32
    if options.model == "unicodec":
        from codeczoo.codecs import unicodec_checkpoint

        stated = None if options.sample_rate is None else {"sample_rate": options.sample_rate}
        name, written = "UniCodec", unicodec_checkpoint.convert(options.checkpoint, out, stated, dtype)
    else:
        from codeczoo.codecs import wavtokenizer_checkpoint

        found = wavtokenizer_checkpoint.convert(options.checkpoint, out, options.sample_rate, dtype)
        name, written = "WavTokenizer", found
    config = written.config
    print(f"{options.checkpoint}: SHA-256 {sha256_of(options.checkpoint)}")
    print(f"{out}: SHA-256 {written.sha256}, {out.stat().st_size / 1e6:.1f} MB")
    print(
        f"{name}: {config.sample_rate} Hz, {config.frame_rate_hz:g} tokens/s, one codebook of {config.entries} "
        f"entries, fingerprint {written.codebook}"
    )
    return 0
