"""Codec classes of transformers behind the contract: `hf:ORG/REPO@RATE`, and the loader of the registered names.

Conventions. The class follows from `model_type` in the repository's config.json; code from a repository is never run,
pickled weights are never read. Rates are the model's own: kilobits (`6kbps`) where it is asked for a bandwidth, else
codebooks (`8q`), none where it has one operating point; the defaults of the library, which differ from model to model,
are never used. Models run in float32 and evaluation mode. Clips of a batch are coded one by one, so that neither the
padding nor the rounding of a batch changes a code (`codeczoo.codecs.encodec` says more).

How each class is used: `codeczoo.codecs.transformers_kinds`.
"""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .base import Codec, Encoded, Family, Spec, check_audio
from .errors import InvalidTokens, UnknownCodec, WeightsCorrupt, WeightsMissing
from .fingerprint import fingerprint, sha256_of
from .frames import check_frames, decoded_length
from .model_cache import shared
from .transformers_kinds import KINDS, Facts, Kind, extractor
from .weights import WeightFile, Weights, find, fingerprint_parts, locate

if TYPE_CHECKING:
    from torch import Tensor

_KINDS_FILE = Path(__file__).with_name("transformers_kinds.py")
_CODEBOOK_BUFFERS = {"embed", "embed_sum", "cluster_usage"}


class HubCodec:
    """One operating point of one checkpoint."""

    def __init__(self, spec: Spec, model: Any, kind: Kind, facts: Facts, identity: str) -> None:
        self.spec = spec
        self.fingerprint = identity
        self._model = model
        self._kind = kind
        self._facts = facts

    def _chunks(self, length: int) -> list[int]:
        return self._kind.frames(self._facts, self._model.config, length)

    def encode(self, audio: Tensor) -> Encoded:
        import torch

        check_audio(audio, self.spec)
        with torch.no_grad():
            items = [
                self._kind.encode(self._model, self._facts, item, self.spec.n_codebooks) for item in audio.split(1)
            ]
            codes = torch.cat([codes for codes, _ in items]).to(torch.int64)
            scales = [scale for _, scale in items if scale is not None]
        side = {"scale": torch.cat(scales)} if scales else {}
        return Encoded(tuple(codes.unbind(1)), audio.shape[-1], side=side)

    def decode(self, encoded: Encoded) -> Tensor:
        import torch

        codes = self._codes(encoded)
        chunks = self._chunks(encoded.length)
        scales = self._scales(encoded, len(chunks))
        wanted = decoded_length(encoded.length, self.spec)
        with torch.no_grad():
            decoded = [
                self._kind.decode(self._model, item, chunks, scale)[:, :, :wanted]
                for item, scale in zip(codes.split(1), scales, strict=True)
            ]
        audio = torch.cat(decoded)
        # DAC of stride 5 makes 8 samples too few, at the end (codeczoo.codecs.dac).
        return torch.nn.functional.pad(audio, (0, wanted - audio.shape[-1]))

    def embed(self, encoded: Encoded) -> Tensor:
        """The quantised latent, float32 `[B, D, N]`, that the model's `decode` makes of the codes."""
        import torch

        with torch.no_grad():
            items = [self._kind.latent(self._model, item) for item in self._codes(encoded).split(1)]
            return torch.cat(items)

    def _codes(self, encoded: Encoded) -> Tensor:
        import torch

        check_frames(encoded, self.spec, lambda length: sum(self._chunks(length)))
        return torch.stack(encoded.codes, dim=1)

    def _scales(self, encoded: Encoded, chunks: int) -> list[Tensor | None]:
        if not self._kind.scales(self._model.config):
            return [None] * encoded.batch_size
        scale = encoded.side.get("scale")
        expected = (encoded.batch_size, chunks)
        if scale is None or tuple(scale.shape) != expected:
            got = None if scale is None else tuple(scale.shape)
            raise InvalidTokens(f"{self.spec.name} needs side['scale'], float32 {expected} [B, chunks]; got {got}.")
        return list(scale.split(1))


def load(spec: Spec, weights: Weights, device: str) -> HubCodec:
    """The operating point `spec` of the checkpoint `weights`. Raises WeightsMissing, WeightsCorrupt, UnknownCodec."""
    folder = find(weights)
    kind, facts = read(folder, weights)
    _check_facts(spec, facts, folder)
    parts = fingerprint_parts(weights, folder)
    model = shared(("transformers", parts, device), lambda: _load_model(kind, facts, folder, device))
    identity = fingerprint(
        spec.name,
        adapter=__file__,
        packages=("transformers", "torch"),
        parts=(sha256_of(_KINDS_FILE), *parts),
    )
    return HubCodec(spec, model, kind, facts, identity)


def read(folder: Path, weights: Weights) -> tuple[Kind, Facts]:
    """The kind and the facts of a checkpoint, from its config.json alone."""
    path = folder / "config.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WeightsCorrupt(f"{path} is not JSON: {error}") from error
    model_type = stored.get("model_type") if isinstance(stored, dict) else None
    kind = KINDS.get(str(model_type))
    if kind is None:
        raise UnknownCodec(
            f"{weights.codec or weights.name} holds a model of type {model_type!r}; "
            f"the codecs of transformers that codeczoo reads are: {', '.join(KINDS)}."
        )
    from transformers import AutoConfig

    try:
        return kind, kind.facts(AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False))
    except (ValueError, TypeError, KeyError) as error:
        raise WeightsCorrupt(f"{path} is not the configuration of a {model_type} model: {error}") from error


def _check_facts(spec: Spec, facts: Facts, folder: Path) -> None:
    declared = (spec.sample_rate, spec.output_sample_rate, spec.channels, spec.codebook_sizes[0])
    found = (facts.sample_rate, facts.output_sample_rate, facts.channels, facts.entries)
    same_rate = all(abs(rate - facts.frame_rate_hz) < 1e-6 for rate in spec.frame_rates)
    if declared != found or not same_rate or spec.n_codebooks not in facts.rates.values():
        raise WeightsCorrupt(
            f"{folder / 'config.json'} describes another model than {spec.name}: sample rate, output rate, channels "
            f"and entries are {found}, frames a second {facts.frame_rate_hz:g}, codebooks {facts.rates}."
        )


def _load_model(kind: Kind, facts: Facts, folder: Path, device: str) -> Any:
    import torch
    import transformers

    model, info = getattr(transformers, kind.model_class).from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    # transformers fills what a checkpoint lacks with random numbers and says so in its log only. Constant buffers
    # (windows, filters) are computed and may be absent; parameters and codebooks may not.
    parameters = {name for name, _ in model.named_parameters()}
    absent = [
        name
        for name in sorted(info["missing_keys"])
        if name in parameters or name.rpartition(".")[2] in _CODEBOOK_BUFFERS
    ]
    absent += [str(entry) for entry in info["mismatched_keys"]]
    if absent:
        raise WeightsCorrupt(
            f"The weights in {folder} lack {len(absent)} tensors of {kind.model_class}: {', '.join(absent[:3])}."
        )
    model.codeczoo_extractor = extractor(kind, folder, facts)
    return model.eval().to(device)


def describe(facts: Facts, name: str, rate: str, source: str) -> Spec:
    """Facts of a point of a repository that codeczoo knows only by its configuration."""
    count = facts.rates[rate]
    return Spec(
        name=f"{name}@{rate}" if rate else name,
        sample_rate=facts.sample_rate,
        channels=facts.channels,
        output_sample_rate=facts.output_sample_rate,
        frame_rates=(facts.frame_rate_hz,) * count,
        codebook_sizes=(facts.entries,) * count,
        causal=facts.causal,
        latency_s=facts.latency_s,
        source=source,
        licence="Apache-2.0 (transformers)",
        weights_licence=f"see {source}",
        training_data="not known here; see the source",
        notes="Facts are read from the repository's config.json.",
    )


def family(repository: str) -> Family:
    """The family of `hf:ORG/REPO`. Its rates are known once its config.json is on this machine."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise UnknownCodec(f"hf:{repository} is not a repository of the hub; names read hf:ORG/REPO@RATE.")
    name = f"hf:{repository}"
    weights = Weights(
        name=repository.replace("/", "--"),
        codec=name,
        files=(WeightFile("config.json"),),
        repository=repository,
        source=f"https://huggingface.co/{repository}",
    )
    folder = locate(weights)
    if folder is None:
        # Any rate is taken, so that the answer is how to get the weights and not that there is no such rate.
        return Family(name, ("",), partial(_absent, weights), partial(_absent, weights), {}, weights, open_rates=bool)
    facts = read(folder, weights)[1]

    def describe_rate(rate: str) -> Spec:
        return describe(facts, name, rate, weights.source)

    def build(rate: str, device: str) -> Codec:
        return load(describe_rate(rate), weights, device)

    return Family(name, tuple(facts.rates), describe_rate, build, facts.aliases, weights)


def _absent(weights: Weights, rate: str, device: str = "cpu") -> Any:
    """Facts and codec of a repository that is not here: `find` says how to get it."""
    find(weights)
    raise WeightsMissing(f"{weights.codec}@{rate} has just appeared on {device}; ask again.")
