"""How good the model is on crops that it does not learn from.

Every held-out crop is encoded and decoded as a user would do it (eval mode, float32, bandwidth id 0, and UniCodec told
the crop's domain where it is known). What is always measured is the mel loss and the codebook's use over all crops:
`utilisation`, the share of entries that occur, and `perplexity`; where a domain has a part of it, also
`utilisation_speech` and so on, of each part. Further scores come from the caller as a function, because metrics are no
business of the codecs: `codeczoo.benchmarks.training_validation` has the zoo's own.

Where crops are of several domains, every score is there of each as well (`mel_music`): a mean over speech and music
says what the validation set is made of, and PESQ and STOI are defined for speech alone. A score that a crop does not
have (PESQ of silence) is left out of the mean, and counted as `NAME_undefined`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from codeczoo.codecs.domains import DOMAINS, Domain
from codeczoo.codecs.quantizers.base import usage
from codeczoo.codecs.quantizers.partitioned import PartitionedSimQuantizer
from codeczoo.codecs.resampling import Audio
from codeczoo.codecs.unicodec import UniCodec

from .crops import Crop, CropSettings
from .loader import validation_batches
from .mel_loss import MelLoss
from .models import TrainedModel

if TYPE_CHECKING:
    from accelerate import Accelerator

Scorer = Callable[[Audio, Audio, int], Mapping[str, float | None]]
"""(reference, estimate, sample rate in Hz), mono float32 `[T]` both, to scores by name; None where a pair has none."""


@dataclass(frozen=True)
class Validation:
    """What is validated, and how."""

    crops: tuple[Crop, ...]
    score: Scorer | None = None
    decides: str = "mel"
    """The score that tells which step is best."""
    higher_is_better: bool = False
    examples: int = 4
    """Crops whose reconstruction is kept to be listened to."""

    @property
    def identity(self) -> str:
        """What is compared from step to step: scores of other crops, or another score, tell nothing about it."""
        digest = hashlib.sha256()
        for crop in self.crops:
            digest.update(f"{crop.clip.name}\t{crop.facts}\t{crop.start}\t{crop.peak_db}\n".encode())
        return f"{self.decides} of {digest.hexdigest()[:16]}"


@dataclass(frozen=True)
class Example:
    """One crop and what became of it."""

    name: str
    reference: Audio
    estimate: Audio


@dataclass(frozen=True)
class Validated:
    """What a validation found."""

    scores: Mapping[str, float]
    """Means over the crops, by name."""
    examples: tuple[Example, ...]
    """Of this process."""


@dataclass(frozen=True)
class _Row:
    """What one crop came to."""

    domain: Domain | None
    scores: dict[str, float | None]


def validate(
    model: TrainedModel, validation: Validation, settings: CropSettings, accelerator: Accelerator
) -> Validated:
    """Validate on all processes, which all call this; each gets all scores. Neither the model nor torch's generators
    are different afterwards. Raises InvalidAudioFile."""
    mel = MelLoss(settings.sample_rate).to(accelerator.device)
    mine = validation.crops[accelerator.process_index :: accelerator.num_processes]
    rows: list[_Row] = []
    codes: list[Tensor] = []
    examples: list[Example] = []
    devices = [accelerator.device] if accelerator.device.type == "cuda" else []
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices):
            for name, domain, audio in _crops(mine, settings):
                found = _encoded(model, audio.to(accelerator.device), domain)
                decoded = model.decode(found, audio.shape[-1])
                row: dict[str, float | None] = {"mel": float(mel(audio.to(accelerator.device), decoded))}
                reference, estimate = audio[0, 0].numpy(), decoded[0, 0].cpu().numpy()
                if validation.score is not None:
                    row.update(validation.score(reference, estimate, settings.sample_rate))
                rows.append(_Row(domain, row))
                codes.append(found.cpu())
                if len(examples) < validation.examples:
                    examples.append(Example(name, reference, estimate))
    finally:
        model.train(was_training)
    scores = _scores(_from_all(rows)) | _use_of_codebook(codes, model)
    return Validated(scores, tuple(examples))


def _crops(crops: tuple[Crop, ...], settings: CropSettings) -> Iterator[tuple[str, Domain | None, Tensor]]:
    for batch in validation_batches(crops, settings, 1):
        yield batch.clips[0], batch.domains[0], batch.audio


def _encoded(model: TrainedModel, audio: Tensor, domain: Domain | None) -> Tensor:
    return model.encode(audio, domain) if isinstance(model, UniCodec) else model.encode(audio)


def _from_all(items: list) -> list:
    """The items of all processes, in one list."""
    from accelerate.utils import gather_object

    return gather_object(items)


def _scores(rows: list[_Row]) -> dict[str, float]:
    """Means over all crops, and over those of each domain where there are several."""
    found = _means([row.scores for row in rows])
    domains = {row.domain for row in rows}
    for domain in DOMAINS if len(domains) > 1 else ():
        of_it = _means([row.scores for row in rows if row.domain == domain])
        found |= {f"{name}_{domain}": value for name, value in of_it.items()}
    return found


def _means(rows: list[dict[str, float | None]]) -> dict[str, float]:
    means: dict[str, float] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [value for row in rows if (value := row.get(name)) is not None]
        if values:
            means[name] = sum(values) / len(values)
        if len(values) < len(rows):
            means[f"{name}_undefined"] = float(len(rows) - len(values))
    return means


def _use_of_codebook(codes: list[Tensor], model: TrainedModel) -> dict[str, float]:
    every = torch.cat([part.flatten() for part in _from_all(codes)])
    entries = model.config.entries
    found = {name: float(value[0]) for name, value in usage(every[None, None], (entries,)).items()}
    if isinstance(model.quantizer, PartitionedSimQuantizer):
        occurs = torch.zeros(entries).index_fill(0, every, 1.0)
        for domain, part in model.quantizer.parts.items():
            found[f"utilisation_{domain}"] = float(occurs[part.start : part.stop].mean())
    return found
