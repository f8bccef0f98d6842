"""DAC, the Descript Audio Codec (Kumar et al., 2023, arXiv 2306.06546), through its package descript-audio-codec.

Conventions. Mono. The clip is padded with zeros on the right to a multiple of the hop, as `DAC.preprocess` does:
ceil(T / hop) frames. Rates are numbers of codebooks: `9q`; a codebook is 10 bits a frame (0.5 kbit/s at 16 kHz, 0.75 at
24 kHz, 0.861 at 44.1 kHz). The keys of the package's own loader say otherwise: its 16 kHz "8kbps" is 6 kbit/s, its
24 kHz "8kbps" is 24 kbit/s.

The last 8 samples at 16 and 24 kHz. The decoder's transposed convolution of stride 5 (kernel 10, padding 3) turns n
frames into 5 n - 1 samples, and the strides 4 and 2 after it make that 8 samples less than 320 n. The encoder's window
and the decoder's reach of a frame have the same centre to within two samples, so by the architecture the 8 samples are
missing at the end. They are given back as zeros when the clip reaches into them, and nothing is shifted: up to there
the audio is what `DAC.forward` gives. What the weights have learnt is another matter: the released 16 kHz model is
reported to answer early (issue 118 of its repository), and the outputs of a 16 kHz DAC that BigCodec's authors
published, which end in those 8 zeros too, lead their references by 8 samples (0.5 ms) in eight files of eight. The
harness measures delay and scores waveforms raw and aligned; an adapter that moved the audio would hide it. At 44.1 kHz
(strides 8, 8, 4, 2) nothing is missing.

`DAC.compress` is not used: it changes the level, and the padding of all convolutions, so its codes are other codes.

Items of a batch are coded one by one, as in `codeczoo.codecs.encodec`.

Source: https://github.com/descriptinc/descript-audio-codec (dac/model/dac.py, dac/nn/quantize.py), version 1.0.0.
"""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .base import Codec, Encoded, Family, Spec, check_audio
from .errors import WeightsCorrupt
from .fingerprint import fingerprint
from .frames import ceil_div, check_frames
from .model_cache import shared
from .weights import WeightFile, Weights, find, fingerprint_parts

if TYPE_CHECKING:
    from dac import DAC
    from torch import Tensor

ENTRIES = 1024
_RELEASES = "https://github.com/descriptinc/descript-audio-codec/releases/download/"
_TRAINING_DATA = "VCTK, MUSDB18 (its test split too, for validation), AudioSet, read speech and more (conf/final)"


@dataclass(frozen=True)
class _Variant:
    name: str
    sample_rate: int
    hop: int
    codebooks: int
    parameters: int
    weights: Weights
    notes: str


class DacCodec:
    """One number of codebooks of one DAC model."""

    def __init__(self, spec: Spec, model: DAC, identity: str) -> None:
        self.spec = spec
        self.fingerprint = identity
        self._model = model
        self._hop = int(model.hop_length)

    def _frames(self, length: int) -> int:
        return ceil_div(length, self._hop)

    def encode(self, audio: Tensor) -> Encoded:
        import torch

        check_audio(audio, self.spec)
        length = audio.shape[-1]
        padded = torch.nn.functional.pad(audio, (0, self._frames(length) * self._hop - length))
        with torch.no_grad():
            items = [self._model.encode(item, self.spec.n_codebooks)[1] for item in padded.split(1)]
        return Encoded(tuple(torch.cat(items).unbind(1)), length)

    def decode(self, encoded: Encoded) -> Tensor:
        import torch

        latent = self.embed(encoded)
        with torch.no_grad():
            audio = torch.cat([self._model.decode(item) for item in latent.split(1)])[:, :, : encoded.length]
        return torch.nn.functional.pad(audio, (0, encoded.length - audio.shape[-1]))

    def embed(self, encoded: Encoded) -> Tensor:
        """The sum of projected codebook vectors, float32 `[B, D, N]`: what the decoder is given."""
        import torch

        check_frames(encoded, self.spec, self._frames)
        codes = torch.stack(encoded.codes, dim=1)
        with torch.no_grad():
            return torch.cat([self._latent(item) for item in codes.split(1)])

    def _latent(self, codes: Tensor) -> Tensor:
        return cast("Tensor", self._model.quantizer.from_codes(codes)[0])


def _describe(variant: _Variant, rate: str) -> Spec:
    count = int(rate.removesuffix("q"))
    return Spec(
        name=f"dac:{variant.name}@{rate}",
        sample_rate=variant.sample_rate,
        frame_rates=(variant.sample_rate / variant.hop,) * count,
        codebook_sizes=(ENTRIES,) * count,
        domain="general",
        causal=False,
        latency_s=None,
        parameters=variant.parameters,
        paper="https://arxiv.org/abs/2306.06546",
        source="https://github.com/descriptinc/descript-audio-codec",
        licence="MIT",
        weights_licence="MIT",
        training_data=_TRAINING_DATA,
        notes=variant.notes,
    )


def _build(variant: _Variant, rate: str, device: str) -> Codec:
    return load(_describe(variant, rate), variant.weights, variant.codebooks, device)


def load(spec: Spec, weights: Weights, codebooks: int, device: str) -> DacCodec:
    """The operating point `spec` of a checkpoint with `codebooks` codebooks. Raises WeightsMissing, WeightsCorrupt."""
    folder = find(weights)
    parts = fingerprint_parts(weights, folder)
    path = folder / weights.files[0].path
    model = shared(("dac", parts, device), lambda: _load_model(path, device))
    hop = round(spec.sample_rate / spec.frame_rates[0])
    expected = (spec.sample_rate, hop, codebooks, ENTRIES)
    found = (model.sample_rate, int(model.hop_length), model.n_codebooks, model.codebook_size)
    if found != expected:
        facts = "sample rate, hop, codebooks, entries"
        raise WeightsCorrupt(f"{path} is another DAC model: {facts} are {found}, {spec.name} has {expected}.")
    identity = fingerprint(spec.name, adapter=__file__, packages=("descript-audio-codec", "torch"), parts=parts)
    return DacCodec(spec, model, identity)


def _load_model(path: Path, device: str) -> DAC:
    import torch

    with warnings.catch_warnings():
        # Importing dac imports audiotools, which warns about its own docstrings and about torch.jit.
        warnings.simplefilter("ignore")
        from dac.model import DAC
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        with warnings.catch_warnings():
            # The package uses torch.nn.utils.weight_norm, whose successor stores other keys.
            warnings.simplefilter("ignore", FutureWarning)
            model = DAC(**_arguments(checkpoint["metadata"]["kwargs"]))
        model.load_state_dict(checkpoint["state_dict"], strict=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsCorrupt(f"{path} does not hold a DAC model as its package saves it: {reason}") from error
    return model.eval().to(device)


def _arguments(stored: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the model's constructor that the checkpoint names; it holds others of older versions too."""
    known = (
        "encoder_dim",
        "encoder_rates",
        "latent_dim",
        "decoder_dim",
        "decoder_rates",
        "n_codebooks",
        "codebook_size",
        "codebook_dim",
        "quantizer_dropout",
        "sample_rate",
    )
    return {name: stored[name] for name in known if name in stored}


def _weights(variant: str, release: str, sha256: str, size_bytes: int | None) -> Weights:
    return Weights(
        name=f"dac-{variant}",
        codec=f"dac:{variant}",
        files=(WeightFile(release.rpartition("/")[2], sha256, size_bytes, _RELEASES + release),),
        licence="MIT",
        source="https://github.com/descriptinc/descript-audio-codec/releases",
    )


_SHORT = (
    "Of the decoded audio the last 8 samples of a clip that fills its last frame are zeros: the decoder makes none."
)

_VARIANTS = (
    _Variant(
        name="16khz",
        sample_rate=16_000,
        hop=320,
        codebooks=12,
        parameters=74_175_906,
        weights=_weights(
            "16khz",
            "0.0.5/weights_16khz.pth",
            "95ab7176b67137d4d4c6c54b8d6ef3cea797faec228cb03ad084badcad570b4d",
            None,
        ),
        notes=_SHORT + " The released weights are reported to answer 8 samples (0.5 ms) early; the audio is not moved.",
    ),
    _Variant(
        name="24khz",
        sample_rate=24_000,
        hop=320,
        codebooks=32,
        parameters=74_708_706,
        weights=_weights(
            "24khz",
            "0.0.4/weights_24khz.pth",
            "44bad592fc393e03eb0be7a5120b7d487fe9612fa41269dc03fca3d4b87e20ad",
            None,
        ),
        notes=_SHORT,
    ),
    _Variant(
        name="44khz",
        sample_rate=44_100,
        hop=512,
        codebooks=9,
        parameters=76_651_890,
        weights=_weights(
            "44khz",
            "0.0.1/weights.pth",
            "a88eed82a7024ccc1facdb1e605c4c2f99281c8118c22c9895ffa846d8fb61aa",
            306_717_287,
        ),
        notes="",
    ),
    _Variant(
        name="44khz-16kbps",
        sample_rate=44_100,
        hop=512,
        codebooks=18,
        parameters=64_213_250,
        # Its publisher states no checksum and none is recorded elsewhere: pinned at the first fetch.
        weights=_weights("44khz-16kbps", "1.0.0/weights_44khz_16kbps.pth", "", 256_984_809),
        notes="",
    ),
)


def _aliases(variant: _Variant) -> dict[str, str]:
    """`6kbps` for `12q`, where a codebook is a round number of kbit/s (16 and 24 kHz)."""
    per_codebook_kbps = 10 * variant.sample_rate / variant.hop / 1000
    if round(per_codebook_kbps, 2) != per_codebook_kbps:
        return {}
    return {f"{count * per_codebook_kbps:g}kbps": f"{count}q" for count in range(1, variant.codebooks + 1)}


def _family(variant: _Variant) -> Family:
    return Family(
        name=f"dac:{variant.name}",
        rates=tuple(f"{count}q" for count in range(1, variant.codebooks + 1)),
        describe=partial(_describe, variant),
        build=partial(_build, variant),
        aliases=_aliases(variant),
        weights=variant.weights,
    )


KHZ16, KHZ24, KHZ44, KHZ44_16KBPS = (_family(variant) for variant in _VARIANTS)
