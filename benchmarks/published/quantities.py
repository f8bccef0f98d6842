"""A printed column and what we measure: one definition, a near one that is shown and not compared, or none.

Two numbers may be compared where their definitions are the same. So a quantity names the metrics of ours that stand
beside it, the best first; `same` says whether the first of them is the very definition; `parts` and `absent` are what
the identity of the measured value must and must not hold (codeczoo.benchmarks.protocol.metric_identity).

Definitions, with what each paper leaves open, are in results/published/README.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from codeczoo.benchmarks.errors import InvalidPublished

from .rows import PublishedRow

Kind = Literal["score", "probe", "tokens", "speed", "fact", "reach", "none"]
"""Where ours comes from: records of bench, of probe, kept tokens, timings, facts of a codec, layers looked through."""


@dataclass(frozen=True)
class Quantity:
    """What one column of one paper prints."""

    label: str
    """The column's head."""
    kind: Kind
    higher_is_better: bool | None
    ours: tuple[str, ...] = ()
    """What we show beside it, the best first; empty where we measure nothing of the kind."""
    same: bool = False
    """Whether the first of `ours` is this definition."""
    why: str = ""
    """Where not `same`: why the two are not compared."""
    left_open: str = ""
    """Where `same`: what the two may still differ in, as a sentence."""
    parts: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


_UTMOS = Quantity(
    "UTMOS", "score", True, ("utmos",), True, parts=("fs:16000",), absent=("sha256:absent",),
    left_open="UTMOS: the UTMOS22 strong learner in both.",
)  # fmt: skip
_PESQ_WB = Quantity(
    "PESQ", "score", True, ("pesq_wb", "pesq_nb"), True, parts=("fs:16000", "mode:wb"),
    left_open="PESQ: wide band at 16 kHz, by WavTokenizer's script (no paper says); that script takes PESQ's error "
    "codes (-1 and below) into the mean, here such clips are undefined.",
)  # fmt: skip
_STOI = Quantity(
    "STOI", "score", True, ("stoi",), True, parts=("resampler:pystoi",),
    left_open="STOI: pystoi at the codec's rate in WavTokenizer's script, at 16 kHz here; less than 1e-4 apart.",
)  # fmt: skip
_F1 = Quantity(
    "F1", "score", True, ("vuv_f1", "vuv_f1_yin"), True, parts=("crepe:full", "voiced:0.21"),
    left_open="F1: voicing by CREPE full with threshold 0.21 in both.",
)  # fmt: skip
_L1 = "the paper speaks of linear magnitudes, its code takes the logarithm"
_MOS_OF_PEOPLE = "opinions of listeners, which no metric gives"
_PROBE = Quantity(
    "accuracy", "probe", True, ("arch", "linear"), True,
    left_open="Accuracy: the papers state neither head, pooling nor layer; ours is ARCH's published procedure (mode "
    "arch), on features pooled over frames.",
)  # fmt: skip

_OF: dict[tuple[str, str], Quantity] = {
    ("wavtokenizer", "utmos"): _UTMOS,
    ("unicodec", "utmos"): _UTMOS,
    ("wavtokenizer", "pesq_wb"): _PESQ_WB,
    ("unicodec", "pesq_wb"): _PESQ_WB,
    ("wavtokenizer", "stoi"): _STOI,
    ("unicodec", "stoi"): _STOI,
    ("wavtokenizer", "vuv_f1"): _F1,
    ("unicodec", "vuv_f1"): _F1,
    ("unicodec", "mel_distance"): Quantity(
        "Mel distance", "score", False, ("mel_distance", "mel_distance_taae"), True,
        parts=("fs:24000", "n_fft:1024", "hop:256", "mels:100:htk", "ln", "l1"),
        left_open=f"Mel distance: L1 of ln mel magnitudes at 24 kHz; {_L1}.",
    ),
    ("unicodec", "stft_distance"): Quantity(
        "STFT distance", "score", False, ("stft_distance", "stft_distance_taae"), True,
        parts=("fs:24000", "windows:2048,512", "log10_square"),
        left_open="STFT distance: the multi-scale loss of audiotools with its defaults, by the authors' code.",
    ),
    ("taae", "mel_distance"): Quantity(
        "Mel distance", "score", False, ("mel_distance_taae", "mel_distance"), True,
        parts=("fs:16000", "n_fft:2048", "hop:256", "mels:128:slaney", "convergence+ln_l1"),
        left_open="Mel distance: log-L1 plus spectral convergence (appendix D); mel scale, logarithm and floor are not "
        "stated and are auraloss' here.",
    ),
    ("taae", "stft_distance"): Quantity(
        "STFT distance", "score", False, ("stft_distance_taae", "stft_distance"), True,
        parts=("fs:16000", "n_fft:2048", "hop:512", "convergence+ln_l1"),
        left_open="STFT distance: log-L1 plus spectral convergence (appendix D); logarithm and floor are not stated "
        "and are auraloss' here.",
    ),
    ("taae", "pesq"): Quantity(
        "PESQ", "score", True, ("pesq_nb", "pesq_wb"), False,
        "the paper does not state the mode; its figures are far above wide-band ones of the same codec (UniCodec "
        "prints 1.90 for TAAE where this paper prints 3.09)",
    ),
    ("taae", "stoi"): Quantity(
        "STOI", "score", True, ("stoi",), True, parts=("resampler:pystoi",),
        left_open="STOI: the implementation is not named; pystoi here.",
    ),
    ("taae", "si_sdr"): Quantity(
        "SI-SDR", "score", True, ("si_sdr", "si_sdr_aligned"), True, parts=("zero_mean", "raw"),
        left_open="SI-SDR: whether delay is compensated is not said; it is not here.",
    ),
    ("taae", "mosnet"): Quantity("MOSNet", "none", True, why="codeczoo has no MOSNet: its MOS is another model's"),
    ("wavtokenizer", "mushra"): Quantity("MUSHRA", "none", True, why=_MOS_OF_PEOPLE),
    ("unicodec", "mushra"): Quantity("MUSHRA", "none", True, why=_MOS_OF_PEOPLE),
    ("wavtokenizer", "cmos_quality"): Quantity("CMOS-Q", "none", True, why=_MOS_OF_PEOPLE),
    ("wavtokenizer", "cmos_prosody"): Quantity("CMOS-P", "none", True, why=_MOS_OF_PEOPLE),
    ("wavtokenizer", "accuracy"): _PROBE,
    ("unicodec", "accuracy"): _PROBE,
    ("wavtokenizer", "utilization"): Quantity(
        "Utilization", "tokens", True, ("utilisation",), True,
        left_open="Utilization: entries that occur among the tokens of these clips; fewer clips use fewer entries.",
    ),
    ("unicodec", "utilization"): Quantity(
        "Utilization", "tokens", True, ("utilisation",), True,
        left_open="Utilization: entries of the part that occur among the tokens; fewer clips use fewer entries.",
    ),
    ("taae", "normalized_entropy"): Quantity(
        "Normalized entropy", "tokens", True, ("normalised_entropy",), True,
        left_open="Normalized entropy: of how often entries occur in these clips, over log2 of the entries, not "
        "corrected; fewer tokens give less. Of codecs that the paper does not print it is the first codebook's.",
    ),
    ("taae", "huffman_bps"): Quantity(
        "Huffman (bps)", "tokens", False, ("huffman_bps",), True,
        left_open="Huffman: codes made for the very tokens that are counted.",
    ),
    ("unicodec", "params_m"): Quantity("Parameters (M)", "fact", None, ("parameters",), True),
    ("taae", "params_m"): Quantity("Parameters (M)", "fact", None, ("parameters",), True),
    ("unicodec", "downsample_rate"): Quantity("DR", "fact", None, ("samples_a_token",), True),
    ("taae", "latency_s"): Quantity(
        "Latency (s)", "reach", False, ("latency_s",), True,
        left_open="Latency: samples that an output looks ahead, by gradients through the layers where measured.",
    ),
    ("taae", "receptive_field_s"): Quantity(
        "Receptive field (s)", "reach", None, ("receptive_field_s",), True,
        left_open="Receptive field: input samples that an output sample depends on, by gradients.",
    ),
    ("taae", "per_layer_receptive_field_s"): Quantity(
        "Receptive field a layer (s)", "reach", None, ("layer_s",), True,
        left_open="Receptive field a layer: of the layer that sees most.",
    ),
}  # fmt: skip

_GPU = {"unicodec": "an NVIDIA A100", "taae": "an NVIDIA H100"}


def quantity(row: PublishedRow) -> Quantity:
    """What a row prints. Raises InvalidPublished for a column that is not known."""
    if row.metric.startswith("rtf_") and row.metric.endswith("s") and row.paper in _GPU:
        return _real_time_factor(row)
    found = _OF.get((row.paper, row.metric))
    if found is None:
        raise InvalidPublished(
            f"{row.suite} prints {row.metric!r}, of which no definition is known; there are "
            f"{', '.join(sorted({metric for _, metric in _OF}))}."
        )
    return found


def length_s(row: PublishedRow) -> float:
    """Clip length of a real-time factor: `rtf_30s` is of 30 s. Raises InvalidPublished."""
    text = row.metric.removeprefix("rtf_").removesuffix("s")
    if not (text.isascii() and text.isdigit()):
        raise InvalidPublished(f"{row.suite} prints {row.metric!r}; a real-time factor is named rtf_30s.")
    return float(text)


_PARTS = {"whole": "whole", "speech": "speech", "music": "music", "audio": "sound"}


def item(row: PublishedRow) -> str:
    """Which part of a measurement a row is of: a codebook's number from 0, `all` of them, a part of one, a length in
    seconds; empty where there are no parts."""
    found = quantity(row)
    if found.kind == "speed":
        return f"{length_s(row):g}"
    if found.kind != "tokens":
        return ""
    if row.variant == "all codebooks":
        return "all"
    if numbered := re.match(r"R?[VF]S?Q-(\d+),", row.variant):
        return str(int(numbered[1]) - 1)
    if part := re.search(r"; (\w+) codebook$", row.variant):
        return _PARTS.get(part[1], part[1])
    return "whole"


def _real_time_factor(row: PublishedRow) -> Quantity:
    return Quantity(
        f"RTF ({length_s(row):g} s)", "speed", False, ("rtf",), False,
        f"timed on {_GPU[row.paper]} over 1000 clips that are not named, and whether it is encoding, decoding or both "
        "is not said; ours is both, on the machine of the run",
    )  # fmt: skip
