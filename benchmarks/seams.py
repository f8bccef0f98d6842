"""What cutting long clips changes in a WavTokenizer: its tokens, its audio around seams and away from them, its memory.

    python -m codeczoo.benchmarks.seams --checkpoint model.safetensors --corpus demo
    python -m codeczoo.benchmarks.seams --codec wavtokenizer:small-320 --corpus 'speech/*.flac' --windows-s 10 30 60

The corpus is joined into one clip of `--seconds`, coded whole (`WavTokenizer.encode`, `.decode`), and coded in blocks
(`codeczoo.codecs.wavtokenizer_long`). Differences are to the whole result:

tokens      frames whose token is another one (encoding in blocks is exact but for ties)
RMS, worst  of the difference in samples, in dB relative to RMS and to the largest sample of the whole result; near
            seams (within half a second) and away from them. Away from seams windows differ too: group normalisation and
            attention see a window where they saw the clip. A seam is inaudible where near is not above away
PESQ        wide band at 16 kHz, whole result first, of 4 s around each seam and of 4 s between each two; 4.64 is none
memory      peak resident memory of a process that codes a clip of noise of 1, 10, 60 minutes in blocks, and its time

Figures are printed as Markdown.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from codeczoo.codecs import CodecError
from codeczoo.codecs.resampling import resample
from codeczoo.metrics import Undefined
from codeczoo.metrics.base import Audio
from codeczoo.metrics.pesq import pesq

from .audio import read_mono
from .clip import Corpus
from .corpora import resolve
from .errors import BenchmarkError
from .footprint import Source, footprint
from .selection import parse_where

if TYPE_CHECKING:
    from torch import Tensor

    from codeczoo.codecs.long_audio import Windows
    from codeczoo.codecs.wavtokenizer import WavTokenizer

_log = logging.getLogger(__name__)

NEAR_S = 0.5
"""To either side of the middle of a fade."""
HEARD_S = 4.0
"""Stretches that PESQ is given."""
PESQ_HZ = 16_000


@dataclass(frozen=True)
class Seams:
    """What windows of one kind do to one clip. Levels in dB; PESQ by stretch."""

    windows: Windows
    count: int
    rms_near_db: float
    rms_away_db: float
    worst_near_db: float
    worst_away_db: float
    pesq_near: tuple[float, ...]
    pesq_away: tuple[float, ...]


def joined(corpus: Corpus, sample_rate: int, seconds: float) -> Audio:
    """The clips one after the other at `sample_rate`, again and again, for so many seconds."""
    wanted = round(seconds * sample_rate)
    parts: list[Audio] = []
    clips = list(corpus)
    while sum(map(len, parts)) < wanted:
        for clip in clips:
            mono, rate = read_mono(clip.path, clip.start_s, clip.seconds)
            parts.append(resample(mono, rate, sample_rate))
            if sum(map(len, parts)) >= wanted:
                break
    return np.concatenate(parts)[:wanted]


def differing_tokens(model: WavTokenizer, audio: Tensor, whole: Tensor) -> int:
    """Frames whose token is another one in blocks."""
    from codeczoo.codecs.wavtokenizer_long import encode_blocks

    codes, _ = encode_blocks(model, audio.split(model.config.sample_rate, dim=-1))
    return int((codes != whole).sum())


def measure(model: WavTokenizer, codes: Tensor, whole: Audio, plan: Windows) -> Seams:
    """Decode by windows, and compare with the audio of the whole."""
    import torch

    from codeczoo.codecs.wavtokenizer_long import decode_blocks

    rate, hop = model.config.sample_rate, model.config.hop
    cut = torch.cat(list(decode_blocks(model, codes, len(whole), plan=plan)), dim=-1)[0, 0].numpy()
    seams = [(first + end) * hop // 2 for first, end in plan.fades(codes.shape[-1])]
    if not seams:
        raise BenchmarkError(
            f"{len(whole) / rate:.0f} s fit into one window of {plan.frames} frames; give more seconds."
        )
    near = np.zeros(len(whole), bool)
    for seam in seams:
        near[max(0, seam - round(NEAR_S * rate)) : seam + round(NEAR_S * rate)] = True
    difference = cut - whole
    between = [(one + other) // 2 for one, other in itertools.pairwise(seams)] or [seams[0] // 2]
    near_db, away_db = (_levels_db(difference[where], whole) for where in (near, ~near))
    return Seams(
        windows=plan,
        count=len(seams),
        rms_near_db=near_db[0],
        rms_away_db=away_db[0],
        worst_near_db=near_db[1],
        worst_away_db=away_db[1],
        pesq_near=_heard(whole, cut, rate, seams),
        pesq_away=_heard(whole, cut, rate, between),
    )


def _levels_db(difference: Audio, whole: Audio) -> tuple[float, float]:
    """RMS relative to the RMS of the whole, largest sample relative to its largest."""
    rms = np.sqrt(np.mean(np.square(difference)) / np.mean(np.square(whole)))
    return _db(float(rms)), _db(float(np.abs(difference).max() / np.abs(whole).max()))


def _heard(whole: Audio, cut: Audio, rate: int, middles: Sequence[int]) -> tuple[float, ...]:
    """PESQ of the stretches around these samples; those are left out, and told, where it is undefined (silence)."""
    found: list[float] = []
    size = round(HEARD_S * rate)
    for middle in middles:
        start = max(0, min(middle - size // 2, len(whole) - size))
        pair = [resample(np.ascontiguousarray(side[start : start + size]), rate, PESQ_HZ) for side in (whole, cut)]
        try:
            found.append(pesq(pair[0], pair[1], PESQ_HZ, "wb"))
        except Undefined as reason:
            _log.info("PESQ of the stretch at %.1f s is undefined: %s", start / rate, reason)
    return tuple(found)


def _db(ratio: float) -> float:
    return 20 * float(np.log10(max(ratio, 1e-12)))


def in_words(tokens: tuple[int, int], seconds: float, rate_hz: float, found: Sequence[Seams]) -> str:
    """The differences as Markdown."""
    lines = [
        f"{seconds:.0f} s of audio; {tokens[0]} of {tokens[1]} tokens differ when encoded in blocks.",
        "",
        "| window (s) | overlap (s) | fade (s) | seams | RMS near | RMS away (dB) | worst near | worst away (dB) "
        "| PESQ near: mean | least | PESQ away: mean |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in found:
        plan = [f"{frames / rate_hz:.2f}" for frames in (one.windows.frames, one.windows.overlap, one.windows.fade)]
        levels = [f"{level:.1f}" for level in (one.rms_near_db, one.rms_away_db, one.worst_near_db, one.worst_away_db)]
        opinions = (_mean(one.pesq_near), f"{min(one.pesq_near):.2f}" if one.pesq_near else "", _mean(one.pesq_away))
        lines.append(f"| {' | '.join([*plan, str(one.count), *levels, *opinions])} |")
    return "\n".join(lines) + "\n"


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f}" if values else ""


def _arguments() -> argparse.ArgumentParser:
    from .cli.options import add_corpus

    parser = argparse.ArgumentParser(prog="python -m codeczoo.benchmarks.seams", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_corpus(parser, required=True)
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--codec", default="", metavar="NAME", help="a WavTokenizer of the registry")
    model.add_argument("--checkpoint", default="", metavar="FILE", help="a .ckpt or .safetensors")
    parser.add_argument("--seconds", type=float, default=180.0, metavar="S", help="length of the clip (default 180)")
    parser.add_argument(
        "--windows-s", type=float, nargs="+", metavar="S", help="windows to try (default: the one that is used)"
    )
    parser.add_argument(
        "--minutes", type=float, nargs="+", default=[1.0, 10.0, 60.0], metavar="M", help="clips for memory; 0: none"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    options = _arguments().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        source = Source(options.codec, options.checkpoint)
        corpus = resolve(
            options.corpus,
            where=parse_where(options.where or ()),
            split=options.split,
            segment_s=options.segment_s,
            limit=options.limit,
            seed=options.seed,
        )
        sys.stdout.write(_differences(source.load(), corpus, options.seconds, options.windows_s or ()))
        minutes = [value for value in options.minutes if value > 0]
        if minutes:
            sys.stdout.write("\n| minutes | peak memory (MiB) | encode (s) | decode (s) |\n|--:|--:|--:|--:|\n")
        for value in minutes:
            one = footprint(source, value)
            sys.stdout.write(f"| {value:g} | {one.peak_mib:.0f} | {one.encode_s:.1f} | {one.decode_s:.1f} |\n")
            sys.stdout.flush()
    except (BenchmarkError, CodecError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _differences(model: WavTokenizer, corpus: Corpus, seconds: float, windows_s: Sequence[float]) -> str:
    import torch

    from codeczoo.codecs.long_audio import Windows
    from codeczoo.codecs.wavtokenizer_long import windows

    if model.config.decoder is None:
        raise BenchmarkError("A model with a mirrored decoder is cut without seams: there is nothing to measure.")
    rate_hz = model.config.frame_rate_hz
    audio = torch.from_numpy(joined(corpus, model.config.sample_rate, seconds))[None, None]
    codes = model.encode(audio)
    whole = model.decode(codes, audio.shape[-1])[0, 0].numpy()
    used = windows(model.config)
    tried = [Windows(round(one * rate_hz), used.overlap, used.fade) for one in windows_s] or [used]
    tokens = (differing_tokens(model, audio, codes), codes.shape[-1])
    return in_words(tokens, seconds, rate_hz, [measure(model, codes, whole, plan) for plan in tried])


if __name__ == "__main__":
    sys.exit(main())
